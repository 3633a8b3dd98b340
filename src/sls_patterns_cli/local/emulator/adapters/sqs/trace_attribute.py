"""A message keeps the trace of the call that sent it, up to its dead-letter queue.

AWS: the header X-Amzn-Trace-Id of SendMessage becomes the system attribute AWSTraceHeader of the
message, unless the call sets that attribute itself. SNS and EventBridge pass the header of Publish
and PutEvents on to the queues and functions that they deliver to.
https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sns.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-related-service-xray.html
https://github.com/localstack/localstack/pull/12810

Emulator: knows the attribute, and ignores the header.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import sqs

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import traces


def apply() -> None:
    replace(sqs, "_build_send_sys_attrs", "d5f662692aea", _of_sent)
    replace(sqs, "_ensure_msg_fields", "9a82c238b3d6", _of_delivered)


def _of_sent(build: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def system_attributes(now: float, given: dict[str, Any]) -> dict[str, str]:
        return _traced(build(now, given))

    return system_attributes


def _of_delivered(complete: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def complete_message(message: dict[str, Any]) -> None:
        is_new = "first_receive_at" not in message
        complete(message)
        if is_new:
            _traced(message["sys"])

    return complete_message


def _traced(system: dict[str, str]) -> dict[str, str]:
    if header := traces.current.get():
        system.setdefault("AWSTraceHeader", header)
    return system
