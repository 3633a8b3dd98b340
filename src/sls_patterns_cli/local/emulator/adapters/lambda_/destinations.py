"""Where Lambda puts what has failed, in the name of the function's role; it changes nothing itself.

AWS: a destination is a queue, topic, bucket, function or event bus; a dead-letter queue may also be
a topic. The function's role needs the permission for it. What a queue or topic is too small for is
lost, and only the metric DestinationDeliveryFailures tells; a bucket holds it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import eventbridge, sns, sqs

from sls_patterns_cli.local.emulator.adapters.iam.permissions import SENDING, role_may
from sls_patterns_cli.local.emulator.adapters.lambda_ import background
from sls_patterns_cli.local.emulator.adapters.s3 import objects
from sls_patterns_cli.local.emulator.adapters.sqs.queues import send

logger = logging.getLogger(__name__)


def keep(role: str, destination: str, record: Any, key: str, **attributes: str) -> bool:
    """Put a record into a destination, in a bucket under `key`; return whether it is there.

    The attributes are those of a message of SQS.
    """
    service = destination.split(":")[2] if destination.startswith("arn:") else ""
    body = record if isinstance(record, str) else json.dumps(record)
    if service == "s3":
        return _put(role, destination, key, body)
    if not role_may(role, SENDING.get(service, ""), destination):
        return False
    match service:
        case "sqs":
            return _fits(partial(send, destination, body, **attributes))
        case "sns":
            return _fits(partial(_publish, destination, body))
        case "lambda":
            return background.invoke(destination, record)
    return service == "events" and _put_event(destination, record)


def _fits(deliver: Callable[[], bool]) -> bool:
    """Return whether a message is delivered: one that is too large is not."""
    try:
        return deliver()
    except (sqs._Err, sns.SnsPublishError) as error:
        logger.warning("Lambda could not keep a record: %s", error)
        return False


def _publish(topic_arn: str, body: str) -> bool:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    if topic:
        sns.publish_internal(topic_arn, body)
    return topic is not None


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
