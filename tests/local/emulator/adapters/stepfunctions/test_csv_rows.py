"""What a text delimited file says, by the rules that AWS documents.

https://docs.aws.amazon.com/step-functions/latest/dg/example-csv-parse-dist-map.html
"""

import tracemalloc
from collections import deque
from itertools import chain, repeat
from typing import Any

import pytest

from sls_patterns_cli.local.emulator.adapters.stepfunctions.csv_rows import (
    DELIMITERS,
    HEADER_BYTES,
    ROW_BYTES,
    rows,
)


def read(text: str, **config: Any) -> list[dict[str, str]]:
    return list(rows(text.splitlines(keepends=True), {"CSVHeaderLocation": "FIRST_ROW"} | config))


def test_the_example_of_aws_is_read_as_aws_says() -> None:
    text = (
        'abc,123,"This string contains commas, a double quotation marks (""), and a newline (\n)",'
        '{""MyKey"":""MyValue""},"[1,2,3]"\n'
    )
    names = ["MyLetters", "MyNumbers", "MyString", "MyObject", "MyArray"]

    assert read(text, CSVHeaderLocation="GIVEN", CSVHeaders=names) == [
        {
            "MyLetters": "abc",
            "MyNumbers": "123",
            "MyString": (
                'This string contains commas, a double quotation marks ("), and a newline (\n)'
            ),
            "MyObject": '{"MyKey":"MyValue"}',
            "MyArray": "[1,2,3]",
        }
    ]


@pytest.mark.parametrize(
    ("record", "values"),
    [
        ("1,2", ["1", "2"]),
        ("1", ["1", ""]),
        ("1,2,3", ["1", "2"]),
        ('"",""', ["", ""]),
        ('"""",""""""', ['"', '""']),
        ('"x""y","x"""', ['x"y', 'x"']),
        ('"a,""b","""\n"""', ['a,"b', '"\n"']),
        (r"C:\\x,\,", ["C:\\x", ","]),
        (r"\x,a\"b", ["x", 'a"b']),
        (" 1 , 2", [" 1 ", " 2"]),
        ('"1",', ["1", ""]),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_record_is_a_row(record: str, values: list[str], end: str) -> None:
    assert read(f"one,two\n{record}{end}") == [dict(zip(("one", "two"), values, strict=True))]


@pytest.mark.parametrize("name", DELIMITERS)
def test_values_are_delimited_as_the_machine_says(name: str) -> None:
    text = "one,two\n1,2\n".replace(",", DELIMITERS[name])

    assert read(text, CSVDelimiter=name) == [{"one": "1", "two": "2"}]


def test_a_byte_order_mark_is_part_of_the_first_name() -> None:
    """AWS does not document that it leaves it out, so nobody may rely on it."""
    assert read("\ufeffid\n1\n") == [{"\ufeffid": "1"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("one,one\n", "CSV headers cannot contain duplicates."),
        ("x" * (HEADER_BYTES + 1), "CSV headers have up to 10240 bytes"),
        ('one\n"1\n', "never closed"),
        ('one\n"1"2\n', "line 2: a quotation mark or backslash is out of place"),
        ("one\n1\\\n", "line 2: a quotation mark or backslash is out of place"),
        (f"one\n{'x' * (ROW_BYTES + 1)}\n", "line 2: a record has up to 8388608 bytes"),
    ],
    ids=["a name twice", "a long header", "no end", "a mark within", "a backslash", "a long row"],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(text)


def test_a_header_and_a_value_may_be_as_long_as_aws_takes_them() -> None:
    assert len(read(f"{'x' * (HEADER_BYTES * 9 // 10)}\n{'y' * (ROW_BYTES * 9 // 10)}\n")) == 1


def test_rows_are_read_one_after_the_other() -> None:
    lines = chain(["id,units\n"], repeat("customer,1200\n", 10_000))
    tracemalloc.start()

    deque(rows(lines, {"CSVHeaderLocation": "FIRST_ROW"}), maxlen=0)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 * 1024
