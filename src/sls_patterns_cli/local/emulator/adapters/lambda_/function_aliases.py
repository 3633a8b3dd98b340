"""An alias divides invocations between two versions, and a function sees which alias it was.

AWS: an alias with a routing configuration leads a share of the invocations to a second version, by
chance. Whoever invokes a function by an alias, that is the ARN that it sees, and whose settings
hold for asynchronous invocations.
https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
https://docs.aws.amazon.com/lambda/latest/dg/using-aliases.html

Emulator: keeps the routing configuration, and leads every invocation to the first version. What
services invoke sees the ARN of the version.
"""

import random
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import rely_on, replace


def apply() -> None:
    rely_on(lambda_svc._invoke, "ab193779e5c2")
    rely_on(lambda_svc._effective_func_record_for_qualifier, "9347cb8fd2dc")
    replace(lambda_svc, "_update_alias", "0017f6b94b06", _with_weights)
    replace(lambda_svc, "_get_func_record_for_ref", "492b4efe8f90", _by_its_alias)


def _by_its_alias(find: Callable[..., Any]) -> Callable[..., Any]:
    def get_func_record_for_ref(function_ref: str) -> Any:
        record, config, name = find(function_ref)
        _, qualifier = lambda_svc._resolve_name_and_qualifier(function_ref)
        if config and qualifier in lambda_svc._functions[name]["aliases"]:
            config = {**config, "FunctionArn": f"{lambda_svc._func_arn(name)}:{qualifier}"}
        return record, config, name

    return get_func_record_for_ref


class WeightedAlias(dict[str, Any]):
    """An alias whose version, where an invocation looks it up, is one of two."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a version by chance for the key of the version; anything else as it is."""
        routing = super().get("RoutingConfig") or {}
        if key == "FunctionVersion":
            for version, weight in (routing.get("AdditionalVersionWeights") or {}).items():
                if random.random() < float(weight):  # noqa: S311 - nothing secret
                    return version
        return super().get(key, default)


def _with_weights(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_alias(func_name: str, alias_name: str, data: dict[str, Any]) -> Any:
        aliases = lambda_svc._functions.get(func_name, {}).get("aliases", {})
        if alias_name in aliases:
            aliases[alias_name] = WeightedAlias(aliases[alias_name])
        return update(func_name, alias_name, data)

    return update_alias
