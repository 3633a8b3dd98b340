"""A handler's exception keeps its class, and its execution environment lives on.

AWS: the caller sees FunctionError `Unhandled` and a payload with errorType (the exception's
class), errorMessage and stackTrace; the environment serves the next invocation.
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html

Emulator: every error is a `Runtime.HandlerError`, and the process is killed.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace


class FunctionError(dict[str, Any]):
    """What a handler raised, on its way from the process to the caller."""


def apply() -> None:
    replace(lambda_runtime.Worker, "invoke", "16078b97c21b", _marked)
    replace(lambda_svc, "_execute_function_warm", "62b9218bef5b", _unhandled)


def _marked(invoke: Callable[..., Any]) -> Callable[..., Any]:
    def invoke_marked(*arguments: Any, **options: Any) -> Any:
        response = invoke(*arguments, **options)
        if error := response.get("function_error"):
            response["result"] = FunctionError(error)
        return response

    return invoke_marked


def _unhandled(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_function(*arguments: Any) -> Any:
        result = execute(*arguments)
        if isinstance(result.get("body"), FunctionError):
            result = {**result, "error": True, "function_error": "Unhandled"}
        return result

    return execute_function
