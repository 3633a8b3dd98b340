"""What `new` prints: of the project that it has made, or of the answers if it made none."""

import shlex
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers
from sls_patterns_cli.terminal.output import (
    bold,
    is_interactive,
    paragraph,
    show,
    show_error,
    shown,
    table,
)

if TYPE_CHECKING:
    from sls_patterns_cli.rendering.render import Project

_ENDED_BY_CTRL_C = 128 + signal.SIGINT


def show_project(
    project: "Project",
    missing_tools: Sequence[str],
    *,
    proven: bool = True,
    unasked: bool = False,
) -> None:
    """Print a new project's tree, its variant, what to do next and what is in the way.

    A project that is not `proven` has no proofs, since the local stack cannot run it. `unasked` is
    one for which there were questions, but no terminal.
    """
    folder = shown(project.path)
    show(bold(f"{folder}/"))
    table(_tree(project.files))
    chosen = (
        f"{question.replace('_', ' ')}{'' if answer is True else f' {answers.shown(answer)}'}"
        for question, answer in project.answers.items()
        if question != "project_name" and answer is not False
    )
    show()
    variant = ", ".join(chosen)
    if is_interactive():
        paragraph(variant, indent="")
    else:
        show(variant)
    topology = project.answers["topology"]
    if retired := catalog.entry(project.answers["pattern"]).retired.get(topology):
        show(f"The topology {topology} is retired. {retired}")
    if unasked:
        show("Nothing was asked, without a terminal: what was not given has its default.")
    if (region := project.answers["region"]) not in catalog.regions():
        show(f"{region} is not among the regions that this release knows: check its name.")
    show(f"\nNext{'' if folder == '.' else f', after cd {shlex.quote(folder)}'}:")
    table(
        [
            ("make test", "run the unit tests"),
            *[("sls-patterns local test", "prove it on this machine, without AWS")] * proven,
            ("make deploy", "deploy it to AWS"),
        ]
    )
    if project.git_problem:
        show(f"\n{project.git_problem}")
    if missing_tools:
        names = ", ".join(missing_tools)
        show(f"\nNot installed, and needed by the project: {names}; sls-patterns doctor says how")


@contextmanager
def answers_kept(command: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Within it an error and Ctrl-C are followed by the command that gives the answers so far.

    `command` returns no words if there are none. Other signals say nothing: the terminal may be
    gone.
    """
    try:
        yield
    except UserError as error:
        if not (words := command()):
            raise
        show_error(error.message, error.log)
        _show_so_far(words)
        raise SystemExit(error.exit_code) from error
    except SystemExit as ended:
        if ended.code == _ENDED_BY_CTRL_C and (words := command()):
            _show_so_far(words)
        raise


def _show_so_far(words: Sequence[str]) -> None:
    show(f"\nThe same with the answers so far:\n  {shlex.join(words)}")


def _tree(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each folder with the names of the files in it."""
    folders: dict[str, list[str]] = {}
    for file in files:
        path = Path(file)
        folders.setdefault(path.parent.as_posix(), []).append(path.name)
    for folder in sorted(folders):
        yield ("." if folder == "." else f"{folder}/", " ".join(folders[folder]))
