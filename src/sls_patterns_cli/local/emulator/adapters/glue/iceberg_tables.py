"""A table of Glue that is made as one of Iceberg's has metadata.

AWS: with `OpenTableFormatInput` Glue writes the first metadata file of the table at its location,
and keeps its place as the parameter `metadata_location`, with `table_type`. Whoever writes to the
table replaces that place. CloudFormation knows nothing of the two: a change of the table in a
template takes them away, and with them the table's data, for readers and writers.
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-tables.html
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1919

Emulator: ignores `OpenTableFormatInput`.
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import glue

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.glue import lakehouse

Request = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]


def apply() -> None:
    replace(glue, "_create_table", "6cd8e49bce8e", _with_metadata)


def _with_metadata(create: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def create_table(request: Request) -> Response:
        wanted = (request.get("OpenTableFormatInput") or {}).get("IcebergInput")
        if not wanted:
            return create(request)
        table = request["TableInput"]
        described = table.get("StorageDescriptor") or {}
        try:
            place = lakehouse.create(described["Location"], described["Columns"])
        except (LookupError, ValueError) as error:
            refused: Response = error_response_json("InvalidInputException", str(error), 400)
            return refused
        own = {"table_type": lakehouse.ICEBERG, "metadata_location": place}
        given = {**(table.get("Parameters") or {}), **own}
        return create({**request, "TableInput": {**table, "Parameters": given}})

    return create_table
