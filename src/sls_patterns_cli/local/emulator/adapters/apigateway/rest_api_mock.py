"""A mock integration of a REST API answers by its mapping templates, which may set headers.

AWS: the response template of a mock is filled in with the request's parameters and the stage's
variables, and `$context.responseOverride` sets headers and the status. An answer 204 has no body.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html

Emulator: returns the text of the template as the body.
"""

from collections import ChainMap
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway_v1

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway.rest_api_service import (
    first_values,
    render,
)

_request: ContextVar[tuple[ChainMap[str, Any], dict[str, str]]] = ContextVar("the call of a mock")
"""The parameters of the request, and the variables of its stage."""


def apply() -> None:
    replace(apigateway_v1, "_execute_in_scope", "2ae72b7d5eb6", _remembering)
    replace(apigateway_v1, "_invoke_mock_v1", "20f819eee1f9", _filled_in)


def _remembering(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def execute_request(request: dict[str, Any], *call: Any) -> Any:
        api, stage, _method, _path, headers, _body, query = call[:7]
        settings = apigateway_v1._stages_v1.get(api, {}).get(stage) or {}
        parameters = ChainMap(first_values(query or {}), headers)
        _request.set((parameters, settings.get("variables") or {}))
        return await execute(request, *call)

    return execute_request


def _filled_in(invoke: Callable[..., Any]) -> Callable[..., Any]:
    def invoke_mock(integration: dict[str, Any]) -> Any:
        status, headers, template = invoke(integration)
        override: dict[str, Any] = {"header": {}}
        parameters, variables = _request.get()
        context = {"responseOverride": override}
        body = render(template.decode(), "", context, parameters, variables)
        status = int(override.get("status", status))
        return status, headers | override["header"], b"" if status == 204 else body.encode()

    return invoke_mock
