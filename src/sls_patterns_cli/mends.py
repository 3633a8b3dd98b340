"""Mends of the template in files that belong to the user, which an update only reports.

Each pattern records its own in `mends.yml`. The proof of a fix has a file of its own, which an
update writes as `<name>.template` until the user has applied the fix.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import PurePosixPath
from typing import Any

from packaging.version import Version

from sls_patterns_cli.declaration import NAME, Place

E2E = PurePosixPath("tests/e2e")


@dataclass(frozen=True)
class Mend:
    """What a release has mended in the user's files."""

    release: Version
    reason: str
    files: tuple[str, ...]
    """The user's files that it changes, as globs of a project's paths."""
    proofs: tuple[str, ...]
    """The ids of the proofs that show it; none where its unit test is enough."""
    topologies: tuple[str, ...] = ()
    """The topologies that it is for; none if it is for all."""

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


@dataclass(frozen=True)
class Review:
    """A file of the user's that mends change, why, and what they make of the template's."""

    path: str
    reasons: list[str]
    diff: str


def read_mends(slug: str, declared: Any) -> tuple[Mend, ...]:
    """The mends that a `mends.yml` declares; raises UserError where it does not fit."""
    place = Place(f"templates/patterns/{slug}/mends.yml")
    return tuple(
        _mend(place.at("mend", number), mend)
        for number, mend in enumerate(place.items({"mends": declared}, "mends", at_least=1), 1)
    )


def _mend(place: Place, declared: Any) -> Mend:
    place.only(declared, ("release", "reason", "files"), ("proofs", "topologies"))
    return Mend(
        release=Version(place.text(declared, "release", r"\d+\.\d+\.\d+")),
        reason=" ".join(place.text(declared, "reason").split()),
        files=place.names(declared, "files"),
        proofs=place.names(declared, "proofs", form=NAME, optional=True),
        topologies=place.names(declared, "topologies", form=NAME, optional=True),
    )


def between(mends: tuple[Mend, ...], base: str, target: str) -> list[Mend]:
    """The mends that came after the version `base`, up to `target`; a development version has
    those of the release that it leads to."""
    until = Version(Version(target).base_version)
    return [mend for mend in mends if Version(base) < mend.release <= until]


def reviews(
    mends: list[Mend],
    old: Mapping[str, bytes],
    new: Mapping[str, bytes],
    users: Mapping[str, bytes],
) -> Iterator[Review]:
    """The files of the user's, with their contents, that differ from what the mends make."""
    for path in sorted(users.keys() & old.keys() & new.keys()):
        reasons = [mend.reason for mend in mends if mend.changes(path)]
        if reasons and new[path] not in {old[path], users[path]}:
            yield Review(path, reasons, _diff(path, old[path], new[path]))


def _diff(path: str, old: bytes, new: bytes) -> str:
    before, after = (side.decode(errors="replace").splitlines(keepends=True) for side in (old, new))
    return "".join(unified_diff(before, after, f"a/{path}", f"b/{path}"))
