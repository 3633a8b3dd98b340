"""Where Lambda puts what has failed, in the name of the function's role; it changes nothing itself.

AWS: a destination is a queue, topic, bucket, function or event bus; a dead-letter queue may also be
a topic. The function's role needs the permission for it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import json
import logging
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import eventbridge, lambda_svc, sns

from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.s3 import objects
from sls_patterns_cli.local.emulator.adapters.sqs.queues import send

ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
}
"""What the role must be allowed to do, by the service in the destination's ARN."""

logger = logging.getLogger(__name__)


def keep(role: str, destination: str, record: Any, key: str, **attributes: str) -> bool:
    """Put a record into a destination, in a bucket under `key`; return whether it is there.

    The attributes are those of a message of SQS.
    """
    service = destination.split(":")[2] if destination.startswith("arn:") else ""
    body = record if isinstance(record, str) else json.dumps(record)
    if service == "s3":
        return _put(role, destination, key, body)
    if service not in ACTIONS or not role_may(role, ACTIONS[service], destination):
        return False
    if service == "sqs":
        return send(destination, body, **attributes)
    if service == "sns":
        topic = sns._topic_by_arn_any_scope(destination)
        if topic:
            sns.publish_internal(destination, body)
        return topic is not None
    if service == "lambda":
        function, config, _name = lambda_svc._get_func_record_for_ref(destination)
        if function:
            invoked = lambda_svc._execution_record_for_config(function, config)
            lambda_svc.invoke_async_with_retry(invoked, record)
        return function is not None
    return _put_event(destination, record)


def _put(role: str, bucket: str, key: str, body: str) -> bool:
    try:
        objects.put(role, bucket, key, body.encode())
    except PermissionError as error:
        logger.warning("%s", error)
        return False
    return True


def _put_event(bus: str, record: dict[str, Any]) -> bool:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-async-destinations."""
    name = bus.rpartition("/")[2]
    entry = {
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Failure",
        "Detail": json.dumps(record),
        "Resources": [record["requestContext"]["functionArn"], bus],
        "EventBusName": name,
        "EventId": new_uuid(),
    }
    if name not in eventbridge._event_buses:
        return False
    eventbridge._put_events({"Entries": [entry]})
    return True
