"""State machines of Step Functions."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import function, queue, rate, rules
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    dead_letter_queue,
    output,
    pascal,
)

FIRST_OF_EXPRESS = "see the log of the state machine"


def failure_rule(machine: CompiledNode) -> str:
    """The logical id of the rule that sends failed executions to the dead-letter queue."""
    return f"{pascal(machine['name'])}FailureRule"


def metric(node: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of all executions of a state machine.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    """
    named = {"StateMachineArn": Reference(node["id"], "state_machine_arn")}
    return Metric("AWS/States", name, statistic, named)


def keeps_executions(node: CompiledNode) -> bool:
    """Whether an express machine sends what it leaves half done to its dead-letter queue.

    Nothing else tells of it: an express execution sends no event, and has no history (fact R17).
    """
    return bool(node.get("express") and node.get("final_error"))


def failed(node: CompiledNode) -> dict[str, Metric]:
    """How executions end that do not succeed; nobody can stop an express execution."""
    metrics = {
        "failed": metric(node, "ExecutionsFailed"),
        "timed_out": metric(node, "ExecutionsTimedOut"),
    }
    if not node.get("express"):
        metrics["aborted"] = metric(node, "ExecutionsAborted")
    return metrics


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms on executions that fail; a rejection is a result, and no failure.

    What a dead-letter queue keeps its alarm tells, so only what an execution has undone is told of
    beside it.
    """
    if keeps_executions(node):
        yield from _answered(node)
    elif node.get("final_error"):
        yield from _undone(node)


def only_answers(node: CompiledNode) -> bool:
    """Whether a failed execution is an error of whoever waits for it, and leaves nothing else."""
    return bool(node.get("express")) and not keeps_executions(node)


def without_answer(node: CompiledNode) -> Alarm:
    """The alarm on executions that only answer, without its metrics."""
    return Alarm(
        f"{node['id']}FailedAlarm",
        TICKET,
        f"Executions of {node['name']} fail",
        FIRST_OF_EXPRESS,
        "the caller of each has got an error, and the alarm on the API tells if they are many",
        metrics={},
        periods=3,
    )


def missing_parts(node: CompiledNode, unserved: Metric) -> Iterator[Alarm]:
    """The alarm on the parts that answers of an express machine lack; `unserved` has no answer.

    Its log has a line for each attempt that fails, since errors are all that it logs, and nothing
    else (fact C38). An answer without any part is an error, and its lines do not count.
    """
    parts = [edge["to"] for edge in node.outgoing if edge.get("part")]
    if not parts:
        return
    log = {"LogGroupName": Reference(f"{node['id']}LogGroup", "log_group_name")}
    counted = f"{function.SHARE_OF_PAGES} * lines"
    without = f"{function.SHARE_OF_PAGES * len(parts)} * unserved"
    yield Alarm(
        f"{node['id']}MissingPartsAlarm",
        TICKET,
        f"Parts of {node['name']} are missing as often as in half of its pages",
        f"find the 'error' in the log of {node['name']}: its 'cause' names the function",
        f"of {function.FEWEST_PAGES} calls an hour or more; callers get the rest; an attempt that "
        f"is throttled counts as well; quiet after {function.HOURS_WITHOUT} hours without it",
        {
            "calls": metric(node, "ExecutionsStarted"),
            "lines": Metric("AWS/Logs", "IncomingLogEvents", "Sum", log),
            "unserved": unserved,
        },
        after="after half an hour without one",
        terms=(
            f"IF(calls >= {function.FEWEST_PAGES}, IF(calls + {without} - {counted} <= 0, 1, 0))",
        ),
        period=3600,
        periods=function.HOURS_WITHOUT,
        needed=1,
        missing="ignore",
    )


def _answered(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms on executions that somebody waits for, and that undo their work.

    If many fail, the alarm on their API pages. One that is kept in the queue succeeds (fact C26).
    """
    metrics = failed(node)
    yield Alarm(
        f"{node['id']}FailedAlarm",
        PAGE,
        f"An execution of {node['name']} has timed out, and may be half done",
        FIRST_OF_EXPRESS,
        "it could not be kept for a redrive, and nothing else shows it",
        {"timed_out": metrics["timed_out"]},
    )
    yield Alarm(
        f"{node['id']}UndoneAlarm",
        TICKET,
        f"An execution of {node['name']} has failed, and is undone",
        FIRST_OF_EXPRESS,
        "its caller has got an error, and nothing is left to redrive; if many fail, the alarm on "
        "the API pages",
        {"failed": metrics["failed"]},
        period=300,
    )


def _undone(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms on executions that have undone their work, and so are in no dead-letter queue.

    Each is a ticket, since it has a cause; a share of them is an outage. The rule that sends the
    others to the queue counts those, however they ended (fact C25).
    """
    ended = failed(node)
    undone = f"({' + '.join(ended)} - kept)"
    of_each = {**ended, "kept": rules.triggered(failure_rule(node))}
    first = "see its history in the console"
    yield from rate.outage(
        node["id"],
        "FailedAlarm",
        (
            f"Too many executions of {node['name']} fail, and are undone",
            f"Three or more of the few executions of {node['name']} in an hour were undone",
        ),
        first,
        rate.Failing(
            {**of_each, "succeeded": metric(node, "ExecutionsSucceeded")},
            undone,
            "(failed + succeeded)",
            "executions",
        ),
    )
    yield Alarm(
        f"{node['id']}UndoneAlarm",
        TICKET,
        f"An execution of {node['name']} has failed, and is undone",
        first,
        "its caller sees that it failed, and nothing is left to redrive",
        of_each,
        terms=(undone.strip("()"),),
        period=300,
    )


def failure_rate(node: CompiledNode) -> Alarm:
    """The alarm on the share of executions that fail, for those who wait only minutes for it."""
    return rate.failure_rate(
        f"{node['id']}FailedAlarm",
        f"Executions of {node['name']} fail",
        "see its history in the console",
        rate.Failing(
            {
                "failed": metric(node, "ExecutionsFailed"),
                "succeeded": metric(node, "ExecutionsSucceeded"),
            },
            all_of_them="(failed + succeeded)",
            of="executions",
        ),
    )


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that EventBridge could not keep a failed execution."""
    if not node.get("express"):
        yield rules.not_sent(failure_rule(node))


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The ARN of a state machine, and where its executions and items that failed are."""
    yield output(node["id"], "Arn", f"The state machine that {node['does']}", "state_machine_arn")
    if node.get("express"):
        log = f"{node['id']}LogGroup"
        yield output(
            log, "Name", "The log of its executions that ended in a failure", "log_group_name"
        )
    if keeps_executions(node) or not node.get("express"):
        yield queue.dead_letter_url(
            dead_letter_queue(node["name"]), "The queue of its executions that ended in a failure"
        )
    for edge in node.outgoing:
        if edge.get("by") == "map":
            yield queue.dead_letter_url(
                dead_letter_queue(edge["to"]),
                f"The queue of the items that {edge['to']} could not process",
            )


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """What a state machine does not log or trace, and whose permissions name no execution."""
    if node.get("express"):
        yield Acknowledgement(
            "AwsSolutions-SF1", "errors are what is logged; how an execution ended is its answer"
        )
        yield Acknowledgement(
            "AwsSolutions-IAM5", "the actions that deliver logs know no resources", "Resource::*"
        )
    else:
        yield Acknowledgement(
            "AwsSolutions-SF1",
            "a standard machine keeps the history of each execution for 90 days",
        )
    yield Acknowledgement("AwsSolutions-SF2", "tracing bills for each request", traced=False)
    yield function.sends_traces()
    described = [edge for edge in node.incoming if _describes(edge)]
    for names in (
        *(("execution:{}:*",) if described or _batches(node) else ()),
        *(("execution:{}/*",) if node.get("map") == "distributed" else ()),
        *(("mapRun:{}/*",) if any(edge.get("map_runs") for edge in described) else ()),
    ):
        yield Acknowledgement(
            "AwsSolutions-IAM5",
            "executions have no names before they are started",
            "Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:"
            + names.format(f"<{node['id']}.Name>"),
            of=node["id"],
        )


def start(grantee: str, machine: str, *, wait: bool) -> Grant:
    """The permission to start an execution, and to wait for its end."""
    return Grant(
        grantee,
        ("states:StartSyncExecution" if wait else "states:StartExecution",),
        Reference(machine, "state_machine_arn"),
        "grant_start_sync_execution" if wait else "grant_start_execution",
    )


def called(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to start executions, or to look at them."""
    if edge.get("by") != "describe":
        yield start(source["id"], target["id"], wait=edge.get("by") == "wait")
    if _describes(edge):
        listing = ("states:ListMapRuns",) if edge.get("map_runs") else ()
        executions = Reference(target["id"], "executions")
        yield Grant(source["id"], ("states:DescribeExecution", *listing), executions)
        if edge.get("map_runs"):
            map_runs = Reference(target["id"], "map_runs")
            yield Grant(source["id"], ("states:DescribeMapRun",), map_runs)


def _describes(edge: Facts) -> bool:
    """Whether a function asks for executions of the machine."""
    return edge.get("by") == "describe" or bool(edge.get("describes"))


def grants(node: CompiledNode) -> Iterator[Grant]:
    """What a state machine does beside its calls.

    It sends what fails of an item to the dead-letter queue of the item's function, and what it
    leaves half done to its own; and each part of a distributed map is an execution:
    https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    """
    machine = node["id"]
    if keeps_executions(node):
        yield queue.grant(machine, dead_letter_queue(node["name"]), "sqs:SendMessage")
    for edge in node.outgoing:
        if edge.get("by") == "map":
            yield queue.grant(machine, dead_letter_queue(edge["to"]), "sqs:SendMessage")
    if node.get("map") == "distributed":
        yield Grant(
            machine,
            ("states:StartExecution",),
            Reference(machine, "state_machine_arn"),
            policy="starts-parts",
        )
        yield Grant(
            machine,
            ("states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"),
            Reference(machine, "item_executions"),
            policy="starts-parts",
        )
    if _batches(node):
        yield Grant(
            machine,
            ("states:DescribeExecution",),
            Reference(machine, "executions"),
            policy="starts-parts",
        )


def _batches(node: CompiledNode) -> bool:
    """Whether its map hands items on in batches."""
    return any(edge.get("by") == "batches" for edge in node.outgoing)
