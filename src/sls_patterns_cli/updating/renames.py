"""Finds files that were renamed by what is in them."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from sls_patterns_cli.updating.wording import unix

RENAMED = 0.75
"""From this share of equal lines on, a file of the user's is one of the template's renamed."""


def renamed(gone: Mapping[str, bytes], others: Mapping[str, bytes]) -> dict[str, str]:
    """For each of the files that are gone which of the others it is now, if one is like it.

    Both are contents by paths. Each of the others stands for one file at most, the most similar.
    """
    likeness = {
        (path, other): share
        for path, content in gone.items()
        for other, candidate in others.items()
        if PurePosixPath(path).suffix == PurePosixPath(other).suffix
        and (share := _likeness(content, candidate)) >= RENAMED
    }
    found: dict[str, str] = {}
    for path, other in sorted(likeness, key=lambda pair: (-likeness[pair], pair)):
        if path not in found and other not in found.values():
            found[path] = other
    return found


def _likeness(one: bytes, other: bytes) -> float:
    lines, candidates = unix(one).splitlines(), unix(other).splitlines()
    matcher = SequenceMatcher(None, lines, candidates, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= RENAMED else 0.0
