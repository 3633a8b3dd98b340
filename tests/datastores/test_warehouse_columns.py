"""U10, U11: no event that the service takes fails the load of its batch."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from environments import environment, link_modules, node
from rendering import render_project
from tools import run
from variants import Variant

from sls_patterns_cli.catalog import pattern

EVENT = {
    "id": "a" * 64,
    "type": "page-view",
    "page": "/",
    "occurred_at": "2026-01-31T12:00:00Z",
}
# It has four bytes in UTF-8, as many as any character.
LONGEST = "\N{GRINNING FACE}"

# Print the stored line of the record in each line of the file, or null if it is refused.
ARCHIVE_PYTHON = """
import sys
from pathlib import Path
from pydantic import ValidationError
from streamer.logic import archived

for record in Path("records.jsonl").read_bytes().splitlines():
    try:
        sys.stdout.write(archived(record).decode("utf-8"))
    except ValidationError:
        print("null")
"""
ARCHIVE_TYPESCRIPT = """
import { readFileSync } from "node:fs";
import { z } from "zod";
import { archived } from "./src/logic.ts";

for (const record of readFileSync("records.jsonl", "utf8").trimEnd().split("\\n")) {
  try {
    process.stdout.write(archived(record));
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    console.log("null");
  }
}
"""

Stored = dict[str, str] | None
Store = Callable[..., list[Stored]]


@pytest.fixture(scope="module", params=["python", "typescript"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = Variant("streamer", "kinesis", request.param, "sam", "redshift-serverless").answers
    return render_project(tmp_path_factory.mktemp("columns") / "project", **answers)


@pytest.fixture(scope="module")
def store(project: Path) -> Store:
    """Return what the service stores of events with these values of a field."""
    command: list[str | Path]
    if (project / "package.json").exists():
        link_modules(project)
        (project / "archive.ts").write_text(ARCHIVE_TYPESCRIPT)
        esbuild = "node_modules/esbuild/bin/esbuild"
        run([esbuild, "--bundle", "--platform=node", "archive.ts", "--outfile=a.cjs"], project)
        command = [node().executable, "a.cjs"]
    else:
        command = [environment(project) / "python", "-X", "utf8", "-c", ARCHIVE_PYTHON]

    def stored(field: str, *values: Any) -> list[Stored]:
        records = [{"received_at": 0, "event": {**EVENT, field: value}} for value in values]
        lines = "".join(f"{json.dumps(record)}\n" for record in records)
        (project / "records.jsonl").write_text(lines)
        output = run(command, project, PYTHONPATH="src")
        return [json.loads(line) for line in output.splitlines()]

    return stored


@pytest.fixture(scope="module")
def sql(project: Path) -> str:
    return "".join(file.read_text() for file in (project / "migrations").glob("*.sql"))


def test_what_the_models_take_fits_into_its_column(store: Store, sql: str) -> None:
    found = re.findall(r"^ +(\w+) VARCHAR\((\d+)\)", sql, re.MULTILINE)
    bytes_of = {name: int(size) for name, size in found}

    longest, too_long = store("page", LONGEST * 2048, LONGEST * 2049)

    assert bytes_of.keys() == {"id", "type", "page"}
    assert longest
    for name, size in bytes_of.items():
        assert len(longest[name].encode()) <= size, name
    assert too_long is None


def test_no_event_has_a_nul(store: Store) -> None:
    assert store("page", "\0", "/a\0b", "/a\0") == [None] * 3


def test_a_time_of_any_zone_and_precision_is_stored_as_each_datastore_reads_it(
    store: Store,
) -> None:
    sent = [
        "2026-01-31T12:00:00+16:00",
        "2026-01-31T12:00:00+23:59",
        f"2026-01-31T12:00:00.{'9' * 9_000}Z",
        "1000-01-01T00:00:00Z",
        "2999-12-31T23:59:59.999Z",
    ]

    assert [stored and stored["occurred_at"] for stored in store("occurred_at", *sent)] == [
        "2026-01-30T20:00:00.000Z",
        "2026-01-30T12:01:00.000Z",
        "2026-01-31T12:00:00.999Z",
        "1000-01-01T00:00:00.000Z",
        "2999-12-31T23:59:59.999Z",
    ]


def test_a_time_that_a_datastore_may_not_read_is_refused(store: Store) -> None:
    sent = [
        "0000-01-01T00:00:00Z",
        "0999-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:60Z",
        "2026-02-29T12:00:00Z",
        "2026-01-31 12:00:00Z",
        "2\N{ARABIC-INDIC DIGIT ZERO}26-01-31T12:00:00Z",
        "1769860800",
        1769860800,
    ]

    assert store("occurred_at", *sent) == [None] * len(sent)


def test_each_key_of_a_line_has_a_column(store: Store, sql: str) -> None:
    """Of the warehouse, and of the tables that the pattern declares for the other datastores."""
    columns = set(re.findall(r"^ +(\w+) [A-Z]+", sql, re.MULTILINE))
    archives = [
        node
        for topology in pattern("streamer").topologies
        for node in topology.nodes
        if node.name == "archive"
    ]

    (stored,) = store("page", "/")

    assert stored
    assert columns == stored.keys()
    assert [{*each.attributes["columns"]} for each in archives] == [columns] * len(archives)
