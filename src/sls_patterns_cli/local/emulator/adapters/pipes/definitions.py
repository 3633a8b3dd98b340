"""A pipe keeps all that it was made with, and is made only if its role may read and keep.

AWS: a pipe acts in the name of its role, also where it puts what it gives up. A pipe that may not
read its source, or not send to its dead-letter queue, does not stabilize. Whether it may deliver
shows when it delivers. The role's trust policy sees the pipe's ARN and account.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
https://github.com/aws-samples/serverless-patterns/issues/1857

Emulator: keeps source, target and role only, and asks for no permission.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import pipes
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import SENDING, role_may
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume

PIPES = "pipes.amazonaws.com"

READING = {
    "sqs": ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
    "kinesis": ("DescribeStream", "GetRecords", "GetShardIterator"),
    "dynamodb": ("DescribeStream", "GetRecords", "GetShardIterator"),
}
"""AWS documents more of streams; published pipes work with these."""

TARGETS = ("lambda", "sqs", "sns", "states", "events", "kinesis", "firehose")
ENRICHMENTS = ("lambda", "states")

API_DESTINATION = "api-destination"

STREAMS = ("KinesisStreamParameters", "DynamoDBStreamParameters")

KEPT = (
    "SourceParameters",
    "Enrichment",
    "EnrichmentParameters",
    "TargetParameters",
    "LogConfiguration",
)
"""What the emulator forgets."""

takes_anything = False
"""Whether there may be pipes from and to what is not here: `prove` has stand-ins for it."""

Pipe = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def apply() -> None:
    replace(pipes, "_create_pipe", "c62c7af22b89", _created)
    replace(pipes, "_update_pipe", "65afd82159e7", _updated)
    replace(pipes, "_describe_response", "e61aa7f552c0", _described)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Pipes::Pipe"]
    replace(handlers, "create", "594577ac8ce9", _create)
    replace(handlers, "update", "1b436f0e7647", _update)


def stream_parameters(pipe: Pipe) -> dict[str, Any]:
    """Return what is configured for the stream that a pipe reads, {} for a queue."""
    given = pipe.get("SourceParameters") or {}
    return next((given[kind] for kind in STREAMS if given.get(kind)), {})


def dead_letters(pipe: Pipe) -> str:
    """Return the ARN of what keeps a stream's batches that a pipe gives up, or an empty text."""
    return str((stream_parameters(pipe).get("DeadLetterConfig") or {}).get("Arn", ""))


def service_of(arn: str) -> str:
    """Return the service of an ARN; EventBridge's API destinations count as one of their own."""
    parts = arn.split(":")
    if ":api-destination/" in arn:
        return API_DESTINATION
    return parts[2] if len(parts) > 5 else ""


def _created(create: Callable[..., Answer]) -> Callable[..., Answer]:
    def create_pipe(name: str, request: Pipe) -> Answer:
        if problem := _problem({**request, "Arn": _arn(name)}):
            return _refused(problem)
        answer = create(name, request)
        if answer[0] < 400:
            _keep(name, request)
        return answer

    return create_pipe


def _updated(update: Callable[..., Answer]) -> Callable[..., Answer]:
    def update_pipe(name: str, request: Pipe) -> Answer:
        if name in pipes._pipes and (problem := _problem({**pipes._pipes[name], **request})):
            return _refused(problem)
        answer = update(name, request)
        if answer[0] < 400:
            pipes._pipes[name] |= {key: request[key] for key in KEPT if key in request}
        return answer

    return update_pipe


def _refused(problem: str) -> Answer:
    answer: Answer = pipes._error(400, "ValidationException", problem)
    return answer


def _described(describe: Callable[[Pipe], Pipe]) -> Callable[[Pipe], Pipe]:
    def describe_pipe(pipe: Pipe) -> Pipe:
        return {**describe(pipe), **{key: pipe[key] for key in KEPT if pipe.get(key)}}

    return describe_pipe


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_pipe(logical_id: str, properties: Pipe, stack: str) -> Any:
        given = properties.get("Name")
        name = given or provisioners._physical_name(stack, logical_id, max_len=64)
        _require({**properties, "Arn": _arn(name)})
        created = create(logical_id, properties, stack)
        _keep(created[0], properties)
        return created

    return create_pipe


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_pipe(name: str, old: Pipe, new: Pipe, stack: str, logical_id: str) -> Any:
        _require({**new, "Arn": _arn(name)})
        before = pipes._pipes.get(name)
        updated = update(name, old, new, stack, logical_id)
        _keep(updated[0], new, same=pipes._pipes[updated[0]] is before)
        return updated

    return update_pipe


def _keep(name: str, given: Pipe, *, same: bool = False) -> None:
    pipe = pipes._pipes[name]
    pipe |= {key: given.get(key) for key in KEPT}
    if not same:
        pipe["Id"] = new_uuid()  # so that a pipe that is made again reads from its start


def _require(pipe: Pipe) -> None:
    if problem := _problem(pipe):
        raise ValueError(problem)


def _problem(pipe: Pipe) -> str:
    """Say what AWS refuses in a pipe, or what the local stack does not have; '' for nothing."""
    if not takes_anything and (unknown := next(_unknown(pipe), "")):
        return f"the local stack has no pipes {unknown}"
    role, source = str(pipe.get("RoleArn", "")), str(pipe.get("Source", ""))
    if not may_assume(PIPES, role, pipe["Arn"]):
        return f"{PIPES} may not assume {role}"
    service = service_of(source)
    for action in READING.get(service, ()):
        if not role_may(role, f"{service}:{action}", source):
            return f"{role} does not let the pipe {service}:{action} {source}"
    end = dead_letters(pipe)
    if end and not role_may(role, SENDING.get(service_of(end), ""), end):
        return f"Error occurred while sending message to {end}: {role} does not let the pipe"
    return ""


def _unknown(pipe: Pipe) -> Iterator[str]:
    """Yield what of a pipe the local stack does not have."""
    source, target = str(pipe.get("Source", "")), str(pipe.get("Target", ""))
    if service_of(source) not in READING:
        yield f"from {source}"
    if service_of(target) not in TARGETS:
        yield f"to {target}"
    enrichment = pipe.get("Enrichment")
    if enrichment and service_of(str(enrichment)) not in ENRICHMENTS:
        yield f"that are enriched by {enrichment}"


def _arn(name: str) -> str:
    return f"arn:aws:pipes:{get_region()}:{get_account_id()}:pipe/{name}"
