"""A log group hands the events that match a filter's pattern to a function, asynchronously.

AWS: a pattern is a set of terms, or a JSON one in braces; CloudWatch Logs invokes the function
asynchronously, if the function's policy lets it.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax-for-Metric-Filters.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample

Emulator: takes a JSON pattern for a set of words; invokes any function, once. Here patterns of
terms and JSON patterns of comparisons work; any other is refused when the filter is made.
"""

import base64
import fnmatch
import gzip
import json
import operator
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch_logs

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import service_may_invoke
from sls_patterns_cli.local.emulator.adapters.lambda_ import background

TERM = re.compile(r'([-?]?)(?:"([^"]*)"|([^\s"]+))')
COMPARISON = re.compile(r'\(?\s*\$\.([\w.]+)\s*(=|!=|<=|>=|<|>)\s*("[^"]*"|[\w.*-]+)\s*\)?')
ORDERED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

Matches = Callable[[str], bool]


def apply() -> None:
    replace(cloudwatch_logs, "_put_subscription_filter", "69fdaa27a61e", _understood)
    replace(cloudwatch_logs, "_fanout_to_subscription_filters", "cb898244bb9f", _to_functions)


def _understood(put: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def put_subscription_filter(request: dict[str, Any]) -> Any:
        try:
            matcher(request.get("filterPattern", ""))
        except ValueError as error:
            return cloudwatch_logs.error_response_json("InvalidParameterException", str(error), 400)
        return put(request)

    return put_subscription_filter


def _to_functions(_original: Callable[..., None]) -> Callable[..., None]:
    def hand_over(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        filters = cloudwatch_logs._log_groups.get(group, {}).get("subscriptionFilters") or {}
        for each in filters.values():
            matches = matcher(each.get("filterPattern", ""))
            matching = [event for event in events or [] if matches(event["message"])]
            function = each["destinationArn"]
            if matching and background.exists(function) and _permitted(function, group):
                background.invoke(function, _packed(group, stream, each["filterName"], matching))

    return hand_over


def _permitted(function_arn: str, group: str) -> bool:
    source = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:*"
    return service_may_invoke(function_arn, "logs.amazonaws.com", source)


def _packed(
    group: str, stream: str, name: str, events: list[dict[str, Any]]
) -> dict[str, dict[str, str]]:
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": get_account_id(),
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [name],
        "logEvents": [
            {"id": new_uuid(), "timestamp": event["timestamp"], "message": event["message"]}
            for event in events
        ],
    }
    return {
        "awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()}
    }


def matcher(pattern: str) -> Matches:
    """What checks messages against the pattern; raises ValueError for an unknown one."""
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        return _json(text[1:-1])
    if text.startswith(("[", "{", "%")):
        raise ValueError(f"The local stack does not know filter patterns such as {pattern}")
    return _terms(text)


def _terms(text: str) -> Matches:
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for sign, quoted, bare in TERM.findall(text):
        terms[sign].append(quoted or bare)

    def matches(message: str) -> bool:
        return (
            all(term in message for term in terms[""])
            and not any(term in message for term in terms["-"])
            and (not terms["?"] or any(term in message for term in terms["?"]))
        )

    return matches


def _json(text: str) -> Matches:
    """Comparisons joined by `||` and `&&`, which binds closer."""
    choices = [[_comparison(part) for part in each.split("&&")] for each in text.split("||")]

    def matches(message: str) -> bool:
        try:
            entry = json.loads(message)
        except ValueError:
            return False
        return any(all(holds(entry) for holds in choice) for choice in choices)

    return matches


def _comparison(text: str) -> Callable[[Any], bool]:
    match = COMPARISON.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"The local stack does not know the filter expression {text.strip()}")
    path, sign, wanted = match[1].split("."), match[2], match[3]

    def holds(entry: Any) -> bool:
        for key in path:
            entry = entry.get(key) if isinstance(entry, dict) else None
        if sign in ORDERED:
            return isinstance(entry, int | float) and bool(ORDERED[sign](entry, float(wanted)))
        return _equals(entry, wanted) == (sign == "=")

    return holds


def _equals(value: Any, wanted: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return not wanted.startswith('"') and float(wanted) == value
    return isinstance(value, str) and fnmatch.fnmatchcase(value, wanted.strip('"'))
