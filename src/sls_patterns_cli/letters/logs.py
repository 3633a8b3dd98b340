"""What CloudWatch Logs has of an attempt: its error, where a letter itself does not say it."""

import json
from datetime import datetime
from typing import Any

from sls_patterns_cli.letters.aws import Clients, is_denied
from sls_patterns_cli.letters.letter import decoded

ERROR_FIELDS = "errorMessage", "error", "exception", "message"
ERRORS = "ERROR", "Error", "Exception", "Traceback", "Task timed out", "Runtime exited"
MOST_EVENTS = 50


def log_group_of(clients: Clients, function: str) -> str:
    """Return the log group of a function, by its name."""
    found = clients("lambda").get_function_configuration(FunctionName=function)
    return str((found.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function}")


def error_of(clients: Clients, function: str, id_: str, since: datetime) -> str:
    """Return the error that the log of a function has with an id, "" for none.

    A log that is not there or not to be read has none.
    """
    from botocore.exceptions import ClientError

    try:
        events = clients("logs").filter_log_events(
            logGroupName=log_group_of(clients, function),
            startTime=int(since.timestamp() * 1000),
            filterPattern=f'"{id_}"',
            limit=MOST_EVENTS,
        )["events"]
    except ClientError as error:
        return "its log may not be read" if is_denied(error) else ""
    errors = (_error(event["message"]) for event in events)
    return next(filter(None, errors), "")


def _error(line: str) -> str:
    """Return the error that a line tells of, "" for a line that tells of none."""
    told = decoded(line)
    if isinstance(told, dict):
        level = str(told.get("level") or told.get("log_level") or "").upper()
        if level not in {"ERROR", "CRITICAL", "FATAL"} and "errorMessage" not in told:
            return ""
        values: list[Any] = [told[name] for name in ERROR_FIELDS if told.get(name)]
        return _text(values[0]) if values else ""
    return line.strip() if any(word in line for word in ERRORS) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
