"""What an update does to a project, or would do: the record that is printed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sls_patterns_cli.updating.alarms import AlarmChanges
from sls_patterns_cli.updating.fixes import Review
from sls_patterns_cli.updating.replaced import Replaced


@dataclass(frozen=True)
class Conflict:
    """A file that both sides changed.

    `template` is where the template's side is, if the file is as the user had it; if it is None,
    both sides are in the file between markers.
    """

    path: str
    template: str | None = None


@dataclass(frozen=True)
class Kept:
    """A file that the template removed and that stays.

    It has the user's edits, and is now `renamed_to` in the template if that is known; or a file of
    the user's, `imported_by`, imports it.
    """

    path: str
    renamed_to: str | None = None
    imported_by: str | None = None


@dataclass(frozen=True)
class Renamed:
    """A file of the template's that the user has renamed to `now`: what changed is merged there."""

    path: str
    now: str


@dataclass(frozen=True)
class Waiting:
    """A proof of a fix that is still to review; `template` is the file that holds it until then."""

    path: str
    template: str


@dataclass(frozen=True)
class FixState:
    """How a project stands to a fix of the template in files that are the user's."""

    id: str
    state: Literal["applied", "open", "waived"]
    reason: str
    """What was wrong, and what changes."""
    files: list[str]
    """The files of the project that it changes, or that it changed."""
    proofs: list[str]
    """The files of the proofs that show it."""
    waived: str | None = None
    """Why the user does not want it."""


@dataclass(frozen=True)
class Handover:
    """Where an update has put what is left to the user; all of it outside of what git tracks."""

    message: Path
    """The message of a commit of the update."""
    patch: Path | None = None
    """The open fixes as one patch; None if there are none, as for `texts`."""
    texts: Path | None = None
    """The folder with a text for each open fix."""


@dataclass
class Changes:
    """What an update does to a project; paths are relative to it."""

    updated: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    """The user's files for what the template does not have any more, such as a node's handler."""
    not_needed: list[str] = field(default_factory=list)
    """The user's unit tests of code that stays, and that the template tests itself now."""
    unfit: list[str] = field(default_factory=list)
    """The user's files that the template has otherwise for the new answers."""
    differences: dict[str, str] = field(default_factory=dict)
    """What the new answers change in the template's own version of each of these files."""
    fixed: list[str] = field(default_factory=list)
    """The user's files that fixes have changed, as the user asked for."""
    to_review: list[Review] = field(default_factory=list)
    """The user's files for which the template has a fix that is open."""
    waiting: list[Waiting] = field(default_factory=list)
    """Proofs of these fixes, which would fail without them."""
    offered: list[str] = field(default_factory=list)
    """New files that would be the user's, and so were not written."""
    skipped: list[str] = field(default_factory=list)
    """Files that changed in the template, and that the user has removed."""
    renamed: list[Renamed] = field(default_factory=list)
    """Files that changed in the template, and that the user has renamed."""
    reworded: int = 0
    """Places where the template changed words alone, and the user the same lines, which stay."""

    @property
    def must_be_settled(self) -> bool:
        """Whether something is left to do by hand: wiring may call offered code, but no test."""
        code = [path for path in self.offered if path.startswith("src/")]
        yours = self.orphaned or self.unfit or self.to_review
        edited = [kept for kept in self.kept if not kept.imported_by]
        return bool(self.conflicts or edited or yours or code)


@dataclass(frozen=True)
class Outcome:
    """An update that was made, or would be."""

    path: Path
    version: str
    """What the project was made from."""
    base: str
    """What was compared with: `version`, or the release before it if that is a development one."""
    target: str
    answers: dict[str, tuple[Any, Any]]
    """The answers that changed: what each was, and is."""
    of_new_projects: Mapping[str, str]
    """What new projects get for questions that are asked for the first time, where this project
    has another answer."""
    changes: Changes
    replaced: list[Replaced]
    """The resources that the next deployment replaces, because of the answers."""
    alarms: AlarmChanges
    fixes: list[FixState]
    """The fixes that were applied, and those that are open."""
    changes_something: bool
    """Whether there is anything to write or remove."""
    handover: Handover | None = None
    """What is left to the user; None if nothing was changed."""

    @property
    def must_be_settled(self) -> bool:
        """Whether something is left to do by hand."""
        return self.changes.must_be_settled

    def as_dict(self) -> dict[str, Any]:
        """The outcome as `update --json` prints it."""
        return {
            "path": str(self.path),
            "from": self.version,
            "base": self.base,
            "to": self.target,
            "answers": {
                question: {
                    "from": before,
                    "to": after,
                    **(
                        {"new_projects": self.of_new_projects[question]}
                        if question in self.of_new_projects
                        else {}
                    ),
                }
                for question, (before, after) in self.answers.items()
            },
            "replaced": [asdict(each) for each in self.replaced],
            "alarms": asdict(self.alarms),
            **asdict(self.changes),
            "fixes": [asdict(fix) for fix in self.fixes],
            "handover": self._handed_over(),
            "must_be_settled": self.must_be_settled,
        }

    def _handed_over(self) -> dict[str, str | None] | None:
        if self.handover is None:
            return None
        return {key: str(path) if path else None for key, path in vars(self.handover).items()}


@dataclass(frozen=True)
class Status:
    """A project compared with its template."""

    path: Path
    version: str
    newest: str
    refused: str | None
    """Why an update would be refused, as one line."""
    update: Outcome | None
    """What an update would do; None if it would do nothing or be refused."""
    edited: list[str]
    """Files that belong to the template and differ from what it made."""
    missing: list[str]
    """Files that belong to the template and are not there."""
    offered: list[str]
    """Files of the newest version that would be the user's, and are not there."""
    fixes: list[FixState]
    """The fixes that are open or waived, of the updates so far."""
    reviews: list[Review]
    """What the open ones change."""

    def as_dict(self) -> dict[str, Any]:
        """The status as `status --json` prints it."""
        return {
            "path": str(self.path),
            "version": self.version,
            "newest": self.newest,
            "refused": self.refused,
            "update": self.update.as_dict() if self.update else None,
            "drift": {"edited": self.edited, "missing": self.missing},
            "offered": self.offered,
            **self.fixes_as_dict(),
        }

    def fixes_as_dict(self) -> dict[str, Any]:
        """The fixes as `status --fixes --json` prints them, with what the open ones change."""
        return {
            "fixes": [asdict(fix) for fix in self.fixes],
            "to_review": [asdict(review) for review in self.reviews],
        }
