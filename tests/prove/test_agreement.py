"""`check` and `prove` are two witnesses: each reads or sees where the events of an edge end.

Where they differ, one of them is wrong, or a reason is below.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from command import Cli
from proving_stacks import Row, proven

CASES = sorted((Path(__file__).parents[1] / "wiring/cases").glob("*.yaml"))
FEW = {"destinations", "schedules", "qualifiers", "others"}
"""Those that `make test` proves; the others are proven by all tests."""

REFUSED = {"no-arn"}
"""Of which AWS makes nothing either: a name where an ARN belongs."""


def key(edge: dict[str, Any]) -> tuple[str, str, str]:
    return edge["source"], edge["target"], edge["mechanism"]


def agree(row: Row, end: str | None, ends: set[str | None]) -> bool:
    """Tell whether what was seen is what stands in the template; `ends` are those of all edges."""
    match row["verdict"]:
        case "not-emulated" | "no-stimulus":
            return True
        case "ended" if row["mechanism"] == "step-functions" and end is None:
            return bool(row["ended_at"] == row["target"])  # Step Functions keeps the execution
        case "ended" if end is None and {row["source"], row["target"]} & ends:
            return True  # it only tells of what has failed, which is kept where it ended
        case "ended":
            return bool(row["ended_at"] == end)
        case "for-ever" if row["mechanism"] in {"stream", "pipe"}:
            return True  # without limits no record gets to its end, whatever that is
    return end is None


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(each, id=each.stem, marks=() if each.stem in FEW else pytest.mark.exhaustive)
        for each in CASES
        if each.stem not in REFUSED
    ],
)
def test_what_is_seen_is_what_was_read(case: Path, cli: Cli) -> None:
    expected = json.loads(case.with_suffix(".json").read_text())["edges"]
    if not expected:
        assert cli("prove", case).stdout.endswith("No asynchronous edges\n")
        return

    rows = proven(cli, case)

    ends = {key(edge): edge["end"] for edge in expected}
    assert {key(row) for row in rows} == ends.keys()
    seen = [row for row in rows if not agree(row, ends[key(row)], {*ends.values()})]
    assert seen == []
