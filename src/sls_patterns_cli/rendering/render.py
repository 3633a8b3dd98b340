"""Makes new projects: whole, or nothing at all."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import ANSWERS_FILE, Given, rendered
from sls_patterns_cli.rendering.refusals import refuse_unasked, refuse_without_effect
from sls_patterns_cli.rendering.renderer import Renderer
from sls_patterns_cli.rendering.template_cache import TemplateCache
from sls_patterns_cli.rendering.template_errors import explained
from sls_patterns_cli.system import git, interrupts
from sls_patterns_cli.system.new_folder import PREFIX, Staging, absolute, refuse_unless_free

PROOFS_SUFFIX = "-e2e"
"""Ends the name of each stack that `make e2e` deploys, and whose data it destroys."""

Answered = MutableMapping[str, Any]
"""What somebody has answered so far, by question."""


@dataclass(frozen=True)
class Project:
    """A project that was made; `files` are relative to `path`, and without git's own."""

    path: Path
    answers: dict[str, Any]
    files: list[str]
    has_repository: bool
    git_problem: str | None
    """Why there is no repository though one was wanted, and what to do, as one line."""


def create(
    given: Given,
    target: Path | None,
    *,
    ask: bool,
    repository: bool,
    answered: Answered | None = None,
) -> Project:
    """Make a project from the template: whole, or nothing at all.

    `given` answers questions; what it leaves open is asked for if `ask`, else defaults are taken.
    `answered` is filled with what was asked for and answered, also if this fails.
    `target` is the new folder, by default one in the current folder with the project's name. With
    `repository` it becomes a git repository unless it lies in one. Raises UserError for a wrong
    answer or a target that is not free, KeyboardInterrupt if the user ended it, and what
    `interrupts.allowed` raises if a signal did.
    """
    place = target
    with explained(given, lambda: place):
        cache = TemplateCache()
        renderer = Renderer(catalog.template_root(), cache)
        refuse_unasked(given, renderer.questions, renderer.jinja)
        answers = _answers(renderer, given, target, {} if answered is None else answered, ask=ask)
        hidden = renderer.questions.keys() - answers["_copier_answers"].keys()
        refuse_without_effect(given, renderer.questions, hidden)
        if answers["pattern"] in catalog.slugs():
            catalog.refuse_stale(answers["pattern"])
        place = _free_place(given, target, answers["project_name"])
        with Staging(place) as staging:
            renderer.write(answers, staging.folder)
            cache.save()
            return _finish(staging, repository=repository)


def _answers(
    renderer: Renderer, given: Given, target: Path | None, answered: Answered, *, ask: bool
) -> dict[str, Any]:
    """The answers to all questions; `answered` is filled with those that somebody gives now."""
    data = {
        "_src_path": catalog.template_address(),
        "_commit": f"v{catalog.version()}",
        "new_project": True,
        **{question: answer for question, (_, answer) in given.items()},
    }
    # Only its name is of use before there is a name.
    place = target or absolute(Path(f"{PREFIX}later"))
    if not ask:
        return renderer.answers(data, place)

    from sls_patterns_cli.rendering.interview import Interview

    def objection(question: str, answer: Any) -> str:
        if question == "project_name":
            try:
                _free_place(given, target, answer)
            except UserError as error:
                return error.message
        return ""

    # Before somebody has answered other questions.
    for name, (_, answer) in given.items():
        renderer.question(name, renderer.begun(data, place)).checked(answer)
    if "project_name" in given:
        _free_place(given, target, given["project_name"][1])
    with interrupts.allowed():
        return Interview(answered, objection).conduct(
            lambda answer: renderer.answers(data, place, answer),
            lambda answers: target or absolute(Path(answers["project_name"])),
        )


def _free_place(given: Given, target: Path | None, name: str) -> Path:
    """Where a project of that name will be; raises UserError if it cannot be there."""
    _refuse_name_of_proofs(given, name)
    place = target or absolute(Path(name))
    refuse_unless_free(place)
    return place


def _refuse_name_of_proofs(given: Given, name: str) -> None:
    """Raise UserError for a name by which a stack is taken for one that proofs may destroy.

    The template accepts it: updates of projects that have such a name render them, too.
    """
    if name.endswith(PROOFS_SUFFIX):
        option = given["project_name"][0] if "project_name" in given else "--name"
        raise UserError(
            f"{option}: {name} is not a name for a service: only the stacks of proofs end in "
            f"{PROOFS_SUFFIX}, and they are not protected from deletion"
        )


def _finish(staging: Staging, *, repository: bool) -> Project:
    """Commit what was rendered and move it into place."""
    folder, place = staging.folder, staging.destination
    answers = rendered((folder / ANSWERS_FILE).read_bytes())
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    outer = git.repository_around(place)
    problem = None
    if repository and outer is None:
        message = f"Create {answers['project_name']} from the pattern {answers['pattern']}"
        problem = git.first_commit(folder, message)
    elif repository:
        problem = (
            f"the project is in the git repository {outer}: commit it there, as an update needs "
            "that; GitHub reads .github only at the top of a repository"
        )
    staging.publish()
    return Project(place, answers, files, repository and problem is None, problem)
