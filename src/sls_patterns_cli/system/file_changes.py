"""Changes several files of a folder: all of them, or none."""

import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from sls_patterns_cli.system import interrupts
from sls_patterns_cli.system.new_folder import make_temporary

EXECUTABLE = 0o111


def swap(folder: Path, changes: Mapping[str, Path | None], settle: Callable[[], None]) -> None:
    """Give each path in `folder` the content of a file, or remove it where there is none.

    `settle` is called last; if it raises, or anything else fails, all is as it was before. A
    signal before the first change ends with nothing changed, any later one changes nothing.
    Raises OSError or what `settle` raises.
    """
    undo: list[Callable[[], object]] = []
    staging = make_temporary(folder)
    try:
        prepared = [
            (folder / path, _staged(new, folder / path, staging / f"new-{number}"))
            for number, (path, new) in enumerate(changes.items())
        ]
        kept = {
            place: Path(shutil.copy2(place, staging / f"old-{number}"))
            for number, (place, _) in enumerate(prepared)
            if place.exists()
        }
        interrupts.ignore()
        try:
            for place, new in prepared:
                for parent in _missing_parents(place):
                    parent.mkdir()
                    undo.append(parent.rmdir)
                if new is None:
                    place.unlink()
                else:
                    new.replace(place)
                old = kept.get(place)
                undo.append(partial(old.replace, place) if old else place.unlink)
            settle()
        except BaseException:
            for step in reversed(undo):
                step()
            raise
        for place, new in prepared:
            if new is None:
                _remove_empty(place.parent, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _staged(new: Path | None, place: Path, staged: Path) -> Path | None:
    """A copy of `new` beside its place; a file that is there keeps its mode but for execution."""
    if new is None:
        return None
    shutil.copyfile(new, staged)
    mode = new.stat().st_mode
    if place.exists():
        mode = place.stat().st_mode & ~EXECUTABLE | mode & EXECUTABLE
    staged.chmod(stat.S_IMODE(mode))
    return staged


def _missing_parents(place: Path) -> list[Path]:
    missing = []
    parent = place.parent
    while not parent.exists():
        missing.append(parent)
        parent = parent.parent
    return missing[::-1]


def _remove_empty(folder: Path, root: Path) -> None:
    with suppress(OSError):  # what still holds something stays
        while folder != root:
            folder.rmdir()
            folder = folder.parent
