"""Decides which fixes of the template a project has, which can be applied, and which are left.

A fix is applied if all of its files are as a release made them. Fixes that change the same file
are applied together, and with them come unit tests of the changed code that are as released, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import unified_diff
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from sls_patterns_cli.catalog.fix_declaration import ReleasedFix
from sls_patterns_cli.system import git
from sls_patterns_cli.updating import imports
from sls_patterns_cli.updating.renames import renamed
from sls_patterns_cli.updating.versions import Rendering
from sls_patterns_cli.updating.wording import code, is_same, like, unix

SOURCES = (".py", ".ts")


@dataclass(frozen=True)
class Fix:
    """A fix that a project may lack, and the version that lacked it."""

    released: ReleasedFix
    since: str
    by_hand: bool = False
    """Whether the user must do something first, such as a migration."""

    @property
    def id(self) -> str:
        """What the user calls it."""
        return self.released.id


@dataclass(frozen=True)
class Change:
    """What a fix makes of a file: of the release's own, with the user's line endings."""

    path: str
    before: bytes
    after: bytes

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        before, after = (
            side.decode(errors="replace").splitlines(keepends=True)
            for side in (self.before, self.after)
        )
        return "".join(unified_diff(before, after, f"a/{self.path}", f"b/{self.path}"))


@dataclass(frozen=True)
class Review:
    """A file of the user's that fixes change, why, and what they make of the template's."""

    path: str
    reasons: list[str]
    diff: str


@dataclass(frozen=True)
class Users:
    """The user's side: the content of each file, and what must stay as it is."""

    files: Mapping[str, bytes]
    untouchable: AbstractSet[str] = frozenset()
    """The files that git does not hold as they are on disk."""
    waived: tuple[ReleasedFix, ...] = ()
    """What the user does not want: no other fix brings it with a file."""

    def may_change(self, path: str) -> bool:
        """Whether fixes may change a file."""
        return path not in self.untouchable and not any(m.changes(path) for m in self.waived)


class Fixes:
    """How a project stands to `fixes`.

    `olds` are the versions that lacked them, by their names and the oldest first; `new` is the
    version that has them.
    """

    def __init__(
        self, fixes: Iterable[Fix], olds: Mapping[str, Rendering], new: Rendering, users: Users
    ) -> None:
        self._olds, self._new, self._users = olds, new, users
        self.known = [fix for fix in fixes if fix.since in olds]
        """Those of which can be said whether the project has them."""
        self.open = [fix for fix in self.known if self._lacking(fix)]
        """Those that the project does not have yet."""
        self.applied: list[Fix] = []
        """Those of them that `writes` applies."""
        self.writes: dict[str, bytes] = {}
        """The files to write."""

    def apply(self) -> None:
        """Apply what can be applied."""
        groups = [group for group in self._groups() if all(map(self._is_ready, group))]
        blocked: set[str] = set()
        while True:
            applied = [
                fix for group in groups if blocked.isdisjoint(self._paths(group)) for fix in group
            ]
            paths = self._paths(applied)
            others = self._paths(fix for fix in self.open if fix not in applied)
            written = paths | self._companions(paths, blocked | others)
            writes = {path: self._renewed(path) for path in written}
            if not (broken := written.intersection(self._broken(writes))):
                break
            blocked |= broken
        self.applied, self.writes = applied, writes
        self.open = [fix for fix in self.open if fix not in applied]

    def reviews(self) -> list[Review]:
        """The files that open fixes change."""
        return [
            Review(
                self._places[path],
                [fix.released.reason for fix in self.open if path in self._lacking(fix)],
                self._change(path).diff,
            )
            for path in sorted(self._paths(self.open))
        ]

    def changes(self, fixes: Iterable[Fix]) -> list[Change]:
        """What fixes that are open change in the user's files, and in the unit tests of these."""
        paths = self._paths(fixes)
        tests = {
            path
            for path in self._lacks - self._paths(self.open)
            if path.startswith("tests/") and self._belongs(path, paths)
        }
        return [self._change(path) for path in sorted(paths | tests)]

    def unproven(self) -> set[str]:
        """The files of the proofs that fail as long as their fixes are open."""
        return {
            path
            for path in self._new.files
            if any(fix.released.is_shown_by(path) for fix in self.open)
        }

    def files(self, fix: Fix) -> list[str]:
        """The files of the project that lack a fix, as the user has named them."""
        return sorted(self._places[path] for path in self._lacking(fix))

    def _lacking(self, fix: Fix) -> set[str]:
        return {path for path in self._lacks if fix.released.changes(path)}

    @cached_property
    def _changed(self) -> dict[str, bytes]:
        """The user's files that are different in the new version, as they were without it."""
        return {
            path: content
            for path, content in self._before.items()
            if path in self._new.files
            and self._new.left_alone(Path(path))
            and not is_same(path, content, self._new.files[path])
        }

    @cached_property
    def _before(self) -> dict[str, bytes]:
        """Each file as the oldest version has it that lacks a fix of this file, or else any fix."""
        before: dict[str, bytes] = {}
        for version, old in self._olds.items():
            released = [fix.released for fix in self.known if fix.since == version]
            for path in old.files:
                if any(each.changes(path) for each in released):
                    before.setdefault(path, old.files[path])
        for old in self._olds.values():
            before = {**old.files, **before}
        return before

    @cached_property
    def _places(self) -> dict[str, str]:
        """Where the user has each of them: some may be renamed."""
        users = self._users.files
        gone = {path: content for path, content in self._changed.items() if path not in users}
        known = {*self._before, *self._new.files}
        others = {path: content for path, content in users.items() if path not in known}
        return {path: path for path in self._changed if path in users} | renamed(gone, others)

    @cached_property
    def _lacks(self) -> set[str]:
        """Those that the user has otherwise than the new version, by their names in that."""
        return {
            path
            for path, place in self._places.items()
            if not self._has(path, self._users.files[place])
        }

    def _has(self, path: str, users: bytes) -> bool:
        """Whether the file has what changed, beside the user's own edits."""
        new = self._new.files[path]
        if is_same(path, users, new):
            return True
        if b"\n<<<<<<< " in users:
            return False  # a conflict that is not settled has both sides
        if path in self._users.files and self._is_released(path):
            return False
        ours, base, theirs = (code(path, each) for each in (users, self._changed[path], new))
        with TemporaryDirectory() as scratch:
            # The user's own lines may be beside those of the fix.
            merged, _ = git.merged(ours, base, theirs, Path(scratch), union=True)
        return merged == ours

    def _is_released(self, path: str) -> bool:
        """Whether a file is as one of the versions made it, but for line endings."""
        users = unix(self._users.files[path])
        return any(
            unix(old.files[path]) == users for old in self._olds.values() if path in old.files
        )

    def _is_ready(self, fix: Fix) -> bool:
        """Whether all files of a fix are as released; code that was deleted or moved is not."""
        return not fix.by_hand and all(
            path in self._users.files
            and self._users.may_change(path)
            and (path not in self._lacks or self._is_released(path))
            for path in self._changed
            if fix.released.changes(path)
            and (path in self._users.files or not path.startswith("tests/"))
        )

    def _groups(self) -> Iterator[list[Fix]]:
        """The open fixes, those together that change the same file."""
        rest = list(self.open)
        while rest:
            group = [rest.pop(0)]
            while more := [fix for fix in rest if self._paths(group) & self._paths([fix])]:
                group += more
                rest = [fix for fix in rest if fix not in more]
            yield group

    def _paths(self, fixes: Iterable[Fix]) -> set[str]:
        return {path for fix in fixes for path in self._lacking(fix)}

    def _companions(self, paths: AbstractSet[str], blocked: AbstractSet[str]) -> set[str]:
        """The files that come along: they import what changes, or are imported by it.

        Those that are `blocked` stay.
        """
        candidates = {
            path
            for path in self._new.files
            if path.endswith(SOURCES) and path not in blocked and self._may_come(path)
        }
        taken = set(paths)
        while more := {path for path in candidates - taken if self._belongs(path, taken)}:
            taken |= more
        return taken - paths

    def _may_come(self, path: str) -> bool:
        """Whether a file is the user's, and as released or new."""
        if not (self._users.may_change(path) and self._new.left_alone(Path(path))):
            return False
        if path in self._users.files:
            return path in self._lacks and self._is_released(path)
        return path not in self._before

    def _belongs(self, path: str, taken: AbstractSet[str]) -> bool:
        """Whether one imports the other, or is what unit tests find around functions."""
        return any(
            self._imports(path, other)
            or self._imports(other, path)
            or _surrounds(path, other)
            or _surrounds(other, path)
            for other in taken
        )

    def _imports(self, importer: str, path: str) -> bool:
        found = imports.imported(importer, self._new.files[importer])
        return any(path in imports.places(module) for module, _ in found)

    def _broken(self, writes: Mapping[str, bytes]) -> Iterator[str]:
        """Files of `writes` that import what is not there, or no longer have what is imported."""
        templates = {
            path: content
            for path, content in self._new.files.items()
            if not self._new.left_alone(Path(path))
        }
        there = {**self._users.files, **templates, **writes}
        for importer, content in there.items():
            for module, names in imports.imported(importer, content):
                found = [path for path in imports.places(module) if path in there]
                for path in found:
                    if importer in writes and path not in writes:
                        has = imports.defined(path, there[path])
                        inner = {each for each in names if _is_module(f"{module}/{each}", there)}
                        if has is not None and not names <= has | inner:
                            yield importer
                    elif path in writes and importer not in writes:
                        before = imports.defined(path, self._users.files.get(path, b""))
                        after = imports.defined(path, writes[path])
                        if before and after is not None and names & before - after:
                            yield path
                moved = any(path in self._new.files for path in imports.places(module))
                if importer in writes and moved and not found:
                    yield importer

    def _renewed(self, path: str) -> bytes:
        return like(self._new.files[path], self._users.files.get(path, b""))

    def _change(self, path: str) -> Change:
        place = self._places[path]
        before, after = (
            like(content, self._users.files[place])
            for content in (self._changed[path], self._new.files[path])
        )
        return Change(place, before, after)


def _surrounds(path: str, test: str) -> bool:
    """Whether a file sets what a unit test finds, such as its environment, without an import."""
    folder, _, name = path.rpartition("/")
    return name in {"conftest.py", "surroundings.ts"} and test.startswith(f"{folder}/")


def _is_module(module: str, there: Mapping[str, bytes]) -> bool:
    return any(path in there for path in imports.places(module))
