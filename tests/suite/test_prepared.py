"""A folder is made once for what makes it, whole, and again without caches."""

from collections.abc import Iterator
from pathlib import Path

import kept
import prepared
import pytest


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(prepared, "FOLDERS", tmp_path / "folders")
    monkeypatch.delenv(kept.SWITCH, raising=False)
    prepared._folders.cache_clear()
    yield tmp_path / "folders"
    prepared._folders.cache_clear()


class Maker:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "made").write_text(str(self.times))


def test_what_the_parts_say_is_made_once() -> None:
    make = Maker()

    first, again = (prepared.prepared("project", make, "a", b"b") for _ in range(2))

    assert first == again
    assert (first / "made").read_text() == "1"


def test_another_kind_or_part_is_made_anew(tmp_path: Path) -> None:
    make = Maker()
    (tmp_path / "template").mkdir()
    file = tmp_path / "template/file"
    made = set()
    for kind, part, text in (
        ("project", "a", "x"),
        ("another", "a", "x"),
        ("project", "b", "x"),
        ("project", "a", "changed"),
    ):
        file.write_text(text)
        made.add(prepared.prepared(kind, make, part, tmp_path / "template"))

    assert len(made) == make.times == 4


def test_what_was_interrupted_is_made_again() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared.prepared("project", fail)

    folder = prepared.prepared("project", Maker())
    assert [file.name for file in folder.iterdir()] == ["made"]


def test_without_caches_nothing_of_another_run_is_used(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Maker()
    prepared.prepared("project", make)
    monkeypatch.setenv(kept.SWITCH, "1")
    prepared._folders.cache_clear()

    own = prepared.prepared("project", make)

    assert make.times == 2
    assert folders not in own.parents


def test_what_nobody_uses_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    old = prepared.prepared("old", Maker())
    later = kept.now() + 2 * kept.DAY
    monkeypatch.setattr(kept, "now", lambda: later)
    prepared._folders.cache_clear()

    prepared.prepared("new", Maker())

    assert not old.exists()
