"""How a subscriber hands a batch to its target, in the name of its role; it changes nothing itself.

AWS: a function gets the batch as an array, with a MaxBatchSize of 1 the event alone; one that is
waited for may name the items that failed. Queues get SendMessageBatch with a message for each
event, topics PublishBatch; a state machine is started for each. No policy of the target is asked,
as a role of the same account delivers, whose trust policy sees its account and the subscriber.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-targets.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-batching.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-target-lambda.html
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters.eventsv2.events import (
    Event,
    ExpressionError,
    Seen,
    transformed,
    value,
)
from sls_patterns_cli.local.emulator.adapters.iam.permissions import (
    SENDING,
    refusing,
    role_may,
    throttling,
)
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume
from sls_patterns_cli.local.emulator.adapters.lambda_ import background, calls
from sls_patterns_cli.local.emulator.adapters.pipes.definitions import service_of
from sls_patterns_cli.local.emulator.adapters.pipes.transformation import as_text
from sls_patterns_cli.local.emulator.adapters.sns import topics
from sls_patterns_cli.local.emulator.adapters.sqs import queues
from sls_patterns_cli.local.emulator.source_keys import SENT_BY_SUBSCRIBERS

EVENTS = "events.amazonaws.com"

PARAMETERS = {
    "lambda": "LambdaParameters",
    "sqs": "SqsParameters",
    "sns": "SnsParameters",
    "states": "StepFunctionsParameters",
}
"""The targets that the local stack delivers to, and what configures each."""

MOST_IN_A_BATCH = 10

DENIED, REFUSED, THROTTLED = "ACCESS_DENIED", "CUSTOMER_VALIDATION", "THROTTLING"
"""AWS documents the first two, and that the list is open."""

Configuration = Mapping[str, Any]

Send = Callable[["Delivery", Seen, str], None]
"""Sends what a target gets of an event; raises ValueError if it is refused."""


@dataclass(frozen=True)
class Failure:
    """Why an event was not delivered."""

    event: Event
    code: str
    message: str


@dataclass(frozen=True)
class Delivery:
    """A batch, with what of it the target gets; `configuration` is the subscriber's."""

    configuration: Configuration
    subscriber: str
    batch: Sequence[tuple[Event, Seen]]

    @property
    def target(self) -> str:
        return str(self.configuration["InvokeConfiguration"]["TargetArn"])

    @property
    def service(self) -> str:
        return service_of(self.target)

    @property
    def parameters(self) -> Configuration:
        invoke = self.configuration["InvokeConfiguration"]
        found: Configuration = invoke.get(PARAMETERS.get(self.service, "")) or {}
        return found

    def given(self, seen: Seen) -> Any:
        """Return what the target gets of an event; raises ExpressionError."""
        return transformed(seen, self.configuration.get("Transformer") or {})


def most_in_a_batch(configuration: Configuration) -> int:
    """Return how many events a target gets at once."""
    given = configuration.get("BatchConfiguration") or {}
    most = int(given.get("MaxBatchSize", MOST_IN_A_BATCH))
    service = service_of(configuration["InvokeConfiguration"]["TargetArn"])
    return most if service == "lambda" else min(most, MOST_IN_A_BATCH)


def deliver(delivery: Delivery) -> list[Failure]:
    """Hand a batch over; return what of it failed."""
    try:
        problem = _denied(delivery)
    except ExpressionError as error:
        return _all(delivery, REFUSED, str(error))
    if problem:
        return _all(delivery, DENIED, problem)
    if delivery.target in throttling:
        return _all(delivery, THROTTLED, f"{delivery.target} throttles")
    if delivery.service == "lambda":
        return _invoked(delivery)
    send = _SENDERS.get(delivery.service, lambda *_: None)  # only `prove` has other targets
    return list(_each(delivery, send))


def assumes(subscriber: str, role: str) -> bool:
    """Tell whether the service may act for a subscriber in the name of its role."""
    return may_assume(EVENTS, role, subscriber, SENT_BY_SUBSCRIBERS)


def _denied(delivery: Delivery) -> str:
    role = delivery.configuration["InvokeConfiguration"]["RoleArn"]
    action = SENDING.get(delivery.service, "")
    if not assumes(delivery.subscriber, role):
        return f"{EVENTS} may not assume {role}"
    target = _function(delivery) if delivery.service == "lambda" else delivery.target
    if delivery.target in refusing or (action and not role_may(role, action, target)):
        return f"User: {role} is not authorized to perform: {action} on {target}"
    return ""


def _function(delivery: Delivery) -> str:
    """Return the ARN of a function with the version or alias that is configured."""
    qualifier = delivery.parameters.get("Qualifier")
    return (
        f"{delivery.target}:{value(qualifier, delivery.batch[0][1])}"
        if qualifier
        else delivery.target
    )


def _all(delivery: Delivery, code: str, message: str) -> list[Failure]:
    return [Failure(event, code, message) for event, _ in delivery.batch]


def _each(delivery: Delivery, send: Send) -> Iterator[Failure]:
    """Send one event after the other, of an ordered group none after one that failed."""
    stuck = set[str | None]()
    is_ordered = delivery.configuration.get("Type") == "FIFO"
    for event, seen in delivery.batch:
        if is_ordered and event.group in stuck:
            yield Failure(event, REFUSED, f"an event of {event.group} before it failed")
            continue
        try:
            send(delivery, seen, as_text(delivery.given(seen)))
        except (ExpressionError, ValueError) as error:
            stuck.add(event.group)
            yield Failure(event, REFUSED, str(error))
        else:
            journal.note(journal.Delivered(delivery.subscriber, delivery.target))


def _invoked(delivery: Delivery) -> list[Failure]:
    given, failures = [], []
    for event, seen in delivery.batch:
        try:
            given.append((event, delivery.given(seen)))
        except ExpressionError as error:
            failures.append(Failure(event, REFUSED, str(error)))
    if not given:
        return failures
    batch = [each for _, each in given]
    payload = batch[0] if most_in_a_batch(delivery.configuration) == 1 else batch
    sent = [event for event, _ in given]
    return failures + list(_called(delivery, sent, payload))


def _called(delivery: Delivery, sent: list[Event], payload: Any) -> Iterator[Failure]:
    function = _function(delivery)
    if delivery.parameters.get("InvocationType") == "EVENT":
        if not background.invoke(function, payload):
            yield from (Failure(event, REFUSED, f"{function} does not exist") for event in sent)
        else:
            journal.note(journal.Delivered(delivery.subscriber, delivery.target))
        return
    result = calls.call(function, payload)
    if result is None or result.get("error"):
        throttled = bool(result and result.get("throttle"))
        said = str(result.get("body")) if result else f"{function} does not exist"
        code = THROTTLED if throttled else REFUSED
        yield from (Failure(event, code, said) for event in sent)
        return
    journal.note(journal.Delivered(delivery.subscriber, delivery.target))
    failed = _failed_items(result.get("body"))
    for event in sent:
        if event.id in failed:
            yield Failure(event, REFUSED, f"{function} names it in batchItemFailures")


def _failed_items(body: Any) -> set[str]:
    """The ids of the events that a function names.

    AWS does not document the identifier: here it is the event's id, which is in the envelope of
    PutEvents and in the system metadata.
    """
    items = body.get("batchItemFailures") if isinstance(body, dict) else None
    return {str(each.get("itemIdentifier")) for each in items or [] if isinstance(each, dict)}


def _to_queue(delivery: Delivery, seen: Seen, body: str) -> None:
    given = delivery.parameters
    names = ("MessageGroupId", "MessageDeduplicationId")
    request: dict[str, Any] = {
        name: as_text(value(given[name], seen)) for name in names if name in given
    }
    if "DelaySeconds" in given:
        request["DelaySeconds"] = int(value(given["DelaySeconds"], seen))
    attributes = {
        name: {
            "DataType": each.get("DataType", ""),
            "StringValue": as_text(value(each.get("StringValue", ""), seen)),
        }
        for name, each in (given.get("MessageAttributes") or {}).items()
    }
    queues.put(delivery.target, body, {**request, "MessageAttributes": attributes})


def _to_topic(delivery: Delivery, _seen: Seen, body: str) -> None:
    topics.publish(delivery.target, body)


def _to_machine(delivery: Delivery, seen: Seen, body: str) -> None:
    request = {"stateMachineArn": delivery.target, "input": body}
    if name := delivery.parameters.get("Name"):
        request["name"] = as_text(value(name, seen))
    status, _headers, answer = stepfunctions._start_execution(request)
    if status >= 400:
        raise ValueError(str(json.loads(answer)))


_SENDERS: dict[str, Send] = {
    "sqs": _to_queue,
    "sns": _to_topic,
    "states": _to_machine,
}
