"""How adapters invoke a function asynchronously by its ARN; it changes nothing itself."""

from typing import Any

from ministack.services import lambda_svc


def exists(function_arn: str) -> bool:
    """Whether there is such a function, with the version or alias that the ARN names."""
    function, _config, _name = lambda_svc._get_func_record_for_ref(function_arn)
    return bool(function)


def invoke(function_arn: str, event: Any) -> bool:
    """Hand an event over to be processed in the background; return whether there is a function."""
    function, config, _name = lambda_svc._get_func_record_for_ref(function_arn)
    if function:
        invoked = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(invoked, event)
    return bool(function)
