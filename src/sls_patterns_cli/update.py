"""Updates a project to another version of its template, and shows what an update would do.

The project changes once, at the end, or not at all.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.version import Version

from sls_patterns_cli import catalog, mends
from sls_patterns_cli.answers import ANSWERS_FILE, Given, rendered
from sls_patterns_cli.changes import Changes, Conflict, Kept, Outcome, Status, Waiting
from sls_patterns_cli.checkout import REGULAR, Checkout
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.mends import Mend, Review
from sls_patterns_cli.merge import Merge
from sls_patterns_cli.progress import Progress
from sls_patterns_cli.source import Source, open_source, order
from sls_patterns_cli.swap import swap
from sls_patterns_cli.versions import Rendering, Versions

SIMILAR = 0.5
"""From this share of common text on, a new file is a removed one renamed; as in git's own."""


def update(  # noqa: PLR0913 - what the command takes
    folder: Path,
    *,
    to: str | None,
    given: Given,
    source: str | None,
    dry_run: bool,
    progress: Progress | None = None,
) -> Outcome:
    """Update the project in `folder` to the version `to`, or the newest; `given` changes answers.

    With `dry_run` nothing changes. Raises UserError if something is in the way, and then nothing
    has changed either; KeyboardInterrupt if a signal ended it before the project was touched.
    """
    progress = progress or Progress()
    checkout = Checkout(folder)
    checkout.refuse_unless_committed()
    with _scratch() as scratch:
        with progress.stage("Find the versions"):
            versions = open_source(checkout.address, source, scratch)
            step = _Step(checkout, versions, to, given)
        merged = _Merged(step, given, scratch, progress)
        if not dry_run:
            with progress.stage("Write the changes"):
                merged.publish()
        return merged.outcome


def status(folder: Path, *, source: str | None) -> Status:
    """Compare the project in `folder` with its template.

    Raises UserError if it is no project, or if no version of the template can be had to compare
    it with. Why an update would be refused is part of the result.
    """
    checkout = Checkout(folder)
    with _scratch() as scratch:
        versions = open_source(checkout.address, source, scratch)
        step = _Step(checkout, versions, None, {})
        base = step.render(step.base, checkout.answers)
        refused = outcome = None
        newest = base
        try:
            checkout.refuse_unless_committed()
            merged = _Merged(step, {}, scratch, Progress())
            newest = merged.new
            outcome = merged.outcome if merged.changes_something else None
        except UserError as error:
            refused = error.message
        edited, missing = _drift(checkout.path, base)
        return Status(
            path=checkout.path,
            version=checkout.version,
            newest=versions.newest,
            refused=refused,
            update=outcome,
            edited=edited,
            missing=missing,
            offered=sorted(
                path
                for path in newest.files
                if newest.left_alone(Path(path)) and not (checkout.path / path).exists()
            ),
        )


class _Step:
    """From which version to which a project goes; raises UserError where there is no way."""

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
        patterns = {checkout.answers["pattern"]}
        if "pattern" in given:
            patterns.add(given["pattern"][1])
        old, new = (source.template(version, patterns) for version in (self.base, self.target))
        between = Versions(checkout.address, old, new)
        self.render, self.renew = between.render, between.renew
        self._new = new

    def mends(self, slug: str, topology: str) -> list[Mend]:
        """What has been mended on the way in the user's files."""
        recorded = catalog.mends(slug, self._new.folder)
        return [
            mend
            for mend in mends.between(recorded, self.base, self.target)
            if mend.concerns(topology)
        ]


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


class _Merged:
    """A project with another version of its template merged into it."""

    def __init__(self, step: _Step, given: Given, scratch: Path, progress: Progress) -> None:
        self._checkout = checkout = step.checkout
        self._scratch = scratch
        with progress.stage(f"Render {step.base}, the project's version"):
            self._old = step.render(step.base, checkout.answers)
        with progress.stage(f"Render {step.target}"):
            self.new = step.renew((checkout.path / ANSWERS_FILE).read_bytes(), given)
        with progress.stage("Merge the difference"):
            self._compare(step, given)

    def _compare(self, step: _Step, given: Given) -> None:
        checkout = self._checkout
        answers = rendered(self.new.files[ANSWERS_FILE])
        _refuse_lost_answers(checkout.answers, answers, given, step.target)
        self._unchanged = self._with_answers_before(step, answers, given)
        mended = step.mends(answers["pattern"], answers["topology"])
        self._to_review = self._reviews(mended)
        self._merge = Merge(checkout, self._old, self.new, self._scratch, self._unproven(mended))
        self.outcome = Outcome(
            path=checkout.path,
            version=checkout.version,
            base=step.base,
            target=step.target,
            answers={
                question: (checkout.answers.get(question), answer)
                for question, answer in answers.items()
                if answer != checkout.answers.get(question)
            },
            changes=self._report(),
        )

    @property
    def changes_something(self) -> bool:
        """Whether there is anything to write, remove or settle."""
        return bool(self._merge.changes) or self.outcome.must_be_settled

    def publish(self) -> None:
        """Change the project: all that is to be changed, or nothing."""
        stages = {path: self._stages(path) for path in self._merge.unmerged}
        changes = self._merge.as_on_disk()
        try:
            swap(
                self._checkout.path,
                changes,
                settle=partial(self._checkout.mark_unmerged, stages),
            )
        except OSError as error:
            where = error.filename2 or error.filename or self._checkout.path
            raise UserError(f"{where}: {error.strerror}; nothing was changed", 1) from error

    def _with_answers_before(
        self, step: _Step, answers: Mapping[str, Any], given: Given
    ) -> Rendering:
        """What the new version makes of the answers that the project had."""
        before = {name: self._checkout.answers.get(name, answers[name]) for name in given}
        if before.items() <= answers.items():
            return self.new
        try:
            return step.render(step.target, {**answers, **before})
        except UserError:  # It has no such answer any more.
            return self._old

    def _reviews(self, mended: list[Mend]) -> list[Review]:
        """The user's files that have not what was mended in them."""
        committed = self._checkout.committed
        changed = [
            path
            for path in self._old.files.keys() & self.new.files.keys() & committed.keys()
            if self.new.left_alone(Path(path)) and committed[path].mode in REGULAR
        ]
        users = dict(self._checkout.contents(changed)) if mended else {}
        return list(mends.reviews(mended, self._old.files, self.new.files, users))

    def _unproven(self, mended: list[Mend]) -> set[str]:
        """The files of the proofs that fail as long as a file is to review."""
        open_ = [
            mend for mend in mended if any(mend.changes(each.path) for each in self._to_review)
        ]
        return {path for path in self.new.files if any(mend.is_shown_by(path) for mend in open_)}

    def _stages(self, path: str) -> dict[int, Path]:
        """The template's side of a conflict, by the numbers that git's index has for them."""
        stages = {}
        for stage, rendering in ((1, self._old), (3, self.new)):
            if path in rendering.files:
                file = stages[stage] = self._scratch / f"stage-{stage}" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(rendering.files[path])
        return stages

    def _report(self) -> Changes:
        merge, old, new = self._merge, self._old.files, self.new.files
        committed = self._checkout.committed
        left_alone = {
            path
            for path in old.keys() | new.keys()
            if self._old.left_alone(Path(path)) or self.new.left_alone(Path(path))
        }
        beside = {*merge.aside.values(), *merge.waiting.values()}
        clean = merge.changes.keys() - beside - merge.unmerged - {ANSWERS_FILE}
        gone = {path for path in clean if merge.changes[path] is None}
        otherwise = [
            path
            for path in left_alone & committed.keys() & new.keys()
            if new[path] != self._unchanged.files.get(path, new[path])
            and committed[path].mode in REGULAR
        ]
        return Changes(
            updated=sorted((clean - gone) & committed.keys()),
            added=sorted(clean - committed.keys()),
            removed=sorted(gone),
            conflicts=[
                *(Conflict(path) for path in sorted(merge.unmerged)),
                *(Conflict(path, place) for path, place in merge.aside.items()),
            ],
            kept=[Kept(path, self._renamed(path)) for path in merge.kept],
            orphaned=sorted((old.keys() - new.keys()) & left_alone & committed.keys()),
            unfit=sorted(
                path for path, content in self._checkout.contents(otherwise) if content != new[path]
            ),
            to_review=self._to_review,
            waiting=[Waiting(path, place) for path, place in merge.waiting.items()],
            offered=sorted((new.keys() - old.keys() - committed.keys()) & left_alone),
            skipped=merge.skipped,
        )

    def _renamed(self, path: str) -> str | None:
        """The new file that most resembles what the template had at `path`, if one does."""
        old, new = self._old.files, self.new.files
        text = old[path].splitlines()
        likeness = {
            candidate: SequenceMatcher(None, text, new[candidate].splitlines()).ratio()
            for candidate in new.keys() - old.keys()
        }
        best = max(likeness, key=likeness.__getitem__, default=None)
        return best if best and likeness[best] >= SIMILAR else None


def _refuse_lost_answers(
    before: Mapping[str, Any], after: Mapping[str, Any], given: Given, target: str
) -> None:
    """Raise UserError if an answer that nobody changed is none any more: Copier takes defaults."""
    for question, answer in before.items():
        if not given and question in after and after[question] != answer:
            raise UserError(
                f"{question}: {target} no longer offers {answer}; "
                f"choose with --data {question}=VALUE, such as {after[question]}"
            )


def _drift(project: Path, base: Rendering) -> tuple[list[str], list[str]]:
    """The template's files that differ from what it made, and those that are not there."""
    edited, missing = [], []
    for path, content in sorted(base.files.items()):
        if path == ANSWERS_FILE or base.left_alone(Path(path)):
            continue
        file = project / path
        if not file.is_file():
            missing.append(path)
        elif file.read_bytes() != content:
            edited.append(path)
    return edited, missing


@contextmanager
def _scratch() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sls-patterns-") as name:
        yield Path(name)
