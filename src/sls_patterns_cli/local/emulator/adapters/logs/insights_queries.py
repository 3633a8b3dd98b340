"""A query of CloudWatch Logs Insights finds, computes and groups as its language says.

AWS: commands, separated by `|`, work on the records of all log groups of the query, the newest
first; fields of JSON messages are discovered, in a Lambda function's log also those of the first
JSON object in a message. True is 1 and false is 0. A field that a record does not have is left out
of its row, whose last field is `@ptr` unless the query has `stats`. Without `limit`, 10,000 rows
are returned. What cannot be parsed gets MalformedQueryException.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Filter.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Sort.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Dedup.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Limit.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
https://github.com/aws-powertools/powertools-lambda-dotnet/issues/667
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html

Emulator: knows `fields` of names, one comparison in a `filter`, `sort @timestamp` and `limit`, and
ignores everything else, so a query that it does not understand returns all records; it discovers no
fields, and returns the oldest records first. Here `fields`, `display`, `filter`, `stats`, `sort`,
`dedup` and `limit` work, with comparisons, `like`, `in`, `bin` and the functions of
`insights_language`; arithmetic, other commands and functions, and SQL and PPL are refused.
AWS does not say how `max(@timestamp)` looks: here it is a number of milliseconds since 1970, which
people subtract and compare as such. Nor does it say whether `!=` matches a record without the
field: here it does. A Lambda function's log is one whose name begins with `/aws/lambda/`.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import cloudwatch_logs

from sls_patterns_cli.local.emulator.adapters import rely_on, replace
from sls_patterns_cli.local.emulator.adapters.logs.insights_language import (
    MalformedQueryError,
    Record,
    Timestamp,
    discovered,
    parse,
)

LAMBDA_LOGS = "/aws/lambda/"


def apply() -> None:
    rely_on(cloudwatch_logs._collect_query_records, "b154f7dd1109")
    rely_on(cloudwatch_logs._build_log_record, "ae31e3cf1ead")
    replace(cloudwatch_logs, "_start_query", "41514449fa97", _evaluated)


def _evaluated(start: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def start_query(request: dict[str, Any]) -> Any:
        language = request.get("queryLanguage", "CWLI")
        if language != "CWLI":
            message = f"The local stack does not know the query language {language}"
            return error_response_json("InvalidParameterException", message, HTTPStatus.BAD_REQUEST)
        text = request.get("queryString", "")
        try:
            query = parse(text)
        except MalformedQueryError as error:
            return _malformed(error)
        # The emulator checks the groups and keeps the query; its own language finds nothing here.
        answer = start({**request, "queryString": ""})
        if answer[0] == HTTPStatus.OK:
            kept = cloudwatch_logs._queries[json.loads(answer[2])["queryId"]]
            groups = cloudwatch_logs._resolve_query_log_groups(request)
            records = _records(groups, kept["startTime"], kept["endTime"])
            kept["queryString"] = text
            kept["results"], matched = query.run(records, request.get("limit"))
            kept["statistics"]["recordsMatched"] = float(matched)
        return answer

    return start_query


def _malformed(error: MalformedQueryError) -> Any:
    location = {"startCharOffset": error.start, "endCharOffset": error.end}
    compiled = {"queryCompileError": {"location": location, "message": str(error)}}
    return error_response_json(
        "MalformedQueryException", str(error), HTTPStatus.BAD_REQUEST, compiled
    )


def _records(groups: list[str], start: int, end: int) -> list[Record]:
    ingested = {
        event.get("eventId"): event["ingestionTime"]
        for group in groups
        for stream in cloudwatch_logs._log_groups[group]["streams"].values()
        for event in stream["events"]
    }
    found = cloudwatch_logs._collect_query_records(groups, start, end)
    return [
        {
            **discovered(each["@message"], embedded=each["@log"].startswith(LAMBDA_LOGS)),
            "@timestamp": Timestamp(each["_timestamp_ms"]),
            "@ingestionTime": Timestamp(ingested[each["@ptr"]]),
            "@message": each["@message"],
            "@logStream": each["@logStream"],
            "@log": f"{get_account_id()}:{each['@log']}",
            "@ptr": each["@ptr"],
        }
        for each in reversed(found)
    ]
