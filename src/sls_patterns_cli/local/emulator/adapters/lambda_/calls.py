"""How adapters call a function and wait for its answer; it changes nothing itself."""

from typing import Any

from ministack.services import lambda_svc

Record = dict[str, Any]


def call(function_arn: str, event: Any) -> Record | None:
    """Return what became of an invocation, with `error` if it failed; None without a function."""
    function, config, _name = lambda_svc._get_func_record_for_ref(function_arn)
    if not function:
        return None
    invoked = lambda_svc._execution_record_for_config(function, config)
    result: Record = lambda_svc._execute_function(invoked, event)
    return result
