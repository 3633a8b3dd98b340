"""Gradual deployments: everything invokes the alias, and alarms that can tell stop a deployment.

https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-groups-configure-advanced-options.html
"""

import re
from collections.abc import Iterator
from typing import Any

from contract import versions
from contract.alarms import is_page
from contract.aliases import ALIAS, VERSION
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack, references
from sls_patterns_cli.wiring.alarms import queries
from sls_patterns_cli.wiring.model import INVOKE_CONFIG
from sls_patterns_cli.wiring.policies import managed_policies, role_statements, trusts

ALARM = "AWS::CloudWatch::Alarm"
GROUP = "AWS::CodeDeploy::DeploymentGroup"
MOST_ALARMS = 10
"""Of a deployment group: https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html"""

STAYS_RED = {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "IteratorAge"}
"""Metrics that are high until somebody has repaired what is broken, and then deployed that."""

LIMITED = "AWSCodeDeployRoleForLambdaLimited"

NAMED_ITSELF = {ALARM, "AWS::CloudWatch::Dashboard", ALIAS, VERSION, INVOKE_CONFIG}
"""The types whose resources name a function; which of its versions, another property says. Metrics
are of all versions."""


def rollout_violations(stack: Stack) -> Iterator[Violation]:
    """Say what does not follow a function that is deployed gradually, and what cannot stop it."""
    for alias in stack.of_type(ALIAS):
        policy = alias.update_policy.get("CodeDeployLambdaAliasUpdate")
        if policy:
            group = stack.named(policy.get("DeploymentGroupName"), GROUP)
            if group is None:
                yield Violation("rollout", alias.name, "its deployment group must be in this stack")
            else:
                yield from _stopped_by(stack, alias, group)
            yield from _follow(stack, alias)
            yield from _moved_otherwise(stack, alias)


def _follow(stack: Stack, alias: Resource) -> Iterator[Violation]:
    """What refers to the function itself gets the new version at once, and no alarm stops it."""
    invoked = stack.function(alias.get("FunctionName"))
    if invoked is None:
        return
    function, _ = invoked
    for resource in stack.resources.values():
        refers = function.name in references(resource.properties)
        if refers and resource.type not in NAMED_ITSELF and not _logs(resource):
            must = f"must invoke {function.name} by its alias {alias.name}"
            yield Violation("rollout", resource.name, must)
    for config in stack.of_type(INVOKE_CONFIG):
        if stack.means(config.get("FunctionName"), function) and stack.text(
            config.get("Qualifier")
        ) not in {stack.text(alias.get("Name")), f"${{{alias.name}}} split at :, part 7"}:
            must = f"{alias.name}, since nothing invokes the function itself"
            yield is_but("rollout", config.name, "Qualifier", config.get("Qualifier"), must)


def _moved_otherwise(stack: Stack, alias: Resource) -> Iterator[Violation]:
    """CodeDeploy alone moves the alias: it starts from the version that CloudFormation knows."""
    if alias.get("RoutingConfig") is not None:
        yield Violation("rollout", alias.name, "RoutingConfig must be left to CodeDeploy")
    for role in stack.of_type("AWS::IAM::Role"):
        if any(
            s.allow and s.names_action("lambda:UpdateAlias") for s in role_statements(stack, role)
        ):
            says = f"must not move {alias.name}: CodeDeploy then refuses the next deployment"
            yield Violation("rollout", role.name, says)


def _logs(resource: Resource) -> bool:
    return resource.type == "AWS::Logs::LogGroup"


def _stopped_by(stack: Stack, alias: Resource, group: Resource) -> Iterator[Violation]:
    given = [each.get("Name") for each in group.items("AlarmConfiguration", "Alarms")]
    if not 0 < len(given) <= MOST_ALARMS or not group.is_true("AlarmConfiguration", "Enabled"):
        yield Violation("rollout", group.name, f"must have 1 to {MOST_ALARMS} alarms")
    if not group.is_true("AutoRollbackConfiguration", "Enabled"):
        yield Violation("rollout", group.name, "must roll back when an alarm stops it")
    found = []
    for name in given:
        alarm = _named(stack, name)
        if alarm is None:
            yield Violation("rollout", group.name, f"{stack.text(name)} is no alarm of this stack")
            continue
        found.append(alarm)
        if not versions.is_of_version(alarm):
            yield from _can_tell(stack, group, alarm)
    if found:
        yield from versions.watch(stack, alias, found)
        if all(map(versions.is_of_version, found)):
            says = "must have an alarm on what its callers get, too"
            yield Violation("rollout", group.name, says)
    role = stack.named(group.get("ServiceRoleArn"), "AWS::IAM::Role")
    if role is None or not trusts(stack, role, "codedeploy.amazonaws.com"):
        yield Violation("rollout", group.name, "ServiceRoleArn must name a role of CodeDeploy")
    elif managed_policies(stack, role) != [LIMITED]:
        yield Violation("rollout", role.name, f"must have {LIMITED}, which lets it do no more")


def _named(stack: Stack, name: Any) -> Resource | None:
    """An alarm by its name: where what it watches refers to the alias, nothing may refer to it."""
    return next(
        (
            alarm
            for alarm in stack.of_type(ALARM)
            if stack.text(name) in {f"${{{alarm.name}}}", stack.text(alarm.get("AlarmName"))}
        ),
        None,
    )


def _can_tell(stack: Stack, group: Resource, alarm: Resource) -> Iterator[Violation]:
    """It must tell while few calls get the new version, and must not be red before."""
    if not is_page(alarm):
        yield Violation("rollout", group.name, f"{alarm.name} must be a page")
    for name in sorted({query.name for query in queries(alarm)} & STAYS_RED):
        says = f"{alarm.name} is red until {name} falls, and stops the deployment that repairs it"
        yield Violation("rollout", group.name, says)
    period = max(stack.number(query.period, 0) or 0 for query in queries(alarm))
    needed = alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods")
    seconds = period * (stack.number(needed, 1) or 1)
    shares = re.search(r"(\d+)Minutes", stack.text(group.get("DeploymentConfigName")))
    if shares is None or seconds >= int(shares[1]) * 60:
        says = f"{alarm.name} needs {seconds} seconds, and by then all traffic has shifted"
        yield Violation("rollout", group.name, says)
