"""The query language of CloudWatch Logs Insights, for records that are dictionaries.

`parse` makes a query of its text: a tokenizer, a parser by recursive descent, and a function for
each command and expression. Absent fields have the value None, which no comparison matches.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

DEFAULT_LIMIT = 10_000
MAXIMUM_LIMIT = 100_000

MILLISECONDS = {
    **dict.fromkeys(("ms", "msec", "millisecond"), 1),
    **dict.fromkeys(("s", "sec", "second"), 1000),
    **dict.fromkeys(("m", "min", "minute"), 60_000),
    **dict.fromkeys(("h", "hr", "hour"), 3_600_000),
    **dict.fromkeys(("d", "day"), 86_400_000),
}
"""Of the units of a period; longer ones follow the calendar, which is not supported."""

KEYWORDS = {"and", "or", "not", "like", "in", "as", "by", "asc", "desc"}
"""What is no field's name without backticks."""

TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<regex>/(?:\\.|[^/\\\n])+/i?)
    |(?P<period>\d+[A-Za-z]+)
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<name>(?:[\w@.]|`[^`]+`)+)
    |(?P<symbol>=~|!=|<=|>=|[=<>(),|*\[\]])
    |(?P<unknown>.)""",
    re.VERBOSE,
)
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
CHUNK = re.compile(r"\d+|\D+")

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Value = str | int | float | None
Record = dict[str, Value]
Expression = Callable[[Record], Value]
Step = Callable[[list[Record]], list[Record]]
Element = TypeVar("Element")


class MalformedQueryError(Exception):
    """Says where a query's text stops to be one."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


class Timestamp(int):
    """Milliseconds since 1970 that a result shows as a time."""


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The token where it stands for a keyword, command or function."""
        return self.text.lower() if self.kind == "name" else self.text


class Column(NamedTuple):
    name: str
    value: Expression


@dataclass
class Query:
    steps: list[tuple[str, Step]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    aggregated: bool = False
    limited: bool = False

    def run(
        self, records: list[Record], most: int | None = None
    ) -> tuple[list[list[dict[str, str]]], int]:
        """Return rows of fields, and how many of the records matched the filters.

        The records have an order already, the newest first; `most` limits the rows further.
        """
        matched, aggregated = len(records), False
        for command, step in self.steps:
            records = step(records)
            aggregated = aggregated or command == "stats"
            if command == "filter" and not aggregated:
                matched = len(records)
        kept = records[: most or (MAXIMUM_LIMIT if self.limited else DEFAULT_LIMIT)]
        return [self._row(record) for record in kept], matched

    def _row(self, record: Record) -> list[dict[str, str]]:
        names = self.columns or ["@timestamp", "@message"]
        if not self.aggregated:
            names = [*(name for name in names if name != "@ptr"), "@ptr"]
        return [
            {"field": name, "value": as_text(value)}
            for name in names
            if (value := record.get(name)) is not None
        ]


def parse(text: str) -> Query:
    """Return the query; raises MalformedQueryError for what is none, or not supported."""
    return _Parser(text).query()


def discovered(message: str, *, embedded: bool) -> Record:
    """Fields of a message that is a JSON object, or has one in it where `embedded` says so."""
    start = message.find("{") if embedded else 0
    while 0 <= start < len(message):
        try:
            found, end = json.JSONDecoder().raw_decode(message, start)
        except ValueError:
            found, end = None, 0
        if isinstance(found, dict) and (embedded or not message[end:].strip()):
            return dict(_flat(found))
        start = message.find("{", start + 1) if embedded else -1
    return {}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            # A second @ tells a field of a message from one of CloudWatch Logs.
            top = f"@{key}" if str(key).startswith("@") else str(key)
            yield from _flat(each, f"{path}.{key}" if path else top)
    elif value is not None:
        yield path, int(value) if isinstance(value, bool) else value


def as_text(value: Value) -> str:
    if isinstance(value, Timestamp):
        time = datetime.fromtimestamp(value // 1000, UTC)
        return f"{time:%Y-%m-%d %H:%M:%S}.{value % 1000:03}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(int(value) if isinstance(value, bool) else value)


def number(value: Value) -> int | float | None:
    """Return the value as a number if it looks like one."""
    if isinstance(value, str):
        if not NUMBER.fullmatch(value):
            return None
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return value


def order(value: Value) -> tuple[Any, ...]:
    """Key of the natural order of `sort`: non-numbers come before numbers.

    In them, digits are ordered by length and then by value, anything else as Unicode.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Sort.html
    """
    if value is None:
        return (0,)
    if (counted := number(value)) is not None:
        return 2, counted
    chunks = CHUNK.findall(str(value))
    return 1, [("0", len(each), each) if each[0].isdigit() else (each, 0, "") for each in chunks]


def compare(sign: str, left: Value, right: Value) -> bool:
    if left is None or right is None:
        return sign == "!="
    numbers = number(left), number(right)
    if None in numbers:
        return COMPARISONS[sign](as_text(left), as_text(right))
    return COMPARISONS[sign](*numbers)


def true(value: Value) -> bool:
    return bool(number(value))


def _of_text(function: Callable[..., Value]) -> Callable[..., Value]:
    """Return the function for values, which is absent where its first argument is."""
    return lambda value, *rest: None if value is None else function(as_text(value), *rest)


def _substring(text: str, start: Value, length: Value = None) -> str:
    first = int(number(start) or 0)
    return text[first:] if length is None else text[first : first + int(number(length) or 0)]


FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "coalesce": (lambda *values: next((v for v in values if v is not None), None), 1, 99),
    "concat": (lambda *values: "".join(as_text(v) for v in values if v is not None), 1, 99),
    "frommillis": (lambda value: None if (n := number(value)) is None else Timestamp(n), 1, 1),
    "isblank": (lambda value: value is None or not as_text(value).strip(), 1, 1),
    "isempty": (lambda value: value is None or not as_text(value), 1, 1),
    "ispresent": (lambda value: value is not None, 1, 1),
    "strcontains": (_of_text(lambda text, part: part is not None and as_text(part) in text), 2, 2),
    "strlen": (_of_text(len), 1, 1),
    "substr": (_of_text(_substring), 2, 3),
    "tolower": (_of_text(str.lower), 1, 1),
    "tomillis": (lambda value: None if (n := number(value)) is None else int(n), 1, 1),
    "toupper": (_of_text(str.upper), 1, 1),
}
"""Each with the least and the most arguments that it takes; names are in lower case."""


def _extreme(choose: Callable[..., Any]) -> Callable[[list[Value]], Value]:
    def extreme(values: list[Value]) -> Value:
        found: Value = choose(values, key=order, default=None)
        return int(found) if isinstance(found, Timestamp) else found

    return extreme


def _numbers(values: list[Value]) -> list[int | float]:
    return [counted for value in values if (counted := number(value)) is not None]


def _average(values: list[Value]) -> Value:
    numbers = _numbers(values)
    return sum(numbers) / len(numbers) if numbers else None


AGGREGATES: dict[str, Callable[[list[Value]], Value]] = {
    "avg": _average,
    "count": len,
    "count_distinct": lambda values: len(set(map(as_text, values))),
    "max": _extreme(max),
    "min": _extreme(min),
    "sum": lambda values: sum(numbers) if (numbers := _numbers(values)) else None,
}
"""What `stats` computes of the values that are present."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            Token(str(match.lastgroup), match[0], *match.span())
            for match in TOKEN.finditer(text)
            if match.lastgroup != "blank"
        ]
        self.tokens.append(Token("end", "", len(text), len(text)))
        self.at = 0
        self.made = Query()
        self.known: set[str] | None = None

    # What the text is made of

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def skip(self, *words: str) -> str:
        """Take the next token if it is one of these, and return it."""
        return self.take().word if self.next.word in words else ""

    def expect(self, word: str) -> None:
        if not self.skip(word):
            raise self.unexpected(word)

    def unexpected(self, *expected: str, token: Token | None = None) -> MalformedQueryError:
        token = token or self.next
        line = self.text.count("\n", 0, token.start) + 1
        position = token.start - (self.text.rfind("\n", 0, token.start) + 1) + 1
        return MalformedQueryError(
            f"unexpected symbol found {token.text or 'end of query'} at line {line} and position "
            f"{position}; the local stack expects {' or '.join(expected)}",
            token.start,
            token.end,
        )

    def listed(self, element: Callable[[], Element]) -> list[Element]:
        elements = [element()]
        while self.skip(","):
            elements.append(element())
        return elements

    # Commands

    def query(self) -> Query:
        commands = {
            "fields": self.fields,
            "display": self.display,
            "filter": self.filter,
            "where": self.filter,
            "stats": self.stats,
            "sort": self.sort,
            "dedup": self.dedup,
            "limit": self.limit,
        }
        command = ""
        while True:
            allowed = ["limit"] if command == "dedup" else [*commands]
            command = self.skip(*allowed)
            if not command:
                raise self.unexpected(*allowed)
            step = commands[command]()
            self.made.steps.append(("filter" if command == "where" else command, step))
            if self.next.kind == "end":
                return self.made
            self.expect("|")

    def fields(self) -> Step:
        return self._computed(self.listed(self.column), self.made.columns)

    def display(self) -> Step:
        return self._computed(self.listed(self.column), [])

    def _computed(self, columns: list[Column], before: list[str]) -> Step:
        names = [each.name for each in columns]
        self.made.columns = list(dict.fromkeys([*before, *names]))
        if self.known is not None:
            self.known.update(names)

        def compute(record: Record) -> Record:
            record = dict(record)
            for name, value in columns:
                record[name] = value(record)
            return record

        return lambda records: [compute(record) for record in records]

    def filter(self) -> Step:
        condition = self.expression()
        return lambda records: [record for record in records if true(condition(record))]

    def stats(self) -> Step:
        aggregates = self.listed(self.aggregate)
        groups = self.listed(self.column) if self.skip("by") else []
        names = [each.name for each in groups] + [name for name, _, _ in aggregates]
        self.made.columns, self.made.aggregated = names, True
        self.known = set(names)

        def aggregate(records: list[Record]) -> list[Record]:
            grouped: dict[tuple[Value, ...], list[Record]] = {}
            for record in records:
                grouped.setdefault(tuple(each.value(record) for each in groups), []).append(record)
            return [
                dict(zip(names, [*key, *_totals(members)], strict=True))
                for key, members in grouped.items()
            ]

        def _totals(members: list[Record]) -> Iterator[Value]:
            for _, total, argument in aggregates:
                values = [argument(record) for record in members]
                yield total([value for value in values if value is not None])

        return aggregate

    def aggregate(self) -> tuple[str, Callable[[list[Value]], Value], Expression]:
        start = self.next
        function = self.skip(*AGGREGATES)
        if not function:
            raise self.unexpected(*AGGREGATES)
        self.expect("(")
        every = function == "count" and (self.skip("*") or self.next.text == ")")
        argument: Expression = (lambda _: 1) if every else self.expression()
        self.expect(")")
        return self.alias(start), AGGREGATES[function], argument

    def sort(self) -> Step:
        def key() -> tuple[Expression, bool]:
            return self.expression(), self.skip("asc", "desc") == "desc"

        keys = self.listed(key)

        def ordered(records: list[Record]) -> list[Record]:
            # The order is stable, so the first field is the last to be sorted by.
            for value, descending in reversed(keys):
                records = sorted(records, key=lambda r: order(value(r)), reverse=descending)
            return records

        return ordered

    def dedup(self) -> Step:
        fields = self.listed(self.expression)

        def distinct(records: list[Record]) -> list[Record]:
            seen, kept = set(), []
            for record in records:
                values = tuple(value(record) for value in fields)
                # Records without one of the fields are no duplicates.
                if values not in seen or None in values:
                    kept.append(record)
                seen.add(values)
            return kept

        return distinct

    def limit(self) -> Step:
        count = self.take()
        if not count.text.isdigit() or not 0 < int(count.text) <= MAXIMUM_LIMIT:
            raise self.unexpected(f"a number from 1 to {MAXIMUM_LIMIT}", token=count)
        self.made.limited = True
        return lambda records: records[: int(count.text)]

    # Expressions

    def column(self) -> Column:
        start = self.next
        value = self.expression()
        return Column(self.alias(start), value)

    def alias(self, start: Token) -> str:
        """Return the name after `as`, or else the text of the expression that began at start."""
        text = self.text[start.start : self.tokens[self.at - 1].end]
        return self.name() if self.skip("as") else text.replace("`", "")

    def name(self) -> str:
        if self.next.kind != "name" or self.next.word in KEYWORDS:
            raise self.unexpected("a field")
        return self.take().text.replace("`", "")

    def expression(self) -> Expression:
        return self.chained("or", any, self.conjunction)

    def conjunction(self) -> Expression:
        return self.chained("and", all, self.negation)

    def chained(
        self, word: str, holds: Callable[[Iterable[bool]], bool], part: Callable[[], Expression]
    ) -> Expression:
        parts = [part()]
        while self.skip(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return lambda record: holds(true(each(record)) for each in parts)

    def negation(self) -> Expression:
        return _not(self.negation()) if self.skip("not") else self.comparison()

    def comparison(self) -> Expression:
        left = self.operand()
        if sign := self.skip(*COMPARISONS):
            right = self.operand()
            return lambda record: compare(sign, left(record), right(record))
        if self.skip("not"):
            return _not(self.membership(left))
        return self.membership(left) if self.next.word in ("like", "=~", "in") else left

    def membership(self, left: Expression) -> Expression:
        if self.skip("in"):
            self.expect("[")
            elements = self.listed(self.operand)
            self.expect("]")
            return lambda r: any(compare("=", left(r), element(r)) for element in elements)
        if not self.skip("like", "=~"):
            raise self.unexpected("like", "=~", "in")
        pattern = self.pattern()
        return lambda r: (value := left(r)) is not None and bool(pattern.search(as_text(value)))

    def pattern(self) -> re.Pattern[str]:
        token = self.take()
        if token.kind == "text":
            return re.compile(re.escape(_unquoted(token.text)))
        if token.kind != "regex":
            raise self.unexpected("a text", "a regular expression", token=token)
        body, _, flags = token.text[1:].rpartition("/")
        # AWS's regular expressions set this flag anywhere, and name groups without a P.
        if "(?i)" in body:
            body, flags = body.replace("(?i)", ""), "i"
        try:
            return re.compile(
                re.sub(r"\(\?<(?![=!])", "(?P<", body), re.IGNORECASE if flags else re.NOFLAG
            )
        except re.error as error:
            raise self.unexpected(f"a regular expression ({error})", token=token) from None

    def operand(self) -> Expression:
        token = self.next
        if self.skip("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if token.kind == "text":
            text = _unquoted(self.take().text)
            return lambda _: text
        if token.kind == "number":
            literal = number(self.take().text)
            return lambda _: literal
        name = self.name()
        if self.skip("("):
            return self.call(token)
        if self.known is not None and name not in self.known:
            # The records are groups now, which have nothing else.
            raise MalformedQueryError(
                f"Unknown symbols found in or after stats: {name}", token.start, token.end
            )
        return lambda record: record.get(name)

    def call(self, function: Token) -> Expression:
        if function.word == "bin":
            return self.bin()
        if function.word not in FUNCTIONS:
            raise self.unexpected(*FUNCTIONS, token=function)
        compute, least, most = FUNCTIONS[function.word]
        arguments = self.listed(self.expression)
        self.expect(")")
        if not least <= len(arguments) <= most:
            raise self.unexpected(f"{least} to {most} arguments", token=function)
        return lambda record: compute(*(argument(record) for argument in arguments))

    def bin(self) -> Expression:
        period = self.take()
        unit = period.text.lstrip("0123456789").lower()
        size = MILLISECONDS.get(unit) or MILLISECONDS.get(unit.removesuffix("s"), 0)
        step = size * int(period.text[: -len(unit)]) if period.kind == "period" else 0
        if not step:
            raise self.unexpected("a period of milliseconds to days", token=period)
        self.expect(")")

        def floor(record: Record) -> Value:
            time = number(record.get("@timestamp"))
            return None if time is None else Timestamp(time // step * step)

        return floor


def _not(condition: Expression) -> Expression:
    return lambda record: not true(condition(record))


def _unquoted(text: str) -> str:
    return re.sub(r"\\([\"'\\])", r"\1", text[1:-1])
