"""Asks the emulator for what no API of AWS offers: `control` answers."""

import http.client
import json
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.control import PATH


def ask(port: int, request: dict[str, Any], seconds: float = 30) -> Any:
    """Return the answer, for which it waits so long; raises UserError if the emulator refuses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", PATH, json.dumps(request))
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 200:
        raise UserError(f"The emulator refused {request['do']}: {answer}", 1)
    return answer
