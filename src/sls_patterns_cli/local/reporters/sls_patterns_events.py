"""A pytest plugin that writes what becomes of each test to a file, as lines of JSON.

Of several stacks, each runs its share of the tests. It runs in the project's environment, so it
imports nothing of ours.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

_FILE = Path(os.environ["SLS_PATTERNS_EVENTS"])
_SHARE = json.loads(os.environ["SLS_PATTERNS_SHARE"])
_ended: dict[str, dict[str, Any]] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this share."""
    items[:] = [item for item in items if (item.nodeid in _SHARE["ids"]) != _SHARE["others"]]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Report how many tests there are."""
    _write(event="found", count=len(session.items))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Report what cannot be collected."""
    if report.failed:
        now = time.time()
        _write(event="started", id=report.nodeid, name=report.nodeid, at=now)
        _write(event="ended", seconds=0, outcome="failed", at=now, text=report.longreprtext)


def pytest_runtest_logstart(nodeid: str) -> None:
    """Report which test begins."""
    _ended[nodeid] = {"outcome": "passed", "seconds": 0.0, "text": ""}
    name = nodeid.rpartition("::")[2].removeprefix("test_").replace("_", "-")
    _write(event="started", id=nodeid, name=name, at=time.time())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how setup, test and teardown have ended."""
    ended = _ended[report.nodeid]
    ended["seconds"] += report.duration
    if report.failed:
        said = [report.longreprtext, report.capstdout, report.capstderr]
        ended["text"] = "\n".join(filter(None, [ended["text"], *said]))
    if report.outcome != "passed" and ended["outcome"] != "failed":
        ended["outcome"] = report.outcome


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Report how a test ended."""
    _write(event="ended", at=time.time(), **_ended.pop(nodeid))


def _write(**event: Any) -> None:
    with _FILE.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(event)}\n")
