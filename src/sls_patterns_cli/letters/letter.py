"""A dead letter: what is kept of something that failed, and what became of sending it back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a letter raises if no AWS service has sent it."""


@dataclass(frozen=True)
class Letter:
    """A message of a queue, or an object of a bucket.

    `id` is the message's id or the object's key. Of a letter that a consumer or an operator has
    sent, it is the id of the message that the letter is about, so copies have the same.
    `received` counts listings as well.
    """

    id: str
    end: str
    sent_at: datetime
    body: str
    received: int = 0
    handle: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """The message's own, as SQS has them."""
    system: Mapping[str, str] = field(default_factory=dict)
    """SQS's own, such as MessageGroupId."""
    message_id: str = ""
    """The id that SQS has given to the letter itself; "" of an object."""
    object_key: str = ""
    """The key of the object that it is, or is about."""
    problem: str = ""
    """Why what it is about cannot be read any more."""

    @cached_property
    def content(self) -> Any:
        """The body's value if it is JSON, or else the body."""
        return decoded(self.body)

    @property
    def group(self) -> str:
        """The group of a FIFO queue's message, or its tenant in a fair queue."""
        return self.system.get("MessageGroupId", "")

    @property
    def trace(self) -> str:
        header = self.system.get("AWSTraceHeader", "")
        return header.partition("Root=")[2].partition(";")[0]

    def told(self, attribute: str) -> str:
        """Return the text of a message attribute, "" without."""
        value = self.attributes.get(attribute)
        return str(value.get("StringValue") or "") if isinstance(value, dict) else ""


@dataclass(frozen=True)
class Cause:
    """Why a letter is there, as far as it says so itself, or the log of its function.

    `reason` is the service's, such as RetriesExhausted; `error` is what the consumer raised;
    `request` finds the attempt in the function's logs.
    """

    reason: str = ""
    error: str = ""
    request: str = ""
    is_logged: bool = False
    """Whether the log says the error, and not the letter."""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.reason, self.error)))


Verdict = Literal["sent", "processed", "failed-again", "kept"]


@dataclass(frozen=True)
class Outcome:
    """What became of a letter: only what was sent or processed is deleted."""

    verdict: Verdict
    reason: str = ""
    by_choice: bool = False
    """Whether it is kept because nobody has named it, and not because anything is wrong."""
    is_kept_anew: bool = False
    """Whether what has failed again has a new letter by now, in the place of this one."""

    @property
    def leaves(self) -> bool:
        return self.verdict in {"sent", "processed"} or self.is_kept_anew


SENT, PROCESSED = Outcome("sent"), Outcome("processed")


def kept(reason: str, *, by_choice: bool = False) -> Outcome:
    return Outcome("kept", reason, by_choice)


def failed_again(reason: str, *, is_kept_anew: bool = False) -> Outcome:
    return Outcome("failed-again", reason, is_kept_anew=is_kept_anew)


def decoded(text: str) -> Any:
    """Return the value of a text that is JSON, or else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
