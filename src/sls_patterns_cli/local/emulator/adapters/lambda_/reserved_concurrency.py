"""A function never runs more often at the same time than its template reserves.

AWS: ReservedConcurrentExecutions is both the function's guarantee and its limit.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html

Emulator: enforces it when set through the API, and ignores it in a template and for versions.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    replace(handlers, "create", "8b2cf80e961d", _create)
    replace(handlers, "update", "4855410e37d7", _update)
    replace(lambda_svc, "_reserved_concurrency", "ebec4b4bba77", _of_the_function)


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_function(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, properties, stack)
        _reserve(created[0], properties)
        return created

    return create_function


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_function(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
    ) -> Any:
        updated = update(physical_id, old, new, stack, logical_id)
        _reserve(updated[0], new)
        return updated

    return update_function


def _reserve(function: str, properties: dict[str, Any]) -> None:
    reserved = properties.get("ReservedConcurrentExecutions")
    lambda_svc._functions[function]["concurrency"] = None if reserved is None else int(reserved)


def _of_the_function(reserved: Callable[..., Any]) -> Callable[..., Any]:
    def reserved_concurrency(record: dict[str, Any], config: dict[str, Any]) -> Any:
        """Return what is reserved for the function, whichever version of it is invoked."""
        function = lambda_svc._functions.get(config.get("FunctionName"))
        return reserved(function or record, config)

    return reserved_concurrency
