"""Who may do what: the statements of roles and of resource policies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from sls_patterns_cli.cloudformation.stack import (
    Resource,
    Stack,
    find_all,
    is_unknown,
    listed,
    once_a_stack,
)

MANAGED_POLICY = ":iam::aws:policy/"

READING_POLICIES = {
    "AWSLambdaBasicDurableExecutionRolePolicy",
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AWSLambdaKinesisExecutionRole",
    "AWSLambdaDynamoDBExecutionRole",
    "AWSLambdaMSKExecutionRole",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
    "CloudWatchLambdaInsightsExecutionRolePolicy",
}
"""AWS's own policies that let a function read events and write logs, and send nothing.

https://docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html
"""

Role = Resource | None

# Where a resource names the role in whose name it acts.
ROLE_PROPERTIES = {
    "AWS::Lambda::Function": ("Role",),
    "AWS::Scheduler::Schedule": ("RoleArn",),
    "AWS::StepFunctions::StateMachine": ("RoleArn",),
    "AWS::Events::Rule": ("RoleArn",),
    "AWS::KinesisFirehose::DeliveryStream": ("RoleARN",),
    "AWS::Pipes::Pipe": ("RoleArn",),
    "AWS::EventsV2::Subscriber": ("RoleArn",),
}


@dataclass(frozen=True)
class Statement:
    """One statement; resources are texts of `Stack.text`, conditions `(operator, key, values)`."""

    allow: bool
    deny: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    services: tuple[str, ...]
    accounts: tuple[str, ...]
    anyone: bool
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def covers(self, action: str, resource: str) -> bool:
        """Tell whether the statement is about this action on the resource with this ARN."""
        return self.names_action(action) and any(
            fnmatchcase(_plain(resource), _plain(r)) for r in self.resources
        )

    def names_action(self, action: str) -> bool:
        """Tell whether the statement is about this action, on whatever resource."""
        return any(fnmatchcase(action.lower(), each.lower()) for each in self.actions)

    def lets(self, service: str, action: str) -> bool:
        """Tell whether the statement lets a service take this action, on whatever resource."""
        return (
            self.allow and (service in self.services or self.anyone) and self.names_action(action)
        )

    def values(self, key: str) -> tuple[str, ...]:
        """Return what the condition key must equal or be like; nothing where it may be anything."""
        return tuple(
            value
            for operator, name, values in self.conditions
            if name.lower() == key.lower()
            and operator in {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"}
            for value in values
        )


@once_a_stack
def role_statements(stack: Stack, role: Resource) -> Iterator[Statement]:
    """Return what the policies of this stack say of a role; AWS's own policies are not in it."""
    for document in _role_documents(stack, role):
        yield from statements(stack, document)


def _role_documents(stack: Stack, role: Resource) -> Iterator[Any]:
    for inline in role.items("Policies"):
        yield inline.get("PolicyDocument")
    for policy in stack.of_type("AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        roles = listed(policy.get("Roles")) or [policy.get("RoleName")]
        if any(stack.named(name) == role for name in roles):
            yield policy.get("PolicyDocument")
    attached = [stack.by_arn(arn) for arn in listed(role.get("ManagedPolicyArns"))]
    for policy in stack.of_type("AWS::IAM::ManagedPolicy"):
        roles = listed(policy.get("Roles"))
        if policy in attached or any(stack.named(name) == role for name in roles):
            yield policy.get("PolicyDocument")


def managed_policies(stack: Stack, role: Resource) -> list[str]:
    """Return the names of AWS's own policies that the role has."""
    arns = map(stack.text, listed(role.get("ManagedPolicyArns")))
    return [arn.split(MANAGED_POLICY)[1].split("/")[-1] for arn in arns if MANAGED_POLICY in arn]


def may(stack: Stack, role: Role, action: str, resource: Resource | str) -> bool:
    """Tell whether the role may take the action on a resource of this stack, or on this ARN."""
    if role is None:
        return False
    granting = [s for s in role_statements(stack, role) if s.allow and s.names_action(action)]
    if isinstance(resource, str):
        return any(statement.covers(action, resource) for statement in granting)
    return any(
        any(statement.covers(action, arn) for arn in stack.arns(resource))
        or any(
            stack.found(given.rstrip("*:")) == resource
            for given in statement.resources
            if given != f"${{{resource.name}}}"  # a Ref that is an ARN is among arns
        )
        for statement in granting
    )


class Grant(Enum):
    """Whether a role may do something, as far as the template tells."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def allowed(stack: Stack, role: Role, action: str, resource: Resource) -> Grant:
    """Tell whether a role may take an action on a resource of this stack.

    A role or policy that is not in the template, or is not known, may allow anything.
    """
    if role is None or any(map(is_unknown, _role_documents(stack, role))):
        return Grant.UNKNOWN
    attached = listed(role.get("ManagedPolicyArns"))
    outside = [arn for arn in attached if stack.found(arn, "AWS::IAM::ManagedPolicy") is None]
    if any(stack.text(arn).rpartition("/")[2] not in READING_POLICIES for arn in outside):
        return Grant.UNKNOWN
    for statement in role_statements(stack, role):
        if statement.allow and statement.names_action(action):
            for given in statement.resources:
                if _may_mean(stack, given, resource):
                    return Grant.YES
    return Grant.NO


def _may_mean(stack: Stack, given: str, resource: Resource) -> bool:
    """Tell whether a text of a policy may mean a resource: not if it names just another one."""
    others = {
        name
        for name in re.findall(r"\$\{(\w+)", given)
        if name in stack.resources and name != resource.name
    }
    return not others


def role_of(stack: Stack, resource: Resource) -> Role:
    """Return the role of this stack in whose name a resource acts."""
    arns = (find_all(resource.properties, key) for key in ROLE_PROPERTIES.get(resource.type, ()))
    roles = (stack.by_arn(arn, "AWS::IAM::Role") for found in arns for arn in found)
    return next((role for role in roles if role), None)


def trusts(stack: Stack, role: Resource, service: str) -> bool:
    """Tell whether the role lets the service act in its name."""
    return any(
        s.allow and "sts:AssumeRole" in s.actions and service in s.services
        for s in statements(stack, role.get("AssumeRolePolicyDocument"))
    )


@once_a_stack
def resource_policy(stack: Stack, resource: Resource) -> Iterator[Statement]:
    """Return what the policies of a queue, topic or bucket say."""
    for document in resource_documents(stack, resource):
        yield from statements(stack, document)


def resource_documents(stack: Stack, resource: Resource) -> Iterator[Any]:
    """Yield the policies of a queue, topic or bucket."""
    for type_, property_ in (
        ("AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::S3::BucketPolicy", "Bucket"),
    ):
        for policy in stack.of_type(type_):
            owners = listed(policy.get(property_))
            if any(stack.named(owner) == resource for owner in owners):
                yield policy.get("PolicyDocument")


def admits(stack: Stack, resource: Resource, service: str, action: str, source: Resource) -> bool:
    """Tell whether a resource's policy lets a service in, and for this source alone.

    A statement without a condition on the source would let in every account's
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html). A bucket may be
    known by its account, since its name is not known before it exists.
    """
    for statement in resource_policy(stack, resource):
        if not (
            statement.allow
            and service in statement.services
            and any(statement.covers(action, arn) for arn in stack.arns(resource))
        ):
            continue
        if set(statement.values("aws:SourceArn")) & stack.arns(source):
            return True
        by_account = statement.values("aws:SourceAccount") == ("${AWS::AccountId}",)
        if source.type == "AWS::S3::Bucket" and by_account:
            return True
    return False


def statements(stack: Stack, document: Any) -> Iterator[Statement]:
    """Return the statements of a policy document."""
    document = document if isinstance(document, dict) else {}
    for entry in listed(document.get("Statement")):
        if not isinstance(entry, dict):
            continue
        principal = entry.get("Principal")
        named = principal if isinstance(principal, dict) else {}
        conditions = entry.get("Condition")
        yield Statement(
            allow=entry.get("Effect") == "Allow",
            deny=entry.get("Effect") == "Deny",
            actions=tuple(
                map(str, listed(entry.get("Action") or ("*" if "NotAction" in entry else [])))
            ),
            resources=tuple(map(stack.text, listed(entry.get("Resource")))),
            services=tuple(map(stack.text, listed(named.get("Service")))),
            accounts=tuple(map(stack.text, listed(named.get("AWS")))),
            anyone=principal == "*" or "*" in listed(named.get("AWS")),
            conditions=tuple(
                (operator, key, tuple(stack.text(value) for value in listed(values)))
                for operator, keys in (conditions if isinstance(conditions, dict) else {}).items()
                for key, values in (keys if isinstance(keys, dict) else {}).items()
            ),
        )


def _plain(arn: str) -> str:
    """Brackets would be a character class to fnmatch."""
    return arn.replace("[", "(").replace("]", ")")
