"""A rule delivers only with the permission of its target, and keeps what it cannot deliver.

AWS: EventBridge sends to a queue or topic whose policy lets events.amazonaws.com in for the rule,
invokes a function asynchronously, whose policy lets it, and starts a state machine in the name of
the target's role. Errors of that kind are not tried again:
the event goes to the target's dead-letter queue, if there is one and its policy lets the rule, with
attributes that say why. A target that throttles is tried again as `adapters.retries` says. Targets
and dead-letter queue get the trace header of PutEvents; events of AWS's own services have none. Ref
of a rule on a custom bus is `bus|rule`.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131

Emulator: sends to any queue and topic, starts any state machine, and invokes any function, once;
Ref is the rule's name.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import replace, retries
from sls_patterns_cli.local.emulator.adapters.iam.permissions import (
    SENDING,
    refusing,
    role_may,
    service_may_invoke,
    service_may_publish,
    service_may_send,
    throttling,
)
from sls_patterns_cli.local.emulator.adapters.lambda_ import background, traces
from sls_patterns_cli.local.emulator.adapters.sqs.queues import send

EVENTS = "events.amazonaws.com"


def apply() -> None:
    replace(eventbridge, "_invoke_target", "550e304af080", _permitted)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Events::Rule"]
    replace(handlers, "create", "f6821fbd1768", _create)
    replace(handlers, "update", "f59ba9950248", _update)
    replace(handlers, "delete", "e33e46d8bf20", _delete)


def _permitted(invoke: Callable[..., None]) -> Callable[..., None]:
    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *rest: Any
    ) -> None:
        source, arn = rule.get("Arn", ""), target["Arn"]
        own = str(event.get("Source", "")).startswith("aws.")
        with traces.carried(None if own else traces.current.get()):
            if ":rule/" not in source:
                invoke(target, event, rule, *rest)
            elif not _may_deliver(target, source):
                _give_up(target, event, source)
            elif not (tried := _tried(target)).delivered:
                _give_up(target, event, source, tried)
            else:
                journal.note(journal.Delivered(source, arn))
                if ":function:" in arn:
                    background.invoke(arn, _payload(event))
                else:
                    invoke(target, event, rule, *rest)

    return invoke_target


def _may_deliver(target: dict[str, Any], source: str) -> bool:
    arn = target["Arn"]
    if ":function:" in arn:
        return background.exists(arn) and service_may_invoke(arn, EVENTS, source)
    if ":sqs:" in arn:
        return service_may_send(arn, EVENTS, source)
    if ":sns:" in arn:
        return service_may_publish(arn, EVENTS, source)
    if ":stateMachine:" in arn:
        return role_may(target.get("RoleArn", ""), SENDING["states"], arn)
    return arn not in refusing


def _tried(target: dict[str, Any]) -> retries.Tried:
    policy = retries.of_event(target.get("RetryPolicy") or {})
    return policy.until(lambda: target["Arn"] not in throttling)


def _give_up(
    target: dict[str, Any],
    event: dict[str, Any],
    source: str,
    tried: retries.Tried = retries.REFUSED,
) -> None:
    queue = target.get("DeadLetterConfig", {}).get("Arn", "")
    is_kept = queue and service_may_send(queue, EVENTS, source)
    if is_kept:
        attributes = {"RULE_ARN": source, "TARGET_ARN": target["Arn"], **_why(tried)}
        send(queue, _payload(event), **attributes)
    journal.note(
        journal.GivenUp(
            "eventbridge",
            source,
            target["Arn"],
            queue if is_kept else "",
            attempts=tried.attempts,
            seconds=tried.seconds,
        )
    )


def _why(tried: retries.Tried) -> dict[str, str]:
    if not tried.condition:
        said = "EventBridge is not permitted to deliver to the target."
        return {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": said}
    return {
        "ERROR_CODE": "THROTTLING",
        "ERROR_MESSAGE": "The target throttles.",
        "EXHAUSTED_RETRY_CONDITION": tried.condition,
        "RETRY_ATTEMPTS": str(tried.attempts - 1),
    }


def _payload(event: dict[str, Any]) -> Any:
    return eventbridge._pattern_event_view(event).event_with_detail()


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_rule(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name, attributes = create(logical_id, properties, stack)
        return _reference(name, properties), attributes

    return create_rule


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_rule(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
    ) -> Any:
        name, attributes = update(_name(physical_id), old, new, stack, logical_id)
        return _reference(name, new), attributes

    return update_rule


def _delete(delete: Callable[..., Any]) -> Callable[..., Any]:
    def delete_rule(physical_id: str, properties: dict[str, Any]) -> Any:
        return delete(_name(physical_id), properties)

    return delete_rule


def _reference(name: str, properties: dict[str, Any]) -> str:
    bus = provisioners._eb_rule_bus_name(properties)
    return name if bus == "default" else f"{bus}|{name}"


def _name(physical_id: str) -> str:
    return physical_id.rpartition("|")[2]
