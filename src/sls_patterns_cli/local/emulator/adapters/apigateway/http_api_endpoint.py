"""An HTTP API's address in a stack's outputs can be called as it is.

AWS: `ApiEndpoint` and the written-out `https://{id}.execute-api.{region}.amazonaws.com` reach it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-publish.html

Emulator: gives a host name that few resolvers know, or leaves the public one, where there is no
such API. Here both become the emulator's own path for the API.
"""

import os
import re
from collections.abc import Callable
from typing import Any

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners, stacks

from sls_patterns_cli.local.emulator.adapters import replace

PUBLIC_ADDRESS = re.compile(r"https://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    replace(handlers, "create", "0002e18b4198", _create)
    replace(stacks, "_resolve_stack_outputs", "353ef6908a4f", _callable)


def address(api: str) -> str:
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/_aws/execute-api/{api}"


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_api(*arguments: Any) -> Any:
        api, attributes = create(*arguments)
        apigateway._apis[api]["apiEndpoint"] = address(api)
        return api, {**attributes, "ApiEndpoint": address(api)}

    return create_api


def _callable(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolve_outputs(*arguments: Any) -> Any:
        outputs, exports = resolve(*arguments)
        for output in outputs:
            output["OutputValue"] = PUBLIC_ADDRESS.sub(
                lambda found: address(found[1]), output["OutputValue"]
            )
        return outputs, exports

    return resolve_outputs
