"""CloudFormation invokes the function of a custom resource asynchronously.

AWS: with retries and a destination for what failed, as any asynchronous invocation; what the
function returns or raises does not matter to CloudFormation, which waits for the answer.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/services-cloudformation.html

Emulator: invokes it once, and nothing comes of a failure.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

from sls_patterns_cli.local.emulator.adapters import rely_on, replace


def apply() -> None:
    rely_on(custom_resource.invoke_custom_resource, "d5c75f69f54b")
    replace(lambda_svc, "_execute_function_with_config_scope", "26a9d5f64e17", _asynchronous)


def _asynchronous(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_function(function: dict[str, Any], event: Any, *rest: Any) -> Any:
        if isinstance(event, dict) and {"ResponseURL", "RequestType"} <= event.keys():
            return lambda_svc.invoke_async_with_retry(function, event)
        return execute(function, event, *rest)

    return execute_function
