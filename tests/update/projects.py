"""Projects that were made from a publication, and what their owners do to them."""

import json
import stat
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from command import COPIER, Cli
from prepared import prepared
from update.publication import CLEAN, Publication, git

PACKAGE = "src/scalable_webhook"


@dataclass(frozen=True)
class Owned:
    """A project in a git repository of its own."""

    folder: Path
    cli: Cli

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def append(self, path: str, text: str) -> None:
        self.write(path, self.read(path) + text)

    def prepend(self, path: str, text: str) -> None:
        self.write(path, text + self.read(path))

    def exists(self, path: str) -> bool:
        return (self.folder / path).exists()

    def commit(self) -> None:
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message=work")

    def changed(self) -> list[str]:
        """What git says is not committed, as `XY path`."""
        listed = git(self.folder, "status", "--porcelain", "--untracked-files=all", ".")
        return listed.splitlines()

    def run(
        self, command: str, *arguments: str | Path, **environment: str
    ) -> CompletedProcess[str]:
        return self.cli(command, self.folder, *arguments, **environment)

    def update(self, *arguments: str | Path, code: int = 0, **environment: str) -> Any:
        """Update, and return the report; `code` is the expected exit code."""
        done = self.run("update", "--json", *arguments, **environment)
        assert (done.returncode, done.stderr) == (code, ""), done.stdout + done.stderr
        return json.loads(done.stdout)

    def status(self, *arguments: str, **environment: str) -> Any:
        done = self.run("status", "--json", *arguments, **environment)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def refused(self, *arguments: str | Path, **environment: str) -> str:
        """Update, which must be refused and change nothing; return the line."""
        before = snapshot(self.folder)
        done = self.run("update", *arguments, **environment)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert snapshot(self.folder) == before
        return line.removeprefix("sls-patterns: ").replace(str(self.folder), "PROJECT")


def make(
    publication: Publication, folder: Path, cli: Cli, version: str = "v0.1.0", **answers: str
) -> Owned:
    """A project that plain Copier makes of a release, committed."""
    data = {"pattern": "scalable-webhook", "project_name": "scalable-webhook", **answers}
    origin = str(publication.folder)
    options = [part for name, value in data.items() for part in ("--data", f"{name}={value}")]
    copier = Cli(folder.parent, CLEAN, COPIER)
    done = copier("copy", *options, "--vcs-ref", version, "--defaults", "--quiet", origin, folder)
    assert done.returncode == 0, done.stderr
    git(folder, "init", "--quiet", "--initial-branch=main")
    project = Owned(folder, cli)
    project.commit()
    return project


def made_once(publication: Publication) -> Path:
    """The folder of a project of v0.1.0 that tests copy."""
    folder = prepared(
        "project of v0.1.0",
        lambda place: make(publication, place / "project", Cli(place, CLEAN)),
        *(Path(__file__), str(publication.folder), metadata.version("copier")),
    )
    return folder / "project"


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file's mode and content, those of git's own left out."""
    return {
        path.relative_to(folder).as_posix(): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
