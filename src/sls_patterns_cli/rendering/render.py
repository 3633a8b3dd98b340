"""Renders new projects with Copier, which takes 300 ms to import: import this module lazily."""

import re
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import yaml

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import Given, rendered
from sls_patterns_cli.rendering.copier_errors import explained
from sls_patterns_cli.rendering.copier_parts import (
    Question,
    SandboxedEnvironment,
    SettingsModel,
    Template,
    Worker,
)
from sls_patterns_cli.rendering.template_cache import Key, TemplateCache
from sls_patterns_cli.system import git, interrupts
from sls_patterns_cli.system.new_folder import PREFIX, Staging, absolute, refuse_unless_free

if TYPE_CHECKING:
    from sls_patterns_cli.rendering.interview import Interview

# Copier parses YAML with PyYAML's slow loader; the C one saves about 40 ms of each `new`.
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # type: ignore[misc]

PROOFS_SUFFIX = "-e2e"
"""Ends the name of each stack that `make e2e` deploys, and whose data it destroys."""

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
"""A number that is no text of thousands of digits, which Python refuses to read."""

LIST = re.compile(r"\[[\w\s,.-]*\]")
"""A list of names as YAML has it."""

Answered = MutableMapping[str, Any]
"""What somebody has answered so far, by question."""

Compiled = MutableMapping[Key, CodeType]
"""Jinja's code of templates, wherever they were."""


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
    with ExitStack() as stack:

        def stage(answers: Mapping[str, Any]) -> Staging:
            nonlocal place
            if answers["pattern"] in catalog.slugs():
                catalog.refuse_stale(answers["pattern"])
            place = _free_place(given, target, answers["project_name"])
            return stack.enter_context(Staging(place))

        def objection(question: str, answer: Any) -> str:
            if question == "project_name":
                try:
                    _free_place(given, target, answer)
                except UserError as error:
                    return error.message
            return ""

        worker = stack.enter_context(_worker(given, place, ask=ask))
        worker.given, worker.stage, worker.target = given, stage, target
        if ask:
            from sls_patterns_cli.rendering.interview import Interview

            worker.interview = Interview({} if answered is None else answered, objection)
        with explained(given, lambda: place):
            worker.run_copy()
            worker.keep_compiled()
            return _finish(worker, repository=repository)


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


def _worker(given: Given, target: Path | None, *, ask: bool) -> "_Worker":
    return _Worker(
        src_path=str(catalog.template_root()),
        # Only its name is of use until the questions are answered: Copier then gets another folder.
        dst_path=target or absolute(Path(f"{PREFIX}later")),
        data={
            "_src_path": catalog.template_address(),
            "_commit": f"v{catalog.version()}",
            # The template would look for recorded answers, and Copier warn that there are none.
            "new_project": True,
            **{question: answer for question, (_, answer) in given.items()},
        },
        # Not the user's own for Copier: they would change defaults, or be broken.
        settings=SettingsModel(),
        defaults=not ask,
        quiet=True,
        cleanup_on_error=False,
    )


def _finish(worker: "_Worker", *, repository: bool) -> Project:
    """Commit what was rendered and move it into place."""
    folder, place = worker.staging.folder, worker.staging.destination
    answers = rendered((folder / worker.answers_relpath).read_bytes())
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
    worker.staging.publish()
    return Project(place, answers, files, repository and problem is None, problem)


class QuickWorker(Worker):
    """Copier's worker for a folder that is nobody's yet, without what costs time there.

    What is private in Copier (copier_parts) is overridden here, in prompts and in versions alone;
    `tests/cli/test_render.py` and `tests/update/test_versions.py` fail when Copier changes it.
    """

    @cached_property
    def compiled(self) -> Compiled:
        """What was compiled already."""
        return {}

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        """Copier's environment, which compiles the same text only once (saves about 80 ms)."""
        environment = super().jinja_env
        compile_text = environment.compile
        compiled = self.compiled
        settings = repr(sorted(self.template.envops.items()))

        def compile_once(
            source: str, name: str | None = None, filename: str | None = None, **options: Any
        ) -> CodeType:
            key = (source, name, settings)
            if key in compiled:
                # Compiling has an effect that must not be lost: it resets the yield tag.
                environment.preprocess(source, name, filename)
            else:
                compiled[key] = compile_text(source, name, filename, **options)
            # The file that an error message names may be another one.
            return compiled[key].replace(co_filename=filename or "<template>")

        environment.compile = compile_once  # type: ignore[method-assign,assignment]
        return environment

    @cached_property
    def answers_relpath(self) -> Path:
        """The answers file; Copier renders its name anew for each part of each path."""
        return super().answers_relpath

    def defaults_of_new_projects(self) -> dict[str, str]:
        """The defaults of new projects that are others than those of the projects there are."""
        context = self._render_context()
        found = {}
        for question, details in self.template.questions_data.items():
            default = details.get("default")
            if details.get("when") is not False and isinstance(default, str):
                text = self.jinja_env.from_string(default)
                new, recorded = (
                    text.render({**context, "new_project": is_new}) for is_new in (True, False)
                )
                if new != recorded:
                    found[question] = new
        return found

    def _render_template(self) -> None:
        """Render all files with one context: no answer changes any more (saves about 20 ms)."""
        # The name of the answers file is worked out first: that changes the context it is given.
        _, context = self.answers_relpath, self._render_context()

        def render_context() -> Mapping[str, Any]:
            # Copier renders a name here, which resets the yield tag of the path before its file.
            self.jinja_env.preprocess("")
            return context

        vars(self)["_render_context"] = render_context
        try:
            super()._render_template()
        finally:
            del vars(self)["_render_context"]

    def _render_string(self, string: str, extra_context: dict[str, Any] | None = None) -> str:
        """Render a string, most of which hold nothing to be rendered."""
        if "{" in string or "\n" in string:
            return super()._render_string(string, extra_context)
        self.jinja_env.preprocess(string)  # resets the yield tag
        return string

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """Nothing: a new folder has no index yet; a process for each file costs about 25 ms."""


class _Worker(QuickWorker):
    """The worker for a new project and for a template that is a plain folder."""

    given: Given
    stage: Callable[[Mapping[str, Any]], Staging]
    staging: Staging
    target: Path | None
    interview: "Interview | None" = None

    @cached_property
    def compiled(self) -> Compiled:
        """What was compiled already, by earlier commands too."""
        self._kept = TemplateCache().load()
        return dict(self._kept)

    def keep_compiled(self) -> None:
        """Keep for the next command what this one compiled."""
        if self.compiled.keys() != self._kept.keys():
            TemplateCache().save(self.compiled)

    def _ask(self) -> None:
        """Refuse what Copier drops in silence, and make the folder: its name may be an answer."""
        refuse_unasked(self.given, self)
        if self.interview:
            self._refuse_invalid()
            with interrupts.allowed():
                self.interview.conduct(super()._ask, self._place)
        else:
            super()._ask()
        refuse_without_effect(self.given, self)
        self.staging = self.stage(self.answers.combined)
        self.dst_path = self.staging.folder
        del self.subproject

    def _place(self) -> Path:
        return self.target or absolute(Path(self.answers.combined["project_name"]))

    def _refuse_invalid(self) -> None:
        """Raise what Copier would raise in its turn, when somebody had answered other questions."""
        for name, (_, answer) in self.given.items():
            details = self.template.questions_data[name]
            if "validator" in details:
                question = Question(
                    var_name=name,
                    answers=self.answers,
                    context=self._render_context(),
                    jinja_env=self.jinja_env,
                    **details,
                )
                question.validate_answer(answer)
        if "project_name" in self.given:
            _free_place(self.given, self.target, self.given["project_name"][1])

    @cached_property
    def template(self) -> Template:
        """The template as the plain folder it is.

        Copier would render the last tag of an editable install's repository, and runs four git
        processes to find out that package data is none.
        """
        template = super().template
        vars(template)["vcs"] = None
        return template


TRUTHS = ("true", "false")
"""The answers to a question that is answered by yes or no."""


def refuse_unasked(given: Given, worker: Worker) -> None:
    """Raise UserError for what is no question, or one that Copier computes and never asks.

    So it does for what is no answer to a question that is answered by yes or no, or by a number,
    and for what is no list where the question takes several.
    """
    questions = worker.template.questions_data
    asked = [
        question for question, details in questions.items() if details.get("when") is not False
    ]
    for question, (option, _) in given.items():
        if question not in asked:
            raise UserError(f"{option} is not a question; the questions are: {', '.join(asked)}")
    for question, (option, value) in given.items():
        details = questions[question]
        # Copier would take any other text for true.
        if details.get("type") == "bool" and value not in TRUTHS:
            raise UserError(f"{option} is {value!r}; choose from: {', '.join(TRUTHS)}")
        # Copier would say what Python's int() says; the question's own check says what is allowed.
        if details.get("type") == "int" and not WHOLE_NUMBER.fullmatch(value):
            check = worker.jinja_env.from_string(details.get("validator", ""))
            says = check.render({question: value}).strip()
            raise UserError(f"{option}: {says or f'{value!r} is not a whole number'}")
        if details.get("multiselect") and not LIST.fullmatch(value):
            raise UserError(f"{option}: {value!r} is not a list of names, such as [one, another]")


def refuse_without_effect(given: Given, worker: Worker) -> None:
    """Raise UserError for an answer to what `worker` did not ask for with the other answers."""
    for question, (option, _) in given.items():
        # One with choices was checked against them; any other value would change nothing. Where one
        # takes several, there was none to choose.
        details = worker.template.questions_data[question]
        checked = details.get("choices") and not details.get("multiselect")
        if question in worker.answers.hidden and not checked:
            raise UserError(f"{option} is not asked for with these answers")
