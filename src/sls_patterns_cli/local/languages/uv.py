"""uv: installs Python packages, and remembers what a folder or environment was made from."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.terminal.progress import Progress


def named(lists: Iterable[Path]) -> list[str]:
    """The arguments that install what the lists name, those with hashes by their hashes."""
    return [argument for each in lists for argument in ("-r", str(each))]


@dataclass(frozen=True)
class Wanted:
    """Packages: uv's arguments that name them, and how they are shown.

    `stamp` is another one when other packages are wanted; uv runs in the folder `where`.
    """

    arguments: Sequence[str]
    shown: str
    stamp: str
    where: Path


def into_folder(
    folder: Path, python: Path, wanted: Wanted, progress: Progress, *, compiled: bool = True
) -> Path:
    """Install packages into a folder, unless they are there, and return it; raises UserError.

    Unless they are `compiled`, Python compiles each module that is imported.
    """
    if is_current(folder, wanted.stamp):
        return folder
    # Before the folder, which counts as made from nothing until all of it is there.
    _mark(folder).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if wanted.arguments:
        with progress.step(f"Installing {wanted.shown}"):
            options = (*(["--compile-bytecode"] if compiled else []), "--target", str(folder))
            install(wanted.where, python, wanted.arguments, *options)
    mark_current(folder, wanted.stamp)
    return folder


def install(where: Path, python: Path, wanted: Sequence[str], *options: str) -> None:
    """Install packages for an interpreter, with uv run in `where`; raises UserError."""
    run(where, "pip", "install", "--quiet", "--python", str(python), *options, *wanted)


def run(where: Path, *arguments: str) -> None:
    """Run uv in a folder; raises UserError with what it has said."""
    from uv import find_uv_bin

    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = tether.run([find_uv_bin(), *arguments], cwd=where, env=environment, capture=True)
    if done.returncode:
        said = " ".join(done.stdout.split())
        raise UserError(f"uv {' '.join(arguments[:2])} failed: {said}", 1)


def fingerprint(files: Iterable[Path]) -> str:
    """What the files hold, as a text that changes when one of them does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"absent")
        digest.update(b"\0")
    return digest.hexdigest()


def is_current(made: Path, stamp: str) -> bool:
    """Tell whether what is there was made from what has this fingerprint."""
    mark = _mark(made)
    return made.exists() and mark.is_file() and mark.read_text() == stamp


def mark_current(made: Path, stamp: str) -> None:
    """Remember what something was made from."""
    _mark(made).write_text(stamp)


def _mark(made: Path) -> Path:
    return made.with_name(f"{made.name}.made-from")
