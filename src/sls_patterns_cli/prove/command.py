"""The command: proves, prints, and says by its exit code what came out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import server
from sls_patterns_cli.prove import text
from sls_patterns_cli.prove.report import Report, Say, reports
from sls_patterns_cli.prove.verdict import FAULTS, LOSING
from sls_patterns_cli.terminal import output
from sls_patterns_cli.wiring.model import Edge

PROVEN, LOSES, UNUSABLE = 0, 1, 2


def run(path: Path, edges: Sequence[str], faults: Sequence[str], *, json: bool) -> int:
    """Prove the templates at a path, print the result, and return the exit code.

    It is LOSES if an edge loses what fails, or tries it for ever, and UNUSABLE if nothing could be
    deployed. Raises UserError for unknown edges and faults.
    """
    server.require()
    known = [fault for fault in faults if fault in FAULTS]
    if unknown := [fault for fault in faults if fault not in FAULTS]:
        raise UserError(f"{unknown[0]} is no fault; choose from: {', '.join(FAULTS)}")
    watched = not json and output.is_interactive()
    with _shown(json=json, watched=watched) as say:
        found = list(reports(path, known, _wanted(edges), say))
    if edges and not any(report.rows or report.problem for report in found):
        raise UserError(f"{path} has no edge {', '.join(edges)}; `sls-patterns check` lists them")
    if json:
        _show_json(found)
    else:
        if watched:
            from sls_patterns_cli.prove import in_terminal

            in_terminal.draw(found)
        text.summary(found)
    for report in found:
        if report.problem:
            output.show_error(f"{report.source.file}: {report.problem}")
    return _code(found)


def _shown(*, json: bool, watched: bool) -> AbstractContextManager[Say]:
    """Return what says each row as soon as it is known: not to a program, live to a person."""
    if watched:
        from sls_patterns_cli.prove import in_terminal

        return in_terminal.live()
    return nullcontext((lambda *_: None) if json else text.say)


def _wanted(edges: Sequence[str]) -> Callable[[Edge], bool]:
    """Return what tells whether an edge was asked for, by `source=>target`."""
    names = {edge.replace(" ", "") for edge in edges}
    return lambda edge: not names or f"{edge.source}=>{edge.target}" in names


def _code(found: Sequence[Report]) -> int:
    if not any(report.is_deployed for report in found):
        return UNUSABLE
    rows = [row for report in found for row in report.rows]
    return LOSES if any(row.outcome.verdict in LOSING for row in rows) else PROVEN


def _show_json(found: Sequence[Report]) -> None:
    output.show_json(
        {
            "deployed": any(report.is_deployed for report in found),
            "edges": [row.as_dict(report.source.name) for report in found for row in report.rows],
        }
    )
