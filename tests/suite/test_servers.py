"""A server is started once, and answers all tests of a worker."""

import sys
from pathlib import Path

import pytest
from servers import Server, server
from synthesis import synthesiser

COUNTING = """
import json, sys
for count, line in enumerate(sys.stdin):
    print(json.dumps({**json.loads(line), "count": count}), flush=True)
"""
COMMAND = (sys.executable, "-c", COUNTING)


def test_a_server_answers_each_request() -> None:
    counting = Server(COMMAND, {})

    assert [counting.ask({"of": name}) for name in "ab"] == [
        {"of": "a", "count": 0},
        {"of": "b", "count": 1},
    ]


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
