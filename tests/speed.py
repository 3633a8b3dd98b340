"""The page `docs/speed.md`: what each release takes, a line a release.

`make bench` writes the line of the version that is there, and marks what is more than a quarter
worse than in the line before.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/speed.md"
HEAD = re.compile(r"^\| release \|.*\n\|[-| ]+\|\n", re.MULTILINE)
WORSE = 1.25
MARK = " (worse)"
NOT_MEASURED = "?"
LARGE = 0.02
"""A test that takes this share of the suite is named."""

MINUTE = 60

Figures = Mapping[str, float]
"""By column of the page, in the order of its columns: the lower, the better."""


def with_line(page: str, release: str, figures: Figures) -> str:
    """Return the page with the line of a release: in its place, or as the last one."""
    head = HEAD.search(page)
    assert head, "the page has a table of releases"
    columns = _cells(head[0].splitlines()[0])[1:]
    rest = page[head.end() :]
    lines = re.match(r"(\|.*\n)*", rest)
    assert lines
    rows = {cells[0]: cells[1:] for cells in map(_cells, lines[0].splitlines())}
    before = [name for name in rows if name != release]
    last = rows[before[-1]] if before else [NOT_MEASURED] * len(columns)
    rows[release] = [
        _cell(figures.get(name), value) for name, value in zip(columns, last, strict=True)
    ]
    table = "".join(f"| {' | '.join([name, *cells])} |\n" for name, cells in rows.items())
    return page[: head.end()] + table + rest[lines.end() :]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _cell(figure: float | None, before: str) -> str:
    if figure is None:
        return NOT_MEASURED
    text = f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}".rstrip("0").rstrip(".")
    was = before.removesuffix(MARK).replace(",", "")
    is_worse = was != NOT_MEASURED and figure > WORSE * float(was)
    return f"{text}{MARK}" if is_worse else text


def minutes_by_part(costs: str) -> dict[str, float]:
    """Return the processor minutes of each folder of tests, of what `pytest --costs` wrote."""
    found: dict[str, float] = defaultdict(float)
    for seconds, test in _costs(costs):
        found[test.split("/")[1]] += seconds / MINUTE
    return dict(sorted(found.items()))


def large_tests(costs: str) -> Iterator[str]:
    """Yield a line for each test that takes more than two percent of all, the largest first."""
    taken = sorted(_costs(costs), reverse=True)
    whole = sum(seconds for seconds, _ in taken)
    for seconds, test in taken:
        if seconds > LARGE * whole:
            yield f"{seconds / whole:.1%} of the suite: {test}"


def _costs(costs: str) -> Iterator[tuple[float, str]]:
    for line in costs.splitlines():
        seconds, _, test = line.strip().partition(" ")
        yield float(seconds), test
