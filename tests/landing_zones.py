"""The proactive controls of AWS Control Tower against what the patterns deploy: docs/landing-zones.md.

`make golden` writes the page, and a test fails where it is stale.
"""

# ruff: noqa: E501 (cells of a table)

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import writing
from contract.stack import load
from rendering import ROOT, render_project
from variants import all_variants, covering

PAGE = ROOT / "docs/landing-zones.md"
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Control:
    id: str
    type: str
    """The type of the resources that it checks."""
    requires: str
    keeps: Callable[[Properties], Any]
    """Whether the properties of such a resource keep it."""
    why_not: str = ""
    """Why a resource does not keep it, and what would change that."""


def at(properties: Properties, *path: str) -> Any:
    value: Any = properties
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _may_be_redriven(queue: Properties) -> bool:
    allowed = at(queue, "RedriveAllowPolicy", "redrivePermission") in {"allowAll", "byQueue"}
    return bool(queue.get("RedrivePolicy")) or allowed


def _has_few_callers(permission: Properties) -> bool:
    conditions = ("SourceArn", "SourceAccount", "PrincipalOrgID")
    return permission["Principal"] != "*" or any(name in permission for name in conditions)


def _logs_execution(stage: Properties) -> bool:
    return any(
        each.get("LoggingLevel") in {"ERROR", "INFO"}
        for each in stage.get("MethodSettings", [])
        if (each.get("HttpMethod"), each.get("ResourcePath")) == ("*", "/*")
    )


QUEUE, FUNCTION = "AWS::SQS::Queue", "AWS::Lambda::Function"
TABLE, BUCKET = "AWS::DynamoDB::Table", "AWS::S3::Bucket"
ALARM, GROUP = "AWS::CloudWatch::Alarm", "AWS::Logs::LogGroup"
REST, HTTP = "AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"
MACHINE = "AWS::StepFunctions::StateMachine"
KEY = "Choose `kms` among the optional parameters, and set `KmsKeyArn`: AWS charges for each request to the key"
TRACES = "AWS charges for each trace. Set {}, and give the role permission to send traces"

CONTROLS = (
    Control("CT.SQS.PR.1", QUEUE, "a dead-letter queue, or to be one", _may_be_redriven),
    Control("CT.LAMBDA.PR.2", "AWS::Lambda::Permission", "no public access", _has_few_callers),
    Control(
        "CT.LAMBDA.PR.3",
        FUNCTION,
        "a VPC",
        lambda function: at(function, "VpcConfig", "SubnetIds"),
        "A function is in a VPC only where its datastore is. Elsewhere a VPC adds endpoints or a NAT gateway, which are billed by the hour. Add `VpcConfig` and the endpoints of the services that it calls",
    ),
    Control(
        "CT.DYNAMODB.PR.1",
        TABLE,
        "point-in-time recovery",
        lambda table: at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"),
        "What a cache loses comes again, so its table has no backups. Set `PointInTimeRecoveryEnabled`",
    ),
    Control(
        "CT.DYNAMODB.PR.2",
        TABLE,
        "encryption with a KMS key",
        lambda table: at(table, "SSESpecification", "SSEEnabled"),
        f"DynamoDB encrypts with a key of its own. {KEY}",
    ),
    Control(
        "CT.S3.PR.1",
        BUCKET,
        "block public access",
        lambda bucket: bucket.get("PublicAccessBlockConfiguration"),
    ),
    Control(
        "CT.S3.PR.2",
        BUCKET,
        "server access logs",
        lambda bucket: bucket.get("LoggingConfiguration"),
        "The logs need another bucket, which may be that of the organization. Set `LoggingConfiguration`",
    ),
    Control(
        "CT.S3.PR.3",
        BUCKET,
        "versioning and a lifecycle policy",
        lambda bucket: (
            at(bucket, "VersioningConfiguration", "Status") == "Enabled"
            and bucket.get("LifecycleConfiguration")
        ),
        "Objects are written once, under names that never come again, so versions would cost storage only. Set `VersioningConfiguration`, and let old versions expire",
    ),
    Control(
        "CT.S3.PR.6",
        BUCKET,
        "a lifecycle policy",
        lambda bucket: at(bucket, "LifecycleConfiguration", "Rules"),
        "A bucket that is the datastore keeps its objects. Add a rule to `LifecycleConfiguration`",
    ),
    Control(
        "CT.S3.PR.9",
        BUCKET,
        "Object Lock",
        lambda bucket: bucket.get("ObjectLockEnabled"),
        "Objects could not be deleted before their time is over. `ObjectLockEnabled` replaces the bucket: set it before the first deployment",
    ),
    Control(
        "CT.S3.PR.11",
        BUCKET,
        "versioning",
        lambda bucket: at(bucket, "VersioningConfiguration", "Status") == "Enabled",
        "See CT.S3.PR.3",
    ),
    Control(
        "CT.APIGATEWAY.PR.1",
        REST,
        "execution logs of all methods",
        _logs_execution,
        "Execution logs hold headers and bodies of requests. Set `LoggingLevel` to `ERROR` for all methods, after the account has a role for logs",
    ),
    Control(
        "CT.APIGATEWAY.PR.2",
        REST,
        "X-Ray traces",
        lambda stage: stage.get("TracingEnabled"),
        TRACES.format("`TracingEnabled`"),
    ),
    Control(
        "CT.APIGATEWAY.PR.4",
        HTTP,
        "an access log",
        lambda stage: at(stage, "AccessLogSettings", "DestinationArn"),
    ),
    Control("CT.CLOUDWATCH.PR.1", ALARM, "an action", lambda alarm: alarm.get("AlarmActions")),
    Control(
        "CT.CLOUDWATCH.PR.2",
        GROUP,
        "retention of a year",
        lambda group: int(group.get("RetentionInDays", 3653)) >= 365,
        "Logs are kept for 30 days, since AWS charges for what is stored. Change `RetentionInDays` in the template or in the stack",
    ),
    Control(
        "CT.CLOUDWATCH.PR.3",
        GROUP,
        "encryption with a KMS key",
        lambda group: group.get("KmsKeyId"),
        f"CloudWatch Logs encrypts with a key of its own. {KEY}",
    ),
    Control(
        "CT.CLOUDWATCH.PR.4",
        ALARM,
        "activated actions",
        lambda alarm: alarm.get("ActionsEnabled", True),
    ),
    Control(
        "CT.STEPFUNCTIONS.PR.1",
        MACHINE,
        "logs",
        lambda machine: (
            at(machine, "LoggingConfiguration", "Level") in {"ERROR", "ALL"}
            and at(machine, "LoggingConfiguration", "Destinations")
        ),
        "Step Functions keeps the history of a standard execution for 90 days without a log. Set `LoggingConfiguration`, and let the role write the log",
    ),
    Control(
        "CT.STEPFUNCTIONS.PR.2",
        MACHINE,
        "X-Ray traces",
        lambda machine: at(machine, "TracingConfiguration", "Enabled"),
        TRACES.format("`TracingConfiguration`"),
    ),
)

HEAD = """\
# Landing zones

AWS Control Tower can enforce [proactive controls](https://docs.aws.amazon.com/controltower/latest/controlreference/proactive-controls.html):
hooks that refuse a resource of a CloudFormation stack before it is created. A stack with one such resource cannot be deployed. This page compares them with what the patterns deploy.
`make golden` computes the table from the rendered templates of SAM; CDK makes the same resources, and also declares the routes of an HTTP API as resources, for which CT.APIGATEWAY.PR.5 requires an authorization type.
It has the controls of types that the patterns deploy, as far as they can be checked in a template.

| control | each of these needs | passes | why not, and what would change it |
|---|---|---|---|
"""


def page() -> str:
    by_pattern = _resources()
    lines = []
    for control in CONTROLS:
        verdicts = {
            pattern: [bool(control.keeps(each)) for each in resources[control.type]]
            for pattern, resources in by_pattern.items()
            if resources[control.type]
        }
        passing = sorted(pattern for pattern, each in verdicts.items() if all(each))
        if len(passing) == len(verdicts):
            result = "yes"
        elif passing:
            result = f"only in {', '.join(f'`{pattern}`' for pattern in passing)}"
        else:
            some = any(any(each) for each in verdicts.values())
            result = "some resources" if some else "no"
        why_not = "" if result == "yes" else control.why_not
        lines.append(
            f"| {control.id} | `{control.type}`: {control.requires} | {result} | {why_not} |\n"
        )
    return HEAD + "".join(lines)


def _resources() -> dict[str, dict[str, list[Properties]]]:
    """Return the properties of each pattern's resources by type, from variants that stand for all."""
    found: dict[str, dict[str, list[Properties]]] = defaultdict(lambda: defaultdict(list))
    for pattern, template in _templates():
        for resource in template["Resources"].values():
            found[pattern][resource["Type"]].append(resource.get("Properties", {}))
    return dict(sorted(found.items()))


def _templates() -> Iterator[tuple[str, Mapping[str, Any]]]:
    chosen = sorted(each for each in map(str, covering(all_variants())))
    with tempfile.TemporaryDirectory() as folder:
        for variant in all_variants():
            if str(variant) in chosen and variant.iac == "sam":
                project = render_project(Path(folder) / str(variant), **variant.answers)
                yield variant.pattern, load(project)


if __name__ == "__main__":
    writing.write(PAGE, page())
    sys.stdout.write(f"{PAGE}\n")
