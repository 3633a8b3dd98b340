"""Lets one process at a time change a project."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sls_patterns_cli.errors import UserError

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(file: Path, project: Path) -> Iterator[None]:
    """Hold a lock within the block; the system releases it, however the process ends.

    Raises UserError if another process holds it.
    """
    with file.open("ab") as held:
        try:
            _lock(held.fileno())
        except OSError as error:
            raise UserError(
                f"another process updates {project}; wait until it is done, then check git status"
            ) from error
        yield
