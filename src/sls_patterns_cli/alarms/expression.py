"""Metric math: an expression over the points of metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import accumulate

from sls_patterns_cli.alarms.series import Points
from sls_patterns_cli.alarms.syntax import parsed

Value = float | Points | tuple[Points, ...] | str
"""A scalar, a time series, an array of time series, or a word that a function knows."""

SPELLED = {"&&": "and", "AND": "and", "||": "or", "OR": "or", "^": "**"}
"""How Python spells what metric math has otherwise; all else is spelled alike."""

ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class UnknownExpressionError(ValueError):
    """Metric math that this package cannot compute."""


def computed(expression: str, metrics: Mapping[str, Points], period: int) -> Points:
    """Return the points of an expression over metrics, which all have the same number of points.

    Args:
        expression: as in the property `Expression` of an alarm's metrics.
        metrics: by id, what the expression may name.
        period: of each point, in seconds.

    Raises:
        UnknownExpressionError: it is no metric math, names something else, has a function that is
            not known here, or does not come to one time series.
    """
    points = tuple((name, tuple(each)) for name, each in metrics.items())
    return list(_computed(expression, points, period))


@lru_cache(maxsize=4096)
def _computed(
    expression: str, points: tuple[tuple[str, tuple[float | None, ...]], ...], period: int
) -> Points:
    """Compute it once: most looks at an alarm find the same points."""
    metrics = {name: list(each) for name, each in points}
    length = len(next(iter(metrics.values()), []))
    value = _Computation(metrics, period, length).of(_parsed(expression))
    if not isinstance(value, list):
        raise UnknownExpressionError(f"{expression} does not come to one time series")
    return value


@lru_cache(maxsize=256)
def _parsed(expression: str) -> ast.expr:
    try:
        return parsed(expression, SPELLED)
    except SyntaxError as error:
        raise UnknownExpressionError(f"{expression} is no metric math") from error


class _Computation:
    def __init__(self, metrics: Mapping[str, Points], period: int, length: int) -> None:
        self.metrics, self.period, self._length = metrics, period, length

    def of(self, node: ast.expr) -> Value:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                value = _paired(ARITHMETIC[type(op)], self.of(left), self.of(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                value = _paired(COMPARISONS[type(op)], self.of(left), self.of(right))
            case ast.BoolOp(op=op, values=values):
                joined = _both if isinstance(op, ast.And) else _either
                value = reduce(lambda a, b: _paired(joined, a, b), map(self.of, values))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = _mapped(operator.neg, self.of(operand))
            case ast.List(elts=elements):
                value = tuple(series for each in elements for series in _all(self.of(each)))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                value = self._called(name, [self.of(each) for each in args])
            case _:
                value = self._alone(node)
        return value

    def spread(self, value: Value) -> Points:
        """Return one time series; a scalar is one that is the same in every period."""
        if isinstance(value, float):
            return [value] * self._length
        if not isinstance(value, list):
            raise UnknownExpressionError("several time series stand where one has to")
        return value

    def whole(self, function: Callable[[Sequence[float]], float], value: Value) -> Value:
        """Return a scalar of one series, or one series of several; what is missing is 0."""
        if isinstance(value, list):
            return float(function([point or 0 for point in value]))
        columns = ([series[at] for series in _all(value)] for at in range(self._length))
        return [
            None
            if all(point is None for point in column)
            else float(function([point or 0 for point in column]))
            for column in columns
        ]

    def _alone(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Constant(value=str() as text):
                return text
            case ast.Name(id="REPEAT" | "LINEAR" as how):
                return how
            case ast.Name(id=name) if name in self.metrics:
                return self.metrics[name]
        raise UnknownExpressionError(f"{ast.unparse(node)} is not known here")

    def _called(self, name: str, values: Sequence[Value]) -> Value:
        try:
            return FUNCTIONS[name](self, *values)
        except TypeError as error:
            raise UnknownExpressionError(
                f"{name} with {len(values)} arguments is not known here"
            ) from error


def _chosen(
    computation: _Computation, condition: Value, yes: Value, no: Value | None = None
) -> Points:
    """Return IF: where the condition has no value, neither has the result."""
    yeses = computation.spread(yes)
    noes: Points = [None] * len(yeses) if no is None else computation.spread(no)
    if isinstance(condition, float):
        return yeses if condition else noes
    return [
        None if met is None else (yeses[at] or 0.0) if met else noes[at]
        for at, met in enumerate(computation.spread(condition))
    ]


def _filled(computation: _Computation, value: Value, filler: Value) -> Value:
    match filler:
        case "REPEAT":
            return _each_series(_repeated, value)
        case "LINEAR":
            return _each_series(_interpolated, value)
    fillers = computation.spread(filler)
    return _each_series(
        lambda points: [fillers[at] if each is None else each for at, each in enumerate(points)],
        value,
    )


def _metrics(computation: _Computation, part: Value = "") -> Value:
    """Return METRICS: all of them, or those with a text in their ids."""
    return tuple(points for id_, points in computation.metrics.items() if str(part) in id_)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "IF": _chosen,
    "FILL": _filled,
    "METRICS": _metrics,
    "DIFF": lambda _, value: _each_series(_differences, value),
    "RATE": lambda its, value: _each_series(lambda points: _rates(points, its.period), value),
    "RUNNING_SUM": lambda _, value: _each_series(_running_sums, value),
    "PERIOD": lambda its, _: float(its.period),
    "TIME_SERIES": lambda its, value: its.spread(value),
    "METRIC_COUNT": lambda _, value: float(len(_all(value))),
    "ABS": lambda _, value: _mapped(abs, value),
    "CEIL": lambda _, value: _mapped(math.ceil, value),
    "FLOOR": lambda _, value: _mapped(math.floor, value),
    "LOG": lambda _, value: _mapped(math.log, value),
    "LOG10": lambda _, value: _mapped(math.log10, value),
    "SUM": lambda its, value: its.whole(sum, value),
    "MIN": lambda its, value: its.whole(min, value),
    "MAX": lambda its, value: its.whole(max, value),
    "AVG": lambda its, value: its.whole(lambda points: sum(points) / len(points), value),
}
"""What metric math calls its functions; the first argument is the computation."""


def _both(one: float, other: float) -> bool:
    return bool(one and other)


def _either(one: float, other: float) -> bool:
    return bool(one or other)


def _all(value: Value) -> tuple[Points, ...]:
    if isinstance(value, float | str):
        raise UnknownExpressionError(f"{value} stands where a time series has to")
    return (value,) if isinstance(value, list) else value


def _each_series(function: Callable[[Points], Points], value: Value) -> Value:
    made = tuple(function(points) for points in _all(value))
    return made[0] if isinstance(value, list) else made


def _mapped(function: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, float):
        return float(function(value))
    return _each_series(
        lambda points: [
            point if point is None else _or_dropped(function, point) for point in points
        ],
        value,
    )


def _paired(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operator: to a scalar and each point, or to the points of the same time.

    A division by zero drops the point.
    """
    if isinstance(left, tuple):
        return tuple(points for each in left for points in _all(_paired(function, each, right)))
    if isinstance(right, tuple):
        return tuple(points for each in right for points in _all(_paired(function, left, each)))
    if isinstance(left, float) and isinstance(right, float):
        try:
            return float(function(left, right))
        except ZeroDivisionError as error:
            raise UnknownExpressionError("a number is divided by zero") from error
    if isinstance(left, float) and isinstance(right, list):
        return [None if point is None else _or_dropped(function, left, point) for point in right]
    if isinstance(left, list) and isinstance(right, float):
        return [None if point is None else _or_dropped(function, point, right) for point in left]
    if isinstance(left, list) and isinstance(right, list):
        return [
            None if one is None and other is None else _or_dropped(function, one or 0, other or 0)
            for one, other in zip(left, right, strict=True)
        ]
    raise UnknownExpressionError(f"{left} and {right} cannot be combined")


def _or_dropped(function: Callable[..., float], *points: float) -> float | None:
    try:
        return float(function(*points))
    except (ZeroDivisionError, ValueError, OverflowError):
        return None


def _before(points: Points) -> Iterator[tuple[int, float, int, float] | None]:
    """Yield for each period it, its value, and the last period before it that has one."""
    last: tuple[int, float] | None = None
    for at, point in enumerate(points):
        yield None if point is None or last is None else (at, point, *last)
        last = last if point is None else (at, point)


def _differences(points: Points) -> Points:
    return [pair and pair[1] - pair[3] for pair in _before(points)]


def _rates(points: Points, period: int) -> Points:
    return [
        pair and (pair[1] - pair[3]) / (period * (pair[0] - pair[2])) for pair in _before(points)
    ]


def _running_sums(points: Points) -> Points:
    return list(accumulate(point or 0.0 for point in points))


def _repeated(points: Points) -> Points:
    found: Points = []
    for point in points:
        found.append(found[-1] if point is None and found else point)
    return found


def _interpolated(points: Points) -> Points:
    made = list(points)
    for pair in filter(None, _before(points)):
        end, last, start, first = pair
        for at in range(start + 1, end):
            made[at] = first + (last - first) * (at - start) / (end - start)
    return made
