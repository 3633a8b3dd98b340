"""Writes what an update leaves to the user: a commit's message, a patch, and a text a fix.

They are in git's own folder, where nothing commits them.
"""

import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.updating.fixes import Change
from sls_patterns_cli.updating.outcome import FixState, Handover, Outcome

WIDTH = 100
"""The columns of the texts."""


@dataclass(frozen=True)
class Left:
    """A fix that is open, and what it changes."""

    fix: FixState
    changes: list[Change]


def place(folder: Path, *, left: bool) -> Handover:
    """Where it is in a folder; patch and texts only if fixes are `left`."""
    return Handover(
        folder / "message.txt",
        folder / "fixes.patch" if left else None,
        folder / "fixes" if left else None,
    )


def write(
    outcome: Outcome,
    left: list[Left],
    patch: Callable[[Mapping[str, tuple[bytes, bytes]], Path], bytes],
    scratch: Path,
) -> None:
    """Write all of it where the outcome says, in the place of what an earlier update left.

    `patch` makes a patch of contents by their paths, and `scratch` is for its use. Raises
    UserError if git's own folder cannot be written to.
    """
    if outcome.handover is None:
        return
    folder = outcome.handover.message.parent
    changes = {change.path: change for each in left for change in each.changes}
    sides = {path: (change.before, change.after) for path, change in sorted(changes.items())}
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outcome.handover.message.write_text(commit_message(outcome), "utf-8")
        if outcome.handover.patch:
            outcome.handover.patch.write_bytes(patch(sides, scratch))
        if outcome.handover.texts:
            outcome.handover.texts.mkdir()
            for each in left:
                (outcome.handover.texts / f"{each.fix.id}.md").write_text(text(each), "utf-8")
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}", 1) from error


def commit_message(outcome: Outcome) -> str:
    """The message of a commit of the update: which it was, and why files of the user's changed."""
    subject = f"Update from {outcome.version} to {outcome.target} of the template"
    if outcome.version == outcome.target:
        subject = f"Apply what {outcome.target} of the template has"
    applied = [fix for fix in outcome.fixes if fix.state == "applied"]
    reasons = [_wrapped(f"{fix.reason} ({fix.id})", "- ") for fix in applied]
    return "\n".join([subject, *([""] if reasons else []), *reasons]) + "\n"


def text(left: Left) -> str:
    """What a person or a coding agent needs to apply a fix: why, how, and when it is done."""
    return "\n".join(_paragraphs(left)) + "\n"


def _paragraphs(left: Left) -> Iterator[str]:
    fix = left.fix
    yield f"# Fix {fix.id}\n"
    yield _wrapped(fix.reason)
    yield "\n## Task\n"
    yield _wrapped(
        "Apply this fix to the files below. The differences are those of the template's own files; "
        "the project's files have other changes, which stay. A difference may have lines of other "
        "fixes in the same file: apply them, too, if this one needs them."
    )
    yield "\n## Done when\n"
    for step in acceptance(fix):
        yield f"- {step}"
    for change in left.changes:
        yield f"\n## {change.path}\n"
        fence = "`" * (3 + change.diff.count("```"))
        yield f"{fence}diff\n{change.diff.rstrip()}\n{fence}"


def acceptance(fix: FixState) -> list[str]:
    """The steps that show that a fix is applied."""
    steps = ["`make lint` and `make test` pass."]
    if fix.proofs:
        steps.append(
            f"`sls-patterns fix --prove {fix.id}` passes. It puts the proof into place "
            f"({', '.join(fix.proofs)}) and runs it on this machine, without AWS."
        )
    else:
        steps.append(f"`sls-patterns status --fixes` no longer shows {fix.id}.")
    return steps


def _wrapped(paragraph: str, bullet: str = "") -> str:
    return textwrap.fill(
        paragraph,
        WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
