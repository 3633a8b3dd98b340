"""Keeps the code that Jinja compiles of the template, since compiling is half of a `new`.

Loading code is running it, so it is kept in the user's own cache folder, and what others may
write there is not read.
"""

import hashlib
import marshal
import os
import stat
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from importlib import metadata
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import CodeType

from platformdirs import user_cache_path

Key = tuple[str, str | None, str]
"""A template's text and name, and the settings of Jinja."""

MOST_BYTES = 16 * 1024 * 1024
"""A larger cache is begun anew: in a checkout every change of a template adds to it."""


class TemplateCache:
    """Code by the template that it was compiled from, in one file for a version of Jinja."""

    def __init__(self) -> None:
        versions = f"{metadata.version('jinja2')} {sys.version}".encode()
        digest = hashlib.sha256(MAGIC_NUMBER + versions).hexdigest()[:16]
        self._file: Path | None = None
        with suppress(RuntimeError):  # a user without a home folder
            self._file = user_cache_path("sls-patterns", appauthor=False) / f"{digest}.templates"

    def load(self) -> MutableMapping[Key, CodeType]:
        """What was kept; nothing if there is no such file, or none that only the user can write."""
        if not self._file:
            return {}
        try:
            if _is_only_ours(self._file.parent) and _is_only_ours(self._file):
                kept = marshal.loads(self._file.read_bytes())  # noqa: S302 - only ours
                return kept if isinstance(kept, dict) else {}
        except (OSError, ValueError, EOFError, TypeError):
            pass
        return {}

    def save(self, compiled: MutableMapping[Key, CodeType]) -> None:
        """Keep `compiled` for the next time, if that can be done."""
        if not self._file:
            return
        content = marshal.dumps(dict(compiled))
        if len(content) > MOST_BYTES:
            content = marshal.dumps({})
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._file.parent, delete=False) as file:
                file.write(content)
            Path(file.name).replace(self._file)


def _is_only_ours(path: Path) -> bool:
    """Whether nobody but this user can write there; Windows' home folders are so."""
    if not hasattr(os, "getuid"):
        return True
    found = path.stat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return found.st_uid == os.getuid() and not found.st_mode & others
