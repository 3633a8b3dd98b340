"""State machines of Step Functions."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import rules
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
    Metric,
    Named,
    pascal,
)


def failure_rule(machine: CompiledNode) -> str:
    """The logical id of the rule that sends failed executions to the dead-letter queue."""
    return f"{pascal(machine['name'])}FailureRule"


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on executions that fail; a rejection is a result, and no failure.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    """

    def metric(name: str) -> Metric:
        named = {"StateMachineArn": Named("state-machine", node["id"])}
        return Metric("AWS/States", name, "Sum", named)

    express = bool(node.get("express"))
    metrics = {"failed": metric("ExecutionsFailed"), "timed_out": metric("ExecutionsTimedOut")}
    if not express:  # Nobody can stop an express execution.
        metrics["aborted"] = metric("ExecutionsAborted")
    if express and not node.get("final_error"):
        yield Alarm(
            f"{node['id']}FailedAlarm",
            TICKET,
            f"Executions of {node['name']} fail",
            "see the log of the state machine",
            "the caller of each has got an error, and the alarm on the API tells if they are many",
            metrics,
            expression=" + ".join(metrics),
            periods=3,
        )
        return
    yield Alarm(
        f"{node['id']}FailedAlarm",
        PAGE,
        f"Executions of {node['name']} fail",
        "see the log of the state machine" if express else "see its history in the console",
        "each leaves work half done, and none is retried",
        metrics,
        expression=" + ".join(metrics),
    )


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that EventBridge could not keep a failed execution."""
    if not node.get("express"):
        yield rules.not_sent(failure_rule(node))
