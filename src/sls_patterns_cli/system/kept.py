"""Keeps what follows from files and takes long to work out, until one of the files changes.

It is JSON in the user's cache folder. What cannot be kept is worked out each time.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path


def until_changed(name: str, files: Iterable[Path], make: Callable[[], Any]) -> Any:
    """What `make` returns, a value that JSON has, which follows from the contents of `files` alone.

    `name` tells it from all else that is kept. Nothing is kept if `make` raises.
    """
    try:
        key = digest(files)
    except OSError:  # a file that cannot be read
        return make()
    return while_same(name, key, make)


def while_same(name: str, key: str, make: Callable[[], Any]) -> Any:
    """The same for what follows from `key`."""
    try:
        folder = user_cache_path("sls-patterns", appauthor=False) / "kept"
    except RuntimeError:  # a user without a home folder
        return make()
    file = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_bytes())
        if kept["name"] == name and kept["key"] == key:
            return kept["value"]
    value = make()
    with suppress(OSError):
        _write(file, json.dumps({"name": name, "key": key, "value": value}))
    return value


def digest(files: Iterable[Path]) -> str:
    """A digest of the names of files, and of what is in them."""
    found = hashlib.sha256()
    for name, content in sorted((str(file), file.read_bytes()) for file in files):
        found.update(f"{len(name)} {name} {len(content)} ".encode())
        found.update(content)
    return found.hexdigest()


def _write(file: Path, text: str) -> None:
    """Write a file as a whole: another command may read it meanwhile."""
    from tempfile import NamedTemporaryFile

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="ascii") as written:
        written.write(text)
    Path(written.name).replace(file)
