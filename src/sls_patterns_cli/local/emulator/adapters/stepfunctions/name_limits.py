"""An execution's name has at most 80 characters, and not every character.

AWS: StartExecution and StartSyncExecution fail with ValidationException for a longer name, and with
InvalidName for one with white space, brackets, wildcards, some special or control characters.
DescribeExecution fails with ValidationException for an ARN of more than 256 characters.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html

Emulator: takes any name, and looks for any ARN.
"""

import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace

LONGEST = {"name": 80, "executionArn": 256}
NOT_ALLOWED = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]')

Request = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_start_execution", "9923282fc76c", _checked)
    replace(stepfunctions, "_start_sync_execution", "8600470a0208", _checked)
    replace(stepfunctions, "_describe_execution", "c3ad294ad8b5", _checked)


def _checked(action: Callable[[Request], Any]) -> Callable[[Request], Any]:
    def checked(request: Request) -> Any:
        for parameter, longest in LONGEST.items():
            if len(request.get(parameter) or "") > longest:
                says = f"Value at '{parameter}' must have length less than or equal to {longest}"
                return error_response_json("ValidationException", says, 400)
        if NOT_ALLOWED.search(request.get("name") or ""):
            return error_response_json("InvalidName", f"Invalid Name: '{request['name']}'", 400)
        return action(request)

    return checked
