"""A server is started once, and what it loads first is told apart where that matters."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Server, rehearsing, server
from spending import CLOCK
from synthesis import synthesiser

COUNTING = """
import json, sys, time
for count, line in enumerate(sys.stdin):
    while time.process_time() < 0.3: pass
    print(json.dumps({**json.loads(line), "count": count}), flush=True)
"""
COMMAND = (sys.executable, "-c", COUNTING)


@pytest.fixture(params=[True, False])
def rehearsed(request: pytest.FixtureRequest) -> Iterator[bool]:
    before, rehearsing.wanted = rehearsing.wanted, request.param
    yield request.param
    rehearsing.wanted = before


def test_the_first_request_is_rehearsed_where_it_matters_what_a_pattern_takes(
    rehearsed: bool,  # noqa: FBT001 (a fixture)
) -> None:
    counting = Server(COMMAND, {})
    shared = CLOCK.shared()["processor"]

    answers = [counting.ask({"of": name}) for name in "ab"]

    assert [each["of"] for each in answers] == ["a", "b"]
    assert [each["count"] for each in answers] == ([1, 2] if rehearsed else [0, 1])
    if sys.platform == "linux":
        assert (CLOCK.shared()["processor"] - shared > 0.25) == rehearsed


def test_there_is_one_server_for_a_command_and_its_variables() -> None:
    assert server(COMMAND, A="1") is server(COMMAND, A="1")
    assert server(COMMAND, A="1") is not server(COMMAND, A="2")


def test_all_tests_of_a_worker_share_a_synthesiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".bin/tsx"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ncat\n")
    program.chmod(0o755)
    first = synthesiser(tmp_path)

    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")

    assert synthesiser(tmp_path) is first


def test_a_server_that_ends_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="has ended: 3"):
        Server((sys.executable, "-c", "raise SystemExit(3)"), {}).ask({})
