"""Queries of CloudWatch Logs Insights over log groups of a stack."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local.support import Client, DeployStack

STACK = """
Resources:
  Access: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /api/insights}}
  Function: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /aws/lambda/insights}}
Outputs:
  Access: {Value: !Ref Access}
  Function: {Value: !Ref Function}
"""
CALLERS = (
    "fields coalesce(caller, sourceIp) as who "
    '| filter route = "$default" or served_by = "legacy" '
    "| stats count(*) as requests, max(@timestamp) as latest by who, path, userAgent "
    "| sort requests desc | limit 1000"
)
SINCE = int(time.time()) - 60
"""When the first of the events happened."""


@pytest.fixture(scope="module")
def groups(deploy_stack: DeployStack, client: Client) -> list[str]:
    outputs = deploy_stack(STACK)
    curl = {"sourceIp": "10.0.0.1", "path": "/stock", "userAgent": "curl"}
    events: dict[str, list[Any]] = {
        outputs["Access"]: [
            {**curl, "route": "$default"},
            {**curl, "route": "$default"},
            {**curl, "route": "GET /orders"},
            "no JSON",
        ],
        outputs["Function"]: [
            {"caller": "shop", "path": "/orders", "served_by": "legacy"},
            {"caller": "shop", "path": "/orders", "served_by": "orders"},
            'INFO trace 1-67a1b2c3 {"level": "INFO"}',
        ],
    }
    for group, messages in events.items():
        client("logs").create_log_stream(logGroupName=group, logStreamName="one")
        client("logs").put_log_events(
            logGroupName=group,
            logStreamName="one",
            logEvents=[
                {
                    "timestamp": (SINCE + second) * 1000,
                    "message": event if isinstance(event, str) else json.dumps(event),
                }
                for second, event in enumerate(messages)
            ],
        )
    return list(events)


def results(client: Client, groups: list[str], query: str, **given: Any) -> list[dict[str, str]]:
    started = client("logs").start_query(
        **{"logGroupNames": groups, "startTime": SINCE, "endTime": SINCE + 60, **given},
        queryString=query,
    )
    answer = client("logs").get_query_results(queryId=started["queryId"])
    assert answer["status"] == "Complete"
    return [{each["field"]: each["value"] for each in row} for row in answer["results"]]


def test_callers_are_counted_over_the_groups(client: Client, groups: list[str]) -> None:
    assert results(client, groups, CALLERS) == [
        {
            "who": "10.0.0.1",
            "path": "/stock",
            "userAgent": "curl",
            "requests": "2",
            "latest": f"{SINCE + 1}000",
        },
        {"who": "shop", "path": "/orders", "requests": "1", "latest": f"{SINCE}000"},
    ]


def test_a_trace_is_found_with_the_fields_of_its_line(client: Client, groups: list[str]) -> None:
    [row] = results(
        client,
        groups,
        'fields level, @log, @logStream, @ingestionTime | filter @message like "1-67a1b2c3"',
    )

    record = client("logs").get_log_record(logRecordPointer=row.pop("@ptr"))["logRecord"]
    assert "1-67a1b2c3" in record["@message"]
    assert row.pop("@ingestionTime") >= time.strftime("%Y-%m-%d", time.gmtime(SINCE))
    assert row == {
        "level": "INFO",
        "@log": "000000000000:/aws/lambda/insights",
        "@logStream": "one",
    }


def test_the_newest_are_first_of_the_time_and_number_asked_for(
    client: Client, groups: list[str]
) -> None:
    assert [
        row["@message"]
        for row in results(client, groups[:1], "fields @message", limit=1, startTime=SINCE + 1)
    ] == ["no JSON"]
    assert len(results(client, groups, "fields path", endTime=SINCE)) == 2


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("filter route ~ 1", "MalformedQueryException", "symbol found ~ at line 1 and position 14"),
        ("fields a", "ResourceNotFoundException", "does not exist"),
    ],
)
def test_a_query_that_cannot_run_is_refused(
    client: Client, query: str, code: str, message: str
) -> None:
    with pytest.raises(ClientError, match=message) as error:
        results(client, ["/missing"], query)

    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_another_language_is_refused(client: Client, groups: list[str]) -> None:
    with pytest.raises(ClientError, match="does not know the query language SQL"):
        results(client, groups, "SELECT 1", queryLanguage="SQL")
