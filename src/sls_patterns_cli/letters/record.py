"""What a letter says of itself that SQS has not moved: why it is there, and what it was.

A consumer sends such a letter for a message that it will never process, an operator for one that
blocks its group. The record belongs to the letter and not to its message: it does not go back with
it. What SQS has moved has the attributes of its message and nothing else.
"""

from collections.abc import Mapping
from typing import Any

from sls_patterns_cli.letters.letter import Letter

SOURCE_ID, REASON, BY = "source_message_id", "reason", "set_aside_by"

BY_AN_OPERATOR = "set aside by an operator"

MOVED_FROM = "DeadLetterQueueSourceArn"
"""The attribute of SQS that only a letter has that SQS has moved: its source queue."""

MOST_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""


def source_id(letter: Letter) -> str:
    """Return the id of the message that a letter records; "" where nobody has added a record."""
    return "" if MOVED_FROM in letter.system else letter.told(SOURCE_ID)


def without_record(letter: Letter) -> dict[str, Any]:
    """Return the attributes of the message itself: all, where nobody has added a record."""
    if not source_id(letter):
        return dict(letter.attributes)
    record = {SOURCE_ID, REASON, BY}
    return {name: value for name, value in letter.attributes.items() if name not in record}


def recorded(message: Letter, who: str, most_bytes: int) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes of a message with its record, and the names that have no place.

    Nothing of the message gives way: SQS takes ten attributes, and counts them as part of the size.
    The id comes first, as a record without it is none.
    """
    attributes = without_record(message)
    record = {SOURCE_ID: message.id, REASON: BY_AN_OPERATOR, BY: who}
    if record.keys() & attributes.keys():
        return attributes, [*record]
    room = most_bytes - len(message.body.encode())
    room -= sum(_size(name, value) for name, value in attributes.items())
    for number, (name, text) in enumerate(record.items()):
        added = {"DataType": "String", "StringValue": text}
        room -= _size(name, added)
        if room < 0 or len(attributes) == MOST_ATTRIBUTES:
            return attributes, [*record][number:]
        attributes[name] = added
    return attributes, []


def _size(name: str, value: Mapping[str, Any]) -> int:
    texts = name, value["DataType"], value.get("StringValue") or ""
    return sum(len(text.encode()) for text in texts) + len(value.get("BinaryValue") or b"")
