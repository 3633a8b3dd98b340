"""SP1xx: edges whose failures end nowhere."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault, dead_letters
from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.terminal.sentences import listed
from sls_patterns_cli.wiring.edges import edges
from sls_patterns_cli.wiring.model import BUCKET, EVENT_SOURCE, QUEUE, SUBSCRIBER, Edge

DOCS = "https://docs.aws.amazon.com"
SNS = f"{DOCS}/sns/latest/dg/sns-dead-letter-queues.html"
TEMPLATES = f"{DOCS}/AWSCloudFormation/latest/TemplateReference"
DELIVERIES = {
    "AWS::Events::Rule": (
        "rule",
        "Targets[].DeadLetterConfig.Arn",
        f"{DOCS}/eventbridge/latest/userguide/eb-rule-dlq.html",
    ),
    "AWS::Scheduler::Schedule": (
        "schedule",
        "Target.DeadLetterConfig.Arn",
        f"{DOCS}/scheduler/latest/UserGuide/configuring-schedule-dlq.html",
    ),
    "AWS::SNS::Subscription": ("subscription", "RedrivePolicy.deadLetterTargetArn", SNS),
    "AWS::SNS::Topic": (
        "subscription",
        "the RedrivePolicy of an AWS::SNS::Subscription of its own",
        SNS,
    ),
    "AWS::Pipes::Pipe": (
        "pipe",
        "SourceParameters.….DeadLetterConfig.Arn",
        f"{DOCS}/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html",
    ),
    "AWS::IoT::TopicRule": (
        "rule",
        "TopicRulePayload.ErrorAction",
        f"{DOCS}/iot/latest/developerguide/rule-error-handling.html",
    ),
    EVENT_SOURCE: (
        "event source",
        "OnFailureConfiguration.Arn of its configuration",
        f"{TEMPLATES}/aws-properties-eventsv2-eventsource-onfailureconfiguration.html",
    ),
    SUBSCRIBER: (
        "subscriber",
        "OnFailureConfiguration.Arn",
        f"{TEMPLATES}/aws-properties-eventsv2-subscriber-onfailureconfiguration.html",
    ),
}
"""What delivers, where its dead-letter queue is named, and AWS's page about that."""


SAM_LINES = {
    "AWS::Events::Rule": "DeadLetterConfig:\n  Type: SQS",
    "AWS::Scheduler::Schedule": "DeadLetterConfig:\n  Type: SQS",
    "AWS::SNS::Subscription": "RedrivePolicy:\n  deadLetterTargetArn: !GetAtt DeadLetters.Arn",
}
"""What an event of a SAM function gets; of the first two SAM makes the queue and its policy."""


def faults(stack: Stack) -> Iterator[Fault]:
    # What has failed before, and goes on from its end or to it, needs no second end.
    ends = {
        edge.end.name
        for edge in edges(stack)
        if edge.end.kind == "resource" and stack.resources[edge.end.name].type in {QUEUE, BUCKET}
    }
    found = [
        edge
        for edge in edges(stack)
        if edge.end.kind == "none"
        and edge.can_end
        and edge.is_enabled
        and not {edge.source, edge.target} & ends
    ]
    yield from _queues(stack, found)
    yield from _streams(found)
    yield from _invocations(found)
    yield from _deliveries(stack, found)


def _queues(stack: Stack, found: list[Edge]) -> Iterator[Fault]:
    for edge in found:
        queue = stack.resources.get(edge.source)
        if queue and queue.type == QUEUE and edge.mechanism in {"sqs", "pipe"}:
            yield Fault(
                "SP101",
                queue.name,
                f"A message that {edge.target} cannot process is tried again until it expires, "
                "and is then lost.",
                f"Add a dead-letter queue and name it in {queue.name}:\n{dead_letters(queue.name)}"
                f"{queue.name}:\n  Properties:\n    RedrivePolicy:\n"
                f"      deadLetterTargetArn: !GetAtt {queue.name}DeadLetters.Arn\n"
                "      maxReceiveCount: 5",
                cdk="Give the queue a dead-letter queue:\n"
                "new sqs.Queue(this, '…', {\n"
                "  deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },\n});",
            )


def _streams(found: list[Edge]) -> Iterator[Fault]:
    for edge in found:
        if edge.mechanism in {"stream", "kafka"}:
            yield Fault(
                "SP102",
                edge.declared_by,
                f"Records of {edge.source} that {edge.target} cannot process block their shard, "
                "and are lost when they expire or are given up.",
                "Name a bucket, which keeps the records themselves, or a queue or topic as "
                "destination:\nDestinationConfig:\n  OnFailure:\n"
                "    Destination: !GetAtt FailedRecords.Arn",
                cdk="Give the event source a destination:\n"
                "onFailure: new eventsources.S3OnFailureDestination(failedRecords),",
            )


def _invocations(found: list[Edge]) -> Iterator[Fault]:
    sources: dict[str, list[str]] = {}
    for edge in found:
        if edge.mechanism == "lambda-async":
            sources.setdefault(edge.target, []).append(edge.source)
    for function, callers in sources.items():
        yield Fault(
            "SP103",
            function,
            f"An event from {listed(callers)} that {function} cannot process "
            "is lost after the last try.",
            f"Give the function a failure destination that it may write to:\n"
            f"{dead_letters(function)}{function}InvokeConfig:\n"
            "  Type: AWS::Lambda::EventInvokeConfig\n  Properties:\n"
            f"    FunctionName: !Ref {function}\n    Qualifier: $LATEST\n"
            "    DestinationConfig:\n      OnFailure:\n"
            f"        Destination: !GetAtt {function}DeadLetters.Arn",
            sam=f"Give the function a failure destination; SAM makes the queue and lets the "
            f"function send to it:\n{function}:\n  Properties:\n    EventInvokeConfig:\n"
            "      DestinationConfig:\n        OnFailure:\n          Type: SQS",
            cdk="Give the function a failure destination:\n"
            "onFailure: new destinations.SqsDestination(deadLetters),",
        )


def _deliveries(stack: Stack, found: list[Edge]) -> Iterator[Fault]:
    for edge in found:
        declared = stack.resources[edge.declared_by]
        if edge.mechanism in {"lambda-async", "sqs", "stream", "kafka"}:
            continue
        source = stack.resources.get(edge.source)
        if declared.type not in DELIVERIES or (source and source.type == QUEUE):
            continue
        what, where, url = DELIVERIES[declared.type]
        lets = "in a role" if declared.type == SUBSCRIBER else "with a policy"
        yield Fault(
            "SP104",
            declared.name,
            f"What this {what} cannot deliver from {edge.source} to {edge.target} is lost.",
            f"Name a queue in {where}, {lets} that lets the service send to it:\n"
            f"{dead_letters(declared.name)}".rstrip(),
            sam="Give the event a dead-letter queue that the service may send to:\n"
            f"{SAM_LINES.get(declared.type, '')}".rstrip(),
            cdk="Give the target, schedule or subscription a dead-letter queue:\n"
            "deadLetterQueue: deadLetters,",
            url=url,
        )
