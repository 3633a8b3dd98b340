"""A table that Firehose fills, as Athena reads it."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from conservation.datastore import OUTAGE_SECONDS, Datastore, Item
from conservation.stack import Stack

NODE = "Archive"
LOOKS_AT_MOST_EVERY_SECONDS = 0.3

DENIED = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "glue:*", "Resource": "*"}],
    }
)


class Lake(Datastore):
    """Copies of an event are rows of their own, and queries remove them by id: they are right."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._rows = Counter[Item]()
        self._looked_at = 0.0

    def stored(self) -> set[Item]:
        return set(self._look())

    def written(self) -> Counter[Item]:
        return Counter(set(self._look()))

    def answered(self) -> Counter[Item]:
        if time.monotonic() - self._looked_at > LOOKS_AT_MOST_EVERY_SECONDS:
            self._look()
        return self._rows

    def fail_for_a_while(self) -> None:
        """Let the delivery's role commit nothing, which Firehose tries again."""
        iam, outputs = self._stack.client("iam"), self._stack.outputs
        delivery = self._stack.client("firehose").describe_delivery_stream(
            DeliveryStreamName=outputs["BatchesDeliveryStreamName"]
        )
        (destination,) = delivery["DeliveryStreamDescription"]["Destinations"]
        (described,) = (each for each in destination.values() if isinstance(each, dict))
        role = {"RoleName": described["RoleARN"].rpartition("/")[2], "PolicyName": "outage"}
        iam.put_role_policy(**role, PolicyDocument=DENIED)
        try:
            time.sleep(OUTAGE_SECONDS)
        finally:
            iam.delete_role_policy(**role)

    def _look(self) -> Counter[Item]:
        athena, outputs = self._stack.client("athena"), self._stack.outputs
        query_id = athena.start_query_execution(
            QueryString="SELECT id, count(*) FROM events GROUP BY id",
            WorkGroup=outputs["ArchiveWorkGroupName"],
            QueryExecutionContext={"Database": outputs["ArchiveDatabaseName"]},
        )["QueryExecutionId"]
        while (state := self._state(query_id)) in {"QUEUED", "RUNNING"}:
            time.sleep(0.02)
        assert state == "SUCCEEDED"
        pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
        rows = [
            [cell["VarCharValue"] for cell in row["Data"]]
            for page in pages
            for row in page["ResultSet"]["Rows"]
        ]
        self._rows = Counter({(NODE, event_id): int(count) for event_id, count in rows[1:]})
        self._looked_at = time.monotonic()
        return self._rows

    def _state(self, query_id: str) -> str:
        execution = self._stack.client("athena").get_query_execution(QueryExecutionId=query_id)
        return str(execution["QueryExecution"]["Status"]["State"])


@contextmanager
def disturbable(stack: Stack, _slow_seconds: float) -> Iterator[Datastore]:
    """No event is slow here: its way to the table is Firehose's."""
    yield Lake(stack)
