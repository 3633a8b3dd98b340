"""A folder is made once for what makes it, whole, and again without caches."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import kept
import prepared
import proving_stacks
import pytest
from update import publication
from update.test_fixes import publish_mends


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


def test_what_is_proven_is_seen_again_for_another_template_option_or_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def prove(*arguments: object) -> CompletedProcess[str]:
        runs.append(arguments)
        return CompletedProcess([], 0, json.dumps({"deployed": True, "edges": []}), "")

    template = tmp_path / "template.yaml"
    for text, options, tool in (
        ("a", (), "1"),
        ("a", (), "1"),
        ("b", (), "1"),
        ("a", ("--fault=poison",), "1"),
        ("a", (), "2"),
    ):
        template.write_text(text)
        monkeypatch.setattr(proving_stacks, "_tool", lambda tool=tool: tool)
        assert proving_stacks.proven(prove, template, *options) == []  # type: ignore[arg-type]

    assert len(runs) == 4


def test_what_fails_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("a")
    answers = iter([{"deployed": False, "edges": []}, {"deployed": True, "edges": []}])

    def prove(*_: object) -> CompletedProcess[str]:
        return CompletedProcess([], 0, json.dumps(next(answers)), "")

    with pytest.raises(AssertionError):
        proving_stacks.proven(prove, tmp_path / "template.yaml")  # type: ignore[arg-type]

    assert proving_stacks.proven(prove, tmp_path / "template.yaml") == []  # type: ignore[arg-type]


def test_a_publication_follows_the_code_that_makes_it_and_what_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[object, ...]] = []

    def note(_kind: str, _make: object, *parts: kept.Part) -> Path:
        made.append(parts)
        return Path()

    monkeypatch.setattr(publication, "prepared", note)
    publication.prepared_publication(publication.publish_three_releases)
    publication.prepared_publication(publish_mends)
    publication.prepared_publication(publish_mends, "what else decides")
    monkeypatch.setattr(publication, "what_is_published", lambda: "changed")
    publication.prepared_publication(publish_mends)

    assert len(set(made)) == 4
