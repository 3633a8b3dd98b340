"""Keeps the code that Jinja compiles of the template, since compiling is most of a first `new`.

Loading code is running it, so it is kept in the user's own cache folder, and what others may
write there is not read. Each folder of the template has a file, so that a command reads little.
"""

import hashlib
import marshal
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import CodeType

from platformdirs import user_cache_path

Key = tuple[str, str, str]
"""The settings of Jinja, and a template's name and text."""

MOST_BYTES = 1024 * 1024
"""A larger file keeps only what is in use: in a checkout every change of a template adds to it."""

_DEPTH = 3
"""The folders in a path like `templates/patterns/scalable-webhook`, which has a file of its own."""


class TemplateCache:
    """Code by the digest of what it was compiled from, for a version of Jinja and of Python."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep it in `folder`, by default in the user's cache folder."""
        self._folder = folder or _users_folder()
        self._versions = f"{metadata.version('jinja2')} {sys.version} {MAGIC_NUMBER.hex()}"
        self._kept: dict[str, dict[bytes, CodeType]] = {}
        self._used: dict[str, dict[bytes, CodeType]] = {}

    def code(self, key: Key, compiled: Callable[[], CodeType]) -> CodeType:
        """The code of a template: what was kept, or what is `compiled` now."""
        *folders, _ = key[1].split("/")
        part = "/".join(folders[:_DEPTH])
        if part not in self._kept:
            self._kept[part], self._used[part] = self._load(part), {}
        digest = hashlib.sha256("\0".join(key).encode()).digest()
        code = self._used[part].get(digest) or self._kept[part].get(digest) or compiled()
        self._used[part][digest] = code
        return code

    def save(self) -> None:
        """Keep for the next command what this one compiled, if that can be done."""
        for part, used in self._used.items():
            kept = self._kept[part]
            if not used.keys() <= kept.keys():
                content = marshal.dumps({**kept, **used})
                self._write(part, content if len(content) <= MOST_BYTES else marshal.dumps(used))
                self._kept[part] = {**kept, **used}

    def _load(self, part: str) -> dict[bytes, CodeType]:
        """What was kept; nothing if there is no such file, or none that only the user can write."""
        with suppress(OSError, ValueError, EOFError, TypeError):
            file = self._file(part)
            if file and _is_only_ours(file.parent) and _is_only_ours(file):
                kept = marshal.loads(file.read_bytes())  # noqa: S302 - only ours
                return kept if isinstance(kept, dict) else {}
        return {}

    def _write(self, part: str, content: bytes) -> None:
        with suppress(OSError):
            if file := self._file(part):
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with NamedTemporaryFile(dir=file.parent, delete=False) as written:
                    written.write(content)
                Path(written.name).replace(file)

    def _file(self, part: str) -> Path | None:
        digest = hashlib.sha256(f"{self._versions} {part}".encode()).hexdigest()[:16]
        return self._folder and self._folder / digest


def _users_folder() -> Path | None:
    try:
        return user_cache_path("sls-patterns", appauthor=False) / "templates"
    except RuntimeError:  # a user without a home folder
        return None


def _is_only_ours(path: Path) -> bool:
    """Whether nobody but this user can write there; Windows' home folders are so."""
    if not hasattr(os, "getuid"):
        return True
    found = path.stat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return found.st_uid == os.getuid() and not found.st_mode & others
