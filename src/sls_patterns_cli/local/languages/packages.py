"""Function packages: the zip files that Lambda gets."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path


def zipped(source: Path, more: Mapping[str, str] | None = None) -> bytes:
    """The files of a folder, and `more` texts by their names, as a zip file's bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # ZipInfo's fixed date: the same sources make the same package.
        for name, text in (more or {}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
        for file in sorted(source.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                entry = zipfile.ZipInfo(file.relative_to(source).as_posix())
                archive.writestr(entry, file.read_bytes())
    return content.getvalue()
