"""What was found good is looked at once, and again as soon as anything differs."""

import subprocess
import sys
from pathlib import Path

import kept as module
import pytest
from kept import DAY, DAYS_UNUSED, SWITCH, digest, kept, kept_of


@pytest.fixture(autouse=True)
def _own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE", tmp_path / "build/kept.sqlite3")
    monkeypatch.delenv(SWITCH, raising=False)


def is_new(*parts: module.Part, kind: str = "lint") -> bool:
    with kept(kind, *parts) as new:
        return new


def test_the_same_is_looked_at_once() -> None:
    assert is_new("1.0", "text")
    assert not is_new("1.0", "text")


def test_what_differs_in_any_part_is_looked_at(tmp_path: Path) -> None:
    checker, folder = tmp_path / "checker.py", tmp_path / "folder"
    checker.write_text("first = 1\n")
    folder.mkdir()
    (folder / "a.txt").write_text("a")

    def parts() -> tuple[module.Part, ...]:
        return ("1.0", b"settings", checker, folder, "text")

    assert is_new(*parts())
    assert not is_new(*parts())
    checker.write_text("second = 2\n")
    assert is_new(*parts())
    (folder / "a.txt").write_text("b")
    assert is_new(*parts())
    (folder / "a.txt").rename(folder / "c.txt")
    assert is_new(*parts())
    assert is_new("1.1", *parts()[1:])
    assert is_new(*parts()[:-1], "texts")
    assert is_new(*parts(), kind="types")
    assert not is_new(*parts())


def test_where_one_part_ends_matters() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", "")}) == 4


def test_a_path_without_a_file_is_no_part(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest(tmp_path / "none")


def test_what_failed_is_looked_at_again() -> None:
    with pytest.raises(pytest.fail.Exception), kept("lint", "text"):
        pytest.fail("a finding")
    with pytest.raises(pytest.skip.Exception), kept("lint", "text"):
        pytest.skip("the tool is not there")

    assert is_new("text")


def test_of_many_only_those_that_differ_are_looked_at_and_the_same_ones_once() -> None:
    assert is_new("b")

    with kept_of("lint", {1: ["a"], 2: ["b"], 3: ["c"], 4: ["a"]}) as new:
        assert new == [1, 3]
    with kept_of("lint", {1: ["a"], 2: ["b"], 3: ["c"], 4: ["d"]}) as new:
        assert new == [4]


def test_without_cache_nothing_is_known_nor_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_new("known")

    monkeypatch.setenv(SWITCH, "1")
    assert is_new("known")
    assert is_new("more")
    with kept_of("lint", {1: ["known"], 2: ["known"]}) as new:
        assert new == [1]

    monkeypatch.delenv(SWITCH)
    assert not is_new("known")
    assert is_new("more")


def test_other_processes_know_of_it() -> None:
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(module.__file__).parent)!r})
import kept
kept.FILE = Path({str(module.FILE)!r})
for number in range(50):
    with kept.kept("lint", str(number)) as new:
        pass
"""
    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]

    assert [each.wait() for each in started] == [0] * 4
    assert not any(is_new(str(number)) for number in range(50))


def test_what_nobody_uses_for_days_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_new("used")
    assert is_new("unused")
    start = module.now()
    for days in range(2, DAYS_UNUSED + 3, 2):
        monkeypatch.setattr(module, "now", lambda days=days: start + days * DAY)
        assert not is_new("used")

    assert is_new("unused")
