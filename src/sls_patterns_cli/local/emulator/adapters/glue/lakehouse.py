"""Tables over objects of the emulated S3: those of Apache Iceberg, and lines of JSON in folders.

Iceberg's own library writes the data and metadata of a table as Firehose does, and commits to the
emulated Glue. DuckDB answers queries. Both are in a folder that `query_packages` fills, and are
imported only where there is a table.
"""

import gzip
import importlib.util
import io
import json
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ministack.core.responses import get_region
from ministack.services import glue, s3

from sls_patterns_cli.local.emulator.adapters.s3 import objects

PACKAGES = "SLS_PATTERNS_QUERY_PACKAGES"

ICEBERG = "ICEBERG"
"""What Glue's parameter `table_type` says of an Iceberg table."""

ALTER = re.compile(
    r'\s*ALTER\s+TABLE\s+"?(\w+)"?\s+(?:ADD\s+COLUMNS\s*\(\s*(\w+)\s+(\w+)\s*\)|DROP\s+COLUMN\s+(\w+))\s*;?\s*',
    re.IGNORECASE,
)
"""https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-evolving-table-schema.html"""

Json = dict[str, Any]

_writing = threading.Lock()
"""Commits would fail that are made at the same time."""


def is_installed() -> bool:
    """Make the packages importable, after our own; tell whether they are there."""
    folder = os.environ.get(PACKAGES, "")
    if folder and Path(folder).is_dir() and folder not in sys.path:
        sys.path.append(folder)
    return importlib.util.find_spec("duckdb") is not None


def require() -> None:
    """Raise ValueError unless the packages are there."""
    if not is_installed():
        raise ValueError("the packages for tables are not installed")


class EmulatedS3:
    """How PyIceberg reads and writes objects: in the name of `role`, or with its permissions."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self.properties = properties

    def new_input(self, location: str) -> "_Object":
        return _Object(location, self.properties.get("role", ""))

    new_output = new_input

    def delete(self, location: "str | _Object") -> None:
        bucket, key = _place(str(getattr(location, "location", location)))
        s3._buckets[bucket]["objects"].pop(key, None)


IN_EMULATED_S3 = {"py-io-impl": f"{__name__}.{EmulatedS3.__name__}"}
"""Tells PyIceberg where the files of a table are."""


class _Object:
    def __init__(self, location: str, role: str) -> None:
        self.location, self._role = location, role

    def __len__(self) -> int:
        return len(self._content())

    def exists(self) -> bool:
        bucket, key = _place(self.location)
        return key in s3._buckets[bucket]["objects"]

    def open(self, *, seekable: bool = True) -> io.BytesIO:  # noqa: ARG002 (PyIceberg passes it)
        return io.BytesIO(self._content())

    def create(self, *, overwrite: bool = False) -> "_Upload":  # noqa: ARG002
        return _Upload(self.location, self._role)

    def to_input_file(self) -> "_Object":
        return self

    def _content(self) -> bytes:
        return bytes(s3._get_object_data(*_place(self.location)))


class _Upload(io.BytesIO):
    def __init__(self, location: str, role: str) -> None:
        super().__init__()
        self._location, self._role = location, role

    def close(self) -> None:
        if not self.closed:
            content = self.getvalue()
            super().close()
            bucket, key = _place(self._location)
            if self._role:
                objects.put(self._role, f"arn:aws:s3:::{bucket}", key, content)
            else:
                _put(bucket, key, content)


def _put(bucket: str, key: str, content: bytes) -> None:
    headers = {"content-type": "binary/octet-stream", "content-length": str(len(content))}
    status, _, body = s3._put_object(bucket, key, content, headers)
    if status >= 300:
        raise ValueError(f"s3://{bucket}/{key} cannot be written: {body!r}")


def _place(location: str) -> tuple[str, str]:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def create(location: str, columns: Iterable[Json]) -> str:
    """Write the first metadata of an Iceberg table, and return their place.

    Raises ValueError for a type that the local stack does not know.
    """
    require()
    from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
    from pyiceberg.schema import Schema
    from pyiceberg.serializers import ToOutputFile
    from pyiceberg.table.metadata import new_table_metadata
    from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
    from pyiceberg.types import NestedField

    fields = [
        NestedField(number, each["Name"], _type(each["Type"]), required=False)
        for number, each in enumerate(columns, start=1)
    ]
    metadata = new_table_metadata(
        Schema(*fields), UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER, location.rstrip("/")
    )
    place = f"{location.rstrip('/')}/metadata/00000-{metadata.table_uuid}.metadata.json"
    ToOutputFile.table_metadata(metadata, EmulatedS3({}).new_output(place))
    return place


def _type(name: str) -> Any:
    from pyiceberg import types

    known = {
        "string": types.StringType,
        "boolean": types.BooleanType,
        "int": types.IntegerType,
        "bigint": types.LongType,
        "double": types.DoubleType,
        "date": types.DateType,
        "timestamp": types.TimestampType,
    }
    if name.lower() not in known:
        raise ValueError(f"the local stack has no columns of the type {name}")
    return known[name.lower()]()


class Refused(ValueError):  # noqa: N818 (the record is refused, not the program wrong)
    """A record that does not fit its table, with Firehose's code for that."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def append(
    role: str, database: str, name: str, records: list[bytes]
) -> list[tuple[bytes, Refused]]:
    """Add the records that fit to an Iceberg table, in one commit; return the others.

    Raises an exception if nothing can be written.
    """
    require()
    import pyarrow as pa

    with _writing:
        table = _catalog(role).load_table((database, name))
        schema = table.schema().as_arrow()
        rows, refused = [], []
        for record in records:
            try:
                rows.append(_row(record, schema))
            except Refused as error:
                refused.append((record, error))
        if rows:
            table.append(pa.Table.from_pylist(rows, schema=schema))
    return refused


def _row(record: bytes, schema: Any) -> Json:
    """A record as a row of its table; raises Refused."""
    import pyarrow as pa

    try:
        row = json.loads(record)
    except ValueError as error:
        raise Refused("Iceberg.InvalidJson", str(error)) from None
    if not isinstance(row, dict):
        raise Refused("Iceberg.InvalidJson", "The record is no JSON object.")
    if other := {*schema.names} ^ row.keys():
        says = f"The record and the table do not both have: {', '.join(sorted(other))}"
        raise Refused("Iceberg.MissingColumnWithinRecord", says)
    try:
        pa.Table.from_pylist([row], schema=schema)
    except pa.ArrowException as error:
        raise Refused("Iceberg.InvalidDataType", str(error)) from None
    return row


@cache
def _catalog(role: str) -> Any:
    """The emulated Glue as PyIceberg sees it; data is written in the name of the role."""
    import boto3
    from pyiceberg.catalog.glue import GlueCatalog

    client: Any = boto3.client(
        "glue",
        endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        region_name=get_region(),
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 (the emulator's administrator)
    )
    return GlueCatalog("glue", client=client, **IN_EMULATED_S3, role=role)


def is_ours(table: Json) -> bool:
    """Tell whether a table of Glue is Iceberg's, or has partitions that are computed."""
    return _is_iceberg(table) or _parameter(table, "projection.enabled") == "true"


def _is_iceberg(table: Json) -> bool:
    return _parameter(table, "table_type") == ICEBERG


def _parameter(table: Json, name: str) -> str | None:
    value: str | None = (table.get("Parameters") or {}).get(name)
    return value


def answer(query: str, database: str) -> Json:
    """Run a query on the tables of a database; raises an exception of DuckDB's."""
    require()
    if found := ALTER.fullmatch(query):
        _alter(database, *found.groups())
        return {"columns": [], "column_types": [], "rows": []}
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for table in tables(database):
            rows = _rows(table)
            connection.register(table["Name"], rows)
        result = connection.execute(query)
        described = result.description or []
        return {
            "columns": [each[0] for each in described],
            "column_types": [str(each[1]).lower() for each in described],
            "rows": [list(row) for row in result.fetchall()],
        }


def tables(database: str) -> Iterator[Json]:
    """The tables of a database, as Glue has them."""
    return (each for each in glue._tables.values() if each["DatabaseName"] == database)


def _alter(database: str, name: str, added: str | None, kind: str, dropped: str | None) -> None:
    with _writing, _catalog("").load_table((database, name)).update_schema() as change:
        if added:
            change.add_column(added, _type(kind))
        else:
            change.delete_column(dropped)


def _rows(table: Json) -> Any:
    """The rows of a table, as Arrow has them."""
    if _is_iceberg(table):
        from pyiceberg.table import StaticTable

        place = table["Parameters"]["metadata_location"]
        return StaticTable.from_metadata(place, IN_EMULATED_S3).scan().to_arrow()
    import pyarrow as pa

    names = [
        each["Name"] for each in (*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"])
    ]
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_pylist(list(_lines(table)), schema=schema)


def _lines(table: Json) -> Iterator[Json]:
    """The lines of JSON under the folders that a table's partitions are computed to be in.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    """
    given = table["Parameters"]
    bucket, template = _place(given["storage.location.template"])
    pattern = re.sub(r"\\\$\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    names = [each["Name"] for each in table["StorageDescriptor"]["Columns"]]
    for key in sorted(s3._buckets[bucket]["objects"]):
        folder = re.match(pattern, key)
        if not folder or not all(_projected(given, *each) for each in folder.groupdict().items()):
            continue
        content = s3._get_object_data(bucket, key)
        text = gzip.decompress(content) if key.endswith(".gz") else content
        for line in text.splitlines():
            row = json.loads(line)
            yield {name: row.get(name) for name in names} | folder.groupdict()


def _projected(given: Mapping[str, str], key: str, value: str) -> bool:
    """Tell whether a value is one of those that a partition's key is computed to have."""
    first, last = given[f"projection.{key}.range"].split(",")
    if given[f"projection.{key}.type"] == "integer":
        digits = int(given.get(f"projection.{key}.digits", "0"))
        return (
            value.isdecimal()
            and value.zfill(digits) == value
            and int(first) <= int(value) <= int(last)
        )
    if given[f"projection.{key}.format"] != "yyyy-MM-dd" or last != "NOW":
        raise ValueError(f"the local stack does not compute the partitions of {key}")
    return first <= value <= datetime.now(UTC).strftime("%Y-%m-%d")
