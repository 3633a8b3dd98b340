"""What a person sees of `list`, `show`, `new` and `update`, and what a pipe gets instead."""

import re
import sys
from collections.abc import Callable, Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.mark import ParameterSet
from command import Cli
from screen import Shown, colour_of, plain_environment, see

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.tree import rows

SLUGS = catalog.slugs()
ESCAPE = b"\x1b"
See = Callable[..., Shown]
T = TypeVar("T")


@pytest.fixture
def terminal(cli: Cli) -> See:
    def run(*arguments: str, columns: int = 100, talk: Any = None, **environment: str) -> Shown:
        variables = plain_environment(cli.environment) | environment
        return see([*cli.command, *arguments], cli.folder, variables, columns, talk=talk)

    return run


@pytest.mark.parametrize("columns", [120, 80, 40])
def test_list_names_every_pattern_and_option_at_any_width(terminal: See, columns: int) -> None:
    shown = terminal("list", columns=columns)

    assert shown.code == 0
    words = set(re.split(r"[\s,|]+", shown.text))
    for pattern in catalog.patterns():
        names = (t.name for t in pattern.topologies)
        assert {pattern.slug, *names, *pattern.datastores, *pattern.flavours} <= words
        assert set(pattern.summary.split()) <= set(shown.text.split())
        assert colour_of(shown, pattern.slug) == "cyan"


def test_list_is_a_table_with_a_column_for_each_option_where_there_is_room(terminal: See) -> None:
    head = terminal("list", columns=120).lines[1].split()
    assert head == [*["pattern", "what", "it", "does", "topology", "runtime", "iac", "datastore"]]


def in_turns(slugs: Sequence[str], ways: Sequence[T]) -> list[ParameterSet]:
    """Return each slug with each of the ways; `make test` has one for each, in turns."""
    often = {*zip(slugs, cycle(ways), strict=False)}
    return [
        pytest.param(*each, marks=() if each in often else pytest.mark.exhaustive)
        for each in product(slugs, ways)
    ]


@pytest.mark.parametrize(("slug", "columns"), in_turns(SLUGS, [120, 80, 40]))
def test_show_draws_every_node_and_the_failures_in_red(
    terminal: See, slug: str, columns: int
) -> None:
    shown = terminal("show", slug, columns=columns)

    assert shown.code == 0
    start = next(n for n, line in enumerate(shown.lines) if line.startswith("Graph"))
    end = shown.lines.index("What happens when it fails")
    drawn = [line.strip(" │├└╞╘─═>x") for line in shown.lines[start + 1 : end]]
    topology = catalog.pattern(slug).topology()
    for node in topology.nodes:
        assert any(line.startswith(node.name) for line in drawn), node.name
    for failure in (failure for edge in topology.edges for failure in edge.failures):
        if failure.end:
            # A narrow terminal breaks a long name.
            assert colour_of(shown, f"─x {failure.end}"[: columns // 2]) == "red"
    assert all(proof.id.partition(".")[2] in shown.text for proof in topology.proofs)


def test_a_dead_letter_queue_hangs_below_the_node_that_fails(terminal: See) -> None:
    lines = terminal("show", "scalable-webhook", columns=120).lines
    process = next(n for n, line in enumerate(lines) if "═> process" in line)
    queue = next(n for n, line in enumerate(lines) if "─x deliveries-dlq" in line)
    assert process < queue
    assert lines[queue].index("├") > lines[process].index("╘")


@pytest.mark.parametrize("slug", SLUGS)
def test_the_drawing_has_each_node_once_and_each_edge(slug: str) -> None:
    for topology in catalog.pattern(slug).topologies:
        for datastore in topology.datastores:
            graph = topology.on(datastore)
            drawn = list(rows(graph))
            once = [row.name for row in drawn if row.node and not row.repeated]
            assert sorted(once) == sorted(node.name for node in graph.nodes)
            edges = [edge for row in drawn for edge in row.edges]
            assert {id(edge) for edge in edges} == {id(edge) for edge in graph.edges}
            assert len(edges) == len(graph.edges)


@pytest.mark.parametrize("command", [("list",), ("show", "scalable-webhook")])
def test_no_color_leaves_the_shape_and_takes_the_colours(
    terminal: See, command: tuple[str, ...]
) -> None:
    coloured, plain = terminal(*command), terminal(*command, NO_COLOR="1")
    assert ESCAPE in coloured.raw
    assert ESCAPE not in plain.raw
    assert plain.lines == coloured.lines
    assert terminal(*command, NO_COLOR="").raw == coloured.raw


@pytest.mark.parametrize("command", [("list",), ("show", "scalable-webhook")])
def test_a_dumb_terminal_gets_what_a_pipe_gets(
    terminal: See, cli: Cli, command: tuple[str, ...]
) -> None:
    shown = terminal(*command, TERM="dumb", columns=100)
    assert shown.raw.decode().replace("\r\n", "\n") == cli(*command).stdout


@pytest.mark.parametrize(
    ("slug", "code_page"), in_turns(["", *SLUGS], [("cp1252", 120), ("cp437", 40)])
)
def test_a_code_page_gets_nothing_that_it_cannot_print(
    terminal: See, slug: str, code_page: tuple[str, int]
) -> None:
    command = ("show", slug) if slug else ("list",)
    encoding, columns = code_page
    shown = terminal(*command, columns=columns, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert shown.code == 0
    text = shown.raw.decode("ascii")
    assert "\\u" not in text  # what `backslashreplace` makes of other characters
    assert "\\x" not in text


def test_a_pipe_gets_plain_lines_and_no_rich(cli: Cli) -> None:
    program = (
        "import sys; from sls_patterns_cli.cli import commands; commands.run(sys.argv[1:]);"
        "sys.exit('rich' in sys.modules)"
    )
    for command in (["list"], ["show", "scalable-webhook"]):
        done = Cli(cli.folder, cli.environment, (sys.executable, "-c", program))(*command)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "│" not in done.stdout


def test_prompts_say_what_a_choice_means_and_the_end_says_how_to_answer_without(
    terminal: See, cli: Cli
) -> None:
    seen: dict[str, str] = {}

    def talk(process: Any) -> None:
        for question, then, answer in (
            ("Which pattern", "type to filter", "\x1b[B\r"),
            ("project's name", "Enter accept", "\x15asked\r"),
            ("Which topology", "Enter accept", "\r"),
            ("Which runtime", "Enter accept", "\r"),
            ("Which version", "Enter accept", "\r"),
            ("Which IaC flavour", "Enter accept", "\r"),
            ("Which datastore", "Enter accept", "\x1b[B\r"),
            ("change functions", "Enter accept", "\r"),
            ("Which AWS region", "Enter accept", "\r"),
            ("have a dashboard", "Enter accept", "\r"),
            ("Should stages", "Enter accept", "\r"),
            ("requests be traced", "Enter accept", "\r"),
            ("optional parameters", "Enter accept", "\r"),
            ("answers right", "Enter accept", "\r"),
        ):
            process.expect(question)
            process.expect(then)
            seen[question] = process.before.decode()
            process.send(answer)

    shown = terminal("new", columns=80, talk=talk)

    assert shown.code == 0
    assert "A function checks" in seen["Which topology"]
    assert "AWS SAM, one template" in seen["Which IaC flavour"]
    for meaning in ("DynamoDB table, paid by request", "it pauses after"):
        assert meaning in seen["Which datastore"]
    command = "".join(shown.lines[shown.lines.index("The same without questions:") + 1 :]).split()
    assert command[:3] == ["sls-patterns", "new", "scalable-webhook"]
    assert "--datastore aurora-postgresql" in " ".join(command)
    made = tree(cli.folder / "asked")
    (cli.folder / "asked").rename(cli.folder / "before")
    assert cli(*command[1:]).returncode == 0
    assert tree(cli.folder / "asked") == made


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_update_shows_its_stages_with_their_seconds(terminal: See, cli: Cli) -> None:
    command = ("new", "scalable-webhook", "shop", "--defaults")
    assert cli(*command).returncode == 0
    shown = terminal("update", "shop", "--to", "v0.0.0")
    assert shown.code == 2
    assert any(re.match(r"✗ Find the versions +\d+\.\ds$", line) for line in shown.lines)
    assert any(line.startswith("sls-patterns: ") for line in shown.lines)
