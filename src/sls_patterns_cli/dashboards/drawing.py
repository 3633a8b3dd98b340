"""A picture of dashboards as SVG: where each widget is and what it shows, without any data.

What is drawn follows from the template alone, so that nothing in it looks like a measurement.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from sls_patterns_cli.dashboards.body import COLUMNS, Body, Metric, Widget

COLUMN, ROW = 50, 34
"""Pixels of the grid."""

MARGIN, GAP, PADDING = 12, 4, 10
HEAD = 34
"""Above the widgets: what the picture is."""

TITLE_LINE, LEGEND_LINE, AXIS = 16, 15, 18
TITLE_LINES = 2
CHARACTER, BOLD = 6.4, 7.2
"""Pixels of a character: on average, in the fonts of most systems."""

COLOURS = ("#3b82f6", "#e8833a", "#12a150", "#d6409f", "#8b5cf6", "#0d9488")
LIMIT = "#e5484d"
NOTE = "Drawn from the template: what each widget shows, and no measured data"

STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.small { font-size: 11px }
.faint { fill: #59636e }
.page { fill: #f6f8fa }
.widget, .alarm { fill: #ffffff; stroke: #d1d9e0 }
.line { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .faint { fill: #9198a1 }
  .page { fill: #0d1117 }
  .widget, .alarm { fill: #151b23; stroke: #3d444d }
  .line { stroke: #3d444d }
}"""
"""It has a background of its own, and so can be read on any page."""


def svg(bodies: Sequence[Body]) -> str:
    """Return one picture of the dashboards, below each other."""
    parts: list[str] = []
    top = HEAD
    for body in bodies:
        for widget in body.widgets:
            parts += _widget(widget, body.start, top)
        bottom = max((each.y + each.height for each in body.widgets), default=0)
        top += bottom * ROW + MARGIN
    width = 2 * MARGIN + COLUMNS * COLUMN
    size = f'width="{width}" height="{top}"'
    frame = f'viewBox="0 0 {width} {top}" role="img"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {frame}>',
            f"<title>{NOTE}</title>",
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="page" {size} rx="6"/>',
            _text(MARGIN + GAP, 22, NOTE, "faint"),
            *parts,
            "</svg>\n",
        ]
    )


def _widget(widget: Widget, start: str, top: int) -> Iterator[str]:
    x, y = MARGIN + widget.x * COLUMN, top + widget.y * ROW
    width, height = widget.width * COLUMN - GAP, widget.height * ROW - GAP
    yield f'<g transform="translate({x} {y})">'
    yield f'<rect class="widget" width="{width}" height="{height}" rx="4"/>'
    yield from _inside(widget, start, width, height)
    yield "</g>"


def _inside(widget: Widget, start: str, width: int, height: int) -> Iterator[str]:
    title = _wrapped(widget.title, width, TITLE_LINES, BOLD)
    for number, part in enumerate(title):
        yield _text(PADDING, 20 + number * TITLE_LINE, part, "title")
    top = 12 + max(1, len(title)) * TITLE_LINE
    shown = [metric for metric in widget.metrics if metric.visible]
    if widget.kind == "alarm":
        yield from _alarms(widget.alarms, width, top - 2)
    elif widget.kind == "metric" and widget.view == "singleValue":
        yield from _numbers(shown, top)
    elif widget.kind == "metric":
        legend = list(_legend(shown, width))
        below = LEGEND_LINE * (1 + max((line for line, _, _, _ in legend), default=-1))
        yield from _axes(widget, start, (PADDING, top, width - PADDING, height - below - AXIS - 6))
        for line, place, colour, name in legend:
            y = height - below + line * LEGEND_LINE + 4
            yield from _entry(place, y, colour, name)
    else:
        said = widget.text or f"({widget.kind or 'a widget without a type'})"
        top = top if title else 12
        lines = max(1, (height - top) // TITLE_LINE)
        for number, part in enumerate(_wrapped(said, width, lines)):
            yield _text(PADDING, top + 8 + number * TITLE_LINE, part, "faint")


def _axes(widget: Widget, start: str, area: tuple[int, int, int, int]) -> Iterator[str]:
    """The frame of a graph: no values at its side, since none were measured."""
    left, top, right, bottom = area
    for part in range(3):
        y = top + (bottom - top) * part // 2
        yield f'<path class="line" d="M{left} {y}H{right}"/>'
    yield _text(left, bottom + 13, _since(start), "small faint")
    yield _text(right, bottom + 13, "now", "small faint", anchor="end")
    for limit in widget.limits:
        y = top + (bottom - top) // 4
        yield f'<path d="M{left} {y}H{right}" stroke="{LIMIT}" stroke-dasharray="4 3"/>'
        yield _text(right, y - 3, f"{limit.label} {limit.value}".strip(), "small", anchor="end")


def _legend(metrics: Iterable[Metric], width: int) -> Iterator[tuple[int, int, str, str]]:
    """Yield line, place in it, colour and name of each metric, as many on a line as fit."""
    line, place = 0, PADDING
    for number, metric in enumerate(metrics):
        name = _shortened(metric.shown, width - 2 * PADDING - 16)
        takes = round(28 + len(name) * CHARACTER)
        if place > PADDING and place + takes > width:
            line, place = line + 1, PADDING
        yield line, place, COLOURS[number % len(COLOURS)], name
        place += takes


def _numbers(metrics: Sequence[Metric], top: int) -> Iterator[str]:
    for number, metric in enumerate(metrics):
        y = top + 14 + number * 2 * LEGEND_LINE
        yield from _entry(PADDING, y, COLOURS[number % len(COLOURS)], metric.shown)
        yield _text(PADDING + 16, y + LEGEND_LINE, "its newest value", "small faint")


def _entry(x: int, y: int, colour: str, name: str) -> Iterator[str]:
    yield f'<rect x="{x}" y="{y - 8}" width="10" height="8" rx="2" fill="{colour}"/>'
    yield _text(x + 16, y, name, "small")


def _alarms(names: Sequence[str], width: int, top: int) -> Iterator[str]:
    """A box for each alarm, four on a line as CloudWatch has them."""
    box = (width - 2 * PADDING) // 4
    for number, name in enumerate(names):
        x, y = PADDING + number % 4 * box, top + number // 4 * (ROW - 4)
        inner = box - GAP
        yield f'<rect class="alarm" x="{x}" y="{y}" width="{inner}" height="{ROW - 8}" rx="3"/>'
        yield f'<circle class="line" cx="{x + 13}" cy="{y + 13}" r="4" fill="none"/>'
        yield _text(x + 24, y + 17, _shortened(name, inner - 28), "small")


def _since(start: str) -> str:
    """Return a duration before now, such as -PT3H, as people write it."""
    found = re.fullmatch(r"-P(?:T(\d+)([HM])|(\d+)([DWM]))", start)
    if not found:
        return start
    units = {"H": "h", "M": "min"} if found[1] else {"D": "d", "W": "weeks", "M": "months"}
    return f"−{found[1] or found[3]} {units[found[2] or found[4]]}"  # noqa: RUF001 - a minus


def _wrapped(text: str, width: int, lines: int, character: float = CHARACTER) -> list[str]:
    fitting = max(1, int((width - 2 * PADDING) / character))
    return textwrap.wrap(text, fitting, max_lines=lines, placeholder=" …")


def _shortened(text: str, width: float) -> str:
    fitting = max(1, int(width / CHARACTER))
    return text if len(text) <= fitting else f"{text[: fitting - 1]}…"


def _text(x: int, y: int, text: str, style: str, anchor: str = "start") -> str:
    end = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x}" y="{y}" class="{style}"{end}>{escape(text)}</text>'
