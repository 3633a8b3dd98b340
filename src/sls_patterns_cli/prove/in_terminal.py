"""The result in a terminal: each edge as soon as it is proven, then the graph.

Imports Rich: import this module lazily.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from time import monotonic

from rich.console import Console
from rich.text import Text

from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.prove.report import Report, Row, Say
from sls_patterns_cli.prove.text import heading, sentence
from sls_patterns_cli.prove.verdict import LOSING
from sls_patterns_cli.terminal.live_progress import LiveProgress
from sls_patterns_cli.terminal.rich_console import console, in_unicode

COLOURS = {"ended": "green", "lost": "bold red", "for-ever": "bold red"}
_ASCII = str.maketrans("╞╘═└─", "||=`-")


@contextmanager
def live() -> Iterator[Say]:
    """Show what is proven while it is; the block gets what says a row."""
    progress = LiveProgress()
    last = monotonic()

    def say(source: Source, row: Row) -> None:
        nonlocal last
        now = monotonic()
        outcome = "failed" if row.outcome.verdict in LOSING else "passed"
        outcome = outcome if row.outcome.verdict in COLOURS else "skipped"
        progress.item(heading(source, row), now - last, outcome)
        last = now

    with progress.stage("Prove"):
        yield say


def draw(found: Sequence[Report]) -> None:
    """Draw each template as what sends, what consumes, and where its failures end."""
    output = console()
    for report in found:
        by_source = sorted(report.rows, key=lambda row: row.edge.source)
        for source, rows in groupby(by_source, key=lambda row: row.edge.source):
            _print(output, Text(f"\n{report.source.name(source)}", "bold"))
            sent = list(rows)
            for row in sent:
                branch = "╘═> " if row is sent[-1] else "╞═> "
                fault = f"  {row.fault}" if row.fault else ""
                target = report.source.name(row.edge.target)
                _print(output, Text.assemble(branch, target, (fault, "dim")))
                colour = COLOURS.get(row.outcome.verdict, "yellow")
                indent = "    " if row is sent[-1] else "|   "
                _print(
                    output, Text.assemble(indent, "└─x ", (sentence(report.source, row), colour))
                )


def _print(output: Console, text: Text) -> None:
    if not in_unicode(output):
        text.plain = text.plain.translate(_ASCII)
    output.print(text, soft_wrap=True)
