"""An execution starts only with an input that is JSON, of at most 256 KiB.

AWS: StartExecution and StartSyncExecution fail with InvalidExecutionInput for an input that is no
JSON, and with ValidationException for one of more than 262,144 bytes in UTF-8.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html

Emulator: takes an input of any size, and an empty object for one that is no JSON. What it cannot
parse it cannot carry out: an input that is nested too deeply for it is refused as well.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace

LIMIT = 262_144

Request = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_start_execution", "9923282fc76c", _checked)
    replace(stepfunctions, "_start_sync_execution", "8600470a0208", _checked)


def _checked(start: Callable[[Request], Any]) -> Callable[[Request], Any]:
    def start_execution(request: Request) -> Any:
        given = request.get("input", "{}")
        if len(given.encode(errors="surrogatepass")) > LIMIT:
            says = f"Value at 'input' must have length less than or equal to {LIMIT}"
            return error_response_json("ValidationException", says, 400)
        try:
            json.loads(given, parse_constant=_no_json)
        except (ValueError, RecursionError) as error:
            says = f"Invalid State Machine Execution Input: '{error}'"
            return error_response_json("InvalidExecutionInput", says, 400)
        return start(request)

    return start_execution


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
