"""Fixes of the template in files that belong to the user, as each pattern's `mends.yml` has them.

The proof of a fix has a file of its own, which an update writes as `<name>.template` until the
project has the fix.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from packaging.version import Version

from sls_patterns_cli.catalog.declaration import NAME, Place

E2E = PurePosixPath("tests/e2e")


@dataclass(frozen=True)
class ReleasedFix:
    """What a release has fixed in files of the user."""

    release: Version
    number: int
    """Which of the release's fixes it is, from 1 on, in the order of the file."""
    reason: str
    files: tuple[str, ...]
    """The user's files that it changes, as globs of a project's paths."""
    proofs: tuple[str, ...]
    """The ids of the proofs that show it; none where its unit test is enough."""
    topologies: tuple[str, ...] = ()
    """The topologies that it is for; none if it is for all."""
    migrates: tuple[str, ...] = ()
    """The datastores that need a migration first: with these, no command applies it."""
    answer: str = ""
    """The answer that needs it, such as `poison=named`; empty if all projects should have it."""

    @property
    def id(self) -> str:
        """What the user calls it, such as `0.7.0-3`."""
        return f"{self.release}-{self.number}"

    def concerns(self, topology: str) -> bool:
        """Whether it is for projects with a topology."""
        return not self.topologies or topology in self.topologies

    def changes(self, path: str) -> bool:
        """Whether it changes the file at a path of a project."""
        return any(PurePosixPath(path).match(pattern) for pattern in self.files)

    def is_shown_by(self, path: str) -> bool:
        """Whether the file at a path of a project holds one of its proofs."""
        place = PurePosixPath(path)
        return place.parent == E2E and place.name in {
            name
            for proof in self.proofs
            for name in (f"test_{proof.replace('-', '_')}.py", f"{proof}.test.ts")
        }


def read_fixes(slug: str, declared: Any) -> tuple[ReleasedFix, ...]:
    """The fixes that a `mends.yml` declares; raises UserError where it does not fit."""
    place = Place(f"templates/patterns/{slug}/mends.yml")
    return tuple(_numbered(place, place.items({"mends": declared}, "mends", at_least=1)))


def _numbered(place: Place, declared: list[Any]) -> Iterator[ReleasedFix]:
    numbers: Counter[str] = Counter()
    for number, fix in enumerate(declared, 1):
        at = place.at("mend", number)
        at.only(fix, ("release", "reason", "files"), ("proofs", "topologies", "migrates", "answer"))
        release = at.text(fix, "release", r"\d+\.\d+\.\d+")
        numbers[release] += 1
        yield ReleasedFix(
            release=Version(release),
            number=numbers[release],
            reason=" ".join(at.text(fix, "reason").split()),
            files=at.names(fix, "files"),
            proofs=at.names(fix, "proofs", form=NAME, optional=True),
            topologies=at.names(fix, "topologies", form=NAME, optional=True),
            migrates=at.names(fix, "migrates", form=NAME, optional=True),
            answer=at.text(fix, "answer", r"[a-z_]+=[a-z-]+") if "answer" in fix else "",
        )


def between(fixes: Iterable[ReleasedFix], base: str, target: str) -> list[ReleasedFix]:
    """The fixes that came after the version `base`, up to `target`, and that no answer needs; a
    development version has those of the release that it leads to."""
    until = Version(Version(target).base_version)
    return [fix for fix in fixes if Version(base) < fix.release <= until and not fix.answer]
