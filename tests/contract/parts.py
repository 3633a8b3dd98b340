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
OF_LINES = re.compile(
    r"IF\(calls >= (?P<least>\d+), "
    r"IF\(calls \+ (?P<without>\d+) \* unserved - (?P<n>\d+) \* lines <= 0, 1, 0\)\)"
)
MISSING, LINES = "PartMissing", "IncomingLogEvents"
FEWEST_CALLS, HOUR = 3, 3600
MACHINE = "AWS::StepFunctions::StateMachine"


def is_of_parts(alarm: Resource) -> bool:
    return any(query.name in {MISSING, LINES} for query in queries(alarm))


def misses(stack: Stack, alarm: Resource, expression: str) -> Iterator[Violation]:
    """Say why an alarm misses a part that is missing for weeks, or tells of a blip, or again."""
    by_id = {each.id: each for each in queries(alarm)}
    if any(each.name == LINES for each in by_id.values()):
        yield from _of_lines(stack, alarm, by_id, expression)
        yield from _counted(alarm, by_id)
        yield from _of_an_hour(stack, alarm, by_id)
        return
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
    yield from _of_an_hour(stack, alarm, by_id)


def _of_lines(
    stack: Stack, alarm: Resource, by_id: dict[str, Query], expression: str
) -> Iterator[Violation]:
    """Say why the lines of a log are no missing parts of answers of its express machine."""
    form = OF_LINES.fullmatch(expression)
    if form is None or by_id.keys() != {"calls", "lines", "unserved"}:
        must = "IF(calls >= least, IF(calls + n * unserved - n * lines <= 0, 1, 0))"
        yield is_but("alarm", alarm.name, "Expression", expression, must)
        return
    if int(form["least"]) < FEWEST_CALLS:
        says = f"judges {form['least']} calls, but must at least {FEWEST_CALLS}"
        yield Violation("alarm", alarm.name, says)
    machine = stack.named(by_id["calls"].dimensions.get("StateMachineArn"), MACHINE)
    log = stack.named(by_id["lines"].dimensions.get("LogGroupName"))
    if by_id["calls"].name != "ExecutionsStarted" or machine is None:
        yield Violation("alarm", alarm.name, "calls must be the ExecutionsStarted of a machine")
        return
    logging = machine.get("LoggingConfiguration") or {}
    destinations = logging.get("Destinations") or []
    arns = [each.get("CloudWatchLogsLogGroup", {}).get("LogGroupArn") for each in destinations]
    if log is None or log.name not in {each.name for arn in arns if (each := stack.named(arn))}:
        yield Violation(
            "alarm", alarm.name, f"lines must be those of the log of {machine.name} (fact C38)"
        )
    if (level := logging.get("Level")) != "ERROR":
        must = "ERROR: each line is a failure (fact C38)"
        yield is_but("alarm", machine.name, "Level", level, must)
    if not by_id["unserved"].name.upper().startswith("5XX"):
        says = f"unserved must be the answers that fail, not {by_id['unserved'].name}"
        yield Violation("alarm", alarm.name, says)


def _counted(alarm: Resource, by_id: dict[str, Query]) -> Iterator[Violation]:
    """Say why it does not count, or does not go off for what it counts."""
    for query in by_id.values():
        if query.statistic != "Sum":
            yield is_but("alarm", alarm.name, f"Stat of {query.id}", query.statistic, "Sum")
    if (given := alarm.get("ComparisonOperator")) != "GreaterThanThreshold":
        yield is_but("alarm", alarm.name, "ComparisonOperator", given, "GreaterThanThreshold")
    if (threshold := alarm.get("Threshold")) != 0:
        yield is_but("alarm", alarm.name, "Threshold", threshold, "0")


def _of_an_hour(stack: Stack, alarm: Resource, by_id: dict[str, Query]) -> Iterator[Violation]:
    """Say why it tells of a blip, or again of what is missing now and then."""
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
