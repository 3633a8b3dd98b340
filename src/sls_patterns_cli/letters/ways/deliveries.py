"""What a service could not deliver: a topic's notifications, a rule's events, a schedule's input.

It goes to the target alone: on the bus or topic every other subscriber would have it again.
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sls_patterns_cli.letters.letter import Cause, Letter, Outcome, decoded, kept
from sls_patterns_cli.letters.stores import envelope
from sls_patterns_cli.letters.targets import (
    invoke_asynchronously,
    name_of,
    of_arn,
    queue_url,
    send_to_queue,
    start,
)
from sls_patterns_cli.letters.ways.firehose import MOST_BYTES, put_into_delivery
from sls_patterns_cli.letters.ways.queues import SentToQueue
from sls_patterns_cli.letters.ways.way import Grant, SentInBatches, Way
from sls_patterns_cli.wiring.model import function_at

ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}


class Notifications(Way):
    """What SNS could not deliver. It records no reason."""

    def ends_at(self) -> str | None:
        arn = self.context.id(self.edge.declared_by)
        found = self.clients("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        policy = json.loads(found.get("RedrivePolicy") or "{}")
        end: str | None = policy.get("deadLetterTargetArn")
        return end

    def takes(self, letter: Letter) -> bool | None:
        topic = envelope(letter).get("TopicArn")
        return self.is_id_of(topic, self.edge.source) if topic else None

    def cause(self, letter: Letter) -> Cause:  # noqa: ARG002 (SNS records none)
        return Cause(f"SNS could not deliver it: compare the subscription with {self.edge.target}")

    def reads(self) -> Iterator[Grant]:
        yield "sns:GetSubscriptionAttributes", self.edge.declared_by


class NotificationsToQueue(Notifications, SentToQueue):
    """What SNS could not put into a queue: with its attributes where delivery is raw."""

    kind = "notifications for a queue"

    @property
    def url(self) -> str:
        return self.context.id(self.edge.target)

    def payload(self, letter: Letter) -> Any:
        return decoded(envelope(letter).get("Message", letter.body))

    def grants(self) -> Iterator[Grant]:
        yield "sqs:SendMessage", self.edge.target


class NotificationsToFirehose(Notifications, SentInBatches):
    """What SNS could not put into a delivery stream: a line, as SNS puts it there."""

    kind = "notifications for Firehose"
    most_bytes = MOST_BYTES

    def payload(self, letter: Letter) -> Any:
        return decoded(envelope(letter).get("Message", letter.body))

    def entry(self, letter: Letter) -> dict[str, Any]:
        return {"Data": f"{letter.body}\n".encode()}

    def entry_size(self, entry: dict[str, Any]) -> int:
        return len(entry["Data"])

    def put(self, entries: Sequence[dict[str, Any]]) -> dict[int, str]:
        name = name_of(self.context.id(self.edge.target))
        return put_into_delivery(self.clients, name, entries)

    def grants(self) -> Iterator[Grant]:
        yield "firehose:PutRecordBatch", self.edge.target


class NotificationsToFunction(Notifications):
    """What SNS could not invoke a function with, in the form that Lambda has."""

    kind = "notifications for a function"

    def takes(self, letter: Letter) -> bool | None:
        return bool(super().takes(letter))

    def payload(self, letter: Letter) -> Any:
        return decoded(letter.content["Message"])

    def send_back(self, letter: Letter) -> Outcome:
        event = {"Records": [_record(dict(letter.content))]}
        stack = self.context.stack
        invoked = function_at(stack, stack.resources[self.edge.declared_by].get("Endpoint"))
        function = self.qualified(invoked[1] if invoked else "$LATEST")
        return invoke_asynchronously(self.clients, function, json.dumps(event))

    def grants(self) -> Iterator[Grant]:
        yield "lambda:InvokeFunction", self.edge.target


class Undelivered(Way):
    """What EventBridge could not deliver; the letter has the error among its attributes."""

    @property
    @abstractmethod
    def target(self) -> Mapping[str, Any]:
        """The target as EventBridge has it now; {} where it is gone."""

    def ends_at(self) -> str | None:
        end: str | None = (self.target.get("DeadLetterConfig") or {}).get("Arn")
        return end

    def cause(self, letter: Letter) -> Cause:
        return Cause(letter.told("ERROR_CODE"), letter.told("ERROR_MESSAGE"))

    def deliver(self, letter: Letter, payload: str) -> Outcome:
        """Hand a payload over to the target as EventBridge does."""
        arn = str(self.target.get("Arn", ""))
        match of_arn(arn):
            case "lambda":
                return invoke_asynchronously(self.clients, arn, payload)
            case "sqs":
                group = (self.target.get("SqsParameters") or {}).get("MessageGroupId", "")
                url = queue_url(self.clients, arn)
                # Its own attributes say why it could not be delivered.
                return send_to_queue(
                    self.clients,
                    url,
                    _with_body(letter, payload),
                    with_attributes=False,
                    group=group,
                )
            case "states":
                return start(self.clients, arn, letter, payload)
        return kept(f"nothing here can deliver to {arn or 'a target that is gone'}")

    def grants(self) -> Iterator[Grant]:
        arn = str(self.target.get("Arn", ""))
        if action := ACTIONS.get(of_arn(arn)):
            yield action, arn
            if of_arn(arn) == "sqs":
                yield "sqs:GetQueueUrl", arn


class RuleEvents(Undelivered):
    """Events that a rule could not deliver; the letter has the event as it was sent (fact X23)."""

    kind = "events of a rule"

    @property
    def rule(self) -> str:
        return name_of(self.context.id(self.edge.declared_by))

    @cached_property
    def target(self) -> Mapping[str, Any]:
        rule = self.context.stack.resources[self.edge.declared_by]
        bus = rule.get("EventBusName")
        given = {} if bus is None else {"EventBusName": self._bus(bus)}
        found = self.clients("events").list_targets_by_rule(Rule=self.rule, **given)["Targets"]
        wanted = self.context.deployed.ids.get(self.edge.target, self.edge.target)
        of_target = (each for each in found if name_of(each["Arn"]) == name_of(wanted))
        return next(of_target, {})

    def takes(self, letter: Letter) -> bool | None:
        rule, target = letter.told("RULE_ARN"), letter.told("TARGET_ARN")
        if rule and name_of(rule) != self.rule:
            return False
        if target:
            return name_of(target) == name_of(str(self.target.get("Arn", "")))
        is_event = isinstance(letter.content, dict) and "detail-type" in letter.content
        return None if is_event else False

    def send_back(self, letter: Letter) -> Outcome:
        target = self.target
        if "InputTransformer" in target:
            again = "EventBridge alone does: put the event on the bus again"
            return kept(f"{self.edge.declared_by} transforms its events, and {again}")
        payload = letter.body
        if "Input" in target:
            payload = target["Input"]
        elif "InputPath" in target:
            payload = json.dumps(at_path(letter.content, target["InputPath"]))
        return self.deliver(letter, payload)

    def reads(self) -> Iterator[Grant]:
        yield "events:ListTargetsByRule", self.edge.declared_by

    def _bus(self, given: Any) -> str:
        bus = self.context.stack.named(given)
        return self.context.id(bus.name) if bus else self.context.stack.outside(given)


class ScheduledRuns(Undelivered):
    """What Scheduler could not start: the input of its target."""

    kind = "runs of a schedule"

    @cached_property
    def target(self) -> Mapping[str, Any]:
        schedule = self.context.stack.resources[self.edge.declared_by]
        group = schedule.get("GroupName")
        given = {}
        if group is not None:
            named = self.context.stack.named(group)
            text = self.context.id(named.name) if named else self.context.stack.text(group)
            given = {"GroupName": name_of(text)}
        name = name_of(self.context.id(self.edge.declared_by))
        found: Mapping[str, Any] = self.clients("scheduler").get_schedule(Name=name, **given)
        target: Mapping[str, Any] = found["Target"]
        return target

    def takes(self, letter: Letter) -> bool | None:
        schedule = letter.told("SCHEDULE_ARN")
        if schedule:
            return name_of(schedule) == name_of(self.context.id(self.edge.declared_by))
        target = letter.told("TARGET_ARN")
        return target == self.target.get("Arn") if target else None

    def send_back(self, letter: Letter) -> Outcome:
        if letter.told("IS_PAYLOAD_TRUNCATED") == "true":
            return kept("Scheduler has cut its input: start the target by hand")
        return self.deliver(letter, letter.body)

    def reads(self) -> Iterator[Grant]:
        yield "scheduler:GetSchedule", self.edge.declared_by


def at_path(event: Any, path: str) -> Any:
    """Return what is at a path such as `$.detail`; KeyError where it is missing."""
    value = event
    for key in filter(None, path.removeprefix("$").split(".")):
        value = value[key]
    return value


def _with_body(letter: Letter, body: str) -> Letter:
    return letter if body == letter.body else replace(letter, body=body)


def _record(notification: dict[str, Any]) -> dict[str, Any]:
    """Return a notification as Lambda has it, which spells some keys in another way."""
    signing_cert = notification.pop("SigningCertURL", "")
    unsubscribe = notification.pop("UnsubscribeURL", "")
    subscription = parse_qs(urlsplit(unsubscribe).query).get("SubscriptionArn", [""])[0]
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": {
            "Subject": None,
            "MessageAttributes": {},
            **notification,
            "SigningCertUrl": signing_cert,
            "UnsubscribeUrl": unsubscribe,
        },
    }
