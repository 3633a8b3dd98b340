"""A topic delivers to HTTP endpoints and to Firehose, and keeps what they do not take.

AWS: an HTTP endpoint gets nothing before it has confirmed its subscription, for which SNS sends it
a link. What it answers with 429 or 5xx is tried again as the subscription's or topic's delivery
policy says, any other error is final. To Firehose SNS delivers in the name of the subscription's
role, one line a message, and tries again while Firehose throttles. What is given up goes to the
queue in the subscription's RedrivePolicy.
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html#creating-delivery-policy
https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
https://docs.aws.amazon.com/sns/latest/dg/prereqs-kinesis-data-firehose.html

Emulator: tries an HTTP endpoint once and forgets what it refuses, sends no link for subscriptions
of a template, and delivers nothing to Firehose.
Here an endpoint is called only if it is on this machine, be its address http or https: nothing of a
local stack leaves it.
"""

import asyncio
import base64
import contextvars
import inspect
import json
import logging
import threading
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ministack.core.responses import new_uuid
from ministack.services import firehose, sns
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace, retries
from sls_patterns_cli.local.emulator.adapters.iam.permissions import (
    SENDING,
    refusing,
    role_may,
    throttling,
)
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume
from sls_patterns_cli.local.emulator.adapters.sns.topic_delivery import SNS, give_up

HERE = {"127.0.0.1", "localhost"}
OK, REFUSED, THROTTLED, UNREACHABLE = 200, 403, 429, 0

_FAN_OUT = inspect.signature(sns._fanout)

calls_endpoints = True
"""Whether HTTP endpoints are called; `prove` has them confirm and take everything."""

logger = logging.getLogger(__name__)

Subscription = dict[str, Any]


class RefusedError(Exception):
    """An endpoint does not take something, and never will."""


def apply() -> None:
    replace(sns, "_fanout", "984cdd91d64a", _to_all)
    replace(sns, "_deliver_to_http", "6a61d4bda532", lambda _: _nothing)
    subscriptions = provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]
    replace(subscriptions, "create", "1d35ffdfbb89", _asking)
    replace(subscriptions, "update", "e9640e02293c", _asking)
    topics = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    replace(topics, "create", "0a96666a036a", _create)
    replace(topics, "update", "a29cbf08e7b5", _update)


async def _nothing(_endpoint: str, _payload: str) -> None:
    """What the emulator delivers to an HTTP endpoint: `_to_all` does it."""


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_topic(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, properties, stack)
        _keep_policy(created[0], properties)
        _ask_all()
        return created

    return create_topic


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_topic(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        updated = update(physical_id, old, new, *rest)
        _keep_policy(updated[0], new)
        _ask_all()
        return updated

    return update_topic


def _keep_policy(topic_arn: str, properties: dict[str, Any]) -> None:
    given = properties.get("DeliveryPolicy") or {}
    policy = given if isinstance(given, str) else json.dumps(given)
    sns._topics[topic_arn]["attributes"]["DeliveryPolicy"] = policy


def _asking(make: Callable[..., Any]) -> Callable[..., Any]:
    def make_and_ask(*arguments: Any, **options: Any) -> Any:
        made = make(*arguments, **options)
        _ask_all()
        return made

    return make_and_ask


def _ask_all() -> None:
    """Ask each endpoint that has not been asked."""
    for topic in sns._topics.values():
        for subscription in topic["subscriptions"]:
            if not subscription["confirmed"] and not subscription.get("token"):
                _ask(topic["arn"], subscription)


def _ask(topic_arn: str, subscription: Subscription) -> None:
    """Ask an endpoint to confirm its subscription."""
    if not calls_endpoints:
        subscription["confirmed"] = True
        return
    subscription["token"] = new_uuid()
    subscription["attributes"]["PendingConfirmation"] = "true"
    local = _local(subscription["endpoint"])
    if local is None:
        logger.warning("%s is not on this machine, so it is not called", subscription["endpoint"])
        return
    asked = sns._send_subscription_confirmation(topic_arn, {**subscription, "endpoint": local})
    threading.Thread(target=asyncio.run, args=(asked,), daemon=True).start()


def _local(endpoint: str) -> str | None:
    """The address at which an endpoint is called here; None for one elsewhere."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(scheme="http")) if parts.hostname in HERE else None


def _to_all(fan_out: Callable[..., None]) -> Callable[..., None]:
    def fan_out_to_all(topic_arn: str, message_id: str, *given: Any, **options: Any) -> None:
        fan_out(topic_arn, message_id, *given, **options)
        bound = _FAN_OUT.bind(topic_arn, message_id, *given, **options)
        bound.apply_defaults()
        for subscription, content in _matching(bound.arguments):
            context = contextvars.copy_context()
            arguments = (_deliver, topic_arn, subscription, content)
            threading.Thread(target=context.run, args=arguments, daemon=True).start()

    return fan_out_to_all


def _matching(publication: Mapping[str, Any]) -> Iterator[tuple[Subscription, str]]:
    """Yield the subscriptions to deliver a publication to, each with what its protocol gets."""
    topic_arn = publication["topic_arn"]
    attributes = publication["message_attributes"] or {}
    topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
    for subscription in list(topic["subscriptions"]):
        protocol = subscription["protocol"]
        if not subscription["confirmed"] or protocol not in _SENDERS:
            continue
        text = sns._resolve_message_for_protocol(
            publication["message"], publication["message_structure"], protocol
        )
        if sns._matches_filter_policy(subscription, attributes, text):
            raw = subscription["attributes"].get("RawMessageDelivery") == "true"
            subject = publication["subject"]
            yield (
                subscription,
                sns._build_envelope(
                    topic_arn, publication["msg_id"], text, subject, attributes, raw
                ),
            )


def _deliver(topic_arn: str, subscription: Subscription, content: str) -> None:
    try:
        tried = _SENDERS[subscription["protocol"]](topic_arn, subscription, content)
    except RefusedError:
        tried = retries.REFUSED
    if not tried.delivered:
        give_up(topic_arn, subscription["endpoint"], content, tried)


def _to_address(topic_arn: str, subscription: Subscription, content: str) -> retries.Tried:
    endpoint = subscription["endpoint"]

    def is_delivered() -> bool:
        status = _status(endpoint, content)
        if status // 100 not in {0, 2, 5} and status != THROTTLED:
            raise RefusedError(endpoint)
        return status // 100 == 2

    policy = _delivery_policy(topic_arn, subscription)
    return retries.of_http_endpoint(policy).until(is_delivered)


def _status(endpoint: str, content: str) -> int:
    """What an endpoint answers; UNREACHABLE if it does not."""
    if endpoint in refusing:
        return REFUSED
    if endpoint in throttling:
        return THROTTLED
    local = _local(endpoint)
    if not calls_endpoints or local is None:
        return OK
    try:
        return int(sns._http_post_sync(local, content, "Notification"))
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return UNREACHABLE


def _delivery_policy(topic_arn: str, subscription: Subscription) -> dict[str, Any]:
    """The retry policy of a subscription, or else the one that its topic has for all."""
    own = json.loads(subscription["attributes"].get("DeliveryPolicy") or "{}")
    topic = sns._topic_by_arn_any_scope(topic_arn) or {"attributes": {}}
    of_topic = json.loads(topic["attributes"].get("DeliveryPolicy") or "{}").get("http") or {}
    usual: dict[str, Any] = of_topic.get("defaultHealthyRetryPolicy") or {}
    if of_topic.get("disableSubscriptionOverrides"):
        return usual
    return own.get("healthyRetryPolicy") or usual


def _to_delivery_stream(_topic_arn: str, subscription: Subscription, content: str) -> retries.Tried:
    stream = subscription["endpoint"]
    name = stream.rpartition("/")[2]
    role = subscription["attributes"].get("SubscriptionRoleArn", "")
    may = may_assume(SNS, role) and role_may(role, SENDING["firehose"], stream)
    if not may or name not in firehose._streams:
        raise RefusedError(stream)
    record = {"Data": base64.b64encode(f"{content}\n".encode()).decode()}

    def is_delivered() -> bool:
        if stream in throttling:
            return False
        answer = firehose._HANDLERS["PutRecord"]({"DeliveryStreamName": name, "Record": record})
        return int(answer[0]) < 400

    return retries.of_other_endpoint().until(is_delivered)


_SENDERS: dict[str, Callable[[str, Subscription, str], retries.Tried]] = {
    "http": _to_address,
    "https": _to_address,
    "firehose": _to_delivery_stream,
}
