"""What `prove` found of a template: a row for each edge and fault."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.cloudformation.stack import Stack, listed
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import proving
from sls_patterns_cli.local.emulator.asking import ask
from sls_patterns_cli.local.emulator.names import REGION
from sls_patterns_cli.local.emulator.server import Emulator, unconfigured
from sls_patterns_cli.local.emulator.timescale import Scale
from sls_patterns_cli.prove.comeback import came_back
from sls_patterns_cli.prove.deployment import Deployment, deployed
from sls_patterns_cli.prove.telling import Seen, Telling
from sls_patterns_cli.prove.trials import Trial, faults_of
from sls_patterns_cli.prove.verdict import Fault, Outcome
from sls_patterns_cli.wiring.alarms import Told, told_without, watching
from sls_patterns_cli.wiring.edges import edges
from sls_patterns_cli.wiring.edges.executions import is_failure_rule
from sls_patterns_cli.wiring.model import (
    BUCKET,
    MACHINE,
    QUEUE,
    RULE,
    Edge,
    End,
    machine_at,
)
from sls_patterns_cli.wiring.survey import Form, Route, forms, routes
from sls_patterns_cli.wiring.ways_back import way_back

TIME_FACTOR = 5000
"""Nobody's work takes time, so waits are divided by more than on the local stack."""


@dataclass(frozen=True)
class Row:
    """An edge, a fault, and what came of it."""

    edge: Edge
    fault: Fault | None
    outcome: Outcome
    alarms: tuple[Seen, ...] = ()
    is_unwatched: bool = False
    """Whether it is in a queue that no alarm watches."""
    way_back: str | None = None
    """The way back of what has ended, in words."""

    def as_dict(self, name: Callable[[str], str]) -> dict[str, Any]:
        """Return it as it is printed for programs; `name` shows a logical id."""
        edge, outcome = self.edge, self.outcome
        source, target = name(edge.source), name(edge.target)
        return {
            "edge": f"{source}=>{target}",
            "source": source,
            "target": target,
            "mechanism": edge.mechanism,
            "fault": self.fault,
            "verdict": outcome.verdict,
            "ended_at": name(outcome.ended_at) if outcome.ended_at else None,
            "after_seconds": outcome.after_seconds,
            "alarmed": outcome.alarmed,
            "alarms": [
                {
                    "alarm": name(each.alarm),
                    "minutes": each.minutes,
                    "since": each.since,
                    "tells": each.tells,
                }
                for each in self.alarms
            ],
            "back": outcome.back,
            "taken_along": outcome.taken_along,
        }


@dataclass
class Report:
    """Of one template. `problem` says why nothing of it could be deployed."""

    source: Source
    rows: list[Row]
    problem: str = ""

    @property
    def is_deployed(self) -> bool:
        """Whether any form of it was."""
        return bool(self.rows) or not self.problem


Wanted = Callable[[Edge], bool]
Say = Callable[[Source, Row], None]


def reports(path: Path, faults: Sequence[Fault], wanted: Wanted, say: Say) -> Iterator[Report]:
    """Yield a report of each template at a path; each row is said as soon as it is known.

    Raises UserError where nothing can be read.
    """
    for source in sources(path):
        found = [route for route in routes(list(forms(source))) if wanted(route.edge)]
        yield _report(source, found, faults, say)


def _report(source: Source, found: list[Route], faults: Sequence[Fault], say: Say) -> Report:
    report = Report(source, [])
    for form in {id(route.form): route.form for route in found}.values():
        mine = [route.edge for route in found if route.form is form]
        try:
            with _on_emulator(source, form) as deployment:
                for row in _rows(deployment, mine, faults):
                    report.rows.append(row)
                    say(source, row)
        except UserError as error:
            report.problem = error.message
    return report


@contextmanager
def _on_emulator(source: Source, form: Form) -> Iterator[Deployment]:
    settings = {proving.VARIABLE: "1"}
    with unconfigured(), Emulator(REGION, {}, settings, Scale(TIME_FACTOR)) as emulator:
        control = partial(ask, emulator.port)
        yield deployed(emulator, control, source.template, form.stack, form.values)


def _rows(deployment: Deployment, found: Sequence[Edge], faults: Sequence[Fault]) -> Iterator[Row]:
    for edge in found:
        for fault in _faults(faults_of(deployment.stack, edge), faults):
            yield _row(deployment, edge, fault)


def _faults(possible: Sequence[Fault], wanted: Sequence[Fault]) -> Sequence[Fault | None]:
    """Return the faults to try on an edge, None where there is none to try."""
    if not wanted:
        return possible[:1] or [None]
    return [fault for fault in wanted if fault in possible] or [None]


def _row(deployment: Deployment, edge: Edge, fault: Fault | None) -> Row:
    if fault is None:
        why = "the emulator does not have such failures"
        if faults_of(deployment.stack, edge):
            why = "such an edge cannot fail in this way"
        return Row(edge, None, Outcome("not-emulated", why=why))
    stack = deployment.stack
    trial = Trial(deployment, edge, fault)
    came = trial.run()
    outcome = _with_what_is_kept(stack, edge, came)
    ended = _ended(stack, edge, outcome)
    alarms = tuple(Telling(trial, came, outcome.ended_at).seen())
    way = came_back(deployment, ended) if outcome.verdict == "ended" else None
    alarmed = _alarmed(alarms, told_without(stack, ended))
    end = stack.resources.get(outcome.ended_at or "")
    is_unwatched = end is not None and end.type == QUEUE and not watching(stack, end)
    outcome = replace(outcome, alarmed=alarmed, back=way)
    return Row(edge, fault, outcome, alarms, is_unwatched, way_back(stack, ended))


def _alarmed(alarms: Sequence[Seen], otherwise: Told) -> Told:
    """Return whether somebody is told, by an alarm or otherwise."""
    if any(each.pages for each in alarms):
        return True
    unknown = any(each.tells and each.minutes == "unknown" for each in alarms)
    return otherwise or ("unknown" if unknown else False)


def _with_what_is_kept(stack: Stack, edge: Edge, outcome: Outcome) -> Outcome:
    """Return the outcome of what only tells of a failure: what has failed is where it ended."""
    if outcome.verdict != "lost":
        return outcome
    ends = {each.end.name for each in edges(stack) if each.end.kind == "resource"}
    source = stack.resources.get(edge.source)
    # A bus or topic in which failures end keeps none of them.
    is_kept = source and source.name in ends and source.type in {QUEUE, BUCKET}
    kept = edge.source if is_kept else None
    declared = stack.resources[edge.declared_by]
    if declared.type == RULE and is_failure_rule(declared):
        arns = declared.get("EventPattern", "detail", "stateMachineArn") or []
        machines = [machine for each in listed(arns) if (machine := machine_at(stack, each))]
        machines = machines or list(stack.of_type(MACHINE))
        kept = machines[0].name if machines else kept
    return replace(outcome, verdict="ended", ended_at=kept) if kept else outcome


def _ended(stack: Stack, edge: Edge, outcome: Outcome) -> Edge:
    """Return the edge with the end that was seen."""
    at = outcome.ended_at
    if at is None:
        return replace(edge, end=End("none"))
    return replace(edge, end=End("resource" if at in stack.resources else "outside", at))
