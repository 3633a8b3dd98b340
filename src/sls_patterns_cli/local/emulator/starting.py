"""Starts an environment of each function, which its first invocation then finds.

So code that cannot be imported is known before anything is sent to it.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import request_scope
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters.lambda_.environment_starts import STARTING_AT_MOST
from sls_patterns_cli.local.emulator.adapters.lambda_.function_processes import SERVED


def start_functions() -> dict[str, str]:
    """Start them; return the error and the log of each that does not, by the function's name."""
    functions = [
        record
        for record in lambda_svc._functions._data.values()
        if str(record["config"].get("Runtime", "")).startswith(SERVED) and record.get("code_zip")
    ]
    with ThreadPoolExecutor(STARTING_AT_MOST) as pool:
        said = list(pool.map(_start, functions))
    return {
        record["config"]["FunctionName"]: error
        for record, error in zip(functions, said, strict=True)
        if error is not None
    }


def _start(record: dict[str, Any]) -> str | None:
    config = record["config"]
    account, region = lambda_runtime._account_region_from_function_config(config)
    with request_scope(account, region):
        worker, _ = lambda_svc.acquire_worker(config["FunctionName"], config, record["code_zip"])
        try:
            lambda_runtime.ensure_spawned(worker)
        except RuntimeError as error:
            return str(error)
        finally:
            lambda_svc.release_worker(worker)
    return None
