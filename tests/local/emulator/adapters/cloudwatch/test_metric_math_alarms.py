"""Alarms on an expression of metrics."""

import pytest
from local.support import DeployStack

from sls_patterns_cli.errors import UserError

STACK = """
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - {{Id: value, Expression: {expression}}}
{metrics}
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
Outputs: {{Alarm: {{Value: !GetAtt Alarm.Arn}}}}
"""
METRIC = (
    "        - {{Id: m{number}, ReturnData: {returned}, MetricStat: {{Period: 60, Stat: Sum, "
    "Metric: {{Namespace: Shop, MetricName: Errors}}}}}}"
)


def stack(count: int, returned: str = "false") -> str:
    metrics = "\n".join(METRIC.format(number=n, returned=returned) for n in range(1, count + 1))
    return STACK.format(
        expression=" + ".join(f"m{n}" for n in range(1, count + 1)), metrics=metrics
    )


def test_an_alarm_watches_up_to_ten_metrics(deploy_stack: DeployStack) -> None:
    assert ":alarm:" in deploy_stack(stack(10))["Alarm"]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (stack(11), "cannot have more than 10 MetricStats"),
        (stack(2, returned="true"), "Exactly one element of the metrics list should return data"),
        (stack(2).replace("Threshold: 0", "Threshold: 0\n      MetricName: Errors"), "together"),
    ],
)
def test_what_cloudwatch_refuses_fails(deploy_stack: DeployStack, template: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        deploy_stack(template)
