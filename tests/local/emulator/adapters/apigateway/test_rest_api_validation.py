"""Bodies that REST APIs refuse: by the models of a definition, and by those of resources."""

import json
from typing import Any

import pytest
import urllib3
import yaml
from local.support import DeployStack

EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": ["click", "view"]},
        "at": {"type": "string", "pattern": r"^\d{4}-"},
    },
}


def batch(item: dict[str, Any]) -> dict[str, Any]:
    events = {"type": "array", "maxItems": 1, "items": item}
    return {"type": "object", "required": ["events"], "properties": {"events": events}}


MOCK: dict[str, Any] = {
    "type": "mock",
    "passthroughBehavior": "never",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "responses": {"default": {"statusCode": "200"}},
}


def operation(model: str, **others: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "x-amazon-apigateway-integration": MOCK,
        **others,
    }


URL = {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/live"}
DEFINED = {
    "Api": {
        "Type": "AWS::Serverless::Api",
        "Properties": {
            "StageName": "live",
            "OpenApiVersion": "3.0.1",
            "DefinitionBody": {
                "openapi": "3.0.1",
                "x-amazon-apigateway-request-validators": {
                    "body": {"validateRequestBody": True, "validateRequestParameters": False},
                    "none": {"validateRequestBody": False, "validateRequestParameters": False},
                },
                "x-amazon-apigateway-request-validator": "body",
                "components": {
                    "schemas": {
                        "Event": EVENT,
                        "Batch": batch({"$ref": "#/components/schemas/Event"}),
                    }
                },
                "paths": {
                    "/events": {"post": operation("Event")},
                    "/batches": {"post": operation("Batch")},
                    "/open": {
                        "post": operation(
                            "Event", **{"x-amazon-apigateway-request-validator": "none"}
                        )
                    },
                },
            },
        },
    }
}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    of_api = {"RestApiId": {"Ref": "Api"}, **properties}
    return {"Type": f"AWS::ApiGateway::{kind}", "Properties": of_api}


def method(path: str, model: str, **others: Any) -> dict[str, Any]:
    """Return the resources of a path and its method."""
    return {
        path: resource("Resource", ParentId={"Fn::GetAtt": "Api.RootResourceId"}, PathPart=path),
        f"{path}Post": resource(
            "Method",
            ResourceId={"Ref": path},
            HttpMethod="POST",
            AuthorizationType="NONE",
            RequestModels={"application/json": {"Ref": model}},
            MethodResponses=[{"StatusCode": "200"}],
            Integration={
                "Type": "MOCK",
                "PassthroughBehavior": "NEVER",
                "RequestTemplates": MOCK["requestTemplates"],
                "IntegrationResponses": [{"StatusCode": "200"}],
            },
            **others,
        ),
    }


VALIDATOR = {"RequestValidatorId": {"Ref": "Validator"}}
SINGLE = {
    "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "single"}},
    "Event": resource("Model", ContentType="application/json", Schema=EVENT),
    "Batch": resource("Model", ContentType="application/json", Schema=batch(EVENT)),
    "Validator": resource("RequestValidator", ValidateRequestBody=True),
    **method("events", "Event", **VALIDATOR),
    **method("batches", "Batch", **VALIDATOR),
    **method("open", "Event"),
    "Deployment": {
        **resource("Deployment"),
        "DependsOn": ["eventsPost", "batchesPost", "openPost"],
    },
    "Stage": resource("Stage", StageName="live", DeploymentId={"Ref": "Deployment"}),
}


@pytest.fixture(scope="module", params=["defined", "single"])
def url(request: pytest.FixtureRequest, deploy_stack: DeployStack) -> str:
    resources = {"defined": DEFINED, "single": SINGLE}[request.param]
    template = {"Resources": resources, "Outputs": {"Url": {"Value": URL}}}
    return deploy_stack(yaml.safe_dump(template), f"validated-{request.param}")["Url"]


def status(url: str, body: str, kind: str = "application/json") -> int:
    response: Any = urllib3.request("POST", url, body=body, headers={"Content-Type": kind})
    return int(response.status)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "click"}, 200),
        ({"type": "click", "at": "2026-01-31", "more": 1}, 200),
        ({"type": "purchase"}, 400),
        ({"at": "2026-01-31"}, 400),
        ({"type": "click", "at": "now"}, 400),
        ([], 400),
    ],
)
def test_a_body_fits_the_model_of_its_route_or_is_refused(
    url: str, event: Any, expected: int
) -> None:
    assert status(f"{url}/events", json.dumps(event)) == expected
    assert status(f"{url}/batches", json.dumps({"events": [event]})) == expected
    assert status(f"{url}/open", json.dumps(event)) == 200


@pytest.mark.parametrize("body", ["", "no JSON"])
def test_what_is_no_json_is_refused(url: str, body: str) -> None:
    assert status(f"{url}/events", body) == 400


def test_what_says_that_it_is_json_of_a_charset_is_compared_as_well(url: str) -> None:
    assert status(f"{url}/events", "{}", "application/json; charset=utf-8") == 400


def test_another_content_type_is_refused_by_the_integration(url: str) -> None:
    assert status(f"{url}/events", "{}", "text/plain") == 415


def test_how_many_items_there_are_is_compared_by_models_of_resources_only(
    url: str, request: pytest.FixtureRequest
) -> None:
    two = json.dumps({"events": [{"type": "click"}] * 2})
    defined = "defined" in request.node.callspec.id
    assert status(f"{url}/batches", two) == (200 if defined else 400)
