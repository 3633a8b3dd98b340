"""Routes of APIs that answer before the work is done: Lambda by Event, Step Functions.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-integration-async.html
"""

from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, dictionaries, references
from sls_patterns_cli.wiring.edges.executions import execution
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import Edge, machine_at

APIS = (
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Method",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Integration",
)
INVOCATION_TYPE = "integration.request.header.X-Amz-Invocation-Type"


def edges(stack: Stack) -> Iterator[Edge]:
    for part, integration in integrations(stack):
        api = api_of(stack, part).name
        address = integration.get("uri") or integration.get("integrationUri")
        uri = stack.text(address)
        parameters = integration.get("requestParameters")
        kind = parameters.get(INVOCATION_TYPE) if isinstance(parameters, dict) else None
        if kind == "'Event'" and "/functions/" in uri:
            yield from invocation(stack, api, address, part)
        starts = uri.endswith(":states:action/StartExecution")
        subtype = integration.get("integrationSubtype")
        if starts or subtype == "StepFunctions-StartExecution":
            for name in dict.fromkeys(references(integration)):
                machine = machine_at(stack, {"Ref": name})
                if machine:
                    yield from execution(stack, api, machine, part)


def integrations(stack: Stack) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Yield what may be an integration of an API, with the resource that it is in.

    The names in it are OpenAPI's: CloudFormation's begin with a capital.
    """
    for part in stack.of_type(*APIS):
        for given in dictionaries(part.properties):
            yield part, {name[:1].lower() + name[1:]: value for name, value in given.items()}


def api_of(stack: Stack, part: Resource) -> Resource:
    """Return the API that a method or integration is part of; of an API itself."""
    return stack.named(part.get("ApiId") or part.get("RestApiId")) or part
