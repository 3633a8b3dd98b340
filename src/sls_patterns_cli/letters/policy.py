"""The least that an operator's role needs for the letters of one stack.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sls_patterns_cli.letters.aws import Clients
from sls_patterns_cli.letters.deployed import Deployed, machines_in_s3
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.setting_aside import end_of
from sls_patterns_cli.letters.starters import Starter
from sls_patterns_cli.letters.stores import Bucket, NoticedBucket, Queue, Store
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.letters.ways.way import Grant
from sls_patterns_cli.wiring.model import (
    BUCKET,
    DELIVERY,
    FUNCTION,
    MAPPING,
    PIPE,
    QUEUE,
    RULE,
    SCHEDULE,
    STREAM,
    SUBSCRIPTION,
    TABLE,
)

FORMS = {
    QUEUE: "sqs:{here}:{name}",
    FUNCTION: "lambda:{here}:function:{name}*",
    STREAM: "kinesis:{here}:stream/{name}",
    TABLE: "dynamodb:{here}:table/{name}/stream/*",
    DELIVERY: "firehose:{here}:deliverystream/{name}",
    MAPPING: "lambda:{here}:event-source-mapping:{name}",
    PIPE: "pipes:{here}:pipe/{name}",
    SCHEDULE: "scheduler:{here}:schedule/*/{name}",
    RULE: "events:{here}:rule/*{name}",
    BUCKET: "s3:::{name}",
}


@dataclass(frozen=True)
class Needs:
    """What commands are about in a stack."""

    deployed: Deployed
    ends: list[End]
    starters: list[Starter]
    clients: Clients


def policy(needs: Needs, *, redrive: bool, pause: bool, set_aside: bool) -> dict[str, Any]:
    """Return the policy for listing; with more for sending back and discarding, and the others."""
    deployed, ends = needs.deployed, needs.ends
    grants = dict.fromkeys(_listing(deployed, ends))
    for starter in needs.starters:
        found = (*starter.reads(), *(starter.changes() if pause else ()))
        grants |= {(action, arn_of(deployed, resource)): None for action, resource in found}
    if redrive:
        grants |= dict.fromkeys(_sending(deployed, ends))
    if set_aside:
        grants |= dict.fromkeys(_setting_aside(needs))
    by_resource: dict[str, list[str]] = {}
    for action, resource in grants:
        by_resource.setdefault(resource, []).append(action)
    by_actions: dict[tuple[str, ...], list[str]] = {}
    for resource, actions in by_resource.items():
        by_actions.setdefault(tuple(sorted(actions)), []).append(resource)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": sorted(resources)}
            for actions, resources in by_actions.items()
        ],
    }


def _listing(deployed: Deployed, ends: list[End]) -> Iterator[Grant]:
    nested = [deployed.arn, *(id_ for id_ in deployed.ids.values() if _is_stack(id_))]
    for arn in dict.fromkeys(nested):
        for action in ("DescribeStacks", "GetTemplate", "ListStackResources"):
            yield f"cloudformation:{action}", arn
    for machine in machines_in_s3(deployed.stack):
        yield "states:DescribeStateMachine", arn_of(deployed, machine.name)
    for end in ends:
        yield from _reading(deployed, end.store)
        for way in end.ways:
            for action, resource in way.reads():
                yield action, arn_of(deployed, resource)
            function = deployed.stack.resources.get(way.failed)
            if function and function.type == FUNCTION:
                yield "lambda:GetFunctionConfiguration", arn_of(deployed, way.failed)
                yield "logs:FilterLogEvents", _log_group(deployed, way.failed)


def _reading(deployed: Deployed, store: Store) -> Iterator[Grant]:
    if isinstance(store, Queue):
        for action in ("ChangeMessageVisibility", "GetQueueAttributes", "ReceiveMessage"):
            yield f"sqs:{action}", store.arn
        yield from _keys(store)
    bucket = store.bucket_of_objects if isinstance(store, NoticedBucket) else store
    if isinstance(bucket, Bucket):
        yield "s3:ListBucket", _s3(deployed, bucket.bucket)
        for prefix in bucket.prefixes:
            yield "s3:GetObject", f"{_s3(deployed, bucket.bucket)}/{prefix}*"


def _sending(deployed: Deployed, ends: list[End]) -> Iterator[Grant]:
    for end in ends:
        yield from _deleting(deployed, end)
        for way in end.ways:
            for action, resource in way.grants():
                yield action, arn_of(deployed, resource)
                if action == "sqs:SendMessage" and resource in deployed.ids:
                    queue = Queue(resource, deployed.ids[resource], way.clients)
                    yield "sqs:GetQueueAttributes", queue.arn
                    for key_action, key in _keys(queue):
                        yield key_action, key
                        yield "kms:GenerateDataKey", key


def _deleting(deployed: Deployed, end: End) -> Iterator[Grant]:
    store = end.store
    if isinstance(store, Queue):
        yield "sqs:DeleteMessage", store.arn
        if end.movable():
            for action in ("StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask"):
                yield f"sqs:{action}", store.arn
    elif isinstance(store, Bucket):
        for prefix in store.prefixes:
            yield "s3:DeleteObject", f"{_s3(deployed, store.bucket)}/{prefix}*"


def _setting_aside(needs: Needs) -> Iterator[Grant]:
    deployed, clients = needs.deployed, needs.clients
    for name in [each.name for each in deployed.stack.of_type(QUEUE) if each.name in deployed.ids]:
        queue = Queue(name, deployed.ids[name], clients)
        end = end_of(queue, deployed, clients) if queue.is_fifo else None
        if end is None:
            continue
        yield from _reading(deployed, queue)
        yield "sqs:DeleteMessage", queue.arn
        for action in ("GetQueueAttributes", "GetQueueUrl", "SendMessage"):
            yield f"sqs:{action}", end.arn
        for action, key in _keys(end):
            yield action, key
            yield "kms:GenerateDataKey", key


def _keys(queue: Queue) -> Iterator[Grant]:
    """Yield what a queue's own key needs; that of SQS needs nothing."""
    key = queue.key
    if key and not key.endswith("alias/aws/sqs"):
        here = ":".join(queue.arn.split(":")[3:5])
        partition = queue.arn.split(":")[1]
        if key.startswith("alias/"):
            yield "kms:Decrypt", f"arn:{partition}:kms:{here}:key/*"
        else:
            yield (
                "kms:Decrypt",
                key if key.startswith("arn:") else f"arn:{partition}:kms:{here}:key/{key}",
            )


def _is_stack(id_: str) -> bool:
    return id_.startswith("arn:") and ":cloudformation:" in id_ and ":stack/" in id_


def arn_of(deployed: Deployed, resource: str) -> str:
    """Return the ARN of a resource by its logical id; an ARN stays.

    `NAME/executions` are the executions of a state machine; `*` is what the stack does not say.
    """
    if resource.startswith("arn:"):
        return resource
    owner, _, inner = resource.partition("/")
    if owner not in deployed.ids:
        return "*"
    if inner == "executions":
        return f"{deployed.ids[owner].replace(':stateMachine:', ':execution:')}:*"
    _, partition, _, region, account = deployed.arn.split(":")[:5]
    id_, declared = deployed.ids[resource], deployed.stack.resources[resource]
    if declared.type == SUBSCRIPTION:  # permissions are on its topic
        return id_.rpartition(":")[0]
    if declared.type not in FORMS:
        return id_  # such as a state machine's, which is an ARN
    form = FORMS[declared.type].format(here=f"{region}:{account}", name=name_of(id_))
    return f"arn:{partition}:{form}"


def _s3(deployed: Deployed, bucket: str) -> str:
    return f"arn:{deployed.arn.split(':')[1]}:s3:::{bucket}"


def _log_group(deployed: Deployed, function: str) -> str:
    """Return the group that the template names, or that of the function's name."""
    stack = deployed.stack
    _, partition, _, region, account = deployed.arn.split(":")[:5]
    given = stack.resources[function].get("LoggingConfig", "LogGroup")
    named = stack.named(given) if given is not None else None
    group = f"/aws/lambda/{name_of(deployed.ids[function])}"
    if named:
        group = deployed.ids.get(named.name, group)
    elif isinstance(given, str):
        group = given
    return f"arn:{partition}:logs:{region}:{account}:log-group:{group}:*"
