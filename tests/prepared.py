"""Folders that tests copy or read, made once for all workers and kept on disk.

    folder = prepared("three releases", publish, Path(__file__), *template)

What decides what is in the folder is a part of the key, as in `kept.py`. With `SLS_NO_CACHE=1` each
process makes its own.
"""

import atexit
import fcntl
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import kept

FOLDERS = Path(__file__).parents[1] / "build/prepared"


def prepared(kind: str, make: Callable[[Path], object], *parts: kept.Part) -> Path:
    """Return a folder that `make` has filled, only to be read: what is in it may name its place."""
    place = _folders() / kept.digest(kind, str(FOLDERS), *parts)[:16]
    made = place.with_suffix(".made")
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():  # at most half of it, by who was interrupted
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place)
        made.touch()  # as it is used
    return place


@cache
def _folders() -> Path:
    """Return where they are; remove those that nobody uses any more."""
    if kept.is_off():
        own = Path(tempfile.mkdtemp(prefix="sls-patterns-prepared-"))
        atexit.register(shutil.rmtree, own, ignore_errors=True)
        return own
    FOLDERS.mkdir(parents=True, exist_ok=True)
    for made in FOLDERS.glob("*.made"):
        if made.stat().st_mtime < kept.now() - kept.DAY:
            made.unlink(missing_ok=True)
            shutil.rmtree(made.with_suffix(""), ignore_errors=True)
    return FOLDERS
