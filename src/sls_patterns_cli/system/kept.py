"""Keeps what follows from files and takes long to work out, until one of the files changes.

It is JSON. What cannot be kept is worked out each time.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any


def until_changed(file: Path, sources: Iterable[Path], make: Callable[[], Any]) -> Any:
    """What `make` returns, which follows from the contents of `sources` alone; `file` keeps it.

    Nothing is kept if `make` raises, or returns what is another value once it was JSON.
    """
    try:
        key = digest(sources)
    except OSError:  # a source that cannot be read
        return make()
    return while_same(file, key, make)


def while_same(file: Path, key: str, make: Callable[[], Any]) -> Any:
    """The same for what follows from `key`."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_bytes())
        if kept["key"] == key:
            return kept["value"]
    value = make()
    with suppress(OSError, ValueError, TypeError):
        text = json.dumps({"key": key, "value": value})
        if json.loads(text)["value"] == value:
            _write(file, text)
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
