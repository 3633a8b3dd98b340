"""A proof is left out only while its patterns, the tool and the tests are as when it has passed."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import kept
import proven
import pytest
import rendering
from rendering import render_project


def item(test: str = "a", folder: str = "proofs", **parameters: str) -> pytest.Item:
    marks = [pytest.mark.proves("fifoer").mark]
    made = SimpleNamespace(
        nodeid=test,
        path=proven.TESTS / folder / "test_proofs.py",
        iter_markers=lambda name: marks if name == proven.MARK else [],
        callspec=SimpleNamespace(params=parameters),
    )
    return cast("pytest.Item", made)


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The digests of what is rendered, by pattern; nothing is kept so far."""
    found = {"fifoer": "1", "router": "1", "tool": "1"}
    monkeypatch.setattr(kept, "FILE", tmp_path / "kept.sqlite3")
    monkeypatch.delenv(kept.SWITCH, raising=False)
    monkeypatch.setattr(rendering, "digest_of", found.__getitem__)
    monkeypatch.setattr(proven, "tool_and_tests", lambda: found["tool"])
    return found


def test_a_proof_that_has_passed_is_left_out(digests: dict[str, str]) -> None:
    assert not proven.is_proven(item())
    with proven.proving(item()):
        pass

    assert proven.is_proven(item())
    digests["router"] = "2"
    assert proven.is_proven(item())
    assert not proven.is_proven(item("b"))


def test_a_proof_that_has_failed_runs_again(digests: dict[str, str]) -> None:
    assert digests
    with pytest.raises(AssertionError), proven.proving(item()):
        raise AssertionError

    assert not proven.is_proven(item())


@pytest.mark.parametrize("changed", ["fifoer", "router", "tool"])
def test_a_proof_runs_again_after_a_change_of(changed: str, digests: dict[str, str]) -> None:
    of_both = item(pattern="router")
    with proven.proving(of_both):
        pass
    assert proven.is_proven(of_both)

    digests[changed] = "2"

    assert not proven.is_proven(of_both)


def test_nothing_is_left_out_that_is_no_proof_or_where_nothing_is_kept(
    digests: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert digests
    with proven.proving(item(folder="static")), proven.proving(item()):
        pass

    assert not proven.is_proven(item(folder="static"))
    monkeypatch.setenv(kept.SWITCH, "1")
    assert not proven.is_proven(item())


def test_a_proof_can_render_no_pattern_that_it_is_not_about(tmp_path: Path) -> None:
    with rendering.only(["fifoer"]):
        render_project(tmp_path / "fifoer", pattern="fifoer")
        with pytest.raises(AssertionError, match="about"):
            render_project(tmp_path / "router", pattern="router")
    render_project(tmp_path / "router", pattern="router")


def test_a_line_of_the_tool_of_a_test_or_of_what_they_require_is_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proven, "TESTS", tmp_path / "tests")
    files = [tmp_path / each for each in ("src/a.py", "tests/proofs/b.py", "requirements.lock")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("one")
    keys = {proven.tool_and_tests.__wrapped__()}
    for file in files:
        file.write_text("two")
        keys.add(proven.tool_and_tests.__wrapped__())

    assert len(keys) == 1 + len(files)
