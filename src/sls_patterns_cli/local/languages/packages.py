"""Function packages: the zip files that Lambda gets."""

import io
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path


def zipped(
    source: Path, more: Mapping[str, str] | None = None, without: Collection[str] = (), to: str = ""
) -> bytes:
    """The files of a folder, and `more` texts by their names, as a zip file's bytes.

    Folders that are named in `without` are left out; `to` is the folder in the zip file.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # ZipInfo's fixed date: the same sources make the same package.
        for name, text in (more or {}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
        for file in sorted(_files(source, {"__pycache__", *without})):
            entry = zipfile.ZipInfo(Path(to, file.relative_to(source)).as_posix())
            archive.writestr(entry, file.read_bytes())
    return content.getvalue()


def _files(source: Path, without: Collection[str]) -> Iterator[Path]:
    for root, folders, files in os.walk(source):
        folders[:] = [each for each in folders if each not in without]
        yield from (file for name in files if (file := Path(root, name)).is_file())
