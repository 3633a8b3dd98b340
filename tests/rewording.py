"""Finds the files that differ from those of the last release in words alone.

Whoever edited such a file has to merge a change that is of no use to them. So each has a reason in
`tests/golden/reworded.yml`.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import yaml
from golden import REWORDED
from packaging.version import Version
from releases import COMING, VERSIONS, template_of
from rendering import kept_from, template
from variants import Variant

from sls_patterns_cli.updating.wording import is_same

REASONS = REWORDED


def last_release() -> str | None:
    """Return the release before the one that the working tree leads to, or is."""
    return next((each for each in reversed(VERSIONS) if Version(each) < COMING), None)


def reworded(variants: Iterable[Variant], since: str) -> set[str]:
    """Return the files of which one of the variants changes in words alone.

    They are named by their patterns and their paths in a project, whatever its package is.
    """
    return {name for variant in variants for name in _reworded(variant, since)}


def _reworded(variant: Variant, since: str) -> Iterator[str]:
    before = kept_from(template_of(since), since, **variant.answers)
    now = kept_from(template(), **variant.answers)
    package = f"src/{variant.pattern.replace('-', '_')}/"
    for file in now.rglob("*"):
        path = file.relative_to(now).as_posix()
        old = before / path
        if not (file.is_file() and old.is_file()):
            continue
        contents = old.read_bytes(), file.read_bytes()
        if contents[0] != contents[1] and is_same(path, *contents):
            yield f"{variant.pattern}/{path.replace(package, 'src/{package}/', 1)}"


def complaints(found: Iterable[str], reasons: dict[str, str]) -> list[str]:
    """Return what is wrong with the reasons for the files that were found to be reworded."""
    found = sorted(found)
    unexplained = [
        f"{name} is reworded: take the words of the release back, or give a reason"
        for name in found
        if not any(fnmatchcase(name, pattern) for pattern in reasons)
    ]
    idle = [
        f"{pattern} is not reworded any more: remove its reason"
        for pattern in reasons
        if not any(fnmatchcase(name, pattern) for name in found)
    ]
    empty = [f"{pattern} has no reason" for pattern, reason in reasons.items() if not reason]
    return unexplained + idle + empty


def reasons() -> dict[str, str]:
    """Return the reasons by the names of files; a name may have wildcards."""
    return yaml.safe_load(REASONS.read_text()) or {}
