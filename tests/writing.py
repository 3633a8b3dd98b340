"""Writes what `make golden` makes: whoever interrupts it finds each file old or new, and whole."""

import os
from pathlib import Path

MADE = Path(__file__).parents[1] / "build/made"
"""Where files are until they are whole: of the same file system."""


def write(file: Path, text: str) -> bool:
    """Write a file unless it says so already; return whether it was written."""
    new = text.encode()
    if file.exists() and file.read_bytes() == new:
        return False
    for folder in (MADE, file.parent):
        folder.mkdir(parents=True, exist_ok=True)
    made = MADE / f"{os.getpid()}-{file.name}"
    made.write_bytes(new)
    made.replace(file)
    return True
