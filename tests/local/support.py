"""What the tests of the local stack share."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sls_patterns_cli.local.languages import Language
from sls_patterns_cli.local.languages.code import Code

REGION = "eu-west-1"
RUNTIME = "python3.13"

DeployStack = Callable[..., dict[str, str]]
Client = Callable[[str], Any]


def wait_until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer of `condition`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"condition not met within {seconds} s"
        time.sleep(0.05)
    return answer


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def post(url: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    """Post to an API of the local stack; return the status and the JSON of its answer."""
    request = urllib.request.Request(  # noqa: S310 (an address of the emulator)
        url, body, {"Content-Type": kind}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def bodies(client: Client, queue: str) -> list[Any]:
    """Take the messages of a queue."""
    sqs = client("sqs")
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def objects(client: Client, bucket: str) -> dict[str, bytes]:
    """Return what a bucket holds, by key."""
    s3 = client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def ended(client: Client, arn: str) -> Any:
    """Wait until an execution of a state machine has ended, and return it."""
    states = client("stepfunctions")

    def done() -> Any:
        try:
            execution = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return execution if execution["status"] != "RUNNING" else None

    return wait_until(done)


def seen(client: Client, function: str) -> list[str]:
    """Return what the function has logged that it has seen."""
    logs, name = client("logs"), f"/aws/lambda/{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
        return []  # it has not run yet
    events = logs.filter_log_events(logGroupName=name)["events"]
    lines = [event["message"].strip() for event in events]
    return [line.removeprefix("seen ") for line in lines if line.startswith("seen ")]


class Unbuilt:
    """A language that says of each package what it would be built from."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __getattr__(self, name: str) -> Any:
        return getattr(self._language, name)

    def package(self, code: Code) -> bytes:
        return unbuilt(code)


def unbuilt(code: Code) -> bytes:
    """Return what the package of this code holds then."""
    return repr(code).encode()
