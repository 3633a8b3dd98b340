"""Alarms on the parts that pages lack, for which callers get a status of success (fact C32)."""

import re
from collections.abc import Iterator

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import Query, queries

LACKING = re.compile(
    r"IF\(calls(?: \+ (?P<n>\d+) \* (?P<refused>\w+))? - (\d+) \* (?P<part>\w+) <= 0, 1, 0\)"
)
FORM = re.compile(r"IF\(calls >= (?P<least>\d+), (?P<sum>.+)\)")
MISSING = "PartMissing"
FEWEST_CALLS, HOUR = 3, 3600


def is_of_parts(alarm: Resource) -> bool:
    return any(query.name == MISSING for query in queries(alarm))


def misses(stack: Stack, alarm: Resource, expression: str) -> Iterator[Violation]:
    """Say why an alarm misses a part that is missing for weeks, or tells of a blip, or again."""
    by_id = {each.id: each for each in queries(alarm)}
    form = FORM.fullmatch(expression)
    lacking = [*map(LACKING.fullmatch, re.split(r" \+ (?=IF)", form["sum"] if form else ""))]
    named = {"calls"} | {
        name for found in lacking if found for name in (found["part"], found["refused"]) if name
    }
    if form is None or None in lacking or named != by_id.keys():
        must = "IF(calls >= least, IF(calls - n * part <= 0, 1, 0) + …), with each part"
        yield is_but("alarm", alarm.name, "Expression", expression, must)
        return
    if int(form["least"]) < FEWEST_CALLS:
        says = f"judges {form['least']} calls, but must at least {FEWEST_CALLS}"
        yield Violation("alarm", alarm.name, says)
    for found in filter(None, lacking):
        yield from _of_one_part(alarm, by_id, found)
    tier = "Ticket: "
    if not str(alarm.get("AlarmDescription")).startswith(tier):
        yield is_but("alarm", alarm.name, "AlarmDescription", alarm.get("AlarmDescription"), tier)
    if {stack.number(each.period) for each in by_id.values()} != {HOUR}:
        yield Violation("alarm", alarm.name, f"must watch periods of {HOUR}: a blip is no ticket")
    if stack.number(alarm.get("DatapointsToAlarm")) != 1 or not (
        (stack.number(alarm.get("EvaluationPeriods")) or 0) > 1
    ):
        must = "1 of several EvaluationPeriods: one that fails now and then is one ticket"
        given = alarm.get("DatapointsToAlarm")
        yield is_but("alarm", alarm.name, "DatapointsToAlarm", given, must)
    if (missing := alarm.get("TreatMissingData")) != "ignore":
        must = "ignore: a night without calls ends nothing"
        yield is_but("alarm", alarm.name, "TreatMissingData", missing, must)


def _of_one_part(
    alarm: Resource, by_id: dict[str, Query], found: re.Match[str]
) -> Iterator[Violation]:
    calls, part = by_id["calls"], by_id[found["part"]]
    watched = [("Invocations", calls, {}), (MISSING, part, {"part": part.dimensions.get("part")})]
    if found["refused"]:
        by = {"system": part.dimensions.get("part")}
        watched.append(("SignInFailed", by_id[found["refused"]], by))
    for name, query, others in watched:
        of = part.dimensions.get("FunctionName")
        wanted = {"FunctionName": of, **others}
        given = {key: query.dimensions.get(key) for key in wanted}
        if (query.name, query.statistic, given) != (name, "Sum", wanted):
            says = f"{query.id} must be the Sum of {name} of the same function and part"
            yield Violation("alarm", alarm.name, says)
