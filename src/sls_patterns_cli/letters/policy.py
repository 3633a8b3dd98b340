"""The least that an operator's role needs for the letters of one stack.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sls_patterns_cli.letters.aws import Clients
from sls_patterns_cli.letters.deployed import Deployed, machines_in_s3
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.setting_aside import end_of
from sls_patterns_cli.letters.starters import Starter
from sls_patterns_cli.letters.stores import Bucket, NoticedBucket, Queue, Store
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.letters.ways.deliveries import Notifications, RuleEvents
from sls_patterns_cli.letters.ways.executions import Executions
from sls_patterns_cli.letters.ways.firehose import UndeliveredRecords
from sls_patterns_cli.letters.ways.invocations import Events, InvocationRecords
from sls_patterns_cli.letters.ways.queues import SentToQueue
from sls_patterns_cli.letters.ways.redshift import RefusedBatches
from sls_patterns_cli.letters.ways.way import Grant, Way
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

Verb = Literal["list", "show", "redrive", "discard", "pause", "resume", "set-aside"]
VERBS: tuple[Verb, ...] = get_args(Verb)

CONFIRMED_ONLY = Events, Executions, InvocationRecords, Notifications, UndeliveredRecords
"""What these ways read only confirms where failures end, which a redrive does not ask."""

TOLD_BY_READING = (RuleEvents,)
"""These ways read what tells their letters from those of others."""

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


def policy(needs: Needs, verbs: Iterable[Verb]) -> dict[str, Any]:
    """Return the least policy that some commands need together."""
    deployed = needs.deployed
    grants = dict.fromkeys(_stack(deployed))
    for verb in verbs:
        for action, resource in BY_VERB[verb](needs):
            grants[action, arn_of(deployed, resource)] = None
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


def _stack(deployed: Deployed) -> Iterator[Grant]:
    nested = [deployed.arn, *(id_ for id_ in deployed.ids.values() if _is_stack(id_))]
    for arn in dict.fromkeys(nested):
        # By its name: a stack that is deployed anew has another id behind it.
        named = f"{arn.rpartition('/')[0]}/*"
        for action in ("DescribeStacks", "GetTemplate", "ListStackResources"):
            yield f"cloudformation:{action}", named
    for machine in machines_in_s3(deployed.stack):
        yield "states:DescribeStateMachine", arn_of(deployed, machine.name)


def _to_list(needs: Needs) -> Iterator[Grant]:
    for end in needs.ends:
        yield from _reading(needs.deployed, end.store)
        yield from _logs(needs.deployed, _without_error(end))
        for way in end.ways:
            yield from way.reads()
    for starter in needs.starters:
        yield from starter.reads()


def _to_show(needs: Needs) -> Iterator[Grant]:
    for end in needs.ends:
        yield from _reading(needs.deployed, end.store)
        yield from _logs(needs.deployed, end.ways)
        yield from _taking(end)


def _to_redrive(needs: Needs) -> Iterator[Grant]:
    for end in needs.ends:
        yield from _reading(needs.deployed, end.store)
        yield from _logs(needs.deployed, _without_error(end))
        for way in end.ways:
            if isinstance(way, RefusedBatches) or not isinstance(way, CONFIRMED_ONLY):
                yield from way.reads()
        yield from _deleting(needs.deployed, end)
        yield from _alone(end)
        yield from _watching(end)
        yield from _moving(end)
        yield from _sending(needs.deployed, end)


def _to_discard(needs: Needs) -> Iterator[Grant]:
    for end in needs.ends:
        for action, resource in _reading(needs.deployed, end.store):
            if action != "sqs:GetQueueAttributes":  # nothing is counted
                yield action, resource
        yield from _logs(needs.deployed, _without_error(end))
        yield from _taking(end)
        yield from _deleting(needs.deployed, end)


def _to_pause(needs: Needs) -> Iterator[Grant]:
    yield from _switching(needs, besides="events:EnableRule")


def _to_resume(needs: Needs) -> Iterator[Grant]:
    yield from _switching(needs, besides="events:DisableRule")


def _switching(needs: Needs, *, besides: str) -> Iterator[Grant]:
    for starter in needs.starters:
        yield from starter.reads()
        yield from (grant for grant in starter.changes() if grant[0] != besides)


def _without_error(end: End) -> list[Way]:
    """Return the ways back of letters that say no error, so that the log is asked."""
    return [way for way in end.ways if not way.says_error]


def _taking(end: End) -> Iterator[Grant]:
    """Yield what it takes to tell of which edge a letter is."""
    for way in end.ways:
        if isinstance(way, TOLD_BY_READING):
            yield from way.reads()


def _logs(deployed: Deployed, ways: Iterable[Way]) -> Iterator[Grant]:
    for way in ways:
        function = deployed.stack.resources.get(way.failed)
        if function and function.type == FUNCTION:
            yield "lambda:GetFunctionConfiguration", way.failed
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


def _sending(deployed: Deployed, end: End) -> Iterator[Grant]:
    for way in end.ways:
        for action, resource in way.grants():
            yield action, resource
            if action == "sqs:SendMessage" and resource in deployed.ids:
                queue = Queue(resource, deployed.ids[resource], way.clients)
                for key_action, key in _keys(queue):
                    yield key_action, key
                    yield "kms:GenerateDataKey", key


def _alone(end: End) -> Iterator[Grant]:
    """Yield what it takes to keep another redrive out."""
    if isinstance(end.store, Queue):
        for action in ("ListQueueTags", "TagQueue", "UntagQueue"):
            yield f"sqs:{action}", end.store.arn


def _watching(end: End) -> Iterator[Grant]:
    """Yield what it takes to see whether a canary is processed, beside the log."""
    for way in end.ways:
        if isinstance(way, SentToQueue) and way.comes_back:
            yield "sqs:GetQueueAttributes", way.goes_to


def _moving(end: End) -> Iterator[Grant]:
    """Yield what it takes to let SQS move all letters, and to stop it."""
    if isinstance(end.store, Queue) and end.movable():
        for action in ("StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask"):
            yield f"sqs:{action}", end.store.arn


def _deleting(deployed: Deployed, end: End) -> Iterator[Grant]:
    store = end.store
    if isinstance(store, Queue):
        yield "sqs:DeleteMessage", store.arn
    elif isinstance(store, Bucket):
        for prefix in store.prefixes:
            yield "s3:DeleteObject", f"{_s3(deployed, store.bucket)}/{prefix}*"


def _to_set_aside(needs: Needs) -> Iterator[Grant]:
    deployed, clients = needs.deployed, needs.clients
    for name in [each.name for each in deployed.stack.of_type(QUEUE) if each.name in deployed.ids]:
        queue = Queue(name, deployed.ids[name], clients)
        end = end_of(queue, deployed, clients) if queue.is_fifo else None
        if end is None:
            continue
        yield from _reading(deployed, queue)
        for starter in needs.starters:
            if starter.edge.source == queue.name:
                yield from starter.reads()
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


BY_VERB: dict[Verb, Callable[[Needs], Iterator[Grant]]] = {
    "list": _to_list,
    "show": _to_show,
    "redrive": _to_redrive,
    "discard": _to_discard,
    "pause": _to_pause,
    "resume": _to_resume,
    "set-aside": _to_set_aside,
}


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
