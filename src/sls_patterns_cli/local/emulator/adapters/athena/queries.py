"""Athena answers queries on tables of Iceberg and on those with computed partitions.

AWS: of a table with partition projection Athena reads the folders that follow from the table's
parameters, and no others; of an Iceberg table what its last metadata list. A workgroup with managed
query results needs no place for them.
https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html
https://docs.aws.amazon.com/athena/latest/ug/managed-results.html

Emulator: reads all that is at a table's location, knows no Iceberg table, wants a place for
results, and needs DuckDB when it starts. A query here is in the SQL of DuckDB, which differs from
Trino's, so proofs use what both have; nobody is asked for permissions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import athena

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.glue import lakehouse

Request = dict[str, Any]
Results = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

MANAGED = "managed:"
"""The place of results that Athena keeps."""


def apply() -> None:
    replace(athena, "get_athena_engine", "99bb35992f81", _found_later)
    replace(athena, "_start_query_execution", "405753f7beaf", _without_place)
    replace(athena, "_save_query_results", "4ff2ac770a74", _unless_managed)
    replace(athena, "_run_duckdb", "734c2e91cdac", _on_our_tables)


def _found_later(_engine: Callable[[], str]) -> Callable[[], str]:
    return lambda: "duckdb" if lakehouse.is_installed() else "mock"


def _without_place(start: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def start_query_execution(request: Request) -> Response:
        workgroup = athena._workgroups.get(request.get("WorkGroup", "primary")) or {}
        configuration = workgroup.get("Configuration") or {}
        if (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"):
            request = {**request, "ResultConfiguration": {"OutputLocation": MANAGED}}
        return start(request)

    return start_query_execution


def _unless_managed(
    save: Callable[[str], Awaitable[None]],
) -> Callable[[str], Awaitable[None]]:
    async def save_query_results(query_id: str) -> None:
        place = athena._executions[query_id]["ResultConfiguration"]["OutputLocation"]
        if not place.startswith(MANAGED):
            await save(query_id)

    return save_query_results


def _on_our_tables(run: Callable[..., Awaitable[Results]]) -> Callable[..., Awaitable[Results]]:
    async def run_duckdb(query: str, database: str, catalog: str | None = None) -> Results:
        if any(map(lakehouse.is_ours, lakehouse.tables(database))):
            return await asyncio.to_thread(lakehouse.answer, query, database)
        return await run(query, database, catalog)

    return run_duckdb
