"""A REST API compares the bodies of requests with the models of its methods, and refuses others.

AWS: a method has a request validator, and a model for each content type. A body that does not fit
the model is answered with 400; a content type without a model is not validated. An OpenAPI
definition has its models in `components.schemas`, and names the validator for the whole API or for
an operation; what it says with `minItems` and `maxItems` is not validated.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-request-validator.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html

Emulator: validates what its own API has set up, but forgets the validators of a stack's resources
and of a definition, and takes the model of JSON for all content types.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import rely_on, replace

EXTENSION = "x-amazon-apigateway-request-validator"
JSON = "application/json"
NOT_VALIDATED = ("minItems", "maxItems")


def apply() -> None:
    rely_on(apigateway_v1._create_model, "d53064b06f8b")
    rely_on(apigateway_v1._create_request_validator, "c3894407d1b8")
    replace(apigateway_v1, "_check_request_validation", "9605a07a083f", _of_its_type)
    replace(apigateway_v1, "_import_rest_api", "ef72f9312702", _imported)
    handlers = provisioners._RESOURCE_HANDLERS
    replace(handlers["AWS::ApiGateway::RequestValidator"], "create", "f9fe42d289fd", _created)
    replace(handlers["AWS::ApiGateway::Method"], "create", "9460bc3fd7ff", _with_validator)


def _of_its_type(check: Callable[..., Any]) -> Callable[..., Any]:
    def check_body(method: dict[str, Any], api: str, request: Any, headers: Any, *rest: Any) -> Any:
        sent = apigateway_v1._header_ci(headers, "content-type") or JSON
        if sent.split(";", 1)[0].strip() not in method.get("requestModels", {}):
            method = {**method, "requestModels": {}}
        return check(method, api, request, headers, *rest)

    return check_body


def _imported(import_rest_api: Callable[..., str]) -> Callable[..., str]:
    def import_with_validators(
        definition: dict[str, Any], properties: dict[str, Any] | None = None
    ) -> str:
        api = import_rest_api(definition, properties)
        schemas = (definition.get("components") or {}).get("schemas") or {}
        for name, schema in schemas.items():
            document = {**_validated(schema), "components": {"schemas": _validated(schemas)}}
            apigateway_v1._create_model(api, {"name": name, "schema": json.dumps(document)})
        validators = {
            name: _validator(api, {**rules, "name": name})
            for name, rules in (definition.get(f"{EXTENSION}s") or {}).items()
        }
        for resource in apigateway_v1._resources[api].values():
            operations = (definition.get("paths") or {}).get(resource["path"]) or {}
            for method, kept in resource["resourceMethods"].items():
                operation = operations.get(method.lower()) or {}
                content = (operation.get("requestBody") or {}).get("content") or {}
                kept["requestModels"] = {
                    kind: str(each["schema"]["$ref"]).rpartition("/")[2]
                    for kind, each in content.items()
                }
                chosen = operation.get(EXTENSION, definition.get(EXTENSION))
                if chosen is not None:
                    kept["requestValidatorId"] = validators[chosen]
        return api

    return import_with_validators


def _validated(schema: Any) -> Any:
    """Return a schema of a definition without what API Gateway does not validate of it."""
    if isinstance(schema, list):
        return [_validated(each) for each in schema]
    if not isinstance(schema, dict):
        return copy.deepcopy(schema)
    return {key: _validated(each) for key, each in schema.items() if key not in NOT_VALIDATED}


def _validator(api: str, rules: dict[str, Any]) -> str:
    _status, _headers, body = apigateway_v1._create_request_validator(api, rules)
    return str(json.loads(body)["id"])


def _created(_create: Callable[..., Any]) -> Callable[..., Any]:
    def create_validator(logical_id: str, properties: dict[str, Any], _stack: str) -> Any:
        rules = {
            "name": properties.get("Name", logical_id),
            "validateRequestBody": properties.get("ValidateRequestBody", False),
            "validateRequestParameters": properties.get("ValidateRequestParameters", False),
        }
        created = _validator(properties["RestApiId"], rules)
        return created, {"RequestValidatorId": created}

    return create_validator


def _with_validator(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_method(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, properties, stack)
        resources = apigateway_v1._resources[properties["RestApiId"]]
        method = resources[properties["ResourceId"]]["resourceMethods"][properties["HttpMethod"]]
        method["requestValidatorId"] = properties.get("RequestValidatorId")
        return created

    return create_method
