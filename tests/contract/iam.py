"""Who may do what: the statements of roles and of resource policies."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from contract.stack import Resource, Stack, find_all, once_a_stack

MANAGED_POLICY = ":iam::aws:policy/"

Role = Resource | None

# Where a resource names the role in whose name it acts.
ROLE_PROPERTIES = {
    "AWS::Lambda::Function": ("Role",),
    "AWS::Scheduler::Schedule": ("RoleArn",),
    "AWS::StepFunctions::StateMachine": ("RoleArn",),
    "AWS::Events::Rule": ("RoleArn",),
    "AWS::KinesisFirehose::DeliveryStream": ("RoleARN",),
}


@dataclass(frozen=True)
class Statement:
    """One statement; resources are texts of `Stack.text`, conditions `(operator, key, values)`."""

    allow: bool
    deny: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    services: tuple[str, ...]
    anyone: bool
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def covers(self, action: str, resource: str) -> bool:
        """Tell whether the statement is about this action on the resource with this ARN."""
        return any(fnmatchcase(action.lower(), a.lower()) for a in self.actions) and any(
            fnmatchcase(_plain(resource), _plain(r)) for r in self.resources
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
    for policy in role.get("Policies") or []:
        yield from statements(stack, policy.get("PolicyDocument"))
    for policy in stack.of_type("AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        roles = policy.get("Roles") or [policy.get("RoleName")]
        if any(stack.named(name) == role for name in roles):
            yield from statements(stack, policy.get("PolicyDocument"))
    attached = [stack.by_arn(arn) for arn in role.get("ManagedPolicyArns") or []]
    for policy in stack.of_type("AWS::IAM::ManagedPolicy"):
        roles = policy.get("Roles") or []
        if policy in attached or any(stack.named(name) == role for name in roles):
            yield from statements(stack, policy.get("PolicyDocument"))


def managed_policies(stack: Stack, role: Resource) -> list[str]:
    """Return the names of AWS's own policies that the role has."""
    arns = map(stack.text, role.get("ManagedPolicyArns") or [])
    return [arn.split(MANAGED_POLICY)[1].split("/")[-1] for arn in arns if MANAGED_POLICY in arn]


def may(stack: Stack, role: Role, action: str, resource: Resource | str) -> bool:
    """Tell whether the role may take the action on a resource of this stack, or on this ARN."""
    if role is None:
        return False
    arns = {resource} if isinstance(resource, str) else stack.arns(resource)
    return any(
        statement.allow and any(statement.covers(action, arn) for arn in arns)
        for statement in role_statements(stack, role)
    )


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
    for type_, property_ in (
        ("AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::S3::BucketPolicy", "Bucket"),
    ):
        for policy in stack.of_type(type_):
            owners = policy.get(property_)
            owners = owners if isinstance(owners, list) else [owners]
            if any(stack.named(owner) == resource for owner in owners):
                yield from statements(stack, policy.get("PolicyDocument"))


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
    for entry in _list((document or {}).get("Statement")):
        principal = entry.get("Principal")
        named = principal if isinstance(principal, dict) else {}
        yield Statement(
            allow=entry.get("Effect") == "Allow",
            deny=entry.get("Effect") == "Deny",
            actions=tuple(
                map(str, _list(entry.get("Action") or ("*" if "NotAction" in entry else [])))
            ),
            resources=tuple(map(stack.text, _list(entry.get("Resource")))),
            services=tuple(map(stack.text, _list(named.get("Service")))),
            anyone=principal == "*" or "*" in _list(named.get("AWS")),
            conditions=tuple(
                (operator, key, tuple(stack.text(value) for value in _list(values)))
                for operator, keys in entry.get("Condition", {}).items()
                for key, values in keys.items()
            ),
        )


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _plain(arn: str) -> str:
    """Brackets would be a character class to fnmatch."""
    return arn.replace("[", "(").replace("]", ")")
