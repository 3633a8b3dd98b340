"""Letters that go to a queue, many in a request."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from sls_patterns_cli.letters.letter import SENT, Letter, Outcome
from sls_patterns_cli.letters.targets import message_of, send_messages, size_of
from sls_patterns_cli.letters.ways.way import Context, SentInBatches
from sls_patterns_cli.wiring.model import Edge


class SentToQueue(SentInBatches):
    """A way back into a queue of the stack."""

    most_bytes = 1_048_576
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""

    with_attributes: bool = True
    """Whether the attributes of a letter are those of what failed."""

    comes_back: bool = False
    """Whether what fails again is back in the end that the letter was in."""

    def __init__(self, edge: Edge, context: Context) -> None:
        super().__init__(edge, context)
        self.sent_ids: dict[str, str] = {}
        """Of letters that were sent alone, the ids that they have in the queue."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The address of the queue."""

    def entry(self, letter: Letter) -> dict[str, Any]:
        return message_of(self.url, letter, with_attributes=self.with_attributes)

    def entry_size(self, entry: dict[str, Any]) -> int:
        return size_of(entry)

    def send_back(self, letter: Letter) -> Outcome:
        answer = self.clients("sqs").send_message(QueueUrl=self.url, **self.entry(letter))
        self.sent_ids[letter.id] = str(answer["MessageId"])
        return SENT

    def put(self, entries: Sequence[dict[str, Any]]) -> dict[int, str]:
        return send_messages(self.clients, self.url, entries)
