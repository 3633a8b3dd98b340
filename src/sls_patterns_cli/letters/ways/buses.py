"""Records of what a subscriber of a custom event bus could not deliver.

They have the ids of the events and the error, and not the events. The bus keeps those for its
retention period: a new subscriber that begins in the past delivers them again. It is made by hand,
since nothing says when it has delivered everything, and a bus with subscribers cannot be deleted.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-retry.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-replay.html
"""

import json
from collections.abc import Iterator

from sls_patterns_cli.letters.letter import Cause, Letter, Outcome, kept
from sls_patterns_cli.letters.ways.way import Grant, Way


class SubscriberRecords(Way):
    """What a subscriber could not deliver; a record is about a batch."""

    kind = "records of a subscriber"

    def ends_at(self) -> str | None:
        arn = self.context.id(self.edge.declared_by)
        found = self.clients("eventbridgev2").describe_subscriber(SubscriberArn=arn)
        end: str | None = (found.get("OnFailureConfiguration") or {}).get("Arn")
        return end

    def takes(self, letter: Letter) -> bool | None:
        return self.is_id_of(letter.content["subscriberArn"], self.edge.declared_by)

    def cause(self, letter: Letter) -> Cause:
        record = letter.content
        return Cause(record["errorCode"], record["errorMessage"])

    def send_back(self, letter: Letter) -> Outcome:
        events = letter.content["failedMessages"]
        first = min(event["timestamp"] for event in events)
        wanted = json.dumps({"aws:EventId": [event["eventId"] for event in events]})
        return kept(
            f"{self.edge.source} has the events, and this only their ids: a subscriber like "
            f"{self.edge.declared_by} that starts at {first}, with the SYSTEM_METADATA filter "
            f"{wanted}, delivers them again"
        )

    def grants(self) -> Iterator[Grant]:
        yield from ()

    def reads(self) -> Iterator[Grant]:
        yield "events:DescribeSubscriber", self.edge.declared_by
