"""The distributed maps of state machines (ASL), and what becomes of their items."""

from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, dictionaries
from sls_patterns_cli.wiring.edges.executions import definition

SENDS = "arn:${AWS::Partition}:states:::sqs:sendMessage"


def distributed_maps(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the distributed maps of a definition."""
    return [
        state
        for state in dictionaries(parsed)
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
    ]


def invoked(stack: Stack, state: dict[str, Any]) -> Resource | None:
    """Return the function that a task invokes."""
    function = stack.function(_named(state))
    return function[0] if function else None


def qualified(stack: Stack, state: dict[str, Any]) -> Resource | None:
    """Return what a task invokes: a function, or its alias or version."""
    return stack.named(_named(state)) if invoked(stack, state) else None


def _named(state: dict[str, Any]) -> Any:
    given = state.get("Parameters") or state.get("Arguments") or {}
    return given.get("FunctionName") or state.get("Resource")


def kept_items(
    stack: Stack, processor: dict[str, Any]
) -> Iterator[tuple[str, Resource, Resource | None]]:
    """Return each task of a map that invokes a function, and the queue of what fails there."""
    states = processor.get("States", {})
    for name, state in states.items():
        function = invoked(stack, state)
        if function is None:
            continue
        caught = [states.get(each.get("Next"), {}) for each in state.get("Catch") or []]
        sent = [
            each.get("Parameters") or each.get("Arguments") or {}
            for each in caught
            if each.get("Resource") == SENDS
        ]
        urls = [each.get("QueueUrl") for each in sent]
        yield (
            name,
            function,
            next((q for url in urls if (q := stack.named(url, "AWS::SQS::Queue"))), None),
        )


def mapped_items(
    stack: Stack, machine: Resource
) -> Iterator[tuple[str, Resource, Resource | None]]:
    """Return what `kept_items` does, of the distributed maps whose executions keep what fails."""
    for state in distributed_maps(definition(stack, machine)):
        if not tolerates(state):
            yield from kept_items(stack, state["ItemProcessor"])


def tolerated_items(stack: Stack, machine: Resource) -> Iterator[Resource]:
    """Return the functions of distributed maps that fail if too many of their items do."""
    for state in distributed_maps(definition(stack, machine)):
        if tolerates(state):
            for _, function, _ in kept_items(stack, state["ItemProcessor"]):
                yield function


def tolerates(state: dict[str, Any]) -> bool:
    """Tell whether a map says how many of its items may fail, so that the others end it."""
    return any(name.startswith("ToleratedFailure") for name in state)
