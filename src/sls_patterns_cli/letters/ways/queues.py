"""Letters that go to a queue, many in a request."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from sls_patterns_cli.letters.letter import Letter
from sls_patterns_cli.letters.targets import message_of, send_messages, size_of
from sls_patterns_cli.letters.ways.way import SentInBatches


class SentToQueue(SentInBatches):
    """A way back into a queue of the stack."""

    most_bytes = 1_048_576
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""

    with_attributes: bool = True
    """Whether the attributes of a letter are those of what failed."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The address of the queue."""

    def entry(self, letter: Letter) -> dict[str, Any]:
        return message_of(self.url, letter, with_attributes=self.with_attributes)

    def entry_size(self, entry: dict[str, Any]) -> int:
        return size_of(entry)

    def put(self, entries: Sequence[dict[str, Any]]) -> dict[int, str]:
        return send_messages(self.clients, self.url, entries)
