"""What is generated from the vocabulary, the patterns and the records of decisions.

`make golden` writes it, and a test fails where it is stale.
"""

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import help_pages
import writing
import yaml
from dashboard_pictures import picture
from decisions_page import PAGE as DESIGN
from decisions_page import decisions, design_page
from emulator_reports import PAGE, reports_page
from graph_schema import graph_schema
from kinds_page import kinds_page
from pattern_schema import pattern_schema
from release_page import release_pages

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler import compiled, rollout
from sls_patterns_cli.catalog.compiler.optional_parameters import OPTIONS
from sls_patterns_cli.catalog.compiler.records import Graph
from sls_patterns_cli.catalog.kinds import Vocabulary
from sls_patterns_cli.errors import UserError

ROOT = Path(__file__).parents[1]
PATTERNS = ROOT / "templates/patterns"
INDEX = PATTERNS / "index.yml"
README = ROOT / "README.md"
COLUMNS = 74  # of what prompts say: with room to spare in a terminal of 80
TABLE = "| pattern | topologies | runtimes | flavours | datastores |"
TRACING = {
    "xray": "AWS X-Ray, by the services themselves and without an SDK; $5 a million traces, "
    "of the first request of each second and 5 percent of the others",
    "none": "No traces; log lines have the ids of requests all the same",
}
"""What prompts say about each way to trace."""
DEAD_LETTERS = {
    "tool": "a tool in the project, which needs nothing else",
    "command": "the command `sls-patterns letters`, which also selects and discards",
}
"""What prompts say about what lists dead letters."""
POISON = {
    "named": "the handler names it, and the first attempt sends it to the dead-letter queue; what "
    "fails otherwise is tried for an hour, in order for a day",
    "retried": "it is received five times, like all that fails",
}
"""What prompts say about what becomes of poison."""
BODIES = {
    "checked": "API Gateway: it answers what does not fit a model with 400",
    "passed": "functions, after the answer 202: what is not valid is a dead letter",
}
"""What prompts say about what checks the bodies of requests."""
ROLLOUTS = {
    "all-at-once": "the new version gets all traffic as soon as it is deployed",
    "canary": (
        f"CodeDeploy gives it {rollout.PERCENT} percent for {rollout.MINUTES} minutes, and alarms "
        "take it back; each deployment takes that long"
    ),
}
JOB_ROWS = {
    "json-lines": "a JSON object on each line; key <id>.jsonl",
    "csv": "comma-separated values below a header; key <id>.csv",
}
"""What prompts say about the formats of a job's rows."""
LAST = 1000  # where a pattern is that does not say where


def index(patterns: Path = PATTERNS) -> str:
    """Return the choices of the question for the pattern, slugs by title, from their folders.

    What has the lowest `order` is offered first, and is the default.
    """
    declared = [
        (yaml.safe_load(file.read_text()), file.parent.name)
        for file in patterns.glob("*/pattern.yml")
    ]
    ordered = sorted(
        (each.get("order", LAST), slug, label(each["title"], each["summary"]))
        for each, slug in declared
    )
    return "".join(f"{json.dumps(labelled)}: {slug}\n" for _, slug, labelled in ordered)


def choices(vocabulary: Vocabulary) -> str:
    """Return what prompts say about each flavour and each datastore."""
    said = {
        "tracing": {name: label(name, meaning) for name, meaning in TRACING.items()},
        "dead_letters": {name: label(name, what) for name, what in DEAD_LETTERS.items()},
        "poison": {name: label(name, what) for name, what in POISON.items()},
        "bodies": {name: label(name, what) for name, what in BODIES.items()},
        "job_rows": {name: label(name, what) for name, what in JOB_ROWS.items()},
        "rollouts": {name: label(name, meaning) for name, meaning in ROLLOUTS.items()},
        "flavours": {name: label(name, meaning) for name, meaning in vocabulary.flavours.items()},
        "datastores": {
            store.name: label(
                store.name,
                f"{store.title}; while idle it costs {store.idle}"
                + (f". Experimental: {store.experimental}" if store.experimental else ""),
            )
            for store in vocabulary.datastores.values()
        },
        "auth": {name: label(name, meaning) for name, meaning in vocabulary.auth.items()},
        "parameters": {name: label(name, meaning) for name, meaning in OPTIONS.items()},
    }
    return f"{json.dumps(said, indent=1)}\n"


def readme(text: str) -> str:
    """Return the README with its table of patterns as the patterns are."""
    rows = "".join(
        f"| {' | '.join(', '.join(f'`{name}`' for name in names) for names in row)} |\n"
        for row in options()
    )
    before, head, rest = text.partition(f"{TABLE}\n|---|---|---|---|---|\n")
    return before + head + rows + rest[rest.index("\n\n") + 1 :]


def options() -> Iterator[tuple[Iterable[str], ...]]:
    """Yield for each pattern its slug, topologies, runtimes, flavours and datastores."""
    for pattern in catalog.patterns():
        topologies = [topology.name for topology in pattern.offered]
        yield [pattern.slug], topologies, pattern.runtimes, pattern.flavours, pattern.datastores


def label(name: str, meaning: str) -> str:
    """Return a choice with what it means below it: prompts cut lines that are too long."""
    lines = textwrap.wrap(meaning, COLUMNS, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join((name, *lines))


def generated() -> dict[Path, str]:
    """Return the text of each file that is generated."""
    return dict(_files())


def _files() -> Iterator[tuple[Path, str]]:
    graphs = {
        PATTERNS / pattern.slug / file: text
        for pattern in catalog.patterns()
        for file, text in compiled(pattern, catalog.vocabulary()).items()
    }
    yield from graphs.items()
    for file, text in graphs.items():
        for answer, graph in with_dashboards(json.loads(text)):
            yield file.with_name(f"{file.stem}{answer}.svg.jinja"), picture(graph)
    schema = pattern_schema(catalog.vocabulary())
    yield ROOT / "templates/pattern.schema.json", f"{json.dumps(schema, indent=1)}\n"
    compiled_schema = graph_schema(catalog.vocabulary())
    yield ROOT / "templates/graph.schema.json", f"{json.dumps(compiled_schema, indent=1)}\n"
    yield ROOT / "templates/choices.json", choices(catalog.vocabulary())
    yield ROOT / "docs/kinds.md", kinds_page(catalog.vocabulary(), map(graph_of, graphs.values()))
    yield PAGE, reports_page()
    yield help_pages.FILE, help_pages.module()
    yield from release_pages()
    yield DESIGN, design_page(DESIGN.read_text(), decisions())
    yield README, readme(README.read_text())


def with_dashboards(graph: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return a compiled graph, and it with each answer that changes its dashboard."""
    yield "", graph
    for auth, change in graph.get("auth", {}).items():
        if "dashboard" in change["values"]:
            thresholds = [
                each for *_, new in change["slices"].get("thresholds", ()) for each in new
            ]
            changed = {"thresholds": [*graph["thresholds"], *thresholds], **change["values"]}
            yield f"-{auth}", {**graph, **changed}


def graph_of(text: str) -> Graph:
    """Return the nodes and edges of a compiled graph."""
    compiled_graph = json.loads(text)
    return Graph(compiled_graph["nodes"], tuple(compiled_graph["edges"]))


def stray() -> set[Path]:
    """Return the graphs that are there and that no pattern has any more."""
    return set(PATTERNS.glob("*/graphs/*")) - generated().keys()


def write() -> None:
    """Write all that is generated, and remove what is of a pattern no more."""
    # What Copier asks from: it cannot look into folders.
    writing.write(INDEX, index())
    catalog.slugs.cache_clear()
    for file, text in generated().items():
        writing.write(file, text)
    for file in stray():
        file.unlink()


if __name__ == "__main__":
    try:
        write()
    except UserError as error:
        sys.exit(error.message)
