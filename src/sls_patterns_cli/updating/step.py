"""From which version of its template to which a project goes, and what was fixed on the way."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from packaging.version import Version

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog import fix_declaration
from sls_patterns_cli.catalog.fix_declaration import ReleasedFix
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import Given
from sls_patterns_cli.updating import record
from sls_patterns_cli.updating.checkout import Checkout
from sls_patterns_cli.updating.fixes import Fix
from sls_patterns_cli.updating.record import Note
from sls_patterns_cli.updating.source import Source, order
from sls_patterns_cli.updating.versions import Rendering, Versions


class Step:
    """A project's way from `base` to `target`; raises UserError where there is none."""

    def __init__(self, checkout: Checkout, source: Source, to: str | None, given: Given) -> None:
        self.checkout = checkout
        recorded = checkout.version
        made = order(recorded)
        if made is None:
            raise UserError(f"{checkout.path} was made from {recorded}, which is not a version")
        found = source.find(recorded)
        self.target = source.known(to) if to else source.newest
        if Version(self.target) < made:
            if to:
                raise UserError(f"{self.target} is older than {recorded}; an update cannot go back")
            if not found:
                raise UserError(
                    f"{checkout.path} was made from {recorded}, which is newer than all of "
                    f"{source.name}, up to {source.newest}; install a newer sls-patterns"
                )
            self.target = found
        self.base = found or _before(source, recorded, made)
        slug = checkout.answers["pattern"]
        self._slug = given["pattern"][1] if "pattern" in given else slug
        self.notes = record.read(checkout.path) if self._slug == slug else ()
        """What the project notes of fixes; that of another pattern's does not count."""
        self._since = {note.id: _since(source, note) for note in self.notes if not note.waived}
        templates = {
            version: source.template(version, {slug, self._slug})
            for version in {*self._since.values(), self.base, self.target}
        }
        self._new = templates[self.target]
        others = templates[self.base], self._new, *templates.values()
        between = Versions(checkout.records, checkout.address, *others)
        self.render, self.renew = between.render, between.renew

    @cached_property
    def _released(self) -> dict[str, ReleasedFix]:
        """All that the target knows, by their ids."""
        return {
            released.id: released
            for released in catalog.released_fixes(self._slug, self._new.folder)
        }

    def noted(self) -> list[Fix]:
        """The fixes that were open after the updates so far."""
        return [
            self._fix(self._released[identifier], since)
            for identifier, since in self._since.items()
            if identifier in self._released
        ]

    def fixes(self, topology: str, needed: Iterable[ReleasedFix]) -> list[Fix]:
        """These, those of this step, which are for a topology, and those that are needed."""
        known = {note.id for note in self.notes}
        released = fix_declaration.between(self._released.values(), self.base, self.target)
        return [
            *self.noted(),
            *(
                self._fix(each, self.base)
                for each in (*released, *needed)
                if each.concerns(topology) and each.id not in known
            ),
        ]

    def needed(self, given: Mapping[str, Any]) -> list[ReleasedFix]:
        """The fixes that answers need which the project gets now, but for those that are waived."""
        answers = {f"{question}={answer}" for question, answer in given.items()}
        waived = {note.id for note in self.notes if note.waived is not None}
        return [
            each
            for each in self._released.values()
            if each.answer in answers and each.id not in waived
        ]

    def _fix(self, released: ReleasedFix, since: str) -> Fix:
        datastore = self.checkout.answers.get("datastore")
        return Fix(released, since, by_hand=datastore in released.migrates)

    def waived(self) -> list[tuple[Note, ReleasedFix]]:
        """The fixes that the user does not want."""
        return [
            (note, self._released[note.id])
            for note in self.notes
            if note.waived is not None and note.id in self._released
        ]

    def olds(
        self, fixes: Iterable[Fix], answers: Mapping[str, Any], base: Rendering
    ) -> dict[str, Rendering]:
        """The versions that lack some of the fixes, oldest first; `base` is rendered already.

        A version that cannot be made from the answers is left out.
        """
        olds = {}
        for version in sorted({fix.since for fix in fixes}, key=Version):
            try:
                olds[version] = base if version == self.base else self.render(version, answers)
            except UserError:
                continue
        return olds


def _since(source: Source, note: Note) -> str:
    """The version that lacked a fix, as the source writes it."""
    try:
        return source.known(note.since)
    except UserError as error:
        raise UserError(f"{record.RECORD}: fix {note.id}: {error.message}") from error


def _before(source: Source, recorded: str, made: Version) -> str:
    """The release to compare with in the place of a development version that nobody has.

    What changed between the two then counts as the user's edits: some of it may conflict, nothing
    is lost.
    """
    if not (made.is_prerelease or made.is_postrelease):
        return source.known(recorded)
    before = source.before(recorded)
    if before is None:
        raise UserError(
            f"{recorded} is a development version that {source.name} does not have, and there is "
            "no release before it to compare with; make a new project and move your code there"
        )
    return before
