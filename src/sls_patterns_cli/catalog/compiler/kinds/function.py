"""Lambda functions."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import bucket, queue, rules
from sls_patterns_cli.catalog.compiler.kinds.rate import SLOWEST, calls, outage, refusal_rate, slow
from sls_patterns_cli.catalog.compiler.quantities import Count, Duration
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    OptionalParameter,
    Output,
    Reference,
    Threshold,
    dead_letter_queue,
    output,
    pascal,
)
from sls_patterns_cli.catalog.kinds import Declaration

MEMORY_MEGABYTES = 256
"""Enough for the runtimes with Powertools and the SDK; its share of a CPU grows with it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

RETRIES = 2
"""How often Lambda tries an asynchronous invocation again: the default, and the most.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

EVENT_AGE = Duration(6, "hours")
"""How long Lambda keeps the event of one, as while it is throttled: the default, and the most."""

PAUSES = ("one minute", "two more minutes")
"""How long Lambda waits before each retry."""

EXECUTION_DAYS = 30
"""How long AWS keeps a durable execution that has ended, and so its name: longer than the event of
one that failed is in the dead-letter queue. Of 1 to 90 days:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-durableconfig.html"""

SECONDS_TO_END = 300
"""How long until an event that fails is given up: after its retries, for which Lambda takes
its time."""

CALL_ATTEMPTS = Count(2)
"""How many attempts of a call to AWS the SDK makes."""

CONNECT_SECONDS = 1
"""How long an attempt may take to connect; without a limit, the SDK waits longer than Lambda does.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-smart-config-defaults.html"""

RESPONSE_SECONDS = 3
"""How long an attempt may wait for the response."""

ATTEMPT_SECONDS = CONNECT_SECONDS + RESPONSE_SECONDS
"""How long an attempt takes at most."""

PAUSE_SECONDS = 1
"""How long the SDK pauses at most before the second attempt.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""

CALL_SECONDS = CALL_ATTEMPTS.number * ATTEMPT_SECONDS + (CALL_ATTEMPTS.number - 1) * PAUSE_SECONDS
"""How long a call to AWS takes at most."""

ALIAS = "live"
"""What callers invoke where versions matter: of gradual deployments and of durable functions."""

NEWEST_RUNTIMES = ("python3.14", "nodejs24.x")
"""What cdk-nag takes for the newest version of each runtime."""

UNRESERVED_CONCURRENCY = 100
"""What Lambda keeps for the functions of an account that reserve none (fact A5)."""

FEWEST_PAGES = 3
"""Of fewer calls in an hour a missing part is no rate."""

SHARE_OF_PAGES = 2
"""Where one page of so many lacks a part, its service has failed for half an hour, or half of its
calls fail: a restart or a deployment of another team is over by then."""

HOURS_WITHOUT = 6
"""For so many hours with calls nothing is missing before a part that is missing again is told anew:
a service that fails each evening, or at one page of two, is one ticket."""

OLDEST_RECORD = Threshold(
    "oldest-record-milliseconds",
    900_000,
    "How long a record may wait in a stream, in milliseconds",
)
"""15 minutes of the 24 hours for which a stream keeps a record."""


def retried(retries: int) -> str:
    """When Lambda tries an asynchronous invocation again, as a sentence has it."""
    pauses = " and ".join(f"after {pause}" for pause in PAUSES[:retries])
    return f"{Count(retries).times}, {pauses}" if pauses else Count(retries).times


def metric(function: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of all versions of a function.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    named = {"FunctionName": Reference(function["id"], "function_name")}
    return Metric("AWS/Lambda", name, statistic, named)


def reported(function: CompiledNode, name: str, statistic: str = "Sum", **others: str) -> Metric:
    """A metric that the function's own code reports: by function and service, and by `others`."""
    by: dict[str, Reference | str] = {
        "FunctionName": Reference(function["id"], "function_name"),
        "service": Reference("", "project_name"),
        **others,
    }
    return Metric(None, name, statistic, by)


def is_called_by_others(function: CompiledNode) -> bool:
    """Whether other services invoke it by its alias, and so wait for its answer."""
    return bool(function["callers"])


def invoked(attributes: Declaration, *, asynchronously: bool) -> Facts:
    """How a function is invoked, and what becomes of an event that fails.

    A destination gets a record of it, a dead-letter queue the event as it was sent. Of a durable
    execution only a dead-letter queue hears, and nothing retries it (fact Y12); it stays with the
    version that began it (fact O72).
    """
    durable = "durable" in attributes
    facts: Facts = {"invoked_asynchronously": asynchronously}
    if durable:
        facts["alias"] = ALIAS
    if not asynchronously:
        return facts | {"failed_events": None}
    kept = "dead-letter-queue" if durable else "destination"
    retries = attributes.get("retries", 0 if durable else RETRIES)
    return facts | {
        "failed_events": attributes.get("failed_events", kept),
        "retries": retries,
        "retried": retried(retries),
        "attempts": Count(retries + 1).as_dict(),
    }


def is_durable(node: CompiledNode) -> bool:
    """Whether its invocations are executions that outlast them."""
    return node.get("durable") is not None


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of one function beside those of all functions of the service."""
    if is_called_by_others(node):
        yield from outage(
            node["id"],
            "ErrorsAlarm",
            (
                f"Calls of the {node['name']} function fail",
                f"Three or more of the few calls of the {node['name']} function in an hour failed",
            ),
            "see its log",
            calls(failed=metric(node, "Errors"), all_of_them=metric(node, "Invocations")),
        )
        yield slow(
            f"{node['id']}DurationAlarm",
            f"Calls of the {node['name']} function are slow",
            "see its log, and compare with the memory that it has",
            metric(node, "Duration", SLOWEST),
        )
    if node.get("refusals"):
        # It is invoked for each request of an API, and for many messages of a queue.
        one_by_one = any(edge["call"] == "sync" for edge in node.incoming)
        yield refusal_rate(
            node,
            "compare the secret with the sender's: one of the two has changed",
            refused=reported(node, node["refusals"]),
            all_of_them=metric(node, "Invocations")
            if one_by_one
            else reported(node, node["refusals"], "SampleCount"),
        )
    yield from _missing_parts(node)
    if node.get("signed_refusals"):
        yield Alarm(
            f"{node['id']}SignedRefusalsAlarm",
            TICKET,
            f"{node['id']} refuses what its sender has signed",
            "see its log for the reason and the id, and have the sender send it again",
            "a sender sends it in no other form, so each is lost; an hour of them is one ticket",
            {"refused": reported(node, node["signed_refusals"])},
            periods=60,
            needed=1,
        )
    if node["reads_stream"]:
        yield Alarm(
            f"{node['id']}IteratorAgeAlarm",
            PAGE,
            f"Records wait too long for the {node['name']} function",
            "look for its errors",
            "AWS recommends 15 of 15 minutes",
            {"age": metric(node, "IteratorAge", "Maximum")},
            threshold=OLDEST_RECORD,
            periods=15,
            after=f"{OLDEST_RECORD.default // 60_000 + 15} minutes after a record was written",
        )


def _missing_parts(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on the parts that pages lack, each with a status of success.

    A page without any part is an error, and not counted; parts that are not missing are not
    reported (fact C32). What lacks because of a token has an alarm of its own. An hour with few
    calls has no value, and changes nothing.
    """
    parts = [edge["to"] for edge in node.outgoing if edge.get("part")]
    if not parts:
        return
    signed_in = {edge.get("signs_in_to") for edge in node.outgoing}
    metrics = {"calls": metric(node, "Invocations")}
    lacking = []
    for part in parts:
        name = part.replace("-", "_")
        metrics[name] = reported(node, "PartMissing", part=part)
        others = "calls"
        if part in signed_in:
            metrics[f"{name}_refused"] = reported(node, "SignInFailed", system=part)
            others += f" + {SHARE_OF_PAGES} * {name}_refused"
        lacking.append(f"IF({others} - {SHARE_OF_PAGES} * {name} <= 0, 1, 0)")
    yield Alarm(
        f"{node['id']}MissingPartsAlarm",
        TICKET,
        f"Half of the pages of {node['name']} lack {' or '.join(parts)}",
        f"find 'service failed' in the log of {node['name']}: it names the service, and why",
        f"of {FEWEST_PAGES} calls an hour or more; callers get the rest; quiet after "
        f"{HOURS_WITHOUT} hours without it",
        metrics,
        after="after half an hour without one",
        terms=(f"IF(calls >= {FEWEST_PAGES}, {' + '.join(lacking)})",),
        period=3600,
        periods=HOURS_WITHOUT,
        needed=1,
        missing="ignore",
    )


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that Lambda could not keep an event that failed (fact B1)."""
    if node["failed_events"] == "dead-letter-queue":
        yield metric(node, "DeadLetterErrors")
    if node["failed_events"] in {"destination", "bucket"} or node["reads_stream"]:
        yield metric(node, "DestinationDeliveryFailures")
    if node["failed_events"] == "bucket":
        yield rules.not_sent(failed_events_rule(node))


def failed_events_bucket(node: CompiledNode) -> str:
    """The logical id of the bucket of the events that a function could not process."""
    return f"{pascal(node['name'])}FailedEventsBucket"


def failed_events_rule(node: CompiledNode) -> str:
    """The logical id of the rule that reports these events."""
    return f"{pascal(node['name'])}FailedEventsRule"


def grants(node: CompiledNode) -> Iterator[Grant]:
    """The permissions to keep events in a bucket (fact O60); those for a queue are in templates."""
    if node["failed_events"] == "bucket":
        kept_in = failed_events_bucket(node)
        yield Grant(node["id"], ("s3:PutObject",), Reference(kept_in, "objects"))
        yield Grant(node["id"], ("s3:ListBucket",), Reference(kept_in, "bucket_arn"))


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The names of a function and its log, the ARN of its alias, and its dead-letter queue."""
    function = node["id"]
    yield output(
        function, "Name", f"The function that {node['does']}", "function_name", where_read=True
    )
    if node.get("alias"):
        yield output(
            function, "AliasArn", "Its alias, which callers invoke", "alias_arn", where_read=True
        )
    yield output(function, "LogGroupName", "", "log_group.log_group_name", where_read=True)
    in_bucket = node["failed_events"] == "bucket"
    if in_bucket:
        yield output(
            failed_events_bucket(node),
            "Name",
            "The bucket of the events that it could not process",
            "bucket_name",
        )
    if node["invoked_asynchronously"]:
        yield queue.dead_letter_url(
            dead_letter_queue(node["name"]),
            "The queue of messages about them"
            if in_bucket
            else "The queue of the events that it could not process",
        )


def parameters(node: CompiledNode) -> Iterator[OptionalParameter]:
    """The concurrency that a function in front of a database reserves.

    Not of the one that applies the schema, nor of one whose event source mapping bounds it: by the
    shards of a stream, or by its own setting, below which AWS advises against a reserved
    concurrency (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
    """
    connects = any(
        target["resource"] == "aurora-postgresql" and edge["access"] != "own"
        for edge, target in zip(node.outgoing, node.targets, strict=True)
    )
    mapped = any("max_concurrency" in edge for edge in node.incoming) or node["reads_stream"]
    if connects and not mapped and node.get("reserved_concurrency") is None:
        yield OptionalParameter(
            f"{pascal(node['name'])}ReservedConcurrency",
            "concurrency",
            0,
            f"The concurrency that {node['name']} reserves, and so the most connections that it "
            "has to the database; 0 reserves none",
            minimum=0,
            default_is_off=True,
        )


def managed_policy(name: str, reason: str) -> Acknowledgement:
    """That the role of a function has a policy of AWS."""
    policy = f"arn:<AWS::Partition>:iam::aws:policy/service-role/{name}"
    return Acknowledgement("AwsSolutions-IAM4", reason, f"Policy::{policy}")


def inside_vpc() -> Acknowledgement:
    """That the role of a function in a VPC has a policy of AWS."""
    return managed_policy(
        "AWSLambdaVPCAccessExecutionRole", "it lets a function into the VPC, and no more"
    )


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """That a function has a policy of AWS, and a runtime that need not be the newest.

    Of a bucket for its failed events, what is found of every bucket.
    """
    if is_durable(node):
        yield managed_policy(
            "AWSLambdaBasicDurableExecutionRolePolicy",
            "it lets a function write log and checkpoints",
        )
    else:
        yield managed_policy(
            "AWSLambdaBasicExecutionRole", "it lets a function write its log, and no more"
        )
    yield Acknowledgement("AwsSolutions-L1", "{version} was chosen", unless=NEWEST_RUNTIMES)
    yield sends_traces()
    if node["failed_events"] == "bucket":
        yield bucket.unlogged()
        yield bucket.objects(failed_events_bucket(node), "keys vary")


def sends_traces() -> Acknowledgement:
    """That a role may send traces, which are no resource.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    """
    reason = "the actions that send traces know no resources"
    return Acknowledgement("AwsSolutions-IAM5", reason, "Resource::*", traced=True)


def called(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to invoke a function; another function waits for what its alias leads to."""
    by_alias = source["kind"] == "function" and (edge["call"] == "sync" or is_durable(target))
    itself = source["name"] == target["name"]
    yield Grant(
        source["id"],
        ("lambda:InvokeFunction",),
        Reference(target["id"], "alias_arn" if by_alias else "function_arn"),
        policy="invokes-itself" if itself else None,
    )
