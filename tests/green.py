"""When the emulator's tests have run as they are: `make test` leaves them out then.

They take minutes, and nothing that a pattern changes concerns them. The digest of what they depend
on is committed; `make test-all PART=emulator` writes it, after a run in which all of them passed.
"""

from pathlib import Path

import kept
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = "tests/local/emulator"
GREEN = ROOT / FOLDER / "green.txt"
PART = "emulator"

DEPENDS_ON = (
    "src/sls_patterns_cli/local/**/*",
    "src/sls_patterns_cli/cloudformation/**/*",  # by which its tests deploy
    f"{FOLDER}/**/*",
    "tests/local/*",
    "tests/conftest.py",
    "requirements.lock",  # the version of the emulator, and of what serves it
)


def digest(root: Path = ROOT) -> str:
    """Return the digest of all that the emulator's tests depend on."""
    files = {
        file
        for pattern in DEPENDS_ON
        for file in root.glob(pattern)
        if file.is_file() and file.suffix != ".pyc" and file.name != GREEN.name
    }
    return kept.digest(
        *(part for file in sorted(files) for part in (file.relative_to(root).as_posix(), file))
    )


def is_green() -> bool:
    """Return whether all of them have passed with what is there now."""
    return GREEN.exists() and GREEN.read_text().strip() == digest()


def is_of_the_emulator(item: pytest.Item) -> bool:
    return item.path.is_relative_to(GREEN.parent)


class Green:
    """Writes the digest after a run of all of the emulator's tests that has found nothing."""

    def __init__(self) -> None:
        self._before = digest()

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK and digest() == self._before:
            GREEN.write_text(f"{self._before}\n")
