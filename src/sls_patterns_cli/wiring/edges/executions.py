"""Executions of state machines that nobody waits for.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, dictionaries, is_unknown
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import (
    MACHINE,
    NOWHERE,
    OUTSIDE,
    QUEUE,
    RULE,
    UNKNOWN,
    Edge,
    End,
    end_at,
    place_of,
)
from sls_patterns_cli.wiring.policies import may, role_of

STARTS = "states:startExecution"
INVOKES = "lambda:invoke"
SENDS = "sqs:sendMessage"


def edges(stack: Stack) -> Iterator[Edge]:
    machines = list(stack.of_type(MACHINE))
    for machine in machines:
        for function in stack.functions:
            if may(stack, role_of(stack, function), "states:StartExecution", machine):
                yield from execution(stack, function.name, machine, machine)
        for state in dictionaries(definition(stack, machine)):
            yield from _task(stack, machine, state)


def execution(
    stack: Stack, starter: str, machine: Resource, declared_by: Resource
) -> Iterator[Edge]:
    """Yield the execution that something starts; an express one tells nobody how it ended."""
    if not is_express(machine):
        end = end_of(stack, machine)
        yield Edge(starter, machine.name, "step-functions", declared_by.name, end)


def end_of(stack: Stack, machine: Resource) -> End:
    """Return where a rule sends failed executions of a machine."""
    rule = failure_rule(stack, machine)
    if rule is None:
        return NOWHERE
    if is_unknown(rule.get("EventPattern")):
        return UNKNOWN
    return end_at(stack, rule.items("Targets")[0].get("Arn"))


def by_others(stack: Stack, started: set[str]) -> Iterator[Edge]:
    """Yield the executions of machines that only others start, or rules and schedules."""
    for machine in stack.of_type(MACHINE):
        if machine.name not in started:
            yield from execution(stack, OUTSIDE, machine, machine)


def kept_by_express(stack: Stack) -> Iterator[Edge]:
    """Yield the end to which an express machine sends its own executions, by name and input."""
    for machine in filter(is_express, stack.of_type(MACHINE)):
        for state in dictionaries(definition(stack, machine)):
            end = _kept_in(stack, state)
            if end is not None:
                yield Edge(OUTSIDE, machine.name, "express", machine.name, end)


def is_express(machine: Resource) -> bool:
    """Tell whether a state machine has express executions."""
    return bool(machine.get("StateMachineType") == "EXPRESS")


def items_of_maps(stack: Stack) -> Iterator[Edge]:
    """Yield the ends to which machines send the items of their maps that failed.

    They say which input an execution needs to do the item again.
    """
    for machine in stack.of_type(MACHINE):
        for state in dictionaries(definition(stack, machine)):
            body, end = _sent(stack, state)
            names = {each.removesuffix(".$") for each in body}
            if end is not None and {"execution", "item"} <= names:
                yield Edge(machine.name, machine.name, "other", machine.name, end)


def _kept_in(stack: Stack, state: dict[str, Any]) -> End | None:
    """Return the queue to which a state sends the name and input of its execution."""
    body, end = _sent(stack, state)
    told = json.dumps(body)
    return end if "Execution.Name" in told and "Execution.Input" in told else None


def _sent(stack: Stack, state: dict[str, Any]) -> tuple[dict[str, Any], End | None]:
    """Return what a state sends, and the queue; no queue for a state that sends nothing to one."""
    arguments = state.get("Arguments") or state.get("Parameters")
    given = arguments if isinstance(arguments, dict) else {}
    body = given.get("MessageBody")
    if not stack.text(state.get("Resource")).endswith(SENDS) or not isinstance(body, dict):
        return {}, None
    queue = stack.found(_value(given.get("QueueUrl")), QUEUE)
    return body, End("resource", queue.name) if queue else None


def failure_rule(stack: Stack, machine: Resource) -> Resource | None:
    """Return the rule that carries failed executions of a machine, or may."""
    for rule in stack.of_type(RULE):
        if is_failure_rule(rule) or is_unknown(rule.get("EventPattern")):
            arns = rule.get("EventPattern", "detail", "stateMachineArn") or []
            texts = set(map(stack.text, arns if isinstance(arns, list) else []))
            leads = is_unknown(rule.get("EventPattern")) or rule.items("Targets")
            if leads and (not arns or texts & stack.arns(machine)):
                return rule
    return None


def is_failure_rule(rule: Resource) -> bool:
    """Tell whether a rule carries failed executions."""
    return "aws.states" in (rule.get("EventPattern", "source") or [])


def definition(stack: Stack, machine: Resource) -> dict[str, Any]:
    """Return the definition, its substitutions done; {} where it is not in the template."""
    given = machine.get("Definition") or machine.get("DefinitionString")
    text = json.dumps(given) if machine.get("Definition") else stack.text(given)
    substitutions = machine.get("DefinitionSubstitutions")
    for name, value in substitutions.items() if isinstance(substitutions, dict) else ():
        text = text.replace(f"${{{name}}}", stack.text(value))
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _task(stack: Stack, machine: Resource, state: dict[str, Any]) -> Iterator[Edge]:
    """Yield what a task starts and does not wait for."""
    resource = stack.text(state.get("Resource"))
    given = state.get("Parameters") or state.get("Arguments")
    if not isinstance(given, dict):
        return
    if resource.endswith(INVOKES) and given.get("InvocationType") == "Event":
        yield from invocation(stack, machine.name, _value(given.get("FunctionName")), machine)
    elif resource.endswith(STARTS):
        place = place_of(stack, _value(given.get("StateMachineArn")))
        started = stack.resources.get(place.name)
        if started and started.type == MACHINE:
            yield from execution(stack, machine.name, started, machine)


def _value(given: Any) -> Any:
    """A text in a definition, with the references that substitutions have put into it."""
    return {"Fn::Sub": given} if isinstance(given, str) else given
