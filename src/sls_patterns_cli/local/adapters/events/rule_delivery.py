"""A rule delivers to a queue only with the queue's permission.

AWS: EventBridge sends to a queue whose policy lets events.amazonaws.com in for the rule; without
it the event goes to the target's dead-letter queue, if there is one and its policy lets it.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

Emulator: sends to any queue.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.iam.permissions import service_may_send
from sls_patterns_cli.local.adapters.sqs.queues import send

EVENTS = "events.amazonaws.com"


def apply() -> None:
    replace(eventbridge, "_invoke_target", "550e304af080", _permitted)


def _permitted(invoke: Callable[..., None]) -> Callable[..., None]:
    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *rest: Any
    ) -> None:
        source, arn = rule.get("Arn", ""), target["Arn"]
        is_ours = ":rule/" in source and ":sqs:" in arn
        if not is_ours or service_may_send(arn, EVENTS, source):
            invoke(target, event, rule, *rest)
            return
        queue = target.get("DeadLetterConfig", {}).get("Arn", "")
        if queue and service_may_send(queue, EVENTS, source):
            view = eventbridge._pattern_event_view(event)
            send(queue, view.event_with_detail(), TARGET_ARN=arn)

    return invoke_target
