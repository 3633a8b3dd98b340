"""Who is told of a failure: the alarms of a stack, evaluated over what services report of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sls_patterns_cli.alarms import composite, evaluation
from sls_patterns_cli.alarms.series import Metric, Series
from sls_patterns_cli.cloudformation.stack import Resource
from sls_patterns_cli.prove.datapoints import DAY, MINUTE, Reported, course, reported
from sls_patterns_cli.prove.trials import Trial
from sls_patterns_cli.prove.verdict import LOSING, Outcome
from sls_patterns_cli.wiring import ringing
from sls_patterns_cli.wiring.alarms import (
    ALARM,
    COMPOSITE,
    Query,
    has_actions,
    queries,
    watching,
)

PATIENCE = 7200
"""So many seconds after the end an alarm may go off, or in twice the time that it looks at."""

FROM_THE_START = "the start"


@dataclass(frozen=True)
class Seen:
    """What an alarm does of which a metric tells of a failure.

    `minutes` are those after the event was sent. `since` says of one that is on already for how
    many minutes it has been, or `FROM_THE_START`; `tells` whether it has an action.
    """

    alarm: str
    minutes: ringing.When
    since: int | str | None = None
    tells: bool = True

    @property
    def pages(self) -> bool:
        """Whether somebody is told."""
        return self.tells and isinstance(self.minutes, int)


@dataclass(frozen=True)
class Telling:
    """A failure: what was tried, what became of it on its edge, and where it is kept."""

    trial: Trial
    outcome: Outcome
    end: str | None

    def seen(self) -> Iterator[Seen]:
        """Yield each alarm that watches a metric that tells of the failure, or where it is kept."""
        if self.outcome.verdict not in {"ended", *LOSING}:
            return
        stack = self.trial.deployment.stack
        end = stack.resources.get(self.end or "")
        sources = self._reported(0, 0)
        told = {alarm.name for alarm in stack.of_type(ALARM) if self._concerns(sources, alarm)}
        kept = {alarm.name for alarm in watching(stack, end)} - told if end else set()
        for alarm in stack.of_type(ALARM):
            if alarm.name in told and not _only_in_others(self.trial, alarm):
                yield self._evaluated(alarm, [alarm])
            elif alarm.name in kept:
                yield Seen(alarm.name, "unknown", tells=has_actions(alarm))
        for rule in stack.of_type(COMPOSITE):
            named = _named(self.trial, rule)
            if told & set(named.values()):
                yield self._evaluated(rule, [stack.resources[each] for each in named.values()])

    def _concerns(self, sources: Sequence[Reported], alarm: Resource) -> bool:
        return any(
            query.namespace == each.namespace
            and query.name in each.series.keys() - each.beside
            and each.concerns(self.trial.deployment.stack, query.dimensions)
            for query in queries(alarm)
            for each in sources
        )

    def _evaluated(self, alarm: Resource, watched: Sequence[Resource]) -> Seen:
        """Return what an alarm does, or a rule over the alarms that are watched."""
        tells = has_actions(alarm)
        try:
            sent, changes = self._changes(alarm, watched)
        except (*ringing.UnknownAlarmError, composite.UnknownRuleError):
            return Seen(alarm.name, "unknown", tells=tells)
        before = [each for each in changes if each.at <= sent]
        if before and before[-1].state is evaluation.State.ALARM:
            first = before[-1].at <= MINUTE
            since = FROM_THE_START if first else (sent - before[-1].at) // MINUTE
            return Seen(alarm.name, "already on", since, tells)
        off = ringing.first_on(changes, sent)
        return Seen(alarm.name, "never" if off is None else -(-(off - sent) // MINUTE), tells=tells)

    def _changes(
        self, alarm: Resource, watched: Sequence[Resource]
    ) -> tuple[int, list[evaluation.Change]]:
        """Return when the event is sent, and each change of an alarm."""
        stack = self.trial.deployment.stack
        read = {each.name: ringing.read(stack, each) for each in watched}
        sent = ringing.SETTLED * max(each.period for each in read.values())
        waits = max(2 * each.periods * each.period for each in read.values()) + PATIENCE
        until = sent + self._lasts() + min(DAY, waits)
        sources = self._reported(sent, until)
        of_alarms = {
            each.name: evaluation.changes(
                read[each.name], self._metrics(sources, each, read[each.name]), until
            )
            for each in watched
        }
        if alarm.type == ALARM:
            return sent, of_alarms[alarm.name]
        rule = composite.Composite(alarm.name, _rule(self.trial, alarm))
        return sent, composite.changes(rule, of_alarms)

    def _lasts(self) -> int:
        ended = course(self.trial, self.outcome).ended
        return DAY if ended is None else int(ended)

    def _reported(self, sent: int, until: int) -> list[Reported]:
        return list(reported(self.trial, self.outcome, self.end, sent, until))

    def _metrics(
        self, sources: Sequence[Reported], alarm: Resource, read: evaluation.Alarm
    ) -> Mapping[Metric, Series]:
        found: dict[Metric, Series] = {}
        for query, evaluated in zip(queries(alarm), read.queries, strict=True):
            if series := self._series(sources, query):
                found[evaluated.metric] = series
        return found

    def _series(self, sources: Sequence[Reported], query: Query) -> Series | None:
        stack = self.trial.deployment.stack
        for each in sources:
            is_there = query.namespace == each.namespace and query.name in each.series
            if is_there and each.concerns(stack, query.dimensions):
                return each.series[query.name] if each.has(stack, query.dimensions) else None
        return None


def _only_in_others(trial: Trial, alarm: Resource) -> bool:
    """Tell whether an alarm only speaks through a rule over alarms that has actions itself."""
    return not has_actions(alarm) and alarm.name in _of_rules(trial)


def _of_rules(trial: Trial) -> set[str]:
    rules = trial.deployment.stack.of_type(COMPOSITE)
    return {name for rule in rules if has_actions(rule) for name in _named(trial, rule).values()}


def _named(trial: Trial, rule: Resource) -> dict[str, str]:
    """Return the alarms that a rule names: the logical id of each, by how it stands there."""
    stack, text = trial.deployment.stack, str(trial.deployment.stack.text(rule.get("AlarmRule")))
    spelled = {
        form: alarm.name
        for alarm in stack.of_type(ALARM)
        for form in (f"${{{alarm.name}.Arn}}", f"${{{alarm.name}}}", _name(trial, alarm))
        if form
    }
    return {form: name for form, name in spelled.items() if form in text}


def _name(trial: Trial, alarm: Resource) -> str:
    name = alarm.get("AlarmName")
    return trial.deployment.stack.text(name) if name else ""


def _rule(trial: Trial, rule: Resource) -> str:
    """A rule in which each alarm is its logical id in quotes."""
    text = str(trial.deployment.stack.text(rule.get("AlarmRule")))
    for form, name in sorted(_named(trial, rule).items(), key=lambda each: -len(each[0])):
        text = re.sub(rf"""["']?{re.escape(form)}["']?""", f'"{name}"', text)
    return text
