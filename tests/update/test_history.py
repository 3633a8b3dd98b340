"""Which versions a history holds, and the bundle and the tags that are made of it."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT
from update.publication import CLEAN, Publication, git, publish

from sls_patterns_cli.updating import history


@pytest.fixture
def own(tmp_path: Path) -> Publication:
    return publish(tmp_path / "own")


def commit_of(publication: Publication, revision: str) -> str:
    return git(publication.folder, "rev-parse", f"{revision}^{{commit}}").strip()


def test_a_release_is_the_first_commit_that_sets_a_final_version(own: Publication) -> None:
    own.version("0.1.0")
    first = commit_of(own, "HEAD")
    own.append("copier.yml", "# goes on\n")
    own.version("0.1.0")
    own.version("0.2.0.dev0")
    own.version("0.2.0rc1")
    own.version("0.10.0")
    tenth = commit_of(own, "HEAD")
    own.version("0.2.0")
    assert list(history.releases(own.folder).items()) == [
        ("v0.1.0", first),
        ("v0.2.0", commit_of(own, "HEAD")),
        ("v0.10.0", tenth),
    ]


def test_what_was_merged_counts_as_of_the_merge(own: Publication) -> None:
    git(own.folder, "switch", "--quiet", "--create", "side")
    own.version("0.1.0")
    git(own.folder, "switch", "--quiet", "main")
    own.write("other.txt", "x")
    own.version("0.1.0.dev1")
    git(own.folder, "merge", "--quiet", "--strategy-option=theirs", "--no-edit", "side")
    assert history.releases(own.folder) == {"v0.1.0": commit_of(own, "HEAD")}


def test_a_tag_counts_more_than_the_history(own: Publication) -> None:
    own.version("0.1.0")
    own.append("copier.yml", "# what was really released\n")
    own.version("0.1.0")
    git(own.folder, "tag", "--annotate", "--message=released", "v0.1.0")
    git(own.folder, "tag", "v0.9.0", git(own.folder, "commit-tree", "-m", "x", "HEAD:src").strip())
    assert history.releases(own.folder) == {"v0.1.0": commit_of(own, "v0.1.0")}


def test_a_longer_history_takes_no_more_processes(
    own: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.version("0.1.0")
    calls: list[Any] = []
    run = subprocess.run

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", counted)
    assert len(history.releases(own.folder)) == 1
    few = len(calls)
    for number in range(2, 6):
        own.release(f"0.{number}.0")
    calls.clear()
    assert len(history.releases(own.folder)) == 5
    assert len(calls) == few


def test_tags_are_written_where_they_are_missing(own: Publication) -> None:
    own.version("0.1.0")
    git(own.folder, "tag", "v0.1.0")
    own.version("0.2.0")
    for expected in ("v0.2.0\n", "every release has its tag\n"):
        script = ROOT / "src/sls_patterns_cli/updating/history.py"
        done = subprocess.run(
            [sys.executable, script],
            cwd=own.folder,
            env=CLEAN,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == expected
    assert commit_of(own, "v0.2.0") == commit_of(own, "HEAD")


def test_the_bundle_has_the_template_of_each_release_and_nothing_else(
    own: Publication, tmp_path: Path
) -> None:
    own.release("0.1.0")
    own.append("templates/graph.yml", "# changed\n")
    own.release("0.2.0")
    bundle = tmp_path / "some/where/x.bundle"
    assert history.write_bundle(own.folder, bundle) == ["v0.1.0", "v0.2.0"]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", bundle, clone)
    git(clone, "fsck", "--strict")
    assert {path.name for path in clone.iterdir()} == {".git", "copier.yml", "templates"}
    assert git(clone, "rev-list", "--count", "--all").strip() == "2"
    for version in ("v0.1.0", "v0.2.0"):
        for path in history.TEMPLATE:
            ours, theirs = (
                git(folder, "rev-parse", f"{version}:{path}") for folder in (clone, own.folder)
            )
            assert ours == theirs


def test_the_same_releases_give_the_same_bundle_however_a_clone_is_packed(
    own: Publication, tmp_path: Path
) -> None:
    own.release("0.1.0")
    for number in range(5):
        own.append("templates/graph.yml", f"# {number}\n" * 50)
        own.release(f"0.{2 + number}.0")
    hashes = set()

    def add(folder: Path) -> None:
        bundle = tmp_path / "x.bundle"
        history.write_bundle(folder, bundle)
        hashes.add(hashlib.sha256(bundle.read_bytes()).hexdigest())

    add(own.folder)
    clone, partial = tmp_path / "clone", tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", f"file://{own.folder}", clone)
    add(clone)
    git(clone, "repack", "-adf", "--depth=1", "--window=50", "--quiet")
    git(clone, "config", "core.compression", "1")
    git(clone, "commit", "--quiet", "--allow-empty", "--message=later")
    add(clone)
    git(own.folder, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", f"file://{own.folder}", partial)
    add(partial)
    assert len(hashes) == 1


def test_without_a_release_there_is_no_bundle(own: Publication, tmp_path: Path) -> None:
    bundle = tmp_path / "x.bundle"
    bundle.write_text("of another time")
    assert history.write_bundle(own.folder, bundle) == []
    assert not bundle.exists()
    shutil.rmtree(own.folder / ".git")
    git(own.folder, "init", "--quiet")
    assert history.releases(own.folder) == {}


def test_a_shallow_clone_is_no_history(own: Publication, tmp_path: Path) -> None:
    own.release("0.1.0")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{own.folder}", shallow)
    with pytest.raises(history.HistoryError, match=r"is a shallow clone.*fetch --unshallow --tags"):
        history.write_bundle(shallow, tmp_path / "x.bundle")
