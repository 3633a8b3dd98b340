"""The rows of a text delimited file, as a distributed map reads them.

https://docs.aws.amazon.com/step-functions/latest/dg/example-csv-parse-dist-map.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}

HEADER_BYTES = 10 * 1024
ROW_BYTES = 8 * 1024 * 1024
"""https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html"""

_MARK = re.compile(r'\\.|"', re.DOTALL)
_ESCAPED = re.compile(r'\\(.)|""', re.DOTALL)


def rows(lines: Iterable[str], config: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield each record below the header by the names of the columns, one after the other.

    A record that is too short gets empty values, and what one that is too long has is skipped.
    Raises ValueError for what cannot be read.
    """
    records = _records(lines, DELIMITERS[config.get("CSVDelimiter", "COMMA")])
    header = _header(records, config)
    for record in records:
        missing = [""] * (len(header) - len(record))
        yield dict(zip(header, record + missing, strict=False))


def _records(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """Yield the values of each record, which ends with a line unless that is within a value.

    Python's `csv` takes two quotation marks for one only in a value that they enclose, AWS in each.
    """
    other = re.escape(delimiter)
    value = re.compile(
        rf'(?:"((?:[^"\\]|\\.|"")*)"|((?:[^"\\{other}]|\\.|"")*))({other}|\Z)', re.DOTALL
    )
    parts: list[str] = []
    size = marks = 0
    for number, line in enumerate(lines, 1):
        size += len(line)
        if size > ROW_BYTES:
            raise ValueError(f"line {number}: a record has up to {ROW_BYTES} bytes")
        parts.append(line)
        marks += sum(mark == '"' for mark in _MARK.findall(line))
        if marks % 2 == 0:
            text = "".join(parts).removesuffix("\n").removesuffix("\r")
            yield _values(text, value, number) if marks or "\\" in text else text.split(delimiter)
            parts, size, marks = [], 0, 0
    if parts:
        raise ValueError("a quotation mark is never closed")


def _values(text: str, value: re.Pattern[str], number: int) -> list[str]:
    values, at, delimited = [], 0, True
    while delimited:
        found = value.match(text, at)
        if found is None:
            raise ValueError(f"line {number}: a quotation mark or backslash is out of place")
        values.append(_ESCAPED.sub(lambda mark: mark[1] or '"', found[1] or found[2] or ""))
        at, delimited = found.end(), bool(found[3])
    return values


def _header(records: Iterator[list[str]], config: Mapping[str, Any]) -> list[str]:
    location = config.get("CSVHeaderLocation")
    if location not in {"FIRST_ROW", "GIVEN"}:
        raise ValueError("CSVHeaderLocation must be FIRST_ROW or GIVEN")
    header = config["CSVHeaders"] if location == "GIVEN" else next(records, [])
    if len(",".join(header).encode()) > HEADER_BYTES:
        raise ValueError(f"CSV headers have up to {HEADER_BYTES} bytes")
    if len({*header}) < len(header):
        raise ValueError("CSV headers cannot contain duplicates.")
    return list(header)
