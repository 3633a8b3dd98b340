"""What `update` prints of several projects: how each stands, and what to do next."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sls_patterns_cli.system.new_folder import absolute
from sls_patterns_cli.terminal import output
from sls_patterns_cli.terminal.output import heading, paragraph, shown, table
from sls_patterns_cli.terminal.progress import Progress

if TYPE_CHECKING:
    from sls_patterns_cli.updating.fleet import Result, State
    from sls_patterns_cli.updating.outcome import Outcome

_STATES: "tuple[State, ...]" = ("updated", "to-settle", "unchanged", "refused")
"""In the order in which they are counted."""


def announced(
    update: "Callable[[Path], Outcome]", folders: Sequence[Path], progress: Progress
) -> "Callable[[Path], Outcome]":
    """The same, with a line before each project: its name, and how many there are."""
    numbers = count(1)

    def update_and_say(folder: Path) -> "Outcome":
        progress.log(f"{next(numbers)}/{len(folders)} {absolute(folder).name}")
        return update(folder)

    return update_and_say


def show_fleet(results: "Iterator[Result]", *, json: bool, made: bool) -> int:
    """Update by going through the results, and print them; also those before an interruption.

    Returns the exit code: 2 if a project was refused, else 3 if something is left to settle.
    """
    done: list[Result] = []
    try:
        done.extend(results)
    finally:
        if done and json:
            output.show_json({"projects": [result.as_dict() for result in done]})
        elif done:
            _show(done, made=made)
    states = {result.state for result in done}
    return 2 if "refused" in states else 3 if "to-settle" in states else 0


def _show(results: "list[Result]", *, made: bool) -> None:
    heading("Projects" if made else "Projects, as they would be")
    table([(shown(each.path), _versions(each), _told(each)) for each in results])
    counts = Counter(result.state for result in results)
    parts = [f"{_in_words(state)} {counts[state]}" for state in _STATES if counts[state]]
    paragraph(f"{len(results)} projects: {', '.join(parts)}")
    if made:
        for step in _steps(results):
            paragraph(step)


def _versions(result: "Result") -> str:
    outcome = result.outcome
    if outcome is None:
        return ""
    same = outcome.version == outcome.target
    return outcome.version if same else f"{outcome.version} -> {outcome.target}"


def _told(result: "Result") -> str:
    outcome = result.outcome
    if outcome is None:
        return f"refused: {result.refused}"
    left = ", ".join(f"{name} {count}" for name, count in _counts(outcome).items() if count)
    where = f", on branch {result.branch}" if result.branch else ""
    return f"{_in_words(result.state)}{where}{f': {left}' if left else ''}"


def _in_words(state: "State") -> str:
    return state.replace("-", " ")


def _counts(outcome: "Outcome") -> dict[str, int]:
    changes = outcome.changes
    return {
        "files": len(changes.updated) + len(changes.added) + len(changes.removed),
        "fixes applied": sum(fix.state == "applied" for fix in outcome.fixes),
        "conflicts": len(changes.conflicts),
        "open fixes": sum(fix.state == "open" for fix in outcome.fixes),
        "resources replaced": len(outcome.replaced),
    }


def _steps(results: "list[Result]") -> Iterator[str]:
    if any(result.outcome and result.outcome.handover for result in results):
        yield "review each project with git diff, run make test, and commit"
    if any(result.branch for result in results):
        yield "push each branch; the CI workflow of the project checks it"
    if any(result.state == "to-settle" for result in results):
        yield "sls-patterns status PATH shows what is left in a project"
