"""What a template permits, by whom it permits it: its roles and its resource policies.

A flavour's own names do not matter: a role is named by what uses it, and a resource by its logical
id without the digest that CDK adds.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Resource, Stack, listed, references

DIGEST = re.compile(r"(?<=[a-z0-9])[0-9A-F]{8}$")
OWN_ARN = re.compile(r"\.(Arn|TopicArn|Name|TaskArn)$")
REFERENCE = re.compile(r"\$\{([\w.:]+)\}")
PREFIX = re.compile(
    r"arn:(?:aws|\$\{AWS::Partition\}):([\w-]+):(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:"
)
ROUTE = re.compile(r"(execute-api:\w+)/(?!authorizers/)[^/]+/")
"""A request of an API, in any of its stages."""
PATH_PARAMETER = re.compile(r"\{[\w+]+\}")
LOG_GROUP = re.compile(r"logs:log-group:(\w+):\*$")
AUTHORIZER = re.compile(r"(execute-api:\w+/authorizers/).+")
MANAGED = re.compile(r"arn:(?:aws|\$\{AWS::Partition\}):iam::aws:policy/")

# What holds policies, and names a role only to add to it.
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
# What is part of an API, by the property that names the API.
PARTS = {"AWS::ApiGateway::Method": "RestApiId", "AWS::ApiGatewayV2::Integration": "ApiId"}


class Permission(NamedTuple):
    """That a role, by what uses it, or a service of AWS may do something."""

    who: str
    action: str
    """An action, or a policy of AWS by its name."""
    on: str
    where: str = ""
    """The conditions, of IAM and of CloudFormation."""

    def __str__(self) -> str:
        conditions = f" where {self.where}" if self.where else ""
        return f"{self.who} may {self.action} on {self.on}{conditions}"


def permissions(template: Template) -> set[Permission]:
    """Return all that a template permits; what only a condition adds names the condition."""
    return set(_Permissions(template).all())


class _Undecided(Stack):
    """A stack of which no condition is decided: a text says what it is with it and without."""

    def text(self, value: Any) -> str:
        match value:
            case {"Fn::If": [str() as name, then, otherwise]}:
                return f"({self.text(then)} if {name}, else {self.text(otherwise)})"
        return super().text(value)


class _Permissions:
    def __init__(self, template: Template) -> None:
        self.template = template["Resources"]
        self.stack = _Undecided(self.template, template.get("Parameters") or {})
        self.users = self._users()

    def all(self) -> Iterator[Permission]:
        for resource in self.stack.resources.values():
            condition = str(self.template[resource.name].get("Condition") or "")
            for permission in self._of(resource):
                yield permission._replace(where=joined(permission.where, condition))

    def _of(self, resource: Resource) -> Iterator[Permission]:
        match resource.type:
            case "AWS::IAM::Role":
                yield from self._of_role(resource)
            case "AWS::IAM::User" | "AWS::IAM::Group" | "AWS::IAM::InstanceProfile":
                yield Permission(plain(resource.name), "be", resource.type)
            case "AWS::Lambda::Permission":
                yield self._of_caller(resource)
            case kind if kind in POLICIES:
                for each in listed(resource.get("Roles") or resource.get("RoleName")) or [None]:
                    role = self.stack.named(each, "AWS::IAM::Role")
                    outside = [f"a role outside ({self._named(each)})"]
                    for who in self.users[role.name] if role else outside:
                        yield from self._granted(who, resource.get("PolicyDocument"))
            case _:
                for document in _documents(resource.properties):
                    yield from self._granted("", document)

    def _of_role(self, role: Resource) -> Iterator[Permission]:
        for who in self.users[role.name]:
            yield from self._trusted(who, role.get("AssumeRolePolicyDocument"))
            for policy, where in chosen(role.get("Policies")):
                for permission in self._granted(who, policy.get("PolicyDocument")):
                    yield permission._replace(where=joined(permission.where, where))
            for arn, where in chosen(role.get("ManagedPolicyArns")):
                yield Permission(who, MANAGED.sub("", self.stack.text(arn)), "AWS's policy", where)

    def _trusted(self, who: str, document: Any) -> Iterator[Permission]:
        for permission in self._granted("", document):
            yield permission._replace(on=f"the role of {who}")

    def _of_caller(self, permission: Resource) -> Permission:
        """Return who may invoke a function; that a request is of an API is said by its path."""
        source = self._named(permission.get("SourceArn") or "")
        source = PATH_PARAMETER.sub("*", ROUTE.sub(r"\1/*/", AUTHORIZER.sub(r"\1*", source)))
        account = permission.get("SourceAccount")
        return Permission(
            self._principal(permission.get("Principal")),
            str(permission.get("Action")),
            self._named(permission.get("FunctionName")),
            joined(
                f"from {source}" if source else "",
                f"of {self._named(account)}" if account else "",
            ),
        )

    def _granted(self, who: str, document: Any) -> Iterator[Permission]:
        """Yield what a document allows: to whoever has it, or to the principals that it names."""
        for statement, chosen_where in chosen((document or {}).get("Statement")):
            if statement.get("Effect") != "Allow":
                continue
            where = joined(self._conditions(statement.get("Condition")), chosen_where)
            for whom in [who] if who else self._principals(statement):
                for action in (
                    *listed(statement.get("Action")),
                    *(f"all but {each}" for each in listed(statement.get("NotAction"))),
                ):
                    for resource in listed(statement.get("Resource")) or [""]:
                        yield Permission(whom, str(action), self._named(resource), where)
                    for resource in listed(statement.get("NotResource")):
                        on = f"all but {self._named(resource)}"
                        yield Permission(whom, str(action), on, where)

    def _principals(self, statement: Mapping[str, Any]) -> list[str]:
        if "NotPrincipal" in statement:
            return ["anyone"]
        principal = statement.get("Principal")
        named = principal.values() if isinstance(principal, dict) else [principal]
        return [self._principal(each) for some in named for each in listed(some)]

    def _principal(self, value: Any) -> str:
        return "anyone" if value == "*" else self._named(value)

    def _conditions(self, condition: Any) -> str:
        return joined(
            *(
                f"{key} {operator} {self._named(value)}"
                for operator, keys in (condition or {}).items()
                for key, values in keys.items()
                for value in listed(values)
            )
        )

    def _named(self, value: Any) -> str:
        """Return a name or ARN with logical ids that are the same in each flavour."""
        if invoked := self.stack.function(value):
            function, qualifier = invoked
            return plain(function.name) + (f":{qualifier}" if qualifier != "$LATEST" else "")
        text = PREFIX.sub(r"\1:", self.stack.text(value))
        text = REFERENCE.sub(lambda match: plain(OWN_ARN.sub("", match[1])), text)
        return LOG_GROUP.sub(r"\1", text)

    def _users(self) -> dict[str, list[str]]:
        """Return what uses each role; one that nothing uses is said to be unused."""
        roles = {resource.name for resource in self.stack.of_type("AWS::IAM::Role")}
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for resource in self.stack.resources.values():
            if resource.type in POLICIES:
                continue
            for role in roles.intersection(references(resource.properties)) - {resource.name}:
                found[role][self._user(resource)] = None
        return {role: list(found[role]) or [f"no resource ({plain(role)})"] for role in roles}

    def _user(self, resource: Resource) -> str:
        api = self.stack.named(resource.get(PARTS.get(resource.type, "")))
        return plain((api or resource).name)


def plain(logical_id: str) -> str:
    """Return a logical id without the digest that CDK adds; of an attribute, with it."""
    name, dot, attribute = logical_id.partition(".")
    return f"{DIGEST.sub('', name)}{dot}{attribute}"


def joined(*conditions: str) -> str:
    return " and ".join(filter(None, conditions))


def chosen(items: Any) -> Iterator[tuple[Any, str]]:
    """Yield each item of a list of policies or statements, with the condition that adds it."""
    for item in listed(items):
        match item:
            case {"Fn::If": [str() as name, then, otherwise]}:
                for branch, condition in ((then, name), (otherwise, f"not {name}")):
                    if branch != {"Ref": "AWS::NoValue"}:
                        yield from (
                            (each, joined(condition, inner)) for each, inner in chosen(branch)
                        )
            case _:
                yield item, ""


def _documents(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the policies in the properties of a resource."""
    if isinstance(value, list):
        for inner in value:
            yield from _documents(inner)
    elif isinstance(value, dict):
        if "Statement" in value:
            yield value
        else:
            for inner in value.values():
                yield from _documents(inner)
