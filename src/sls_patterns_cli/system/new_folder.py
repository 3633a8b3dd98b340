"""Makes a folder whole or not at all: everything is written beside it, then moved into place."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.system import interrupts

PREFIX = ".sls-patterns-"

_TEMPORARY = re.compile(re.escape(PREFIX) + "[0-9a-f]{8}")


def make_temporary(parent: Path) -> Path:
    """Make a new folder that git ignores, whoever leaves it behind."""
    folder = parent / f"{PREFIX}{os.urandom(4).hex()}"
    folder.mkdir()
    (folder / ".gitignore").write_text("*\n", "utf-8")
    return folder


def remove_left_behind(parent: Path) -> None:
    """Remove the temporary folders of processes that were killed; none may be at work."""
    for folder in parent.glob(f"{PREFIX}*"):
        if _TEMPORARY.fullmatch(folder.name) and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def absolute(path: Path) -> Path:
    """`path` from the root on; raises UserError if the current folder was deleted."""
    try:
        # Not resolved: a symbolic link in it is the user's way of saying where.
        return Path(os.path.abspath(path))  # noqa: PTH100
    except FileNotFoundError as error:
        raise UserError("the current folder no longer exists") from error


def refuse_unless_free(destination: Path) -> None:
    """Raise UserError unless a project can be made at `destination`; writes nothing."""
    try:
        if destination.is_dir():
            # A repository that was just cloned has git's own folder, and nothing else.
            if any(entry.name != ".git" for entry in destination.iterdir()):
                raise UserError(f"{destination} is not empty")
            parent = destination
        elif destination.is_symlink() and not destination.exists():
            raise UserError(f"{destination} is a link that leads nowhere")
        elif os.path.lexists(destination):
            raise UserError(f"{destination} is a file")
        else:
            parent = destination.parent
            while not os.path.lexists(parent):
                parent = parent.parent
        if not parent.is_dir():
            raise UserError(f"{parent} is a file, so no folder can be created in it")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise UserError(f"{parent} is not writable")
    except OSError as error:
        raise UserError(f"{destination}: {error.strerror}") from error


class Staging:
    """A temporary folder, `folder`, that `publish` makes the folder `destination`.

    Left without `publish`, it leaves nothing behind, nor any parent folder it had to make.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self._made: list[Path] = []
        # An empty destination keeps its inode, as a shell may stand in it: it is filled, and
        # so the temporary folder is inside it, in the same file system.
        self._fill = destination.is_dir()
        self._parent = destination if self._fill else destination.parent
        self._temporary: Path | None = None

    @property
    def folder(self) -> Path:
        """Where to write, within the block."""
        assert self._temporary  # noqa: S101 - made on entry
        return self._temporary / "new"

    def __enter__(self) -> Self:
        missing = []
        parent = self._parent
        while not parent.exists():
            missing.append(parent)
            parent = parent.parent
        try:
            for path in reversed(missing):
                self._made.append(path)
                path.mkdir()
            self._temporary = make_temporary(self._parent)
            self.folder.mkdir()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._temporary:
            self._remove()

    def publish(self) -> None:
        """Move everything into place; from here on a signal changes nothing."""
        interrupts.ignore()
        if self._fill:
            moved: list[Path] = []
            try:
                for entry in sorted(self.folder.iterdir()):
                    entry.rename(self.destination / entry.name)
                    moved.append(entry)
            except OSError:
                for entry in moved:
                    (self.destination / entry.name).rename(entry)
                raise
        else:
            self.folder.rename(self.destination)
        self._made.clear()
        self._remove()

    def _remove(self) -> None:
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
        for path in reversed(self._made):
            # One that was never made, or that somebody else uses by now, stays as it is.
            with suppress(OSError):
                path.rmdir()
