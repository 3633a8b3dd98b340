"""What `list` and `show` print in a terminal. Imports Rich: import this module lazily."""

from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.authorization import refusals
from sls_patterns_cli.catalog.listed import Listed
from sls_patterns_cli.catalog.model import Pattern, Topology
from sls_patterns_cli.catalog.tree import Row, rows
from sls_patterns_cli.cli.listing import (
    ALARMS,
    OTHERS,
    alarms_of,
    listed,
    node_facts,
    other_topologies,
)
from sls_patterns_cli.terminal.output import IN_ASCII
from sls_patterns_cli.terminal.rich_console import console, in_unicode

WIDE = 100
"""From this many columns on `list` has a column for each option."""
NARROW = 60
"""Below this many columns nothing stands side by side."""

_ARROWS = {"start": "", "sync": "─> ", "async": "═> ", "failure": "─x "}
_BRANCHES = {"sync": "├└", "async": "╞╘", "failure": "├└"}


def show_patterns(patterns: Sequence[Listed]) -> None:
    """Print the patterns as a table."""
    output = console()
    if output.width < NARROW:
        for pattern in patterns:
            output.print(Text(pattern.slug, "bold cyan"))
            output.print(Padding(Text(pattern.summary), (0, 0, 0, 2)))
            output.print(Padding(_offered(pattern), (0, 0, 0, 2)))
            if pattern.caveats:
                output.print(Padding(_caveats(pattern), (0, 0, 0, 2)))
            output.print()
        return
    table = Table(box=SIMPLE_HEAD, header_style="bold", show_lines=True, pad_edge=False)
    table.add_column("pattern", style="bold cyan", no_wrap=True)
    table.add_column("what it does")
    if output.width < WIDE:
        for pattern in patterns:
            table.add_row(pattern.slug, Text.assemble(pattern.summary, "\n", _offered(pattern)))
    else:
        for heading in ("topology", "runtime", "iac", "datastore"):
            table.add_column(heading, no_wrap=True)
        for pattern in patterns:
            options = map("\n".join, pattern.options)
            table.add_row(pattern.slug, pattern.summary, *options)
    output.print(table)
    for pattern in patterns:
        if pattern.caveats:
            output.print(Text(pattern.slug, "bold cyan"))
            output.print(Padding(_caveats(pattern), (0, 0, 0, 2)))


def show_pattern(pattern: Pattern, topology: Topology) -> None:
    """Print what a pattern offers, one topology's graph, and what is proven of it."""
    output = console()
    output.print(Text.assemble((pattern.title, "bold"), f" ({pattern.slug})"))
    output.print(Text(pattern.summary))
    use, avoid = pattern.when(topology)
    output.print(Text.assemble(("Use it ", "bold"), use))
    output.print(Text.assemble(("Do not use it ", "bold"), avoid))
    _heading(output, "Options, the default first")
    names = ("topology", "runtime", "iac", "datastore")
    offered = (*pattern.options[:3], topology.datastores)
    _pairs(output, [(n, Text(", ".join(o))) for n, o in zip(names, offered, strict=True)])
    for store, unshown in topology.experimental.items():
        text = Text.assemble((f"{store} is experimental. ", "bold"), unshown)
        output.print(Padding(text, (0, 0, 0, 2)))
    _heading(output, f"Topology {topology.name}")
    output.print(Padding(Text(topology.summary), (0, 0, 0, 2)))
    if topology.retired:
        text = Text.assemble(("Retired. ", "bold"), topology.retired)
        output.print(Padding(text, (0, 0, 0, 2)))
    if others := other_topologies(pattern, topology):
        _heading(output, OTHERS)
        _pairs(output, [(name, Text(summary)) for name, summary in others])
    _heading(output, "Graph", "  -> waits for the answer, => does not, x is where failures go")
    for row in rows(topology):
        _draw(output, row)
    _heading(output, "What happens when it fails")
    for title, text in _failures(topology):
        output.print(Padding(title, (0, 0, 0, 2)))
        output.print(Padding(text, (0, 0, 0, 4)))
    _heading(output, ALARMS)
    _pairs(output, [(name, Text(text)) for name, text in alarms_of(pattern, topology)])
    _heading(output, topology.proofs_title)
    prefix = f"{pattern.slug}."
    _pairs(output, [(p.id.removeprefix(prefix), Text(p.text)) for p in topology.proofs])
    for auth, proofs in refusals(topology, catalog.vocabulary()).items():
        _heading(output, f"Proofs with auth {auth}")
        _pairs(output, [(p.id.removeprefix(prefix), Text(p.text)) for p in proofs])


def _caveats(pattern: Listed) -> Text:
    return Text("\n".join(pattern.caveats), "dim")


def _offered(pattern: Listed) -> Text:
    return Text(" | ".join(map(", ".join, pattern.options)), "dim")


def _heading(output: Console, text: str, more: str = "") -> None:
    output.print()
    output.print(Text.assemble((text, "bold"), (more, "dim")))


def _pairs(output: Console, pairs: Iterable[tuple[str, Text]]) -> None:
    """Print texts beside their names, or below them where there is no room."""
    if output.width < NARROW:
        for name, text in pairs:
            output.print(Padding(Text(name, "cyan"), (0, 0, 0, 2)))
            output.print(Padding(text, (0, 0, 0, 4)))
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column()
    for name, text in pairs:
        grid.add_row(f"  {name}", text)
    output.print(grid)


def _draw(output: Console, row: Row) -> None:
    """Print a row of the graph; what does not fit on a line goes on beside the rails."""
    rails = "".join("│   " if more else "    " for more in row.rails[:-1])
    branch, onward = "", ""
    if row.rails:
        more_follow = row.rails[-1]
        branch = _BRANCHES[row.way][0 if more_follow else 1] + _ARROWS[row.way]
        onward = "│   " if more_follow else "    "
    if not in_unicode(output):
        rails, branch, onward = (part.translate(IN_ASCII) for part in (rails, branch, onward))
    colour = "red" if row.way == "failure" else "dim"
    start = Text.assemble("  ", (rails, "dim"), (branch, colour))
    goes_on = Text.assemble("  ", (rails + onward, "dim"))
    width = max(output.width - start.cell_len, 10)
    lines = [line for text in _texts(row) for line in text.wrap(output, width)]
    for number, line in enumerate(lines):
        line.rstrip()
        output.print(Text.assemble(goes_on if number else start, line), soft_wrap=True)


def _texts(row: Row) -> Iterator[Text]:
    if row.node is None:
        yield Text.assemble((row.name, "bold red"), ("  dead-letter queue", "red"))
        return
    kind = "see above" if row.repeated else row.node.kind
    facts = "" if row.repeated else node_facts(row.node)
    yield Text.assemble((row.name, "bold"), "  ", (kind, "cyan"), "  ", facts)
    if labels := ", ".join(listed(edge.attributes) for edge in row.edges if edge.attributes):
        yield Text(labels, "dim")


def _failures(topology: Topology) -> Iterator[tuple[Text, Text]]:
    """Each failure, with its dead-letter queue or, if the caller gets the error, with its edges."""
    told: dict[str, list[str]] = {}
    ends: dict[tuple[str, str], None] = {}
    for edge in topology.edges:
        for failure in edge.failures:
            if failure.end:
                ends[failure.end, failure.mechanism] = None
            else:
                between = f"{edge.source} {'=>' if edge.call == 'async' else '->'} {edge.target}"
                told.setdefault(failure.mechanism, []).append(between)
    for end, mechanism in ends:
        yield Text(end, "red"), Text(mechanism)
    for mechanism, edges in told.items():
        yield Text(", ".join(dict.fromkeys(edges)), "cyan"), Text(mechanism)
