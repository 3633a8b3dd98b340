"""Keeps on disk what was looked at and found good, so that nobody looks at the same again.

    with kept("cfn-lint", VERSION, CONFIG, Path(__file__), text) as is_new:
        if is_new:
            lint(text)

Whatever decides how such a look ends is a part of the key: what is looked at, the tool's version
and settings, and the code that looks. It is kept if the block ends without an exception. With
`SLS_NO_CACHE=1` nothing is, and each look is the first.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

FILE = Path(__file__).parents[1] / "build/kept.sqlite3"
SWITCH = "SLS_NO_CACHE"
DAY = 24 * 60 * 60
DAYS_UNUSED = 7

Part = str | bytes | Path
"""A path stands for what is there: a file's bytes, or all files below a folder with their names."""
Look = Sequence[Part]
"""All that decides how a look ends."""

T = TypeVar("T", bound=Hashable)


def is_off() -> bool:
    """Return whether nothing that an earlier run has kept may be used."""
    return os.environ.get(SWITCH, "") not in {"", "0"}


def of_this_run(folder: Path) -> Path:
    """Return a folder of what is kept: of this run alone if nothing of another may be used."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
    return folder / run if is_off() else folder


def digest(*parts: Part) -> str:
    """Return the key of what these parts are, in their order."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(_content(part)).digest())
    return whole.hexdigest()


def _content(part: Part) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, bytes):
        return part
    if part.is_file():
        return part.read_bytes()
    files = sorted(file for file in part.rglob("*") if file.is_file() and file.suffix != ".pyc")
    if not files:
        raise FileNotFoundError(part)
    return digest(
        *(each for file in files for each in (str(file.relative_to(part)), file))
    ).encode()


def is_kept(kind: str, *parts: Part) -> bool:
    """Return whether this was looked at and found good."""
    if is_off():
        return False
    with closing(_opened()) as database:
        return bool(_last_use(database, digest(kind, *parts)))


@contextmanager
def kept(kind: str, *parts: Part) -> Iterator[bool]:
    """Tell the block whether it has to look; keep that nothing was wrong if it does not raise."""
    with kept_of(kind, {kind: parts}) as new:
        yield bool(new)


@contextmanager
def kept_of(kind: str, things: Mapping[T, Look]) -> Iterator[list[T]]:
    """Give the block those of the things that it has to look at, the first of those that are equal.

    If the block does not raise, it keeps that nothing was wrong with all of them.
    """
    first: dict[str, T] = {}
    for thing, parts in things.items():
        first.setdefault(digest(kind, *parts), thing)
    if is_off():
        yield list(first.values())
        return
    with closing(_opened()) as database:
        used = {key: _last_use(database, key) for key in first}
    yield [thing for key, thing in first.items() if not used[key]]
    if noted := [(key, now()) for key, last in used.items() if last < now() - DAY]:
        with closing(_opened()) as database, database:
            database.executemany("REPLACE INTO good VALUES (?, ?)", noted)
            database.execute("DELETE FROM good WHERE used < ?", (now() - DAYS_UNUSED * DAY,))


def _opened() -> sqlite3.Connection:
    """Open what all workers share: each writes in one transaction, for which the others wait."""
    FILE.parent.mkdir(exist_ok=True)
    database = sqlite3.connect(FILE, timeout=60)
    database.execute("CREATE TABLE IF NOT EXISTS good (key TEXT PRIMARY KEY, used REAL NOT NULL)")
    return database


def _last_use(database: sqlite3.Connection, key: str) -> float:
    found = database.execute("SELECT used FROM good WHERE key = ?", (key,)).fetchone()
    return float(found[0]) if found else 0


def now() -> float:
    return time.time()
