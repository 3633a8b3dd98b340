"""What a topic cannot deliver ends in the subscription's dead-letter queue.

AWS: SNS delivers to a queue whose policy lets it, and invokes a function asynchronously, whose
policy lets it. Errors of that kind are not tried again: the message goes to the queue in the
subscription's RedrivePolicy, if that one's policy lets SNS send. A target that throttles is tried
again as `adapters.retries` says, and then it goes there as well.
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html

Emulator: forgets what it cannot deliver; invokes any function, once.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import sns, sqs

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import replace, retries
from sls_patterns_cli.local.emulator.adapters.iam.permissions import (
    service_may_invoke,
    service_may_send,
    throttling,
)
from sls_patterns_cli.local.emulator.adapters.lambda_ import background, traces
from sls_patterns_cli.local.emulator.adapters.sqs.queues import send

SNS = "sns.amazonaws.com"

Deliver = Callable[..., None]


def apply() -> None:
    replace(sns, "_deliver_to_sqs", "f85849838cca", _to_queue)
    replace(sns, "_deliver_to_lambda", "aa6b8a8c312e", _to_function)


def _to_queue(deliver: Deliver) -> Deliver:
    def deliver_to_queue(queue: str, envelope: str, raw: Any, message: str, **options: Any) -> None:
        topic, content = options["topic_arn"], message if raw else envelope
        if not service_may_send(queue, SNS, topic):
            give_up(topic, queue, content)
        elif not (tried := _tried(queue)).delivered:
            give_up(topic, queue, content, tried)
        else:
            with sqs._queues_lock:
                deliver(queue, envelope, raw, message, **options)

    return deliver_to_queue


def _to_function(_deliver: Deliver) -> Deliver:
    def deliver_to_function(
        endpoint: str, envelope: str, topic: str, subscription: str, *_rest: Any
    ) -> None:
        if not background.exists(endpoint) or not service_may_invoke(endpoint, SNS, topic):
            give_up(topic, endpoint, envelope)
            return
        if not (tried := _tried(endpoint)).delivered:
            give_up(topic, endpoint, envelope, tried)
            return
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": json.loads(envelope),
        }
        background.invoke(endpoint, {"Records": [record]})

    return deliver_to_function


def _tried(endpoint: str) -> retries.Tried:
    return retries.of_managed_endpoint().until(lambda: endpoint not in throttling)


def give_up(
    topic_arn: str, endpoint: str, message: str, tried: retries.Tried = retries.REFUSED
) -> None:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    for subscription in topic["subscriptions"]:
        if subscription["endpoint"] == endpoint:
            redrive = json.loads(subscription["attributes"].get("RedrivePolicy") or "{}")
            queue = redrive.get("deadLetterTargetArn", "")
            is_kept = queue and service_may_send(queue, SNS, topic_arn)
            if is_kept:
                with traces.carried(None):  # what becomes of the trace is not documented
                    send(queue, message)
            journal.note(
                journal.GivenUp(
                    "sns",
                    subscription["arn"],
                    endpoint,
                    queue if is_kept else "",
                    attempts=tried.attempts,
                    seconds=tried.seconds,
                )
            )
