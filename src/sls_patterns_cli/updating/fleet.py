"""Updates many projects in one command: each is updated whole, or stays as it was."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import ANSWERS_FILE
from sls_patterns_cli.system import git
from sls_patterns_cli.system.new_folder import absolute
from sls_patterns_cli.updating import handover
from sls_patterns_cli.updating.checkout import Checkout
from sls_patterns_cli.updating.outcome import Outcome

Update = Callable[[Path], Outcome]
"""Updates the project in a folder; raises UserError if it refuses to."""

State = Literal["updated", "to-settle", "unchanged", "refused"]
"""How a project stands; one that is to settle is updated, with something left to do."""

_BUILT = {"node_modules", "build", "dist"}
"""Folders that are not searched, besides hidden ones."""


@dataclass(frozen=True)
class Result:
    """What came of a project: `outcome`, or why it was `refused`."""

    path: Path
    outcome: Outcome | None = None
    refused: str | None = None
    branch: str | None = None
    """The branch that has the update as a commit; None if the project's folder has it."""

    @property
    def state(self) -> State:
        """How the project stands."""
        if self.outcome is None:
            return "refused"
        if self.outcome.must_be_settled:
            return "to-settle"
        return "updated" if self.outcome.changes_something else "unchanged"

    def as_dict(self) -> dict[str, Any]:
        """The result as `update --workspace --json` prints it."""
        return {
            "path": str(self.path),
            "state": self.state,
            "refused": self.refused,
            "branch": self.branch,
            "outcome": self.outcome.as_dict() if self.outcome else None,
        }


def projects(workspace: Path) -> list[Path]:
    """The generated projects in a folder and those below it, by name.

    Raises UserError if there is none.
    """
    if not workspace.is_dir():
        raise UserError(f"{workspace} is no folder")
    found = sorted(_projects(workspace))
    if not found:
        raise UserError(f"{workspace} has no project of sls-patterns")
    return found


def _projects(workspace: Path) -> Iterator[Path]:
    for name, folders, files in os.walk(workspace):
        if ANSWERS_FILE in files and _is_ours(Path(name)):
            yield Path(name)
            folders.clear()
        folders[:] = [each for each in folders if each not in _BUILT and not each.startswith(".")]


def _is_ours(folder: Path) -> bool:
    """Whether an answers file is of this tool; a broken one is, so that somebody is told."""
    import yaml

    try:
        recorded = yaml.safe_load((folder / ANSWERS_FILE).read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return True
    return not isinstance(recorded, dict) or "pattern" in recorded


def update_each(folders: Iterable[Path], update: Update) -> Iterator[Result]:
    """Update each project in its folder."""
    for folder in folders:
        try:
            yield Result(folder, update(folder))
        except UserError as error:
            yield Result(folder, refused=error.message)


def update_on_branch(folders: Sequence[Path], update: Update, branch: str) -> Iterator[Result]:
    """Update each project on a new branch of its repository, from the last commit.

    Each has a commit of its own; what is checked out stays as it is. A project whose update has
    conflicts is refused: there is nobody to settle them. Raises UserError if git does not take the
    branch's name.
    """
    try:
        git.output(Path(), "check-ref-format", "--branch", branch)
    except git.GitError as error:
        raise UserError(f"--branch: {error.message}") from error
    known = []
    for folder in folders:
        try:
            Checkout(folder).refuse_unless_known()
        except UserError as error:
            yield Result(folder, refused=error.message)
        else:
            known.append(folder)
    for repository, group in groupby(sorted(known, key=_repository), _repository):
        waiting = list(group)
        try:
            with _worktree(repository, branch) as worktree:
                while waiting:
                    folder = waiting.pop(0)
                    within = folder.resolve().relative_to(repository.resolve())
                    yield _on_branch(folder, worktree, within, update, branch)
        except UserError as error:
            yield from (Result(folder, refused=error.message) for folder in waiting)


def _repository(folder: Path) -> Path:
    """The working tree that a folder is in."""
    return Path(os.fsdecode(git.output(folder, "rev-parse", "--show-toplevel")).removesuffix("\n"))


@contextmanager
def _worktree(repository: Path, branch: str) -> Iterator[Path]:
    """A working tree of its own on a new branch, which stays if it gets a commit."""
    start = git.output(repository, "rev-parse", "--verify", "HEAD")
    with TemporaryDirectory(prefix="sls-patterns-") as name:
        place = Path(name, repository.name)
        git.output(repository, "worktree", "add", "--quiet", "-b", branch, place)
        try:
            yield place
        finally:
            is_left = git.output(place, "rev-parse", "HEAD") == start
            git.output(repository, "worktree", "remove", "--force", place)
            if is_left:
                git.output(repository, "branch", "--quiet", "-D", branch)


def _on_branch(folder: Path, worktree: Path, within: Path, update: Update, branch: str) -> Result:
    """Update a project where another working tree has it, and commit it there."""
    place = worktree / within
    try:
        outcome = update(place)
        _refuse_conflicts(outcome)
        git.output(place, "add", "--all", ".")
        is_changed = bool(git.output(place, "diff", "--cached", "--name-only"))
        if is_changed:
            message = handover.commit_message(outcome)
            if within.parts:
                message = f"{within.as_posix()}: {message}"
            git.commit(place, message)
    except UserError as error:
        git.output(place, "reset", "--quiet", "--hard")
        git.output(place, "clean", "--quiet", "-d", "--force", ".")
        return Result(folder, refused=error.message.replace(str(place), str(folder)))
    # What was handed over would lie in the working tree that is removed.
    told = replace(outcome, path=absolute(folder), handover=None)
    return Result(folder, told, branch=branch if is_changed else None)


def _refuse_conflicts(outcome: Outcome) -> None:
    if conflicts := [conflict.path for conflict in outcome.changes.conflicts]:
        raise UserError(f"conflicts in {', '.join(conflicts)}; update it without --branch")
