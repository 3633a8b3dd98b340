"""Where letters are sent to: a queue, a function, a state machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sls_patterns_cli.letters.aws import Clients, code_of
from sls_patterns_cli.letters.batches import Refusal, put, refusals
from sls_patterns_cli.letters.groups import masked
from sls_patterns_cli.letters.letter import (
    PROCESSED,
    SENT,
    Letter,
    Outcome,
    decoded,
    failed_again,
)
from sls_patterns_cli.system import interrupts

OF_ATTRIBUTES = "DataType", "StringValue", "BinaryValue"
"""What SendMessage takes of a message attribute."""

LONGEST_NAME = 80
"""Of an execution: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html."""


def message_of(
    url: str, letter: Letter, *, with_attributes: bool, group: str = ""
) -> dict[str, Any]:
    """Return a letter's body as SendMessage takes it for a queue, in its group and trace.

    The deduplication id of a FIFO queue's message is the letter's: the first one would be a
    duplicate for five minutes, which SQS accepts and drops (fact X21).
    """
    message: dict[str, Any] = {"MessageBody": letter.body}
    if group := letter.group or group:
        message["MessageGroupId"] = group
    if url.endswith(".fifo"):
        message["MessageDeduplicationId"] = letter.id
    if header := letter.system.get("AWSTraceHeader"):
        trace = {"DataType": "String", "StringValue": header}
        message["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    if with_attributes and letter.attributes:
        message["MessageAttributes"] = {
            name: {key: given[key] for key in OF_ATTRIBUTES if key in given}
            for name, given in letter.attributes.items()
        }
    return message


def send_to_queue(
    clients: Clients,
    url: str,
    letter: Letter,
    *,
    with_attributes: bool,
    group: str = "",
) -> Outcome:
    """Send a letter to a queue; raises ClientError."""
    message = message_of(url, letter, with_attributes=with_attributes, group=group)
    clients("sqs").send_message(QueueUrl=url, **message)
    return SENT


def send_messages(clients: Clients, url: str, messages: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Send messages to a queue in one request; return why some are not taken, by their place."""

    def request(some: Sequence[dict[str, Any]]) -> dict[int, Refusal]:
        entries = [{"Id": str(number), **each} for number, each in enumerate(some)]
        return refusals(clients("sqs").send_message_batch(QueueUrl=url, Entries=entries))

    return put(messages, request)


def size_of(message: Mapping[str, Any]) -> int:
    """Return the bytes of a message as SQS counts them: with the attributes, at most so many."""
    attributes = message.get("MessageAttributes", {})
    named = sum(len(name) + len(str(each)) for name, each in attributes.items())
    return len(message["MessageBody"].encode()) + named


def queue_url(clients: Clients, arn: str) -> str:
    """Return the address of the queue with this ARN."""
    account, name = arn.split(":")[4:6]
    url = clients("sqs").get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    return str(url)


def invoke(clients: Clients, function: str, failed: str, payload: str) -> Outcome:
    """Invoke a function and wait: only its answer says whether it could process the event."""
    return invoked(clients, function, failed, payload)[0]


def invoked(
    clients: Clients, function: str, failed: str, payload: str
) -> tuple[Outcome, dict[str, Any]]:
    """Invoke a function and wait; return what became of the event, and the answer."""
    with interrupts.allowed():
        answer = clients("lambda").invoke(FunctionName=function, Payload=payload)
        outcome = decoded(answer["Payload"].read().decode(errors="replace"))
    told = outcome if isinstance(outcome, dict) else {}
    if "FunctionError" in answer:
        error = masked(str(told.get("errorMessage")))
        return failed_again(f"{failed} failed again: {error}"), told
    if told.get("batchItemFailures"):
        return failed_again(f"{failed} could not process it again"), told
    return PROCESSED, told


def start_durably(clients: Clients, function: str, name: str, payload: str) -> Outcome:
    """Start another durable execution; of the same name, there is only one (fact O76).

    Nobody waits for it: it may take a year. `function` has a qualifier (fact O73).
    """
    clients("lambda").invoke(
        FunctionName=function, InvocationType="Event", DurableExecutionName=name, Payload=payload
    )
    return SENT


def invoke_asynchronously(clients: Clients, function: str, payload: str) -> Outcome:
    """Hand an event over as the service would that could not: its own retries and ends follow."""
    clients("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    return SENT


def start(clients: Clients, machine: str, letter: Letter, payload: Any) -> Outcome:
    """Start an execution whose name is the letter's, so that a second attempt starts none."""
    from botocore.exceptions import ClientError

    given = payload if isinstance(payload, str) else json.dumps(payload)
    try:
        clients("stepfunctions").start_execution(
            stateMachineArn=machine, name=execution_name(letter.id), input=given
        )
    except ClientError as error:
        if code_of(error) != "ExecutionAlreadyExists":
            raise
    return SENT


def execution_name(letter_id: str) -> str:
    digest = hashlib.sha256(letter_id.encode()).hexdigest()[:32]
    return f"letter-{digest}"[:LONGEST_NAME]


def of_arn(arn: str) -> str:
    """Return the service that an ARN is of."""
    parts = arn.split(":")
    return parts[2] if len(parts) > 5 else ""


def name_of(arn_or_id: str) -> str:
    """Return the name in an ARN, an address or a physical id, without a qualifier."""
    text = arn_or_id
    if text.startswith("arn:"):
        text = text.split(":", 5)[5]
        for kind in ("function:", "stateMachine:"):
            if text.startswith(kind):
                return text.removeprefix(kind).split(":")[0]
        text = text.split("/")[-1]
        return text.split(":")[-1]
    return text.rstrip("/").split("/")[-1].split("|")[-1]
