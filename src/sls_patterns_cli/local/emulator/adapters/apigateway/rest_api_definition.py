"""A REST API is what its OpenAPI definition describes.

AWS: `Body` of an `AWS::ApiGateway::RestApi` is imported whole: any-method operations, all settings
of an integration with its responses, gateway responses, binary media types.
A changed one is put into the API, which keeps its id and so its address.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html

Emulator: drops any-method operations, all of an integration but its type, method and address,
gateway responses and binary media types; makes another API of a changed definition.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import rely_on, replace

EXTENSION = "x-amazon-apigateway-"
ANY_METHOD = f"{EXTENSION}any-method"
ANY = "any"
SETTINGS = (
    *("httpMethod", "uri", "credentials", "requestParameters", "requestTemplates"),
    *("passthroughBehavior", "timeoutInMillis", "contentHandling"),
)


def apply() -> None:
    rely_on(apigateway_v1._put_integration, "fd1a612acd01")
    rely_on(apigateway_v1._put_gateway_response, "93e727fc3806")
    rely_on(apigateway_v1._select_service_integration_response, "a1aaae14dca3")
    apigateway_v1._OPENAPI_HTTP_METHODS.add(ANY)
    replace(apigateway_v1, "_import_path_item", "563432744443", _path_item)
    replace(apigateway_v1, "_import_operation", "ca6b0dd9dcf2", _operation)
    replace(apigateway_v1, "_import_rest_api", "ef72f9312702", _rest_api)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
    rely_on(handlers["create"], "7c984880e447")
    replace(handlers, "update", "9dee2ef4d951", _update)


def _path_item(import_path_item: Callable[..., None]) -> Callable[..., None]:
    def import_with_any_method(api: str, path: str, item: dict[str, Any], *rest: Any) -> None:
        if ANY in item:
            raise ValueError(f"{path}: OpenAPI has no method {ANY!r}; it is called {ANY_METHOD}")
        named = {ANY if method == ANY_METHOD else method: item[method] for method in item}
        import_path_item(api, path, named, *rest)

    return import_with_any_method


def _operation(import_operation: Callable[..., None]) -> Callable[..., None]:
    def import_with_settings(
        api: str, resource: str, method: str, operation: dict[str, Any], *rest: Any
    ) -> None:
        import_operation(api, resource, method, operation, *rest)
        if not (integration := operation.get(f"{EXTENSION}integration")):
            return
        settings = {key: integration[key] for key in SETTINGS if key in integration}
        settings["type"] = integration["type"].upper()
        apigateway_v1._put_integration(api, resource, method, settings)
        methods = apigateway_v1._resources[api][resource]["resourceMethods"]
        methods[method]["methodIntegration"]["integrationResponses"] = {
            pattern: {
                "statusCode": str(response["statusCode"]),
                "selectionPattern": "" if pattern == "default" else pattern,
                "responseParameters": response.get("responseParameters", {}),
                "responseTemplates": response.get("responseTemplates", {}),
            }
            for pattern, response in integration.get("responses", {}).items()
        }

    return import_with_settings


def _rest_api(import_rest_api: Callable[..., str]) -> Callable[..., str]:
    def import_with_settings(
        definition: dict[str, Any], properties: dict[str, Any] | None = None
    ) -> str:
        api = import_rest_api(definition, properties)
        if binary := definition.get(f"{EXTENSION}binary-media-types"):
            apigateway_v1._rest_apis[api]["binaryMediaTypes"] = binary
        for name, response in definition.get(f"{EXTENSION}gateway-responses", {}).items():
            status, _, body = apigateway_v1._put_gateway_response(api, name, response)
            if status >= 400:
                raise ValueError(body.decode())
        return api

    return import_with_settings


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_api(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
    ) -> Any:
        if new.get("Body") == old.get("Body"):
            return update(physical_id, old, new, stack, logical_id)
        create = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["create"]
        other, _ = create(logical_id, new, stack)
        imported = {**apigateway_v1._rest_apis.pop(other), "id": physical_id}
        apigateway_v1._rest_apis[physical_id] = imported
        for part in (
            apigateway_v1._resources,
            apigateway_v1._authorizers_v1,
            apigateway_v1._models,
            apigateway_v1._gateway_responses,
            apigateway_v1._request_validators,
        ):
            part[physical_id] = part.pop(other, {})
        apigateway_v1._delete_rest_api(other)
        return physical_id, provisioners._apigw_rest_api_attrs(physical_id)

    return update_api
