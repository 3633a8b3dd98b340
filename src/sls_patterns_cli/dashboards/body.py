"""The body of a dashboard: its widgets and what they show.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COLUMNS = 24
START = "-PT3H"
"""What CloudWatch shows where a body does not say since when."""

WIDTH, HEIGHT = 6, 6
"""Of a widget that does not say how large it is."""

REFERENCE = re.compile(r"\$\{[^}]*\}")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')


@dataclass(frozen=True)
class Metric:
    """A metric that a widget shows, with what CloudWatch tells it apart by, in any order.

    An expression has a name and no namespace.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period: int
    label: str | None = None
    visible: bool = True

    @property
    def shown(self) -> str:
        """What the legend calls it."""
        return self.label or self.name


@dataclass(frozen=True)
class Limit:
    """A horizontal line across a graph."""

    label: str
    value: str


@dataclass(frozen=True)
class Widget:
    """A widget at its place: a graph, numbers, the states of alarms, a text, or what else there is.

    `kind` is what the body calls its type. `alarms` and `text` are those of such widgets.
    """

    kind: str
    title: str
    x: int
    y: int
    width: int
    height: int
    view: str = ""
    region: str = ""
    metrics: tuple[Metric, ...] = ()
    limits: tuple[Limit, ...] = ()
    alarms: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Body:
    """All widgets of a dashboard, and from when on they show what was measured."""

    start: str
    widgets: tuple[Widget, ...]


def body_of(text: str) -> Body:
    """Return what the text of a body says, in which `${Name}` may stand for what is not known.

    Raises:
        ValueError: it is not the body of a dashboard; the message says what is wrong with it.
    """
    try:
        found = json.loads(_quoted(text))
    except ValueError as error:
        raise ValueError("its body is not JSON") from error
    widgets = _mapping(found).get("widgets")
    if widgets is None:
        raise ValueError("its body has no widgets")
    given = [each for each in _list(widgets) if isinstance(each, dict)]
    return Body(str(found.get("start", START)), tuple(_placed(given)))


def _quoted(text: str) -> str:
    """Return JSON in which a reference that stands for a number is a text."""
    parts, done = [], 0
    for string in STRING.finditer(text):
        parts += [REFERENCE.sub(_as_text, text[done : string.start()]), string[0]]
        done = string.end()
    return "".join([*parts, REFERENCE.sub(_as_text, text[done:])])


def _as_text(reference: re.Match[str]) -> str:
    return json.dumps(reference[0])


def _placed(given: list[dict[str, Any]]) -> Iterator[Widget]:
    """Yield the widgets; those without a place follow one another, row by row."""
    x = y = tallest = 0
    for each in given:
        width, height = _number(each.get("width"), WIDTH), _number(each.get("height"), HEIGHT)
        if "x" in each or "y" in each:
            yield _widget(each, _number(each.get("x"), 0), _number(each.get("y"), 0), width, height)
            continue
        if x + width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        yield _widget(each, x, y, width, height)
        x, tallest = x + width, max(tallest, height)


def _widget(given: dict[str, Any], x: int, y: int, width: int, height: int) -> Widget:
    properties = _mapping(given.get("properties"))
    horizontal = _mapping(properties.get("annotations")).get("horizontal")
    return Widget(
        kind=str(given.get("type", "")),
        title=str(properties.get("title", "")),
        x=x,
        y=y,
        width=width,
        height=height,
        view=str(properties.get("view", "timeSeries")),
        region=str(properties.get("region", "")),
        metrics=tuple(_metrics(properties)),
        limits=tuple(
            Limit(str(each.get("label", "")), str(each.get("value", "")))
            for each in _list(horizontal)
            if isinstance(each, dict)
        ),
        alarms=tuple(map(str, _list(properties.get("alarms")))),
        text=str(properties.get("markdown", "")),
    )


def _metrics(properties: dict[str, Any]) -> Iterator[Metric]:
    """Yield the metrics; `.` and `...` repeat what the one before has at that place."""
    before: list[str] = []
    for given in _list(properties.get("metrics")):
        fields = [str(each) for each in _list(given) if not isinstance(each, dict)]
        options = next((each for each in _list(given) if isinstance(each, dict)), {})
        statistic = str(options.get("stat") or properties.get("stat") or "Average")
        period = _number(options.get("period"), _number(properties.get("period"), 300))
        label = str(options["label"]) if "label" in options else None
        visible = options.get("visible", True) is not False
        if "expression" in options:
            expression = str(options["expression"])
            yield Metric("", expression, (), statistic, period, label, visible)
        elif len(fields) > 1 or before:
            before = _repeated(fields, before)
            namespace, name, *others = [*before, "", ""][: max(2, len(before))]
            dimensions = sorted(zip(others[::2], others[1::2], strict=False))
            yield Metric(namespace, name, tuple(dimensions), statistic, period, label, visible)


def _repeated(fields: list[str], before: list[str]) -> list[str]:
    if "..." in fields:
        at = fields.index("...")
        left_out = max(0, len(before) - (len(fields) - 1))
        fields = [*fields[:at], *before[at : at + left_out], *fields[at + 1 :]]
    return [
        before[place] if field == "." and place < len(before) else field
        for place, field in enumerate(fields)
    ]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default
