"""What `update`, `status` and `fix` print: what changed, what is left, and what to do next."""

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sls_patterns_cli.rendering import answers
from sls_patterns_cli.terminal.output import (
    bold,
    heading,
    paragraph,
    show,
    shown,
    shown_quoted,
    table,
)

if TYPE_CHECKING:
    from sls_patterns_cli.updating.fixes import Review
    from sls_patterns_cli.updating.outcome import Changes, FixState, Outcome, Status


def show_update(outcome: "Outcome", *, made: bool) -> None:
    """Print what an update changed, or would change, and what is left to do by hand."""
    show(bold(f"{shown(outcome.path)}: {outcome.version} -> {outcome.target}"))
    _show_changes(outcome)
    if made and (outcome.handover or outcome.must_be_settled):
        heading("Next")
        _show_next(outcome)


def _show_next(outcome: "Outcome") -> None:
    """Print the counts of what is done and left, and the commands that go on."""
    changes = outcome.changes
    counts = {
        "files merged": len(changes.updated) + len(changes.added) + len(changes.removed),
        "fixes applied": sum(fix.state == "applied" for fix in outcome.fixes),
        "conflicts": len(changes.conflicts),
        "open fixes": sum(fix.state == "open" for fix in outcome.fixes),
        "others to settle": len(list(_settling_rows(changes))) - len(changes.conflicts),
    }
    paragraph(", ".join(f"{name} {count}" for name, count in counts.items() if count))
    for purpose, command in _steps(outcome):
        paragraph(f"{purpose}:")
        show(f"    {command}")


def _steps(outcome: "Outcome") -> Iterator[tuple[str, str]]:
    """What to do next, and by which command, in the current folder."""
    folder, handover = shown(outcome.path), outcome.handover
    git = "git" if folder == "." else f"git -C {shlex.quote(folder)}"
    if outcome.changes.conflicts:
        yield "settle the conflicts", f"{git} status"
    if handover is None:
        return
    yield "review the changes, then run make lint and make test", f"{git} diff"
    yield "commit", f"{git} add --all . && {git} commit -F {shlex.quote(str(handover.message))}"
    if handover.patch and handover.texts:
        patch = shlex.quote(str(handover.patch))
        yield "then merge the open fixes into your files", f"{git} apply --3way {patch}"
        yield "or give a coding agent the text of each", f"ls {shown_quoted(handover.texts)}"
        yield "or do without one", "sls-patterns fix --waive ID --reason TEXT"


def _show_changes(outcome: "Outcome") -> None:
    if outcome.base != outcome.version:
        paragraph(
            f"{outcome.version} is a development version that cannot be found: the project was "
            f"compared with {outcome.base}, so what changed in between counts as your edit."
        )
    rows = [
        (
            f"answer {question}",
            _new_answer(outcome, question, after)
            if before is None and question not in answers.SEVERAL
            else f"{answers.shown(before)} -> {answers.shown(after)}",
        )
        for question, (before, after) in outcome.answers.items()
    ]
    rows += _change_rows(outcome.changes)
    rows += [
        ("renamed", f"{each.path} is {each.now} here, and what changed was merged there")
        for each in outcome.changes.renamed
    ]
    if reworded := outcome.changes.reworded:
        what = "places where the template changed words alone, and you the same lines"
        rows.append(("reworded", f"{what}: {reworded}; yours stay"))
    if rows:
        table(rows)
    else:
        show("  nothing changes")
    if outcome.replaced:
        heading("Replaced by the next deployment; their data does not move")
        table([(each.id, each.type) for each in outcome.replaced])
    if outcome.alarms:
        heading("Alarms of the next deployment")
        told = {
            "new": outcome.alarms.new,
            "changed": outcome.alarms.changed,
            "gone": outcome.alarms.gone,
        }
        table([(what, ", ".join(ids)) for what, ids in told.items() if ids])
    settling = list(_settling_rows(outcome.changes))
    if settling:
        heading("To settle by hand")
        table(settling)
    if outcome.changes.differences:
        heading("To adapt: what the new answers change in the template's own files")
        for difference in outcome.changes.differences.values():
            show(difference.rstrip())
    _show_applied([fix for fix in outcome.fixes if fix.state == "applied"])
    if outcome.changes.to_review:
        _show_reviews(
            [fix for fix in outcome.fixes if fix.state == "open"], outcome.changes.to_review
        )
        _show_waiting(outcome.changes)


def _new_answer(outcome: "Outcome", question: str, answer: object) -> str:
    """What a question that is asked for the first time got, and how to have what is new."""
    new = outcome.of_new_projects.get(question)
    told = f"; new projects get {new}: update --data {question}={new}" if new else ""
    return f"{answer}, a new question{told}"


def _show_applied(fixes: Sequence["FixState"]) -> None:
    if fixes:
        heading("Applied fixes: files of yours that were as released")
    for fix in fixes:
        paragraph(fix.reason, first=f"  {bold(fix.id)}  ")
        paragraph(", ".join(fix.files), indent="    ")


def _show_reviews(fixes: Sequence["FixState"], reviews: Sequence["Review"]) -> None:
    heading("To review: fixes for files that are yours and were not changed")
    for fix in fixes:
        paragraph(fix.reason, first=f"  {bold(fix.id)}  ")
    for review in reviews:
        ids = ", ".join(fix.id for fix in fixes if review.path in fix.files)
        show(f"\n{bold(f'  {review.path}')}  {ids}")
        show(review.diff.rstrip())


def _show_waiting(changes: "Changes") -> None:
    for waiting in changes.waiting:
        paragraph(
            f"{waiting.template} is a proof that fails without these fixes: apply them, then run "
            "sls-patterns fix --prove ID, which puts it into place."
        )


def show_fixes(status: "Status") -> None:
    """Print the fixes of a project that are open, and those that are waived."""
    open_ = [fix for fix in status.fixes if fix.state == "open"]
    show(bold(f"{shown(status.path)}: {status.version}, open fixes: {len(open_)}"))
    if open_:
        _show_reviews(open_, status.reviews)
    if waived := [fix for fix in status.fixes if fix.state == "waived"]:
        heading("Waived")
        table([(fix.id, fix.waived or "") for fix in waived])


def show_status(status: "Status") -> None:
    """Print how a project stands to its template."""
    folder = shown(status.path)
    show(bold(f"{folder}: {status.version}, newest {status.newest}"))
    if status.refused:
        paragraph(f"An update would be refused: {status.refused}")
    if status.update:
        heading(f"An update to {status.update.target} would change")
        _show_changes(status.update)
    if status.fixes:
        heading("Fixes for files of yours; status --fixes shows what they change")
        table([(fix.state, fix.id, fix.waived or fix.reason) for fix in status.fixes])
    heading("Drift from the template")
    drift = [("edited", path) for path in status.edited]
    drift += [("missing", path) for path in status.missing]
    if drift:
        table(drift)
    else:
        show("  none")
    if status.offered:
        heading("On offer: new files that would be yours")
        table([("new", path) for path in status.offered])


def _change_rows(changes: "Changes") -> list[tuple[str, str]]:
    return [
        (what, path)
        for what, paths in (
            ("updated", changes.updated),
            ("added", changes.added),
            ("removed", changes.removed),
            ("fixed", changes.fixed),
            ("on offer", changes.offered),
            ("skipped", changes.skipped),
        )
        for path in paths
    ] + [
        (
            "not needed",
            f"{path} is yours; the template tests this code itself, so you may remove it",
        )
        for path in changes.not_needed
    ]


def _settling_rows(changes: "Changes") -> Iterator[tuple[str, str]]:
    for conflict in changes.conflicts:
        if conflict.template:
            where = f"is yours and was not changed; the template's is {conflict.template}"
        else:
            where = "holds both sides between markers; choose, then git add it"
        yield ("conflict", f"{conflict.path} {where}")
    for kept in changes.kept:
        if kept.imported_by:
            by = f"{kept.imported_by} imports it: it works as before"
            yield ("kept", f"{kept.path} is removed from the template, and {by}")
            continue
        now = f"is now {kept.renamed_to}" if kept.renamed_to else "is removed from the template"
        yield (
            "kept",
            f"{kept.path} {now}; your edits are still in it: move them, then remove the file",
        )
    for path in changes.orphaned:
        yield ("orphaned", f"{path} is yours, and the template no longer has what it belonged to")
    for path in changes.unfit:
        yield (
            "to adapt",
            f"{path} is yours, and is different in the template with the new answers",
        )
    for path in changes.offered:
        if path.startswith("src/"):
            yield ("to write", f"{path} is called by the new wiring; write it, it is yours")
