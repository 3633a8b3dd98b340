"""What this tool asks the emulator for while a project runs on it."""

from typing import Any

from sls_patterns_cli.local.emulator import inert, starting


def do(request: dict[str, Any]) -> Any:
    """Do what is asked for, and return the answer."""
    match request["do"]:
        case "inert":
            return inert.make_unserved_inert(request["types"])
        case "start":
            return starting.start_functions()
        case other:
            raise ValueError(other)
