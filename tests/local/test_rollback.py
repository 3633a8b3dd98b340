"""A version that fails is led back: what an alarm of the template sees of it, in real minutes.

CodeDeploy is not part of the local stack, so the test shifts the traffic as its configuration says,
and evaluates the alarm as CloudWatch would.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract.alarms import share_of
from contract.stack import default_stack, load
from local.support import Client, DeployStack
from rendering import render_project

from sls_patterns_cli.catalog.compiler import rollout
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import queries

FUNCTION = """
Resources:
  Quote:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      Environment: {Variables: {TARIFF: "7"}}
      InlineCode: |
        import os
        def handler(event, context):
            return int(os.environ["TARIFF"])
Outputs:
  Name: {Value: !Ref Quote}
  Alias: {Value: !Ref Quote.Alias}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The stack of an internal API that is deployed gradually."""
    project = tmp_path_factory.mktemp("rollback") / "prices"
    render_project(project, pattern="internal-api", iac="sam", rollout="canary")
    return default_stack(load(project))


@pytest.mark.exhaustive
def test_a_failing_version_sets_off_the_alarm_while_it_is_a_canary(
    stack: Stack, deploy_stack: DeployStack, client: Client
) -> None:
    quote, functions = deploy_stack(FUNCTION), client("lambda")
    functions.update_function_configuration(
        FunctionName=quote["Name"], Environment={"Variables": {"TARIFF": "seven"}}
    )
    failing = functions.publish_version(FunctionName=quote["Name"])["Version"]
    alias = {"FunctionName": quote["Name"], "Name": "live"}
    weights = {failing: rollout.PERCENT / 100}
    functions.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": weights})

    end = time.monotonic() + rollout.MINUTES * 60
    while not rings(stack, client, quote["Name"]):
        assert time.monotonic() < end, "by now CodeDeploy has shifted all traffic"
        for _ in range(20):
            fails(client, quote["Alias"])
    functions.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {}})

    assert not any(fails(client, quote["Alias"]) for _ in range(50))


def fails(client: Client, function: str) -> bool:
    invoked = client("lambda").invoke(FunctionName=function)
    return "FunctionError" in invoked or json.load(invoked["Payload"]) != 7


def rings(stack: Stack, client: Client, function: str) -> bool:
    """Tell whether the alarm that stops the deployment goes off for a function of this name."""
    (group,) = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    (named,) = group.items("AlarmConfiguration", "Alarms")
    name = stack.text(named["Name"])
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    alarm = next(each for each in alarms if stack.text(each.get("AlarmName")) == name)
    limit = stack.number(alarm.get("Threshold"))
    assert limit is not None
    return all(value > limit for value in values(stack, client, alarm, function))


def values(stack: Stack, client: Client, alarm: Resource, function: str) -> Iterator[float]:
    """Yield the value of the alarm's expression in each of the whole periods that it looks at."""
    share = share_of(alarm)
    assert share is not None
    of = {query.id: query for query in queries(alarm)}
    seconds = stack.number(of[share.total].period)
    periods = stack.number(alarm.get("EvaluationPeriods"))
    assert seconds
    assert periods
    now = time.time() // seconds * seconds

    def counted(query: Any, begin: float) -> float:
        points = client("cloudwatch").get_metric_statistics(
            Namespace=query.namespace,
            MetricName=query.name,
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=datetime.fromtimestamp(begin, UTC),
            EndTime=datetime.fromtimestamp(begin, UTC) + timedelta(seconds=seconds),
            Period=seconds,
            Statistics=[query.statistic],
        )["Datapoints"]
        return float(sum(each[query.statistic] for each in points))

    for number in range(1, periods + 1):
        total = counted(of[share.total], now - number * seconds)
        failed = counted(of[share.part], now - number * seconds)
        yield 100 * failed / total if total >= share.least else 0
