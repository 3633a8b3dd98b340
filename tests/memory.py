"""Where tests write: in memory, if there is enough.

On the disk of a virtual machine, creating a file can take fifty times as long as in memory, and the
suite creates some hundred thousand.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

IN_MEMORY = Path("/dev/shm")  # noqa: S108 (Linux has it in memory; containers often limit or forbid it)
FOR_FILES, FOR_PROGRAMS = 4 * 2**30, 12 * 2**30
"""Bytes, generously: what is there at a time takes 3 GiB, and four workers take 9 GiB.

Five workers, which run every test, take 14 GiB.
"""


def write_in_memory() -> None:
    """Let this process and those that it starts write temporary files there, unless told where.

    When it ends, all of them are removed: those of CDK apps, which nobody removes, too.
    """
    if "TMPDIR" not in os.environ and _is_enough():
        folder = tempfile.mkdtemp(prefix="sls-patterns-tests-", dir=IN_MEMORY)
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user if we are root
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["TMPDIR"] = tempfile.tempdir = folder


def forget(item: pytest.Item) -> None:
    """Remove what a test has written in memory.

    Its folder stays, as another test would get its name: Node.js keeps modules by their paths.
    """
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if folder and folder.is_relative_to(IN_MEMORY):
        for left in folder.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def _is_enough() -> bool:
    try:
        place = os.statvfs(IN_MEMORY)
        about = Path("/proc/meminfo").read_text()
    except OSError:  # this is no Linux
        return False
    kibibytes = next(line.split()[1] for line in about.splitlines() if "MemAvailable" in line)
    return (
        not place.f_flag & os.ST_NOEXEC
        and place.f_bavail * place.f_frsize >= FOR_FILES
        and int(kibibytes) * 1024 >= FOR_FILES + FOR_PROGRAMS
    )
