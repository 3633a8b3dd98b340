"""The query language of CloudWatch Logs Insights, on records without an emulator."""

import pytest

from sls_patterns_cli.local.emulator.adapters.logs.insights_language import (
    MalformedQueryError,
    Record,
    Timestamp,
    Value,
    discovered,
    order,
    parse,
)

RECORDS: list[Record] = [
    {"@timestamp": Timestamp(1_700_000_400_123), "@ptr": "3", "@message": "plain Error 3"},
    {
        "@timestamp": Timestamp(1_700_000_100_000),
        "@ptr": "2",
        "@message": "{…}",
        "n": 30,
        "user": "b",
        "a.0": "x",
        "foo-bar": "dash",
        "empty": "",
        "blank": " ",
    },
    {
        "@timestamp": Timestamp(1_700_000_000_000),
        "@ptr": "1",
        "@message": "{…}",
        "n": "4",
        "user": "a",
        "other": "o",
        "cold": 1,
    },
]

FILTERS = {
    "n = 4": "1",
    "n != 4": "32",
    "n > 4.5": "2",
    "n >= 4": "21",
    "n < '5'": "1",
    "n > -1 and n <= 30": "21",
    "user = 'a' or user = \"b\"": "21",
    "user = 'a' OR @message like 'Error'": "31",
    "user = 'a' or user = 'b' and n = 4": "1",
    "(user = 'a' or user = 'b') and n = 30": "2",
    "not user = 'a'": "32",
    "not (user = 'a' or user = 'b')": "3",
    "not isPresent(n)": "3",
    "@message like /(?i)ERROR \\d/": "3",
    "@message like /^(?i)plain/": "3",
    "@message =~ /(?<word>Err)or/": "3",
    "@message =~ /err/": "",
    "@message =~ /err/i": "3",
    "@message like 'Er.or'": "",
    "@message not like /Error/": "21",
    "user in ['a', \"z\"]": "1",
    "user not in ['a']": "32",
    "n in [30, 31]": "2",
    "isempty(empty) and ispresent(empty)": "2",
    "isblank(blank) and not isempty(blank)": "2",
    "`foo-bar` = 'dash'": "2",
    "a.0 = 'x'": "2",
    "user = user": "21",
    "cold": "1",
    "cold = 1 # | and user = 'z'": "1",
    "@timestamp >= 1700000100000": "32",
    "toMillis(@timestamp) < 1700000100000": "1",
    "strlen(user) = 1 and toupper(user) = 'A'": "1",
    "strcontains(user, 'b')": "2",
    "'text'": "",
}

ROWS: dict[str, list[list[str]]] = {
    "fields user, missing, n | fields other | limit 2": [
        ["@ptr=3"],
        ["user=b", "n=30", "@ptr=2"],
    ],
    "filter n = 30": [["@timestamp=2023-11-14 22:15:00.000", "@message={…}", "@ptr=2"]],
    "fields @timestamp | limit 1": [["@timestamp=2023-11-14 22:20:00.123", "@ptr=3"]],
    "fields user | display n | filter user = 'b'": [["n=30", "@ptr=2"]],
    "fields coalesce(other, user, 'none') as who, concat(who, '!') | sort who": [
        ["who=b", "concat(who, '!')=b!", "@ptr=2"],
        ["who=none", "concat(who, '!')=none!", "@ptr=3"],
        ["who=o", "concat(who, '!')=o!", "@ptr=1"],
    ],
    "fields substr(@message, 6, 5) as s, `foo-bar` | sort n | limit 1": [["s=Error", "@ptr=3"]],
    "fields n | sort n asc": [["@ptr=3"], ["n=4", "@ptr=1"], ["n=30", "@ptr=2"]],
    "fields user | sort @message, user desc | limit 1": [["@ptr=3"]],
    "fields user | sort @message desc, user | limit 1": [["user=a", "@ptr=1"]],
    "fields user | dedup @message | limit 9": [["@ptr=3"], ["user=b", "@ptr=2"]],
    "fields user | dedup other": [["@ptr=3"], ["user=b", "@ptr=2"], ["user=a", "@ptr=1"]],
    "stats count(*), count(n) as counted, sum(n), avg(n), min(n), max(n), count_distinct(user)": [
        [
            *("count(*)=3", "counted=2", "sum(n)=34", "avg(n)=17", "min(n)=4", "max(n)=30"),
            "count_distinct(user)=2",
        ]
    ],
    "stats count() as c, max(@timestamp) as latest by user | sort c desc, user": [
        ["c=1", "latest=1700000400123"],
        ["user=a", "c=1", "latest=1700000000000"],
        ["user=b", "c=1", "latest=1700000100000"],
    ],
    "stats count(*) as c by bin(5m) as t | sort t | limit 2": [
        ["t=2023-11-14 22:10:00.000", "c=1"],
        ["t=2023-11-14 22:15:00.000", "c=1"],
    ],
    "stats count(*) as c by bin(1day)": [["bin(1day)=2023-11-14 00:00:00.000", "c=3"]],
    "STATS sum(n > 5) AS many | filter many = 1": [["many=1"]],
    "stats max(@timestamp) as latest | display fromMillis(latest) as time": [
        ["time=2023-11-14 22:20:00.123"]
    ],
    "stats sum(other) as s": [[]],
    "filter n = 99 | stats count(*)": [],
}

MALFORMED = {
    "": "end of query at line 1 and position 1",
    "fields a |": "end of query at line 1 and position 11",
    "fields a\n| unknown b": "unknown at line 2 and position 3",
    "parse @message '*' as a": "parse at line 1 and position 1",
    "filter a ~ 1": "~ at line 1 and position 10",
    "filter a = ": "end of query",
    "filter (a = 1": "end of query",
    "filter a = 'open": "' at line 1 and position 12",
    "filter a like b": "b at line 1 and position 15",
    "filter a like /(/": "a regular expression (missing",
    "filter a not = 1": "= at line 1 and position 14",
    "filter foo-bar = 1": "- at line 1 and position 11",
    "filter unknown(a) = 1": "unknown at line 1 and position 8",
    "filter strlen(a, b) = 1": "1 to 1 arguments",
    "fields a + 1": "+ at line 1 and position 10",
    "fields a as": "end of query",
    "fields and": "and at line 1 and position 8",
    "stats pct(n, 95)": "pct at line 1 and position 7",
    "stats count(*) by bin(1mo)": "1mo at line 1 and position 23",
    "stats count(*) by bin(m)": "m at line 1 and position 23",
    "stats count(*) as c by user | sort n": "Unknown symbols found in or after stats: n",
    "sort n up": "up at line 1 and position 8",
    "limit 0": "0 at line 1 and position 7",
    "limit any 1": "any at line 1 and position 7",
    "dedup user | sort user": "sort at line 1 and position 14",
}


def rows(query: str) -> list[list[str]]:
    found, _ = parse(query).run(RECORDS)
    return [[f"{each['field']}={each['value']}" for each in row] for row in found]


@pytest.mark.parametrize(("condition", "expected"), FILTERS.items())
def test_filters_records(condition: str, expected: str) -> None:
    found, matched = parse(f"filter {condition}").run(RECORDS)

    assert "".join(row[-1]["value"] for row in found) == expected
    assert matched == len(expected)


@pytest.mark.parametrize(("query", "expected"), ROWS.items())
def test_makes_rows(query: str, expected: list[list[str]]) -> None:
    assert rows(query) == expected


@pytest.mark.parametrize(("query", "message"), MALFORMED.items())
def test_refuses_what_it_cannot_parse(query: str, message: str) -> None:
    with pytest.raises(MalformedQueryError) as error:
        parse(query)

    assert message in str(error.value)


def test_returns_ten_thousand_rows_unless_told_otherwise() -> None:
    many = RECORDS[:1] * 10_002

    assert len(parse("fields n").run(many)[0]) == 10_000
    assert len(parse("fields n | limit 10001").run(many)[0]) == 10_001
    assert len(parse("fields n").run(many, 10_001)[0]) == 10_001
    assert len(parse("fields n | limit 3").run(many, 2)[0]) == 2


def test_sorts_naturally() -> None:
    """The example of AWS's documentation of sort."""
    values: list[Value] = [
        *("!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh"),
        *("0", "01", "1", "2", "3"),
    ]

    assert sorted(values[12::-1], key=order) == values[:13]
    assert sorted(values, key=order) == values


@pytest.mark.parametrize(
    ("message", "embedded", "fields"),
    [
        (
            '{"a": {"b": 1.5, "c": [2, {"d": "x"}]}}',
            False,
            {"a.b": 1.5, "a.c.0": 2, "a.c.1.d": "x"},
        ),
        (
            '{"yes": true, "no": false, "none": null, "@t": 1}\n',
            False,
            {"yes": 1, "no": 0, "@@t": 1},
        ),
        ('INFO {"a": 1}', False, {}),
        ('{"a": 1} {"b": 2}', False, {}),
        ("[1]", False, {}),
        ("plain", True, {}),
        ('INFO {x} {"a": 1} {"b": 2}', True, {"a": 1}),
    ],
)
def test_discovers_fields(message: str, embedded: bool, fields: Record) -> None:  # noqa: FBT001
    assert discovered(message, embedded=embedded) == fields
