"""What a change does to generated projects is told by rendering the other commit with its tool."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from golden import GOLDEN, VARIANTS
from golden_diff import Commit
from rendering import ROOT

PATTERN = "internal-api"
TEMPLATE = "templates/project/.gitignore.jinja"


class Repository:
    """A repository with the template, the tool and the tests, in which commits are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("src", "templates", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("copier.yml", "pyproject.toml", ".gitattributes", ".gitignore"):
            shutil.copy(ROOT / name, folder)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()

    def git(self, *arguments: str) -> str:
        settings = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        return subprocess.run(
            ["git", *settings, *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")

    def append(self, path: str, text: str) -> str:
        """Commit a file with more text; return the commit."""
        with (self.folder / path).open("a") as file:
            file.write(text)
        return self.commit()

    def diff(self, *commits: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, self.folder / "tests/golden_diff.py", *commits],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("golden") / "repository")


def test_a_change_is_told_once_and_rendered_once(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD")
    reviewed = repository.folder / "tests/golden" / PATTERN / VARIANTS
    reviewed.write_text(reviewed.read_text().replace(" ", " f", 1))
    after = repository.append(TEMPLATE, "never-made/\n")

    first, second = (repository.diff(before, after) for _ in range(2))

    variants = len((GOLDEN / PATTERN / VARIANTS).read_text().splitlines())
    assert first.stdout == second.stdout
    lines = first.stdout.splitlines()
    assert lines[0].startswith("Changes: 1; files: ")
    (told,) = (line for line in lines if "never-made/" in line)
    assert told.endswith(f"+ never-made/ (-0 +1 lines) ({PATTERN}, {variants} variants)")
    assert [line.split()[:2] for line in first.stderr.splitlines()] == [["rendering", PATTERN]] * 2
    assert second.stderr == ""


@pytest.mark.parametrize(
    "path",
    ["copier.yml", TEMPLATE, "src/sls_patterns_cli/rendering/answers.py", "tests/variants.py"],
)
def test_what_decides_how_a_commit_renders_is_in_the_key(
    path: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("golden_diff.ROOT", repository.folder)
    before = Commit(repository.git("rev-parse", "HEAD"))

    assert Commit(repository.append("tests/any.md", "Any.\n")).kept == before.kept
    assert Commit(repository.append(path, "# Changed.\n")).kept != before.kept


def test_a_commit_that_does_not_exist_is_refused(repository: Repository) -> None:
    refused = repository.diff("nowhere")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "golden-diff: there is no commit 'nowhere'\n"


def test_a_commit_that_cannot_be_rendered_is_told(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD")
    reviewed = repository.folder / "tests/golden" / PATTERN / VARIANTS
    reviewed.write_text(reviewed.read_text().replace(" ", " e", 1))
    rendering = repository.folder / "tests/rendering.py"
    here = rendering.read_text()
    after = repository.append("tests/rendering.py", "raise RuntimeError('broken on purpose')\n")
    rendering.write_text(here)

    refused = repository.diff(before, after)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1] == (
        f"golden-diff: {after[:12]} cannot be rendered here: RuntimeError: broken on purpose"
    )
