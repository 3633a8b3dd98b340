"""What `new` prints of the project that it has made."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sls_patterns_cli.rendering import answers
from sls_patterns_cli.terminal.output import bold, is_interactive, paragraph, show, shown, table

if TYPE_CHECKING:
    from sls_patterns_cli.rendering.render import Project


def show_project(
    project: "Project",
    missing_tools: Sequence[str],
    again: Sequence[str] | None = None,
    *,
    proven: bool = True,
) -> None:
    """Print a new project's tree, its variant, what to do next and what is in the way.

    `again` is the command that would have given the same answers. A project that is not `proven`
    has no proofs, since the local stack cannot run it.
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
    if again:
        show(f"\nThe same without questions:\n  {shlex.join(again)}")


def _tree(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each folder with the names of the files in it."""
    folders: dict[str, list[str]] = {}
    for file in files:
        path = Path(file)
        folders.setdefault(path.parent.as_posix(), []).append(path.name)
    for folder in sorted(folders):
        yield ("." if folder == "." else f"{folder}/", " ".join(folders[folder]))
