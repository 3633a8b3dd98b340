"""An HTTP API invokes a function only with its permission, and hides how a function fails.

AWS: without a resource-based policy of the function that allows it, and when the function ends
in an error, the caller gets 500 with `{"message":"Internal Server Error"}`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions

Emulator: asks for no permission, and answers 502 with the function's error and stack trace.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway, lambda_svc

from sls_patterns_cli.local.adapters import replace

Response = tuple[int, dict[str, Any], bytes]

INTERNAL_SERVER_ERROR: Response = (
    500,
    {"Content-Type": "application/json"},
    b'{"message":"Internal Server Error"}',
)


def apply() -> None:
    replace(apigateway, "_invoke_lambda_proxy", "fbe5024fcd36", _guarded)


def _guarded(invoke: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def invoke_function(
        integration: dict[str, Any],
        api: str,
        stage: str,
        path: str,
        method: str,
        *rest: Any,
        **options: Any,
    ) -> Response:
        function_arn = apigateway._extract_lambda_ref_from_integration_uri(
            integration["integrationUri"]
        )
        source_arn = (
            f"arn:aws:execute-api:{get_region()}:{get_account_id()}:{api}/{stage}/{method}{path}"
        )
        if not _permitted(function_arn, source_arn):
            return INTERNAL_SERVER_ERROR
        response = await invoke(integration, api, stage, path, method, *rest, **options)
        return INTERNAL_SERVER_ERROR if response[0] == 502 else response

    return invoke_function


def _permitted(function_arn: str, source_arn: str) -> bool:
    policy = lambda_svc.function_policy_for_arn(function_arn)
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": get_account_id(),
        },
    )
    decision = iam_evaluator.evaluate_resource_policy(
        policy and policy[0], context, service="apigateway.amazonaws.com"
    ).decision
    return bool(decision == "Allow")
