"""Gradual deployments: which alarms stop the one of a function, and what a stack has beside.

An alarm that stops a deployment must tell within the minutes for which two versions share the
traffic, must follow from what a version does, and must be quiet otherwise: one that is red before
stops every deployment, the one with the fix as well (fact I3). So these are alarms on a share of
what a function serves, and on executions that fail. Those on dead-letter queues are red until
somebody has redriven the messages, and those on the age of messages and records take 15 minutes.

They judge a service as a whole, of which a new version serves a tenth. So each function has one
more on the version that is being deployed alone. It is nobody's page: its deployment fails.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sls_patterns_cli.catalog.compiler.alarms import thresholds
from sls_patterns_cli.catalog.compiler.dashboard import on_top, statuses
from sls_patterns_cli.catalog.compiler.kinds import function, state_machine
from sls_patterns_cli.catalog.compiler.kinds.rate import ERROR_PERCENT, calls, failure_rate
from sls_patterns_cli.catalog.compiler.records import (
    DEPLOYMENT,
    PAGE,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Facts,
    Graph,
    Metric,
    Reference,
    output,
)

ALIAS = function.ALIAS
"""What callers invoke, as those of an internal API do whatever the answer is."""

PERCENT = 10
"""Which share of the traffic a new version gets at first. The alarms go off above 5 percent of
failures, so they see a version that fails in more than half of its calls."""

MINUTES = 5
"""How long it gets no more than that: the alarms need three minutes, and CloudWatch one or two more
to tell. https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html"""

MOST_ALARMS = 10
"""Of a deployment group: https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html"""

FAILED_CALLS = 3
"""So many failed calls of a new version stop its deployment, if they are enough of its calls."""

ONLY_FAILED_CALLS = 2
"""So many do if no call has succeeded: of five calls a minute it gets one in two minutes."""

MAPPED = {"queue", "stream", "table", "datastore"}
"""The kinds of nodes from which an event source mapping brings records to a function."""


def additions(graph: Graph, functions: Sequence[str], found: Iterable[Alarm]) -> Facts:
    """What a gradual deployment of the functions needs, beside the `found` alarms.

    `functions` are the service's own: what only deployments invoke, such as a migration, changes at
    once, because a part of a migration is no migration.
    """
    before = {alarm.id: alarm for alarm in found}
    known = dict(before)
    stopped_by = {}
    for name in functions:
        node = graph.node(name)
        alarms = {each.id: each for each in _alarms(node, known, {name})}
        if len(alarms) + 1 > MOST_ALARMS:
            raise AssertionError(f"{name} has more than {MOST_ALARMS} alarms")
        known |= alarms
        stopped_by[node["id"]] = list(alarms)
    added = [alarm for alarm in known.values() if alarm.id not in before]
    aliased = [node for name in functions if not (node := graph.node(name)).get("alias")]
    versions = {
        node["id"]: _of_version(node).as_dict()
        for node in map(graph.node, functions)
        if not function.is_durable(node)
    }
    return {
        "stopped_by": stopped_by,
        "versions": versions,
        "alarms": [each.as_dict() for each in added],
        "dashboard": on_top(statuses([*before.values(), *added])),
        "alarm_metrics": sum(len(each.metrics) for each in added)
        + sum(len(each["metrics"]) for each in versions.values()),
        "thresholds": [
            vars(each) for each in thresholds(added) if each not in thresholds(before.values())
        ],
        "outputs": [
            output(each["id"], "AliasArn", "Its alias, which callers invoke", "alias_arn").as_dict()
            for each in aliased
        ],
        "acknowledgements": [each.as_dict() for each in acknowledged()],
    }


def acknowledged() -> Iterator[Acknowledgement]:
    """That CodeDeploy shifts traffic by the policy that AWS made for it."""
    policy = "arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"
    yield Acknowledgement(
        "AwsSolutions-IAM4", "it lets CodeDeploy shift traffic, and no more", f"Policy::{policy}"
    )


def _alarms(node: CompiledNode, known: Mapping[str, Alarm], seen: set[str]) -> Iterator[Alarm]:
    """The alarms that show a failing version of a function, by what invokes it."""
    for edge in node.incoming:
        source = node.graph.node(edge["from"])
        if source["name"] in seen:
            continue
        if source["kind"] in {"http-api", "rest-api"}:
            yield known[f"{source['id']}ErrorsAlarm"]
        elif source["kind"] == "state-machine":
            failed = known.get(f"{source['id']}FailedAlarm")
            if failed is None:
                yield state_machine.failure_rate(source)
            elif failed.tier == PAGE:
                yield failed
            else:  # it answers an API, whose alarm tells
                yield from _alarms(source, known, {*seen, source["name"]})
        elif source["kind"] == "function" and edge["call"] == "sync":
            yield from _alarms(source, known, {*seen, source["name"]})
            yield _errors(node)
        elif source["kind"] in MAPPED and edge.get("by") != "poll":
            yield _failed_records(node, source)
        else:
            yield _errors(node)


def _of_version(node: CompiledNode) -> Alarm:
    """The alarm on the version of a function that is being deployed (fact C33).

    Its name ends with the number of the version, so each version has its own, which begins without
    a state: what an older one has done neither stops the deployment of a better one, nor tells.
    """
    by: dict[str, Reference | str] = {
        "FunctionName": Reference(node["id"], "function_name"),
        "Resource": Reference(node["id"], "alias_name"),
        "ExecutedVersion": Reference(node["id"], "version"),
    }
    enough = 100 // ERROR_PERCENT.default
    of_few = f"failed >= {ONLY_FAILED_CALLS} AND failed == calls"
    return Alarm(
        f"{node['id']}VersionAlarm",
        DEPLOYMENT,
        f"The version that is being deployed fails in {FAILED_CALLS} calls or more that are more "
        f"than {ERROR_PERCENT.default} percent, or in all of {ONLY_FAILED_CALLS} or more",
        "see its log; CodeDeploy has led the traffic back",
        "of the version that is being deployed alone, which no other can hide or set off; its "
        "deployment fails, and so it tells nobody else",
        {
            "calls": Metric("AWS/Lambda", "Invocations", "Sum", by),
            "failed": Metric("AWS/Lambda", "Errors", "Sum", by),
        },
        terms=(f"IF(failed >= {FAILED_CALLS}, {enough} * failed > calls, {of_few})",),
        period=60 * MINUTES,
    )


def _errors(node: CompiledNode) -> Alarm:
    """The alarm on the invocations of a function that fail; an internal API has it already.

    Of a durable function the executions fail, not the invocations (fact O75).
    """
    if function.is_durable(node):
        return failure_rate(
            f"{node['id']}ErrorsAlarm",
            f"Executions of the {node['name']} function fail",
            "see its dead-letter queue",
            calls(
                failed=function.metric(node, "DurableExecutionFailed"),
                all_of_them=function.metric(node, "DurableExecutionStarted"),
            ),
        )
    return failure_rate(
        f"{node['id']}ErrorsAlarm",
        f"Calls of the {node['name']} function fail"
        if function.is_called_by_others(node)
        else f"Invocations of the {node['name']} function fail",
        "see its log",
        calls(
            failed=function.metric(node, "Errors"),
            all_of_them=function.metric(node, "Invocations"),
        ),
    )


def _failed_records(node: CompiledNode, source: CompiledNode) -> Alarm:
    """The alarm on the records of batches that fail, which are no errors of the function (I8)."""
    mapping = Reference(
        f"{source['id']}To{node['id']}",
        "event_source_mapping_id" if source["kind"] == "queue" else "ref",
        f"{source['name']}-to-{node['name']}",
    )

    def metric(name: str) -> Metric:
        return Metric("AWS/Lambda", name, "Sum", {"EventSourceMappingUUID": mapping})

    return failure_rate(
        f"{node['id']}RecordsAlarm",
        f"The {node['name']} function fails to process what it gets",
        "see its log",
        calls(failed=metric("FailedInvokeEventCount"), all_of_them=metric("InvokedEventCount")),
    )
