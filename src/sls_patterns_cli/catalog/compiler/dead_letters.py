"""What the tool for dead letters is made of: the code, imports and table of a stack's queues.

The records are those of `redrives` in `graph.yml`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sls_patterns_cli.catalog.compiler.records import Facts
from sls_patterns_cli.catalog.kinds import Redrive, Vocabulary
from sls_patterns_cli.catalog.model import Edge, Node

# What the code of every queue needs.
EVERY = "every-queue"
HIDDEN_SECONDS = 120
"""How long a listing or a redrive hides the messages of a queue from others, even after a run that
was killed."""

MARGIN_SECONDS = 60
"""What a redrive needs beside the function that it invokes for a message."""

INVOCATION_SECONDS = 905
"""How long it waits for the answer of a function, which may take up to 900 seconds:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

# How the linters of a project sort imports: what belongs to the language, what is installed, and
# what stands beside the tool.
INSTALLED = {"python": ("boto3", "botocore"), "typescript": ("@", "zod")}
LOCAL = {"python": ("dead_letter_queue", "redshift_access"), "typescript": ("./",)}


def tool(
    queues: Sequence[Facts],
    edges: Sequence[Edge],
    nodes: Mapping[str, Node],
    ids: Mapping[str, str],
    vocabulary: Vocabulary,
) -> Facts | None:
    """The facts of the tool for these queues, with a row for each; `ids` are those of the nodes.

    Where no failure has a queue, there is no tool.
    """
    if not queues:
        return None
    found: dict[str, Redrive] = {}
    rows = []
    for queue in queues:
        failed = edges[queue["edges"][0]]
        redrives = dict(_redrives(queue, nodes[failed.target].kind, vocabulary))
        found |= redrives
        named = {
            "source": ids[failed.source],
            "target": ids[failed.target],
            "at": ids[queue["at"]],
            "back_to": ids.get(queue.get("back_to", "")),
            "origin": next((ids[e.source] for e in edges if e.target == queue["at"]), None),
        }
        targets = [each.target for each in redrives.values() if each.target]
        *_, kind = (each for each in redrives.values() if each.queue)
        rows.append(
            {
                "class": kind.queue,
                "id": queue["id"],
                "failed": ids[queue["at"]],
                "target": targets[-1].format(**named) if targets else None,
                "invoked": ids[failed.target]
                if nodes[failed.target].kind == "function" and targets == ["{target}Name"]
                else None,
            }
        )
    of_all = [vocabulary.redrives[EVERY], *found.values()]
    return {
        "queues": rows,
        "actions": sorted({action for each in of_all for action in each.actions}),
        # A redrive ends when they have ended.
        "waits_for_executions": not {"executions", "items"}.isdisjoint(found),
        "restarts_stopped_executions": "executions" in found,
        # Every reader of the stream has what a delivery could not pass on again.
        "reaches_all_readers": "delivery-records" in found,
        "python": {
            "code": [name for name, each in found.items() if each.python is not None],
            "imports": _imports("python", [each.python for each in of_all]),
        },
        "typescript": {
            "code": [name for name, each in found.items() if each.typescript is not None],
            "imports": _imports("typescript", [each.typescript for each in of_all]),
            "clients": {key: name for each in of_all for key, name in each.clients.items()},
        },
    }


def hidden_seconds(timeouts: Iterable[int]) -> int:
    """How long messages are hidden, where a redrive waits for functions with these timeouts."""
    return max([HIDDEN_SECONDS, *(MARGIN_SECONDS + timeout for timeout in timeouts)])


def _redrives(queue: Facts, to: str, vocabulary: Vocabulary) -> Iterator[tuple[str, Redrive]]:
    """The redrives of a queue, each after those that it builds on."""

    def with_bases(name: str) -> Iterator[tuple[str, Redrive]]:
        redrive = vocabulary.redrives[name]
        for base in redrive.after:
            yield from with_bases(base)
        yield name, redrive
        if to in redrive.to:
            yield from with_bases(redrive.to[to])

    way_back = [*queue["way_back"]]
    if way_back == ["invocations"] and queue["of_deployments"]:
        way_back = ["deployments"]
    for name in way_back:
        yield from with_bases(name)


def _imports(
    language: str, imported: Sequence[Mapping[str, Sequence[str]] | None]
) -> list[list[Facts]]:
    """What a file imports, as the linters of its language sort it: groups of modules."""
    names: dict[str, set[str]] = {}
    for each in imported:
        for module, of_module in (each or {}).items():
            names.setdefault(module, set()).update(of_module)

    def group(module: str) -> int:
        if module.startswith(LOCAL[language]):
            return 2
        return 1 if module.startswith(INSTALLED[language]) else 0

    return [
        [
            {"module": module, "names": sorted(names[module], key=_ORDER[language])}
            # In Python, modules that are imported whole come first.
            for module in sorted(names, key=lambda m: (language == "python" and bool(names[m]), m))
            if group(module) == number
        ]
        for number in range(3)
    ]


def _in_python(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then functions."""
    return not name.isupper(), not name[0].isupper(), name


def _in_typescript(name: str) -> str:
    """As letters are sorted, without regard to case, and to whether only a type is imported."""
    return name.removeprefix("type ").lower()


_ORDER: Mapping[str, Callable[[str], Any]] = {"python": _in_python, "typescript": _in_typescript}
