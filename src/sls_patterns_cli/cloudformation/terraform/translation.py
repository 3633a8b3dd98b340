"""Resources of a plan in CloudFormation's words, with Ref and GetAtt for what refers to another."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sls_patterns_cli.cloudformation.terraform.kinds import (
    ALIAS,
    FUNCTIONS,
    KINDS,
    NAMED,
    REPEATED,
    Kind,
    camel,
)
from sls_patterns_cli.cloudformation.terraform.plan import (
    LOCAL,
    Attribute,
    Joined,
    Planned,
    Unknown,
)

Properties = dict[str, Any]

POLICY_DOCUMENT = "aws_iam_policy_document"
INVOCATIONS = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
# These name another resource by its name, id or URL rather than by its ARN.
BY_ID = {"bucket", "event_bus_name", "function_name", "log_group_name", "queue_url", "role", "rule"}
# Documents of which a plan shows nothing as long as a part is unknown.
COMPOSED = {
    "alarm_rule",
    "body",
    "definition",
    "event_pattern",
    "filter_policy",
    "input",
    "pattern",
}
# The provider has empty text for what exists and is not configured.
UNSET = (None, "")
DOCUMENTS = {"policy", "assume_role_policy"}
ALWAYS_LISTS = {"AlarmActions", "OKActions", "Queues", "Roles", "Topics"}
# What a policy allows on these often stands behind their ARN, which a plan does not show.
INSIDE = {"aws_s3_bucket": "/*", "aws_lambda_function": ":*", "aws_cloudwatch_log_group": ":*"}


class Translation:
    """The resources of a plan as CloudFormation, each under its address.

    They have what is only a matter of names; `special` adds what is more.
    """

    def __init__(self, resources: list[Planned]) -> None:
        self._planned = {each.address: each for each in resources}
        self.resources: dict[str, Any] = {}
        self._by_name: dict[tuple[str, str], list[str]] = {}
        for each in resources:
            name = self._name(each)
            if isinstance(name, str) and not each.is_data and each.type != ALIAS:
                self._by_name.setdefault((each.type, name), []).append(each.address)
        self.managed = [each for each in resources if not each.is_data]
        described = [each for each in self.managed if each.type in KINDS]
        for each in described:
            self.add(each.address, KINDS[each.type].type)
        for each in described:
            self.of_own(each).update(self.properties(each, KINDS[each.type]))

    @staticmethod
    def _name(resource: Planned) -> Any:
        kind = KINDS.get(resource.type)
        named = [key for key, value in (kind.properties if kind else {}).items() if "Name" in value]
        return resource.values.get(named[0]) if named else resource.values.get("name")

    def properties(self, resource: Planned, kind: Kind) -> Properties:
        """Return the properties of a kind, without those that have no value."""
        found = {
            name: self.attribute(resource, attribute) for attribute, name in kind.properties.items()
        }
        return {
            name: [value] if name in ALWAYS_LISTS and not isinstance(value, list) else value
            for name, value in found.items()
            if value is not None
        }

    def attribute(self, resource: Planned, name: str) -> Any:
        """Return an attribute of a resource as CloudFormation would have it; None without one."""
        value = resource.values.get(name)
        where = f"{resource.address}.{name}"
        if value in UNSET:
            return None
        if name in DOCUMENTS:
            return self.document(value, where)
        if name == "redrive_policy" and isinstance(value, Unknown):
            return {"deadLetterTargetArn": self.one(value, where)}
        return self.value(value, where)

    def value(self, value: Any, where: str) -> Any:
        """Return a value with its references; `where` ends with the name of its attribute.

        A list of mappings are blocks. A mapping has keys of its own, such as dimensions or JSON.
        """
        match value:
            case [dict(), *_]:
                blocks = [self.block(each, where) for each in value if isinstance(each, dict)]
                repeated = len(blocks) > 1 or where.rpartition(".")[2] in REPEATED
                return blocks if repeated else blocks[0]
            case []:
                return None
            case list():
                return self.many(value, where)
        return self.json(value, where)

    def block(self, values: Mapping[str, Any], where: str) -> Properties:
        found = {camel(key): self.value(inner, f"{where}.{key}") for key, inner in values.items()}
        return {key: inner for key, inner in found.items() if inner not in UNSET}

    def json(self, value: Any, where: str) -> Any:
        """Return a value with its references and with its keys as they are."""
        match value:
            case dict() if where.endswith(".pattern"):  # of a filter, which has it as text
                return json.dumps(value)
            case dict():
                return {key: self.json(inner, f"{where}.{key}") for key, inner in value.items()}
            case list():
                return [self.json(inner, where) for inner in value]
        return self.scalar(value, where)

    def scalar(self, value: Any, where: str) -> Any:
        name = where.rpartition(".")[2]
        match value:
            case Attribute():
                return self.reference(value, name)
            case Joined(attribute, suffix):
                alias = self.alias(attribute.address, suffix.removeprefix(":"))
                return alias or {"Fn::Join": ["", [self.reference(attribute, name), suffix]]}
            case Unknown():
                return _block_of(name, self.one(value, where))
            case str() if name in NAMED:
                return self.named(value, where)
        return value

    def named(self, value: str, where: str) -> Any:
        """Return the resource with the name that an attribute has, where there is just one."""
        name = where.rpartition(".")[2]
        found = [
            Attribute(address, type_, "name")
            for type_ in NAMED[name]
            for address in self._by_name.get((type_, value), [])
        ]
        if len(found) != 1 or where == f"{found[0].address}.{name}":
            return value
        return self.reference(found[0], name)

    def one(self, value: Unknown, where: str) -> Any:
        """Return what an unknown value refers to, if that is just one resource."""
        name = where.rpartition(".")[2]
        if name in COMPOSED:
            return {"Fn::Unknown": where}
        expected = [each for each in value.sources if each.type in (*NAMED.get(name, ()), LOCAL)]
        sources = expected or value.sources
        # An alias is often told by its name behind the ARN of its function.
        if {each.type for each in sources} <= set(FUNCTIONS):
            aliases = [replace(each, name="arn") for each in sources if each.type == ALIAS]
            sources = aliases or sources
        if len({each.address for each in sources}) != 1 or sources[0].type == LOCAL:
            return {"Fn::Unknown": where}
        arns = [each for each in sources if each.name.endswith("arn")]
        return self.reference((arns or sources)[0], name)

    def many(self, values: list[Any], where: str, *, inside: bool = False) -> list[Any]:
        """Return a list; with `inside`, what an ARN holds may be meant as well as it itself."""
        known = [each for each in values if not isinstance(each, Unknown)]
        unknown = [each for each in values if isinstance(each, Unknown)]
        sources = {each.address: each for value in unknown for each in value.sources}
        result = [self.json(each, where) for each in known]
        is_hidden = any(each.type == LOCAL for each in sources.values())
        if len(sources) > len(unknown) or is_hidden:
            return [*result, {"Fn::Unknown": where}]
        for each in sources.values():
            reference = self.reference(each, where.rpartition(".")[2])
            result.append(reference)
            if inside and each.type in INSIDE:
                result.append({"Fn::Join": ["", [reference, INSIDE[each.type]]]})
        if len(known) + len(unknown) > len(result):  # the plan shows nothing of one of them
            result.append({"Fn::Unknown": where})
        return result

    def reference(self, attribute: Attribute, name: str = "") -> Any:
        """Return the intrinsic function for an attribute; `name` is that of what it is given to."""
        of = attribute.name or _meant(name)
        if attribute.is_data:
            return {"Fn::ImportValue": f"${{{attribute.address}.{of}}}"}
        if of.endswith("invoke_arn"):  # what an API calls
            function = self.reference(replace(attribute, name=of.replace("invoke_arn", "arn")))
            return {"Fn::Join": ["", [INVOCATIONS, function, "/invocations"]]}
        resource = self._planned[attribute.address]
        kind = KINDS.get(resource.type, Kind(f"Terraform::{resource.type}"))
        if resource.type == ALIAS and of == "name":
            return resource.values.get("name")
        if resource.values.get("publish") is True and of in {"qualified_arn", "version"}:
            version = f"{resource.address}.version"
            self.add(version, "AWS::Lambda::Version", FunctionName={"Ref": resource.address})
            return {"Ref": version} if of == "qualified_arn" else attribute_of(version, "Version")
        # What is referred to is there, of whatever type.
        self.resources.setdefault(resource.address, {"Type": kind.type, "Properties": {}})
        made = kind.attributes.get(of, "Arn" if of == "arn" else "")
        return attribute_of(resource.address, made) if made else {"Ref": resource.address}

    def document(self, value: Any, where: str) -> Any:
        """Return a policy, be it JSON or a data source that Terraform reads during the apply."""
        if not isinstance(value, Unknown):
            return self.json(value, where)
        documents = [each for each in value.sources if each.type == POLICY_DOCUMENT]
        is_hidden = any(each.type == LOCAL for each in value.sources)
        if len(documents) != 1 or documents[0].address not in self._planned or is_hidden:
            return {"Fn::Unknown": where}
        source = self._planned[documents[0].address]
        statements = list(self._statements(source, where))
        if any("Fn::Unknown" in each for each in statements):
            return {"Fn::Unknown": where}
        return {"Version": "2012-10-17", "Statement": statements}

    def _statements(self, source: Planned, where: str) -> Iterator[dict[str, Any]]:
        for name in ("source_policy_documents", "override_policy_documents"):
            given = source.values.get(name) or []
            for each in _each(given):
                document = self.document(each, where)
                unknown = {"Statement": {"Fn::Unknown": where}}
                said = document if isinstance(document, dict) else unknown
                yield from _each(said.get("Statement", unknown["Statement"]))
        blocks = source.values.get("statement") or []
        if not isinstance(blocks, list):
            yield {"Fn::Unknown": where}
            return
        yield from (self._statement(each, where) for each in blocks if isinstance(each, dict))

    def _statement(self, block: Mapping[str, Any], where: str) -> dict[str, Any]:
        statement: dict[str, Any] = {"Effect": block.get("effect") or "Allow"}
        for name, key in (
            ("actions", "Action"),
            ("not_actions", "NotAction"),
            ("resources", "Resource"),
            ("not_resources", "NotResource"),
        ):
            if block.get(name):
                statement[key] = self._listed(block[name], f"{where}.{name}", inside=True)
        for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
            for each in blocks_of(block.get(name)):
                identifiers = self._listed(each.get("identifiers"), f"{where}.identifiers")
                if each.get("type") == "*":
                    statement[key] = "*"
                else:
                    statement.setdefault(key, {})[str(each.get("type"))] = identifiers
        for each in blocks_of(block.get("condition")):
            tests = statement.setdefault("Condition", {}).setdefault(str(each.get("test")), {})
            tests[str(each.get("variable"))] = self._listed(each.get("values"), f"{where}.values")
        return statement

    def _listed(self, values: Any, where: str, *, inside: bool = False) -> list[Any]:
        return self.many(_each(values), where, inside=inside)

    def add(self, address: str, type_: str, **properties: Any) -> None:
        self.resources[address] = {"Type": type_, "Properties": properties}

    def about(self, source: Attribute, rule: Planned) -> Any:
        """Return the pattern of a rule that names just one resource, as far as that shows it."""
        unknown = {"Fn::Unknown": f"{rule.address}.event_pattern"}
        match source.type:
            case "aws_s3_bucket":  # only S3's own events name a bucket
                name = {"name": [self.reference(source, "bucket")]}
                return {"source": ["aws.s3"], "detail": {"bucket": name}}
            case "aws_sfn_state_machine":
                detail = {"stateMachineArn": [self.reference(source)], "status": unknown}
                return {"source": ["aws.states"], "detail": detail}
        return unknown

    def of(self, reference: Any, type_: str) -> Properties | None:
        """Return the properties of the resource that is referred to, if it has this type."""
        resource = self.resources.get(address_of(reference) or "", {})
        return resource["Properties"] if resource.get("Type") == type_ else None

    def alias(self, function: str, name: Any) -> dict[str, Any] | None:
        """Return a reference to the alias with this name of the function with this address."""
        for each in self._planned.values():
            if each.type == ALIAS and not each.is_data and each.values.get("name") == name:
                of = self.attribute(each, "function_name")
                if address_of(of) == function:
                    return {"Ref": each.address}
        return None

    def of_own(self, resource: Planned) -> Properties:
        properties: Properties = self.resources[resource.address]["Properties"]
        return properties


def attribute_of(address: str, name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [address, name]}


def address_of(reference: Any) -> str | None:
    """Return the resource that Ref or GetAtt refers to."""
    match reference:
        case {"Ref": str() as address} | {"Fn::GetAtt": [str() as address, _]}:
            return address
    return None


def _meant(name: str) -> str:
    """Return the attribute that something is given where the plan does not say which."""
    if name.endswith("Name"):  # a dimension
        return "name"
    return "id" if name in BY_ID else "arn"


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _block_of(name: str, unknown: Any) -> Any:
    """Return what an unknown block with this name holds, which is where something is sent."""
    match name:
        case "dead_letter_config":
            return {"Arn": unknown, "TargetArn": unknown}  # the latter is Lambda's word
        case "destination_config":
            return {"OnFailure": {"Destination": unknown}}
        case "on_failure" | "on_success":
            return {"Destination": unknown}
    return unknown


def listed(values: Any, default: list[Any]) -> list[Any]:
    return values if isinstance(values, list) else default


def blocks_of(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
