"""What CloudFormation needs for the resources of a stack, and on which ARNs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sls_patterns_cli.errors import UserError

Statement = dict[str, Any]

SCHEMAS_OF = "us-east-1"
"""The region with every resource type; permissions do not differ by region."""

CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
INVOKE = "lambda:InvokeFunction"

NAMED_BY_STACK = {
    "cloudwatch": ["cloudwatch:${R}:alarm:${StackName}-*"],
    "dynamodb": ["dynamodb:${R}:table/${StackName}-*"],
    "events": ["events:${R}:rule/*${StackName}-*", "events:${R}:event-bus/*${StackName}-*"],
    "firehose": ["firehose:${R}:deliverystream/${StackName}-*"],
    "kinesis": ["kinesis:${R}:stream/${StackName}-*"],
    "lambda": [
        "lambda:${R}:function:${StackName}-*",
        # Its name is an id that Lambda chooses.
        "lambda:${R}:event-source-mapping:*",
    ],
    "s3": ["s3:::${StackName}-*"],
    "scheduler": ["scheduler:${R}:schedule/*/${StackName}-*"],
    "sns": ["sns:${R}:${StackName}-*"],
    "sqs": ["sqs:${R}:${StackName}-*"],
}
"""By service: the ARNs of resources for which CloudFormation makes names that begin with the
stack's. Resources of other services have ids or names without it, such as secrets and APIs.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""

WITHOUT_ARN = ("Describe", "List")
"""How the actions begin that only look up what there is: many of them take no ARN."""

OF_ITEMS = frozenset(
    {
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:ImportTable",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "kinesis:PutRecords",
        "logs:PutLogEvents",
    }
)
"""What handlers need to fill a new table or to copy it to another region, which no stack here does:
who deploys a service does not read what it stores."""

ROLES = "iam:role/${StackName}-*"
BOUND = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
"""What makes a role, or says what it may do: only with the boundary.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
"""
NEVER = frozenset(
    {
        # A role without its boundary, or another policy in the place of it, could do anything.
        "iam:DeleteRolePermissionsBoundary",
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:CreateUser",
        "iam:PutUserPolicy",
        "iam:PutGroupPolicy",
    }
)
SERVICE_LINKED = "iam:CreateServiceLinkedRole"
OTHERS_IDENTITIES = ("User", "Group")
"""Whose policies a role's template never changes."""


def actions_of(types: Iterable[str]) -> list[str]:
    """Return what the handlers of resource types call; raises UserError for an unknown type.

    AWS lists it in the schema of each type, which cfn-lint has:
    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    """
    from cfnlint.data import AdditionalSpecs
    from cfnlint.helpers import load_resource
    from cfnlint.schema._exceptions import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    found: set[str] = set()
    for type_ in types:
        if type_.startswith(CUSTOM):
            found.add(INVOKE)
            continue
        try:
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(SCHEMAS_OF, type_).schema
        except ResourceNotFoundError:
            schema = {}
        if not schema.get("handlers"):
            raise UserError(f"{type_}: AWS does not say which permissions it needs.")
        for handler in schema["handlers"].values():
            found.update(handler.get("permissions", ()))
        found.update(schema.get("tagging", {}).get("permissions", ()))
    services = load_resource(AdditionalSpecs, "Policies.json")
    actions = {
        f"{service}:{name}" for service, known in services.items() for name in known["Actions"]
    }
    # Handlers also name a few actions that IAM does not have.
    return sorted(action for action in found.difference(OF_ITEMS) if action.lower() in actions)


def statements(types: Iterable[str], passed_to: Iterable[str]) -> Iterator[Statement]:
    """Yield what a role may do through CloudFormation for resources of these types.

    It passes roles to the services `passed_to` only.
    """
    by_service: dict[str, set[str]] = defaultdict(set)
    for action in actions_of(types):
        service, name = action.split(":", 1)
        by_service[service].add(name)
    identities = by_service.pop("iam", set())
    reading: list[str] = []
    for service, names in sorted(by_service.items()):
        writing = {name for name in names if not name.startswith(WITHOUT_ARN)}
        reading += [f"{service}:{name}" for name in sorted(names - writing)]
        if writing:
            yield _through_cloudformation(
                [f"{service}:{name}" for name in sorted(writing)],
                [_arn(each) for each in NAMED_BY_STACK.get(service, ())] or ["*"],
            )
    if reading:
        yield _through_cloudformation(reading, ["*"])
    if identities:
        yield from _of_roles({f"iam:{name}" for name in identities}, sorted(set(passed_to)))


def _of_roles(actions: set[str], passed_to: list[str]) -> Iterator[Statement]:
    """What the stack's roles need: made with the boundary only, passed to its services only."""
    if SERVICE_LINKED in actions:
        yield _through_cloudformation([SERVICE_LINKED], [_arn("iam:role/aws-service-role/*")])
    bound = sorted(actions.intersection(BOUND))
    free = sorted(
        action
        for action in actions.difference(BOUND, NEVER, {"iam:PassRole", SERVICE_LINKED})
        if not any(identity in action for identity in OTHERS_IDENTITIES)
    )
    if bound:
        yield _through_cloudformation(
            bound, [_arn(ROLES)], {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}
        )
    if free:
        yield _through_cloudformation(free, [_arn(ROLES)])
    if passed_to:
        yield {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [_arn(ROLES)],
            "Condition": {"StringEquals": {"iam:PassedToService": passed_to}},
        }


def _through_cloudformation(
    actions: list[str], resources: list[Any], condition: dict[str, Any] | None = None
) -> Statement:
    """Allow actions if CloudFormation calls them for the role, and not the role itself.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
    """
    called = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    return {
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources,
        "Condition": {**called, **(condition or {})},
    }


def _arn(of: str) -> dict[str, str]:
    service, rest = of.split(":", 1)
    if rest.startswith("${R}:"):
        place = f"${{AWS::Region}}:${{AWS::AccountId}}:{rest.removeprefix('${R}:')}"
    elif service == "iam":
        place = f":${{AWS::AccountId}}:{rest}"
    else:
        place = rest
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}"}
