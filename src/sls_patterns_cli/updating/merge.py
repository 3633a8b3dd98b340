"""Merges what lies between two renderings of the template into a project's last commit.

Each file is decided by itself, with git's three-way merge for text. What cannot be merged stays as
the user has it, and the template's side is put beside it. Nothing in the project is written here.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from sls_patterns_cli.catalog.fix_declaration import E2E
from sls_patterns_cli.rendering.answers import ANSWERS_FILE
from sls_patterns_cli.updating import imports
from sls_patterns_cli.updating.checkout import EXECUTABLE, REGULAR, Checkout
from sls_patterns_cli.updating.renames import renamed
from sls_patterns_cli.updating.settling import merged
from sls_patterns_cli.updating.versions import Rendering

SOURCES = {".py", ".ts"}


@dataclass(frozen=True)
class _File:
    content: bytes
    executable: bool


class Merge:
    """The merge of `new` into a project that was made of `old`; `scratch` is for its use.

    New files that are `unproven` are put beside where they would be. `besides` is what else to
    write, or to remove, whoever owns it.
    """

    def __init__(  # noqa: PLR0913 - all that decides what becomes of a file
        self,
        checkout: Checkout,
        old: Rendering,
        new: Rendering,
        scratch: Path,
        *,
        unproven: AbstractSet[str] = frozenset(),
        besides: Mapping[str, bytes | None] = MappingProxyType({}),
    ) -> None:
        self._checkout, self._scratch, self._unproven = checkout, scratch, unproven
        self.changes: dict[str, Path | None] = {}
        """What to write where, as git holds it; None is to remove what is there."""
        self.unmerged: set[str] = set()
        """The changes that hold conflicts between markers."""
        self.aside: dict[str, str] = {}
        """Files of the user's that stay, and where the template's side is put."""
        self.waiting: dict[str, str] = {}
        """New files that would fail, and where they are put."""
        self.kept: list[str] = []
        """Files with the user's edits that the template removed."""
        self.imported: dict[str, str] = {}
        """Files that the template removed and that stay, each with a file that imports it."""
        self.skipped: list[str] = []
        """Files that changed in the template, and that the user has removed."""
        self.reworded = 0
        """Places where the template changed words alone, and that stay as the user has them."""

        paths = [
            path for path in old.files.keys() | new.files.keys() if not new.left_alone(Path(path))
        ]
        self._theirs = {path: _file(new, path) for path in paths}
        self._base = {
            path: None if old.left_alone(Path(path)) else _file(old, path) for path in paths
        }
        differing = sorted(path for path in paths if self._base[path] != self._theirs[path])
        if ANSWERS_FILE not in differing:
            differing.append(ANSWERS_FILE)
        self.renamed = self._find_renamed(differing, {*old.files, *new.files})
        """Files that changed in the template, and what the user has renamed them to."""
        places = [*differing, *self.renamed.values()]
        self._touched = checkout.touched(places)
        self._attributes = checkout.attributes({*places, *besides}, "filter", "merge")
        self._ours = self._users(places)
        # It is not edited by hand: the template's version always wins.
        self._base[ANSWERS_FILE] = self._ours.get(ANSWERS_FILE)
        for path in differing:
            now, theirs = self.renamed.get(path), self._theirs[path]
            if now and theirs and now not in self._touched:
                self._merge_files(now, self._base[path], theirs, self._ours[now])
            elif path not in besides:
                self._merge(path)
        for path, content in besides.items():
            self.changes[path] = None
            if content is not None:
                mode = checkout.committed[path].mode if path in checkout.committed else None
                self._write(path, _File(content, mode == EXECUTABLE))

        self._keep_imported()

    def _keep_imported(self) -> None:
        """Keep what the template removed for proofs, and what a source that stays imports.

        Such a source is a proof of the user's, or another file that is kept.
        """
        committed = self._checkout.committed
        going = {
            path
            for path, file in self.changes.items()
            if file is None
            and path in self._base
            and PurePosixPath(path).suffix in SOURCES
            and PurePosixPath(path).is_relative_to(E2E)
        }
        if not going:
            return
        others = (
            path
            for path in committed.keys() - self.changes.keys()
            if PurePosixPath(path).suffix in SOURCES and committed[path].mode in REGULAR
        )
        stays = dict(self._checkout.contents(others)) | {
            path: file.read_bytes()
            for path, file in self.changes.items()
            if file and PurePosixPath(path).suffix in SOURCES
        }
        while stays:
            found = {
                place: path
                for path, content in sorted(stays.items())
                for module, _ in imports.imported(path, content)
                for place in imports.places(module)
                if place in going
            }
            for path in found:
                del self.changes[path]
            self.imported |= found
            going -= found.keys()
            stays = {path: ours.content for path in found if (ours := self._ours[path])}

    def as_on_disk(self) -> dict[str, Path | None]:
        """The changes as they are on disk: with line endings and encodings by git's attributes."""
        convertible = {
            path: file
            for path, file in self.changes.items()
            if file and path in self._attributes and not self._is_filtered(path)
        }
        converted = self._checkout.checked_out(convertible, self._scratch)
        for path, file in converted.items():
            file.chmod(convertible[path].stat().st_mode)
        return self.changes | converted

    def _find_renamed(self, paths: Iterable[str], known: AbstractSet[str]) -> dict[str, str]:
        """Which files of the user's are those of the paths, renamed."""
        committed = self._checkout.committed
        gone = {
            path: base.content
            for path in paths
            if (base := self._base[path])
            and self._theirs[path]
            and path not in committed
            and not self._checkout.replaced(path)
        }
        suffixes = {PurePosixPath(path).suffix for path in gone}
        others = (
            path
            for path in committed.keys() - known
            if PurePosixPath(path).suffix in suffixes and committed[path].mode in REGULAR
        )
        return renamed(gone, dict(self._checkout.contents(others))) if gone else {}

    def _users(self, paths: list[str]) -> dict[str, _File]:
        """The files of the last commit; such that a filter makes as the filter makes them."""
        committed = self._checkout.committed
        regular = [path for path in paths if path in committed and committed[path].mode in REGULAR]
        contents = dict(self._checkout.contents(regular))
        for path in regular:
            if self._is_filtered(path) and path not in self._touched:
                contents[path] = (self._checkout.path / path).read_bytes()
        return {
            path: _File(content, committed[path].mode == EXECUTABLE)
            for path, content in contents.items()
        }

    def _is_filtered(self, path: str) -> bool:
        return self._attributes[path].get("filter", "unset") != "unset"

    def _merge(self, path: str) -> None:
        base, theirs, ours = self._base[path], self._theirs[path], self._ours.get(path)
        if base and not ours and not self._checkout.replaced(path):
            if theirs:
                self.skipped.append(path)
        elif path in self._touched:
            if theirs:
                self.aside[path] = self._put_aside(path, theirs)
            elif self._checkout.obstacle(path) == path:
                self.kept.append(path)
        elif theirs is None:
            if ours and base and ours.content == base.content:
                self.changes[path] = None
            else:
                self.kept.append(path)
        elif ours is None and path in self._unproven:
            self.waiting[path] = self._put_aside(path, theirs)
        elif ours is None:
            self._write(path, theirs)
        else:
            self._merge_files(path, base, theirs, ours)

    def _merge_files(self, path: str, base: _File | None, theirs: _File, ours: _File) -> None:
        executable = (
            theirs.executable if base and base.executable == ours.executable else ours.executable
        )
        if base and base.content == ours.content:
            content = theirs.content
        elif theirs.content == ours.content or (base and base.content == theirs.content):
            content = ours.content
        elif self._is_text(path, *(file.content for file in (ours, base, theirs) if file)):
            settled = merged(
                *(path, ours.content, base.content if base else b"", theirs.content),
                self._scratch,
            )
            content = settled.content
            self.reworded += settled.reworded
            if settled.conflicting:
                self.unmerged.add(path)
        else:
            self.aside[path] = self._put_aside(path, theirs)
            return
        if (file := _File(content, executable)) != ours:
            self._write(path, file)

    def _is_text(self, path: str, *contents: bytes) -> bool:
        """Whether lines of these can stand in one file: nobody could read it otherwise."""
        if self._is_filtered(path) or self._attributes[path].get("merge") in {"unset", "binary"}:
            return False
        try:
            return not any("\0" in content.decode() for content in contents)
        except UnicodeDecodeError:
            return False

    def _put_aside(self, path: str, theirs: _File) -> str:
        """Put the template's side beside the place of the file, or of what is there instead of its
        folder; return where.
        """
        obstacle = self._checkout.obstacle(path) or path
        endings = ("" if number == 1 else f"-{number}" for number in count(1))
        rest = path.removeprefix(obstacle)
        places = (f"{obstacle}.template{ending}{rest}" for ending in endings)
        place = next(place for place in places if not self._checkout.obstacle(place))
        self._write(place, theirs)
        return place

    def _write(self, path: str, file: _File) -> None:
        place = self._scratch / "merged" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
        if file.executable:
            place.chmod(place.stat().st_mode | 0o111)
        self.changes[path] = place


def _file(rendering: Rendering, path: str) -> _File | None:
    if path not in rendering.files:
        return None
    return _File(rendering.files[path], path in rendering.executable)
