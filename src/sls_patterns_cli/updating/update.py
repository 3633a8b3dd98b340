"""Updates a project to another version of its template, and shows what an update would do.

The project changes once, at the end, or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sls_patterns_cli.catalog import released_fixes
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import ANSWERS_FILE, Given, rendered
from sls_patterns_cli.system.file_changes import swap
from sls_patterns_cli.terminal.progress import Progress
from sls_patterns_cli.updating import handover, record
from sls_patterns_cli.updating.alarms import AlarmChanges, alarm_changes
from sls_patterns_cli.updating.checkout import REGULAR, Checkout
from sls_patterns_cli.updating.fixes import SOURCES, Change, Fix, Fixes, Users
from sls_patterns_cli.updating.merge import Merge
from sls_patterns_cli.updating.outcome import (
    Changes,
    Conflict,
    FixState,
    Handover,
    Kept,
    Outcome,
    Renamed,
    Status,
    Waiting,
)
from sls_patterns_cli.updating.record import RECORD, Note
from sls_patterns_cli.updating.replaced import Replaced, replaced
from sls_patterns_cli.updating.source import open_source
from sls_patterns_cli.updating.step import Step
from sls_patterns_cli.updating.versions import Rendering
from sls_patterns_cli.updating.wording import unix

SIMILAR = 0.5
"""From this share of common text on, a new file is a removed one renamed; as in git's own."""


def update(  # noqa: PLR0913 - what the command takes
    folder: Path,
    *,
    to: str | None,
    given: Given,
    source: str | None,
    dry_run: bool,
    apply_fixes: bool = False,
    agree: Callable[[Sequence[Replaced]], None] = lambda _: None,
    progress: Progress | None = None,
) -> Outcome:
    """Update the project in `folder` to the version `to`, or the newest; `given` changes answers.

    With `apply_fixes` also the user's own files get fixes, where they are as released. With
    `dry_run` nothing changes. If other answers replace deployed resources, `agree` is called with
    these before anything changes, and may raise UserError. Raises UserError if something is in the
    way, and then nothing has changed either; KeyboardInterrupt if a signal ended it before the
    project was touched.
    """
    progress = progress or Progress()
    checkout = Checkout(folder)
    with nullcontext() if dry_run else checkout.locked(), _scratch() as scratch:
        checkout.refuse_unless_committed()
        with progress.stage("Find the versions"):
            versions = open_source(checkout.address, source, scratch)
            step = Step(checkout, versions, to, given)
        merged = _Merged(step, given, scratch, progress, apply_fixes=apply_fixes)
        if not dry_run:
            merged.refuse_unready()
            if merged.outcome.replaced:
                agree(merged.outcome.replaced)
            with progress.stage("Write the changes"):
                merged.publish()
        return merged.outcome


def fix(folder: Path, *, source: str | None, dry_run: bool, progress: Progress) -> Outcome:
    """Apply the open fixes of the updates so far to the project in `folder`; else as `update`."""
    return update(
        folder,
        to=Checkout(folder).version,
        given={},
        source=source,
        dry_run=dry_run,
        apply_fixes=True,
        progress=progress,
    )


def waive(folder: Path, wanted: str, reason: str) -> None:
    """Note that the project in `folder` does without a fix, and why.

    Raises UserError if the fix is not open, and not one that an answer needs.
    """
    checkout = Checkout(folder)
    of_answers = [each.id for each in released_fixes(checkout.answers["pattern"]) if each.answer]
    with checkout.locked():
        if wanted in of_answers:
            record.add(checkout.path, Note(wanted, checkout.version))
        record.refuse_unless_open(checkout.path, wanted)
        record.change(
            checkout.path,
            lambda note: replace(note, waived=reason) if note.id == wanted else note,
        )


def status(folder: Path, *, source: str | None) -> Status:
    """Compare the project in `folder` with its template.

    Raises UserError if it is no project, or if no version of the template can be had to compare
    it with. Why an update would be refused is part of the result.
    """
    checkout = Checkout(folder)
    with _scratch() as scratch:
        versions = open_source(checkout.address, source, scratch)
        step = Step(checkout, versions, None, {})
        base = step.render(step.base, checkout.answers)
        refused = outcome = None
        newest = base
        try:
            checkout.refuse_unless_committed()
            merged = _Merged(step, {}, scratch, Progress())
            newest = merged.new
            outcome = merged.outcome if merged.outcome.changes_something else None
        except UserError as error:
            refused = error.message
        edited, missing = _drift(checkout.path, base)
        noted = step.noted()
        olds = step.olds(noted, checkout.answers, base)
        fixes = Fixes(noted, olds, base, Users(dict(_on_disk(checkout.path))))
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
            fixes=[
                *(_state(fixes, fix, base) for fix in fixes.open),
                *(
                    FixState(note.id, "waived", released.reason, [], [], note.waived)
                    for note, released in step.waived()
                ),
            ],
            reviews=fixes.reviews(),
        )


class _Merged:
    """A project with another version of its template merged into it."""

    def __init__(
        self,
        step: Step,
        given: Given,
        scratch: Path,
        progress: Progress,
        *,
        apply_fixes: bool = False,
    ) -> None:
        self._checkout = checkout = step.checkout
        self._scratch = scratch
        with progress.stage(f"Render {step.base}, the project's version"):
            self._old = step.render(step.base, checkout.answers)
        with progress.stage(f"Render {step.target}"):
            self.new = step.renew((checkout.path / ANSWERS_FILE).read_bytes(), given)
        with progress.stage("Merge the difference"):
            self._compare(step, given, apply_fixes=apply_fixes)

    def _compare(self, step: Step, given: Given, *, apply_fixes: bool) -> None:
        checkout = self._checkout
        answers = rendered(self.new.files[ANSWERS_FILE])
        _refuse_lost_answers(checkout.answers, answers, given, step.target)
        changed = {
            name: answers[name]
            for name in given
            if name in answers and answers[name] != checkout.answers.get(name)
        }
        self._needed = step.needed(changed)
        needing = {each.answer.partition("=")[0] for each in self._needed}
        before = {name: each for name, each in given.items() if name not in needing}
        if apply_fixes and before:
            raise UserError(
                "--apply-fixes and --data cannot be combined: update, then sls-patterns fix"
            )
        self._unchanged = self._with_answers_before(step, answers, before)
        fixes = step.fixes(answers["topology"], self._needed)
        olds = step.olds(fixes, checkout.answers, self._old)
        users = Users(
            self._committed_code(),
            self._untouchable() if apply_fixes else frozenset(),
            tuple(released for _, released in step.waived()),
        )
        self._fixes = Fixes(fixes, olds, self._unchanged, users)
        if apply_fixes:
            self._fixes.apply()
        besides = {**self._fixes.writes, **self._proofs(fixes), **self._record(step)}
        unproven = self._fixes.unproven()
        self._merge = Merge(
            *(checkout, self._old, self.new, self._scratch), unproven=unproven, besides=besides
        )
        self.outcome = Outcome(
            path=checkout.path,
            version=checkout.version,
            base=step.base,
            target=step.target,
            answers={
                question: (checkout.answers.get(question), answers.get(question))
                for question in {**answers, **dict.fromkeys(given)}
                if answers.get(question) != checkout.answers.get(question)
            },
            of_new_projects={
                question: default
                for question, default in self.new.of_new_projects.items()
                if question in answers
                and question not in checkout.answers
                and default != answers[question]
                and question not in given
            },
            replaced=self._replaced(step, answers, given),
            alarms=self._alarms(step, answers),
            changes=self._report(),
            fixes=[
                _state(self._fixes, fix, self.new)
                for fix in (*self._fixes.applied, *self._fixes.open)
            ],
            changes_something=bool(self._merge.changes),
            handover=self._handover(),
        )

    def refuse_unready(self) -> None:
        """Raise UserError if code of the user's lacks a fix that a new answer needs."""
        for needed in self._needed:
            lacking = [
                path
                for fix in self._fixes.open
                if fix.id == needed.id
                for path in self._fixes.files(fix)
                if path.startswith("src/")
            ]
            if lacking:
                raise UserError(
                    f"{needed.answer} needs the fix {needed.id} in {', '.join(lacking)}; "
                    "--dry-run shows it, --apply-fixes applies it where these are as released, "
                    f"and fix --waive {needed.id} does without it"
                )

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
        if self.outcome.handover:
            left = zip(self._fixes.open, self._states("open"), strict=True)
            handover.write(
                self.outcome,
                [handover.Left(state, self._fixes.changes([fix])) for fix, state in left],
                self._checkout.patch,
                self._scratch,
            )

    def _states(self, state: str) -> list[FixState]:
        return [each for each in self.outcome.fixes if each.state == state]

    def _with_answers_before(
        self, step: Step, answers: Mapping[str, Any], given: Given
    ) -> Rendering:
        """What the new version makes of the answers that the project had."""
        before = self._answers_before(answers, given)
        if before == answers:
            return self.new
        try:
            return step.render(step.target, before)
        except UserError:  # It has no such answer any more.
            return self._old

    def _answers_before(self, answers: Mapping[str, Any], given: Given) -> dict[str, Any]:
        """The answers without those that were given now; what was not recorded has its default."""
        recorded = self._checkout.answers
        kept = {name: answer for name, answer in answers.items() if name not in given}
        return {**kept, **{name: recorded[name] for name in given if name in recorded}}

    def _handover(self) -> Handover | None:
        if not (self._fixes.open or self._merge.changes):
            return None
        return handover.place(self._checkout.own_folder, left=bool(self._fixes.open))

    def _replaced(self, step: Step, answers: Mapping[str, Any], given: Given) -> list[Replaced]:
        """The deployed resources that answers replace which the user has changed."""
        before = self._answers_before(answers, given)
        changed = [name for name in given if before.get(name) != answers.get(name)]
        try:
            templates = [
                _sam_template(step, step.target, each)
                for each in ((before, answers) if changed else ())
            ]
        except UserError:  # The target has no such answer any more: what it made is not known.
            return []
        return replaced(changed, *templates) if templates else []

    def _alarms(self, step: Step, answers: Mapping[str, Any]) -> AlarmChanges:
        """What the next deployment does to the alarms; of CDK, SAM's templates tell it."""
        if answers.get("iac") == self._checkout.answers.get("iac") == "sam":
            templates = [each.files["template.yaml"] for each in (self._old, self.new)]
        elif any(
            self._old.files.get(path) != content
            for path, content in self.new.files.items()
            if path.startswith("infrastructure/stack.")
        ):
            sides = ((step.base, self._checkout.answers), (step.target, answers))
            templates = [_sam_template(step, *side) for side in sides]
        else:
            return AlarmChanges()
        return alarm_changes(*templates)

    def _committed_code(self) -> dict[str, bytes]:
        """What the last commit has of code, and of files that an update leaves to the user."""
        committed = self._checkout.committed
        return dict(
            self._checkout.contents(
                path
                for path, file in committed.items()
                if file.mode in REGULAR and (_is_code(path) or self.new.left_alone(Path(path)))
            )
        )

    def _untouchable(self) -> set[str]:
        """The files of the user's that are not as in the last commit, or that a filter makes."""
        paths = [path for path in self.new.files if self.new.left_alone(Path(path))]
        filters = self._checkout.attributes(paths, "filter")
        filtered = {
            path for path, found in filters.items() if found.get("filter", "unset") != "unset"
        }
        return self._checkout.touched(paths) | filtered

    def _proofs(self, fixes: Iterable[Fix]) -> dict[str, bytes | None]:
        """The proofs that need not wait any more: each goes into place, and from beside it."""
        unproven, committed = self._fixes.unproven(), self._checkout.committed
        moves: dict[str, bytes | None] = {}
        for path in self.new.files.keys() & self._old.files.keys() - unproven - committed.keys():
            beside = f"{path}.template"
            if beside in committed and any(fix.released.is_shown_by(path) for fix in fixes):
                moves[path] = self.new.files[path]
                ((_, content),) = self._checkout.contents([beside])
                if unix(content) == unix(self._old.files[path]):
                    moves[beside] = None
        touched = self._checkout.touched(moves)
        return {path: content for path, content in moves.items() if path not in touched}

    def _record(self, step: Step) -> dict[str, bytes | None]:
        """What is noted of fixes, where that changes."""
        since = {note.id: note.since for note in step.notes}
        settled = {fix.id for fix in self._fixes.known} - {fix.id for fix in self._fixes.open}
        new = [fix for fix in self._fixes.open if fix.id not in since]
        notes = [
            *(note for note in step.notes if note.waived or note.id not in settled),
            *(Note(fix.id, fix.since) for fix in new),
        ]
        unchanged = notes == [*record.read(self._checkout.path)]
        return {} if unchanged else {RECORD: record.written(notes)}

    def _stages(self, path: str) -> dict[int, Path]:
        """The template's side of a conflict, by the numbers that git's index has for them."""
        stages = {}
        named = {now: before for before, now in self._merge.renamed.items()}.get(path, path)
        for stage, rendering in ((1, self._old), (3, self.new)):
            if named in rendering.files:
                file = stages[stage] = self._scratch / f"stage-{stage}" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(rendering.files[named])
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
        fixed = self._fixes.writes.keys()
        clean = merge.changes.keys() - beside - merge.unmerged - fixed - {ANSWERS_FILE, RECORD}
        gone = {path for path in clean if merge.changes[path] is None}
        otherwise = [
            path
            for path in left_alone & committed.keys() & new.keys()
            if new[path] != self._unchanged.files.get(path, new[path])
            and committed[path].mode in REGULAR
        ]
        unfit = sorted(
            path for path, content in self._checkout.contents(otherwise) if content != new[path]
        )
        gone_from_template = (old.keys() - new.keys()) & left_alone & committed.keys()
        tested = {name for path in old.keys() & new.keys() for name in _names_of_tests(path)}
        not_needed = gone_from_template & tested
        return Changes(
            updated=sorted((clean - gone) & committed.keys()),
            added=sorted(clean - committed.keys()),
            removed=sorted(gone),
            conflicts=[
                *(Conflict(path) for path in sorted(merge.unmerged)),
                *(Conflict(path, place) for path, place in merge.aside.items()),
            ],
            kept=[
                *(Kept(path, self._renamed(path)) for path in merge.kept),
                *(Kept(path, imported_by=by) for path, by in sorted(merge.imported.items())),
            ],
            orphaned=sorted(gone_from_template - not_needed),
            not_needed=sorted(not_needed),
            unfit=unfit,
            differences={
                path: Change(path, self._unchanged.files[path], new[path]).diff for path in unfit
            },
            fixed=sorted(fixed),
            to_review=self._fixes.reviews(),
            waiting=[Waiting(path, place) for path, place in merge.waiting.items()],
            offered=sorted((new.keys() - old.keys() - committed.keys() - fixed) & left_alone),
            skipped=merge.skipped,
            renamed=[Renamed(path, now) for path, now in sorted(merge.renamed.items())],
            reworded=merge.reworded,
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


def _names_of_tests(path: str) -> Iterator[str]:
    """What the unit test of a module of code may be called."""
    file = Path(path)
    if not (path.startswith(("src/", "tools/")) and file.suffix in SOURCES):
        return
    for subject in (file.stem, file.parent.name):
        yield f"tests/unit/test_{subject}.py"
        yield f"tests/unit/{subject}.test.ts"


def _sam_template(step: Step, version: str, answers: Mapping[str, Any]) -> bytes:
    """SAM's template of a version with these answers, whatever the flavour is."""
    return step.render(version, {**answers, "iac": "sam"}).files["template.yaml"]


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


def _is_code(path: str) -> bool:
    """Whether a file may import what fixes change, or be imported by it."""
    return path.startswith(("src/", "tests/")) and path.endswith(SOURCES)


def _on_disk(project: Path) -> Iterator[tuple[str, bytes]]:
    """The code in a project's folder, with what is not committed."""
    for top in ("src", "tests"):
        for file in (project / top).rglob("*"):
            if file.is_file() and file.suffix in SOURCES and "node_modules" not in file.parts:
                yield file.relative_to(project).as_posix(), file.read_bytes()


def _state(fixes: Fixes, fix: Fix, rendering: Rendering) -> FixState:
    return FixState(
        id=fix.id,
        state="applied" if fix in fixes.applied else "open",
        reason=fix.released.reason,
        files=fixes.files(fix),
        proofs=sorted(path for path in rendering.files if fix.released.is_shown_by(path)),
    )


@contextmanager
def _scratch() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sls-patterns-") as name:
        yield Path(name)
