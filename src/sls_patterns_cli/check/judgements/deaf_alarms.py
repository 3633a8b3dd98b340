"""SP3xx: ends that nobody is told of, and alarms that tell nobody."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import (
    ALARM,
    deafness,
    has_listeners,
    is_dimension,
    queries,
    told,
)
from sls_patterns_cli.wiring.edges import edges, ends
from sls_patterns_cli.wiring.edges.executions import is_express
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.model import FUNCTION, QUEUE, RULE, TOPIC, Edge

GROUP = "AWS::Scheduler::ScheduleGroup"
FAILED_EXECUTIONS = {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}

UNNOTICED = {
    "lambda-async": "DestinationDeliveryFailures",
    "stream": "DestinationDeliveryFailures",
    "eventbridge": "InvocationsFailedToBeSentToDlq",
    "sns": "NumberOfNotificationsFailedToRedriveToDlq",
    "scheduler": "InvocationsFailedToBeSentToDeadLetterCount",
}
"""The metric that tells that an end could not be written, by mechanism."""


def faults(stack: Stack) -> Iterator[Fault]:
    yield from _without_alarm(stack)
    for alarm in stack.of_type(ALARM):
        if rule := _rule_on_custom_bus(stack, alarm):
            yield Fault(
                "SP303",
                alarm.name,
                f"Ref of {rule.name} is bus|rule, which is the name of no metric.",
                f"Take the name alone:\nValue: !Select [1, !Split ['|', !Ref {rule.name}]]",
                ("Properties", "Metrics" if alarm.get("Metrics") else "Dimensions"),
            )
            continue
        for reason, path in deafness(stack, alarm):
            yield Fault(
                "SP302",
                alarm.name,
                f"Nobody would hear this alarm: {reason}.",
                "Watch ApproximateNumberOfMessagesVisible by the queue's QueueName, and name a "
                "topic in AlarmActions that CloudWatch may publish to.",
                path,
            )
    yield from dict.fromkeys(_silent_executions(stack))
    yield from dict.fromkeys(_unnoticed(stack))


def _without_alarm(stack: Stack) -> Iterator[Fault]:
    """SP301."""
    seen = set()
    for edge in ends(stack):
        name = edge.end.name
        if name not in seen and told(stack, edge) is False:
            seen.add(name)
            yield Fault(
                "SP301",
                name,
                f"Nobody is told when something for {edge.target} ends in {name}.",
                _alarm_on(stack.resources[name]),
                cdk="Add an alarm:\ndeadLetters.metricApproximateNumberOfMessagesVisible()\n"
                "  .createAlarm(this, '…', { threshold: 1, evaluationPeriods: 1 })\n"
                "  .addAlarmAction(new actions.SnsAction(alarmTopic));",
            )


def _alarm_on(end: Resource) -> str:
    if end.type != QUEUE:
        return "Send an event of each new object to a topic or queue that somebody watches."
    return (
        f"Add an alarm:\n{end.name}Alarm:\n  Type: AWS::CloudWatch::Alarm\n  Properties:\n"
        "    Namespace: AWS/SQS\n    MetricName: ApproximateNumberOfMessagesVisible\n"
        f"    Dimensions:\n      - Name: QueueName\n        Value: !GetAtt {end.name}.QueueName\n"
        "    Statistic: Maximum\n    Period: 60\n    EvaluationPeriods: 1\n    Threshold: 1\n"
        "    ComparisonOperator: GreaterThanOrEqualToThreshold\n"
        "    TreatMissingData: notBreaching\n    AlarmActions: [!Ref AlarmTopic]"
    )


def _rule_on_custom_bus(stack: Stack, alarm: Resource) -> Resource | None:
    """SP303."""
    for query in queries(alarm):
        rule = stack.found(query.dimensions.get("RuleName"), RULE)
        if rule and not is_dimension(stack, rule, query.dimensions["RuleName"]):
            return rule
    return None


def _silent_executions(stack: Stack) -> Iterator[Fault]:
    """SP304."""
    watched = {
        machine.name
        for alarm in stack.of_type(ALARM)
        if has_listeners(stack, alarm)
        for query in queries(alarm)
        if query.name in FAILED_EXECUTIONS
        and (machine := stack.found(query.dimensions.get("StateMachineArn")))
    }
    for edge in edges(stack):
        machine = stack.resources.get(edge.target)
        if machine is None or machine.type != "AWS::StepFunctions::StateMachine":
            continue
        if not is_express(machine) and machine.name not in watched and not _has_end(stack, machine):
            yield Fault(
                "SP304",
                machine.name,
                f"An execution of {machine.name} that fails tells nobody.",
                "Add an alarm on ExecutionsFailed and ExecutionsTimedOut, or a rule on the status "
                "FAILED of aws.states that leads to a queue.",
            )


def _has_end(stack: Stack, machine: Resource) -> bool:
    from sls_patterns_cli.wiring.edges.executions import end_of

    return end_of(stack, machine).kind != "none"


def _unnoticed(stack: Stack) -> Iterator[Fault]:
    """SP305."""
    watched = {
        (query.name, resource.name)
        for alarm in stack.of_type(ALARM)
        for query in queries(alarm)
        for value in query.dimensions.values()
        for resource in stack.of_type(FUNCTION, RULE, TOPIC, GROUP)
        if is_dimension(stack, resource, value)
    }
    for edge in ends(stack):
        if edge.mechanism not in UNNOTICED:
            continue
        metric, of = _counted(stack, edge)
        if of and (metric, of) not in watched:
            yield Fault(
                "SP305",
                edge.target if edge.mechanism in {"lambda-async", "stream"} else edge.declared_by,
                f"If {edge.end.name} cannot be written, only {metric} of {of} tells.",
                f"Add an alarm on {metric} above 0.",
            )


def _counted(stack: Stack, edge: Edge) -> tuple[str, str]:
    """Return the metric that counts failures to write an end, and the resource it is of."""
    metric = UNNOTICED[edge.mechanism]
    if edge.mechanism in {"lambda-async", "stream"}:
        function = stack.resources.get(edge.target)
        if function is None or function.type != FUNCTION:
            return metric, ""
        config = configuration(stack, function, edge.qualifier)
        destination = config and config.get("DestinationConfig", "OnFailure", "Destination")
        if edge.mechanism == "lambda-async" and not destination:
            metric = "DeadLetterErrors"
        return metric, function.name
    if edge.mechanism == "sns":
        return metric, edge.source if edge.source in stack.resources else ""
    declared = stack.resources[edge.declared_by]
    if edge.mechanism == "scheduler":
        group = stack.named(declared.get("GroupName"), GROUP)
        return metric, group.name if group else "the schedule group"
    return metric, declared.name
