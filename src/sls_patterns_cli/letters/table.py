"""An end as `list` prints it: its counts, its owner, and a table of its groups.

In a terminal nothing is wider than that; elsewhere a group is one line, for whoever searches it.
"""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sls_patterns_cli.letters import text
from sls_patterns_cli.letters.groups import Group
from sls_patterns_cli.letters.listing import Listed
from sls_patterns_cli.terminal import output

HEADINGS = "group", "letters", "failed at", "age", "left", "why"
LEAST_FOR_CAUSES = 28
"""Columns that the last one needs in a table; with less, a group has two lines instead."""


def show(found: Listed, owner: str) -> None:
    """Print an end."""
    width = shutil.get_terminal_size((100, 24)).columns if output.is_interactive() else None
    first, *others = text.end_lines(found, owner)
    output.show(output.bold("\n".join(_wrapped(first, "  ", width, first=""))))
    for line in others:
        output.show("\n".join(_wrapped(line, "    ", width, first="  ")))
    groups = sorted(found.groups.values(), key=lambda each: -each.count)
    if groups:
        output.show("\n".join(_table(found, groups, width)))


def _table(found: Listed, groups: Sequence[Group], width: int | None) -> Iterator[str]:
    rows = [HEADINGS, *(_row(found, group) for group in groups)]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    indent = 2 + sum(widths) + 2 * len(widths)
    if width is not None and width - indent < LEAST_FOR_CAUSES:
        yield from _two_lines_each(rows[1:], width)
        return
    for id_, count, *cells, why in rows:
        start = f"  {id_:<{widths[0]}}  {count:>{widths[1]}}  "
        start += "".join(f"{cell:<{size}}  " for cell, size in zip(cells, widths[2:], strict=True))
        yield from _wrapped(why, " " * indent, width, first=start)


def _two_lines_each(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    for id_, count, failed, age, left, why in rows:
        expiry = f", {left} left" if left else ""
        letters = "letter" if count == "1" else "letters"
        told = f"{id_}  {count} {letters} of {failed}, {age} old{expiry}"
        yield from _wrapped(told, " " * 12, width, first="  ")
        yield from _wrapped(why, " " * 12, width, first=" " * 12)


def _row(found: Listed, group: Group) -> tuple[str, ...]:
    now, expires = datetime.now(UTC), found.expires(group)
    oldest, newest = text.duration(now - group.oldest), text.duration(now - group.newest)
    age = oldest if oldest == newest else f"{newest}-{oldest}"
    left = text.duration(expires - now) if expires else ""
    return group.id, f"{group.count:,}", group.failed, age, left, text.why(group)


def _wrapped(line: str, indent: str, width: int | None, *, first: str) -> list[str]:
    if width is None:
        return [f"{first}{line}".rstrip()]
    return textwrap.wrap(
        line,
        width=max(30, width),
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
