"""What a stack is, as plain facts that are the same in every flavour.

Logical ids lose what a flavour adds to them, policies become what somebody may do, and what joins
two resources is named by them. Everything else is compared as it is, property by property.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from contract.alarms import expression_of
from contract.check import asynchronous_edges
from contract.stack import default_stack
from parity import rest_apis

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import LOG_GROUP_ARN, Resource
from sls_patterns_cli.dashboards.reading import DASHBOARD, body_in
from sls_patterns_cli.wiring.alarms import queries
from sls_patterns_cli.wiring.edges.executions import definition
from sls_patterns_cli.wiring.model import MACHINE
from sls_patterns_cli.wiring.policies import (
    Statement,
    managed_policies,
    resource_policy,
    role_of,
    role_statements,
    statements,
)


class Fact(NamedTuple):
    """What is said of a resource, or of an edge: `DeliveriesQueue VisibilityTimeout is 60`."""

    subject: str
    what: str
    value: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what} is {self.value}"


STAGES = ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage")
HASH = re.compile(r"[0-9A-F]{8}$")
# What is published of a function is named for its content.
VERSION = re.compile(r"(Current)?Version([0-9A-F]{8})?[0-9a-f]{10,}$")
# What CDK calls the parts of a VPC, which are resources of their own in other flavours.
PARTS = {
    "VpcPrivateSubnet1Subnet": "PrivateSubnetA",
    "VpcPrivateSubnet2Subnet": "PrivateSubnetB",
    "VpcPrivateSubnet1RouteTable": "PrivateRouteTable",
    "VpcPrivateSubnet2RouteTable": "PrivateRouteTable",
    "VpcPrivateSubnet1RouteTableAssociation": "PrivateSubnetARoutes",
    "VpcPrivateSubnet2RouteTableAssociation": "PrivateSubnetBRoutes",
    "VpcPrivateSubnet1DefaultRoute": "PrivateInternetRoute",
    "VpcPrivateSubnet2DefaultRoute": "PrivateInternetRoute",
    "VpcPrivateSubnet1DefaultRoute6": "PrivateIpv6Route",
    "VpcPrivateSubnet2DefaultRoute6": "PrivateIpv6Route",
    "Vpcipv6cidr": "VpcIpv6Cidr",
    "VpcEIGW6": "EgressOnlyInternetGateway",
    "VpcPublicSubnet1Subnet": "PublicSubnet",
    "VpcPublicSubnet1RouteTable": "PublicRouteTable",
    "VpcPublicSubnet1RouteTableAssociation": "PublicSubnetRoutes",
    "VpcPublicSubnet1DefaultRoute": "PublicInternetRoute",
    "VpcPublicSubnet1EIP": "NatAddress",
    "VpcPublicSubnet1NATGateway": "NatGateway",
    "VpcIGW": "InternetGateway",
    "VpcVPCGW": "InternetGatewayAttachment",
    "VpcS3Endpoint": "S3Endpoint",
    "VpcDynamoDBEndpoint": "DynamoDBEndpoint",
}
# The same where public subnets are for more than a NAT gateway.
MANY_PUBLIC = "VpcPublicSubnet3Subnet"
PUBLIC_PARTS = {
    f"VpcPublicSubnet{number}{part}": name
    for number, zone in enumerate("ABC", start=1)
    for part, name in {
        "Subnet": f"PublicSubnet{zone}",
        "RouteTable": "PublicRouteTable",
        "RouteTableAssociation": f"PublicSubnet{zone}Routes",
        "DefaultRoute": "PublicInternetRoute",
    }.items()
}
REPLACED = re.compile(r"(.*) with (.) for (.)")
REFERENCE = re.compile(r"\$\{(\w+)(?=[.}])")

# What is read as policies, routes and permissions, or is no part of the service.
READ_OTHERWISE = (
    "AWS::IAM::",
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::S3::BucketPolicy",
    "AWS::Lambda::Permission",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::CDK::Metadata",
)
NOT_COMPARED = {
    # Read as facts of their own.
    "AWS::CloudWatch::Alarm": {"Dimensions", "Metrics", "Threshold"},
    "AWS::CloudWatch::Dashboard": {"DashboardBody"},
    "AWS::Lambda::Function": {"Code", "Role"},  # the code is one; a role is what it may do
    "AWS::ApiGatewayV2::Api": {"Body", "Name", "ProtocolType"},  # read as routes
    "AWS::ApiGatewayV2::Stage": {"ApiId"},
    "AWS::ApiGateway::RestApi": {"Body", "Name", "Parameters", "BinaryMediaTypes"},
    "AWS::ApiGateway::Stage": {"DeploymentId"},
    "AWS::StepFunctions::StateMachine": {"Definition", "DefinitionString", "RoleArn"},
}

# CloudFormation's names of what makes an authorizer, and those of OpenAPI.
AUTHORIZER = {
    "AuthorizerType": "type",
    "AuthorizerUri": "authorizerUri",
    "AuthorizerPayloadFormatVersion": "authorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds": "authorizerResultTtlInSeconds",
    "EnableSimpleResponses": "enableSimpleResponses",
    "IdentitySource": "identitySource",
}


def facts(template: Template, stack_name: str) -> set[Fact]:
    """Return all facts of the stack that the template becomes when each of its conditions holds."""
    return set(_Reader(template, stack_name).read())


class _Reader:
    def __init__(self, template: Template, stack_name: str) -> None:
        self.template = template
        self.stack = default_stack(template)
        self.stack_name = stack_name
        many = any(name.startswith(MANY_PUBLIC) for name in self.stack.resources)
        self.parts = PARTS | PUBLIC_PARTS if many else PARTS
        self.edges = {
            edge.declared_by: f"{self.name(edge.source)} => {self.name(edge.target)}"
            for edge in asynchronous_edges(template)
            if edge.declared_by in self.stack.resources
            and edge.declared_by not in (edge.source, edge.target)
        }

    def read(self) -> Iterator[Fact]:
        for resource in self.stack.resources.values():
            if not resource.type.startswith(READ_OTHERWISE):
                yield from self.properties(resource)
            yield from self.policy(resource)
            yield from self.role(resource)
        yield from self.permissions()
        yield from self.routes()
        yield from self.endpoints()
        yield from self.rest_apis()
        for name, output in self.template.get("Outputs", {}).items():
            yield Fact("outputs", name, self.text(_decided(output["Value"])))

    def subject(self, resource: Resource) -> str:
        if resource.type in STAGES:
            return f"stage of {self.text(resource.get('ApiId') or resource.get('RestApiId'))}"
        if resource.type == "AWS::Lambda::EventInvokeConfig":
            return f"asynchronous invokes of {self.text(resource.get('FunctionName'))}"
        return self.edges.get(resource.name, self.name(resource.name))

    def name(self, logical_id: str) -> str:
        name = HASH.sub("", VERSION.sub("Version", logical_id))
        return self.parts.get(name, name)

    def text(self, value: Any) -> str:
        text = self.stack.text(value).replace("${AWS::StackName}", self.stack_name)
        if replaced := REPLACED.fullmatch(text):
            text = replaced[1].replace(replaced[3], replaced[2])
        for stage in self.stack.of_type(*STAGES):  # a reference to a stage is its name
            text = text.replace(f"${{{stage.name}}}", str(stage.get("StageName")))
        named = REFERENCE.sub(
            lambda found: f"${{{self.edges.get(found[1], self.name(found[1]))}", text
        )
        # The Ref of a security group is its id; the ARN of a log group has two forms.
        if LOG_GROUP_ARN.match(named):
            named = LOG_GROUP_ARN.sub("", named).replace("}", ".Arn}")
        return named.replace("SecurityGroup.GroupId}", "SecurityGroup}")

    def properties(self, resource: Resource) -> Iterator[Fact]:
        subject = self.subject(resource)
        yield Fact(subject, "type", resource.type)
        deletion = self.template["Resources"][resource.name].get("DeletionPolicy", "Delete")
        yield Fact(subject, "DeletionPolicy", deletion)
        if resource.type == "AWS::CloudWatch::Alarm":
            yield from self.alarm(subject, resource)
        if resource.type == DASHBOARD:
            body = body_in(self.stack, resource)
            for number, widget in enumerate((body.start, *body.widgets)):
                yield Fact(subject, f"widget {number}", self.text(str(widget)))
        for name, value in resource.properties.items():
            if name not in NOT_COMPARED.get(resource.type, ()):
                yield from self.values(subject, name, value)
        if resource.type == MACHINE:
            yield from self.values(subject, "Definition", definition(self.stack, resource))

    def alarm(self, subject: str, alarm: Resource) -> Iterator[Fact]:
        """Read what an alarm watches, in any order, and a parameter as its default."""
        yield Fact(subject, "Threshold", str(self.stack.number(alarm.get("Threshold"))))
        yield Fact(subject, "Expression", self.stack.text_in_numbers(expression_of(alarm)))
        for query in queries(alarm):
            name = f"{query.id}: {query}"
            yield Fact(subject, name, f"{query.statistic} of {query.period}")
            for dimension, value in query.dimensions.items():
                yield Fact(subject, f"{name} {dimension}", self.text(value))

    def values(self, subject: str, path: str, value: Any) -> Iterator[Fact]:
        if path.endswith(".RoleArn"):  # a role is what it may do
            return
        if path in ("AccessLogSettings.Format", "AccessLogSetting.Format"):
            yield Fact(subject, path, json.dumps(json.loads(str(value))))
        elif path.startswith("FilterCriteria.") and isinstance(value, str):  # JSON, in any order
            yield Fact(subject, path, json.dumps(json.loads(value), sort_keys=True))
        elif path == "FunctionName" and (function := self.stack.function(value)):
            yield Fact(subject, path, self.name(function[0].name))
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from self.values(subject, f"{path}.{number}", inner)
        elif isinstance(value, dict) and not _computed(value):
            for key, inner in value.items():
                yield from self.values(subject, f"{path}.{key}", inner)
        elif isinstance(value, float) and value.is_integer():  # 2.0 and 2 are one number in JSON
            yield Fact(subject, path, str(int(value)))
        else:
            yield Fact(subject, path, self.text(value))

    def role(self, resource: Resource) -> Iterator[Fact]:
        role = role_of(self.stack, resource)
        if role is None:
            return
        subject = self.name(resource.name)
        for policy in managed_policies(self.stack, role):
            yield Fact(subject, "managed policy", policy)
        for statement in role_statements(self.stack, role):
            yield from self.statement(subject, "its role", statement)

    def policy(self, resource: Resource) -> Iterator[Fact]:
        for statement in resource_policy(self.stack, resource):
            yield from self.statement(self.name(resource.name), "its policy", statement)

    def statement(self, subject: str, whose: str, statement: Statement) -> Iterator[Fact]:
        who = ", ".join(sorted(statement.services)) or ("anyone" if statement.anyone else "")
        effect = "allows" if statement.allow else "denies"
        conditions = sorted(
            f"{operator} {key} {', '.join(map(self.text, values))}".lower()
            for operator, key, values in statement.conditions
        )
        for action in statement.actions:
            for resource in statement.resources:
                words = (effect, who, action, "on", self.text(resource), *conditions)
                yield Fact(subject, whose, " ".join(word for word in words if word))

    def permissions(self) -> Iterator[Fact]:
        for permission in self.stack.of_type("AWS::Lambda::Permission"):
            function = self.stack.function(permission.get("FunctionName"))
            if function:
                source = self.text(permission.get("SourceArn"))
                who = f"{self.text(permission.get('Principal'))} from {source}"
                invoked = self.name(function[0].name)
                if function[1] != "$LATEST":
                    invoked = f"{invoked}:{function[1]}"
                yield Fact(invoked, "invoked by", who)

    def rest_apis(self) -> Iterator[Fact]:
        for said in rest_apis.statements(self.stack, self.name, self.text):
            yield Fact(*said)
        for api, role in rest_apis.credentials(self.stack):
            for statement in role_statements(self.stack, role):
                yield from self.statement(self.name(api.name), "its role", statement)

    def routes(self) -> Iterator[Fact]:
        yield from self.routes_of_definitions()
        yield from self.routes_of_resources()

    def endpoints(self) -> Iterator[Fact]:
        """Whether the addresses of APIs are off, where an OpenAPI document says it, as SAM does."""
        for api in self.stack.of_type("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"):
            for server in api.get("Body", "servers") or []:
                given = server["x-amazon-apigateway-endpoint-configuration"]
                off = given["disableExecuteApiEndpoint"]
                yield Fact(self.subject(api), "DisableExecuteApiEndpoint", str(off))

    def routes_of_definitions(self) -> Iterator[Fact]:
        """The routes of HTTP APIs that an OpenAPI document defines, as SAM writes it."""
        for api in self.stack.of_type("AWS::ApiGatewayV2::Api"):
            for part, value in (api.get("Body", "x-amazon-apigateway-cors") or {}).items():
                name = f"CorsConfiguration.{part[0].upper()}{part[1:]}"
                yield from self.values(self.subject(api), name, value)
            schemes = api.get("Body", "components", "securitySchemes") or {}
            for name, scheme in schemes.items():
                if "x-amazon-apigateway-authorizer" in scheme:  # IAM has none
                    yield from self.authorizer(api, name, scheme["x-amazon-apigateway-authorizer"])
            for path, operations in (api.get("Body", "paths") or {}).items():
                for method, operation in operations.items():
                    integration = operation["x-amazon-apigateway-integration"]
                    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                    key = "$default" if path == "/$default" else f"{verb} {path}"
                    if "integrationSubtype" in integration:
                        yield from self.service(
                            f"route {self.name(api.name)} {key}",
                            integration["integrationSubtype"],
                            integration["credentials"],
                            integration["requestParameters"],
                            integration["responseParameters"],
                        )
                        continue
                    uri = self.text(integration["uri"])
                    _, of_function, function = uri.partition("/functions/")
                    yield from self.route(
                        api,
                        key,
                        function.partition("/")[0] if of_function else uri,
                        integration.get("payloadFormatVersion"),
                        _guard(
                            *(
                                each
                                for given in operation.get("security", ())
                                for each in given.items()
                            )
                        ),
                    )

    def routes_of_resources(self) -> Iterator[Fact]:
        """The routes of HTTP APIs that are resources of their own, as CDK makes them."""
        for authorizer in self.stack.of_type("AWS::ApiGatewayV2::Authorizer"):
            owner = self.stack.named(authorizer.get("ApiId"))
            if owner:
                described = {
                    AUTHORIZER.get(name, name): v for name, v in authorizer.properties.items()
                }
                yield from self.authorizer(owner, str(authorizer.get("Name")), described)
        for route in self.stack.of_type("AWS::ApiGatewayV2::Route"):
            api = self.stack.named(route.get("ApiId"))
            target = self.stack.text(route.get("Target")).removeprefix("integrations/")
            integration = self.stack.resources.get(target.strip("${}"))
            guard = self.stack.named(route.get("AuthorizerId"))
            if api and integration and integration.get("IntegrationSubtype"):
                answers = integration.get("ResponseParameters").items()
                yield from self.service(
                    f"route {self.name(api.name)} {route.get('RouteKey')}",
                    integration.get("IntegrationSubtype"),
                    integration.get("CredentialsArn"),
                    integration.get("RequestParameters"),
                    {
                        status: {each["Destination"]: each["Source"] for each in changed}
                        for status, mapped in answers
                        for changed in [mapped["ResponseParameters"]]
                    },
                )
            elif api and integration:
                yield from self.route(
                    api,
                    str(route.get("RouteKey")),
                    self.text(integration.get("IntegrationUri")),
                    integration.get("PayloadFormatVersion"),
                    _guard((guard.get("Name"), route.get("AuthorizationScopes") or []))
                    if guard
                    else _guard((rest_apis.IAM, []))
                    if route.get("AuthorizationType") == rest_apis.IAM
                    else "",
                )

    def service(
        self,
        subject: str,
        subtype: str,
        role: Any,
        request: dict[str, Any],
        response: dict[str, Any],
    ) -> Iterator[Fact]:
        """A route that calls a service: how it is called, in whose name, and the answer."""
        yield Fact(subject, "service", subtype)
        yield from self.values(subject, "parameters", request)
        yield from self.values(subject, "answer", response)
        acts_as = self.stack.by_arn(role, "AWS::IAM::Role")
        assert acts_as
        document = acts_as.get("AssumeRolePolicyDocument")
        for statement in statements(self.stack, document):
            yield from self.statement(subject, "its role's trust", statement)
        for statement in role_statements(self.stack, acts_as):
            yield from self.statement(subject, "its role", statement)

    def route(
        self, api: Resource, key: str, function: str, version: Any, authorizer: str
    ) -> Iterator[Fact]:
        subject = f"route {self.name(api.name)} {key}"
        yield Fact(subject, "function", function)
        yield Fact(subject, "payload format", str(version))
        yield Fact(subject, "authorizer", authorizer)

    def authorizer(self, api: Resource, name: str, described: dict[str, Any]) -> Iterator[Fact]:
        """What it is; `described` has the names of OpenAPI, as in the body of an API."""
        subject = f"authorizer {self.name(api.name)} {name}"
        if described["type"].lower() == "jwt":
            (given,) = (v for name, v in described.items() if name.lower() == "jwtconfiguration")
            for what, value in given.items():
                yield Fact(subject, what.lower(), self.text(value))
            (source,) = (v for name, v in described.items() if name.lower() == "identitysource")
            yield Fact(subject, "identitySource", source if isinstance(source, str) else source[0])
            return
        uri = self.text(described["authorizerUri"])
        yield Fact(subject, "function", uri.split("/functions/")[-1].split("/")[0])
        yield Fact(subject, "type", described["type"].lower())
        for what in AUTHORIZER.values():
            if what not in ("type", "authorizerUri"):
                yield Fact(subject, what, str(described.get(what)))


def _guard(*guards: tuple[Any, list[str]]) -> str:
    """Return the names of authorizers, each with the scopes that the route requires."""
    return ", ".join(" ".join([str(name), *scopes]) for name, scopes in guards)


def _computed(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _decided(value: Any) -> Any:
    """The first branch of an Fn::If: each condition holds."""
    return value["Fn::If"][1] if isinstance(value, dict) and "Fn::If" in value else value
