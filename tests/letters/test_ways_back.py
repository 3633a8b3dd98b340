"""Each kind of letter goes back to what failed, and to nothing else."""

import base64
import json
from typing import Any

import pytest
from letters.conftest import Letters, Put, bodies
from local.support import Client, objects, seen, wait_until

EVENT = {"version": "0", "id": "1", "detail-type": "Placed", "source": "shop", "detail": {"o": 1}}
UNDELIVERED = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "may not"}
SHARD = "shardId-000000000000"

Shop = dict[str, str]


def record(function: str, payload: Any) -> dict[str, Any]:
    """Return what Lambda sends to a destination."""
    return {
        "version": "1.0",
        "requestContext": {
            "requestId": "e4b46cbf",
            "functionArn": f"{function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "poison"},
    }


def batch(function: str, stream: str, first: str, last: str, size: int) -> dict[str, Any]:
    """Return what Lambda sends about a batch of a stream."""
    return {
        "requestContext": {
            "requestId": "c9b8fa9f",
            "functionArn": function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "batchSize": size,
            "streamArn": stream,
        },
    }


def notification(topic: str, message: str) -> dict[str, str]:
    unsubscribe = f"https://sns/?Action=Unsubscribe&SubscriptionArn={topic}:s"
    return {
        "Type": "Notification",
        "TopicArn": topic,
        "Message": message,
        "SigningCertURL": "https://cert",
        "UnsubscribeURL": unsubscribe,
    }


def verdicts(letters: Letters, end: str, *arguments: str) -> tuple[dict[str, int], list[str], int]:
    """Redrive the letters of an end; return how many got which verdict, the reasons, the code."""
    chosen = arguments or ("--older-than", "0s")
    done = letters("redrive", "--stack", "shop", "--end", end, *chosen, "--yes", "--json")
    assert done.returncode in {0, 1}, done.stderr
    (report,) = json.loads(done.stdout)
    counted = {verdict: count for verdict, count in report["verdicts"].items() if count}
    return counted, [letter["reason"] for letter in report["letters"]], done.returncode


def test_a_message_goes_back_to_its_queue_and_is_consumed(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("OrdersDlq", '{"order": "of the queue"}')

    assert verdicts(letters, "OrdersDlq") == ({"sent": 1}, [], 0)

    wait_until(lambda: "of the queue" in str(seen(client, shop["Store"])))
    assert bodies(client, shop["OrdersDlq"]) == []


def test_everything_in_a_dead_letter_queue_is_moved_by_sqs(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    for number in range(12):
        put("OrdersDlq", f'{{"moved": {number}}}')

    done = letters("redrive", "--stack", "shop", "--end", "OrdersDlq", "--all", "--yes")

    first, moving, total, processed = done.stdout.splitlines()
    assert "is sent first of group" in first
    assert moving.startswith(
        "OrdersDlq: SQS moves its letters to Orders, also if this command ends"
    )
    assert "aws sqs cancel-message-move-task --task-handle " in moving
    assert (total, done.returncode) == ("OrdersDlq: 12 sent back", 0)
    assert processed == "  processed: 1 of them"
    wait_until(lambda: sum("moved" in each for each in seen(client, shop["Store"])) == 12)


def test_a_function_processes_again_what_its_destination_kept(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("AwardFailed", record(shop["AwardArn"], {"award": 1}))

    assert verdicts(letters, "AwardFailed") == ({"processed": 1}, [], 0)

    assert '{"award": 1}' in seen(client, shop["Award"])
    assert bodies(client, shop["AwardFailed"]) == []


def test_a_function_processes_again_what_its_dead_letter_queue_kept(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("OlderFailed", '{"older": 1}', RequestID="r", ErrorCode="200", ErrorMessage="poison")

    assert verdicts(letters, "OlderFailed") == ({"processed": 1}, [], 0)

    assert '{"older": 1}' in seen(client, shop["Older"])


@pytest.mark.parametrize("end", ["AwardFailed", "OlderFailed"])
def test_what_a_function_cannot_process_again_stays(
    end: str, letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("AwardFailed", record(shop["AwardArn"], "poison"))
    put("OlderFailed", '"poison"', RequestID="r", ErrorMessage="poison")
    function = end.removesuffix("Failed")

    found = verdicts(letters, end)

    told = f"{function} failed again: poison of …"
    assert found == ({"failed-again": 1}, [told], 1)
    assert len(bodies(client, shop[end])) == 1
    bodies(client, shop["AwardFailed"])
    bodies(client, shop["OlderFailed"])


def test_a_notification_goes_to_the_queue_alone(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    body = json.dumps(notification(shop["Topic"], "to the queue"))
    put("MailboxFailed", body, kept="yes")

    assert verdicts(letters, "MailboxFailed") == ({"sent": 1}, [], 0)

    assert bodies(client, shop["Mailbox"]) == [body]
    assert not any("to the queue" in each for each in seen(client, shop["Listener"]))


def test_a_notification_reaches_a_function_in_the_form_that_lambda_has(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("ListenerFailed", notification(shop["Topic"], "to the function"))

    assert verdicts(letters, "ListenerFailed") == ({"sent": 1}, [], 0)

    (event,) = wait_until(
        lambda: [each for each in seen(client, shop["Listener"]) if "to the function" in each]
    )
    (notified,) = json.loads(event)["Records"]
    assert notified["EventSource"] == "aws:sns"
    assert notified["EventSubscriptionArn"] == f"{shop['Topic']}:s"
    assert notified["Sns"]["SigningCertUrl"] == "https://cert"


def test_each_event_of_a_shared_queue_goes_to_its_rules_target(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    targets = {"ToFunction": shop["ListenerArn"], "ToQueue": shop["MailboxArn"]}
    targets |= {"ToMachine": shop["Machine"], "Transforming": shop["AwardArn"]}
    for rule, target in targets.items():
        put("Undelivered", EVENT, RULE_ARN=shop[rule], TARGET_ARN=target, **UNDELIVERED)

    found = verdicts(letters, "Undelivered")

    reason = (
        "Transforming transforms its events, and EventBridge alone does: put the event on the bus "
        "again"
    )
    assert found == ({"sent": 3, "kept": 1}, [reason], 1)
    wait_until(lambda: json.dumps(EVENT) in seen(client, shop["Listener"]))
    assert bodies(client, shop["Mailbox"]) == ['{"o": 1}']  # by its InputPath
    machines = client("stepfunctions")
    machine = {"stateMachineArn": shop["Machine"], "statusFilter": "SUCCEEDED"}
    runs = wait_until(lambda: machines.list_executions(**machine)["executions"])
    given = [machines.describe_execution(executionArn=run["executionArn"])["input"] for run in runs]
    assert '{"from": "the rule"}' in given  # its Input
    assert len(bodies(client, shop["Undelivered"])) == 1


def test_a_letter_that_nobody_can_place_is_kept(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    id_ = put("Undelivered", EVENT)
    other = put("Undelivered", "what somebody has sent")

    _, reasons, code = verdicts(letters, "Undelivered")

    assert sorted(reasons) == sorted(
        [
            f"letter {id_} may be of Listener or Mailbox or Machine or Award",
            f"letter {other} is nothing that this stack sends to Undelivered",
        ]
    )
    assert code == 1
    bodies(client, shop["Undelivered"])


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_schedule_starts_its_target_with_what_it_could_not_hand_over(
    is_cut: bool,  # noqa: FBT001
    letters: Letters,
    put: Put,
    shop: Shop,
    client: Client,
) -> None:
    arn = f"arn:aws:scheduler:eu-west-1:000000000000:schedule/default/{shop['Nightly']}"
    cut = {"IS_PAYLOAD_TRUNCATED": "true"} if is_cut else {}
    put("NightlyFailed", f'{{"nightly": "{is_cut}"}}', SCHEDULE_ARN=arn, **UNDELIVERED, **cut)

    found = verdicts(letters, "NightlyFailed")

    if is_cut:
        reason = "Scheduler has cut its input: start the target by hand"
        assert found == ({"kept": 1}, [reason], 1)
        assert len(bodies(client, shop["NightlyFailed"])) == 1
    else:
        assert found == ({"sent": 1}, [], 0)
        wait_until(lambda: '{"nightly": "False"}' in seen(client, shop["Listener"]))


def test_a_batch_is_read_again_from_the_stream_and_only_its_records(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    kinesis = client("kinesis")
    numbers = [
        kinesis.put_record(StreamName=shop["Readings"], PartitionKey="meter", Data=data)[
            "SequenceNumber"
        ]
        for data in (b"before", b"first", b"second", b"after")
    ]
    wait_until(lambda: "YWZ0ZXI=" in str(seen(client, shop["Reader"])))  # `after` is consumed
    put("ReaderFailed", batch(shop["ReaderArn"], shop["ReadingsArn"], numbers[1], numbers[2], 2))

    assert verdicts(letters, "ReaderFailed") == ({"processed": 1}, [], 0)

    again = json.loads(seen(client, shop["Reader"])[-1])["Records"]
    data = [base64.b64decode(each["kinesis"]["data"]) for each in again]
    assert data == [b"first", b"second"]
    assert {each["eventSourceARN"] for each in again} == {shop["ReadingsArn"]}


def test_a_batch_that_the_stream_has_no_more_is_kept(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    number = client("kinesis").put_record(
        StreamName=shop["Readings"], PartitionKey="meter", Data=b"one"
    )["SequenceNumber"]
    put("ReaderFailed", batch(shop["ReaderArn"], shop["ReadingsArn"], number, number, 5))

    found = verdicts(letters, "ReaderFailed")

    assert found == ({"kept": 1}, ["the stream has 1 of its 5 records left"], 1)
    assert len(bodies(client, shop["ReaderFailed"])) == 1


def test_changes_of_a_table_go_from_the_bucket_to_the_function(
    letters: Letters, shop: Shop, client: Client
) -> None:
    client("dynamodb").put_item(TableName=shop["Table"], Item={"id": {"S": "poison"}})
    (key,) = wait_until(lambda: objects(client, shop["Changes"]))
    assert verdicts(letters, "Changes") == (
        {"failed-again": 1},
        ["Projector failed again: poison of …"],
        1,
    )
    content = objects(client, shop["Changes"])[key]
    mended = content.replace(b"poison", b"mended")
    client("s3").put_object(Bucket=shop["Changes"], Key=key, Body=mended)

    assert verdicts(letters, "Changes") == ({"processed": 1}, [], 0)

    assert '"id": {"S": "mended"}' in seen(client, shop["Projector"])[-1]
    assert objects(client, shop["Changes"]) == {}


def test_a_delivery_gets_each_record_once_more(
    letters: Letters, shop: Shop, client: Client
) -> None:
    lines = [
        json.dumps(
            {
                "errorCode": "Lambda.FunctionError",
                "errorMessage": "it could not",
                "rawData": base64.b64encode(f"<{number}>".encode()).decode(),
            }
        )
        for number in range(250)  # more than a request takes
    ]
    client("s3").put_object(
        Bucket=shop["Lake"], Key="failed/processing-failed/2026/1", Body="\n".join(lines)
    )
    client("s3").put_object(Bucket=shop["Lake"], Key="data/not-failed", Body=b"")

    assert verdicts(letters, "Lake") == ({"sent": 1}, [], 0)

    def delivered() -> bytes:
        found = objects(client, shop["Lake"])
        return b"".join(value for key, value in found.items() if key.startswith("data/"))

    wait_until(lambda: delivered().count(b"<") == 250)
    content = delivered()
    assert {f"<{number}>".encode() in content for number in range(250)} == {True}
    assert not any(key.startswith("failed/") for key in objects(client, shop["Lake"]))


def test_an_execution_goes_on_and_a_stopped_one_only_by_name(
    letters: Letters, shop: Shop, client: Client
) -> None:
    machines = client("stepfunctions")
    failing = machines.start_execution(stateMachineArn=shop["Machine"], input='{"fail": 1}')
    stopped = machines.start_execution(
        stateMachineArn=shop["Machine"], name="stopped", input='{"wait": 1}'
    )["executionArn"]
    machines.stop_execution(executionArn=stopped)
    wait_until(lambda: _count(client, shop["FailedExecutions"]) == 2)

    found = verdicts(letters, "FailedExecutions")
    by_name = verdicts(letters, "FailedExecutions", "--older-than", "0s", "--execution", "stopped")

    again = f"{failing['executionArn']} ended again: FAILED"
    asked = "an operator stopped stopped: --execution stopped restarts it"
    counted, reasons, code = found
    assert (counted["kept"], code) == (1, 1)
    assert set(reasons) == {again, asked}
    assert by_name[0]["processed"] == 1
    assert machines.describe_execution(executionArn=stopped)["status"] == "SUCCEEDED"
    bodies(client, shop["FailedExecutions"])


def test_an_execution_that_is_gone_begins_anew_once_for_a_letter(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    machines = client("stepfunctions")
    gone = f"{shop['Machine'].replace(':stateMachine:', ':execution:')}:gone"
    detail = {"executionArn": gone, "status": "FAILED", "input": '{"anew": 1}'}
    put("FailedExecutions", {"source": "aws.states", "detail": detail})

    assert verdicts(letters, "FailedExecutions") == ({"processed": 1}, [], 0)

    machine = {"stateMachineArn": shop["Machine"], "statusFilter": "SUCCEEDED"}
    runs = wait_until(lambda: machines.list_executions(**machine)["executions"])
    given = [machines.describe_execution(executionArn=run["executionArn"])["input"] for run in runs]
    assert given.count('{"anew": 1}') == 1


def _count(client: Client, url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return int(found["Attributes"][names[0]])
