"""A queue's messages that were received too often: back to the queue they came from."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sls_patterns_cli.letters.letter import Cause, Letter
from sls_patterns_cli.letters.record import BY, MOVED_FROM, REASON, source_id, without_record
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.letters.ways.queues import SentToQueue
from sls_patterns_cli.letters.ways.way import Grant

MOST_A_SECOND = 500
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html"""


class Messages(SentToQueue):
    kind = "messages"
    says_error = False
    comes_back = True

    @property
    def goes_to(self) -> str:
        return self.edge.source

    @property
    def url(self) -> str:
        return self.context.id(self.edge.source)

    def ends_at(self) -> str | None:
        found = self.clients("sqs").get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["RedrivePolicy"]
        )
        policy = json.loads(found.get("Attributes", {}).get("RedrivePolicy") or "{}")
        end: str | None = policy.get("deadLetterTargetArn")
        return end

    def takes(self, letter: Letter) -> bool | None:
        source = letter.system.get(MOVED_FROM)
        return name_of(source) == name_of(self.url) if source else None

    def cause(self, letter: Letter) -> Cause:
        """Return what the letter records; of what SQS has moved the logs say more, if anything."""
        if source := source_id(letter):
            return Cause(letter.told(REASON), letter.told(BY), source)
        return Cause("received too often")

    def entry(self, letter: Letter) -> dict[str, Any]:
        return super().entry(replace(letter, attributes=without_record(letter)))

    def grants(self) -> Iterator[Grant]:
        yield "sqs:SendMessage", self.edge.source

    def reads(self) -> Iterator[Grant]:
        yield "sqs:GetQueueAttributes", self.edge.source
