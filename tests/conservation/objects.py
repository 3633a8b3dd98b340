"""Results of jobs that are objects: what a state machine has combined, and when nothing may run.

Instead of a datastore the functions are away: each is throttled for a while, as by an account whose
concurrency others use. The state machine waits for longer than that.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from botocore.exceptions import ClientError

from conservation.datastore import OUTAGE_SECONDS, Datastore, Item
from conservation.stack import Stack

ROWS = 3
"""So many rows each job has."""

RESULTS = "Results"

LOOKS_EVERY_SECONDS = 0.25


class Objects(Datastore):
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._bucket = stack.outputs["ResultsBucketName"]
        self._rows: dict[str, int] = {}
        self._looked_at = 0.0
        self._lock = threading.Lock()

    def stored(self) -> set[Item]:
        return set(self._look(0))

    def written(self) -> Counter[Item]:
        return self._look()

    def answered(self) -> Counter[Item]:
        return self._look()

    def fail_for_a_while(self) -> None:
        functions = self._stack.client("lambda")
        names = [
            self._stack.outputs[f"{name}FunctionName"] for name in ("Start", "Work", "Combine")
        ]
        for name in names:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        time.sleep(OUTAGE_SECONDS)
        for name in names:
            functions.delete_function_concurrency(FunctionName=name)

    def _look(self, every_seconds: float = LOOKS_EVERY_SECONDS) -> Counter[Item]:
        """Return how often the rows of each job were counted."""
        with self._lock:
            if time.monotonic() - self._looked_at > every_seconds:
                # The emulator may fail to list a bucket while a map run writes to it.
                with suppress(ClientError):
                    self._read_new()
                self._looked_at = time.monotonic()
            return Counter({(RESULTS, job): rows // ROWS for job, rows in self._rows.items()})

    def _read_new(self) -> None:
        s3 = self._stack.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        keys = (each["Key"] for page in pages for each in page.get("Contents", []))
        for key in keys:
            job, _, name = key.partition("/")
            if name == "result.json" and job not in self._rows:
                result = json.load(s3.get_object(Bucket=self._bucket, Key=key)["Body"])
                if result["status"] == "COMPLETE":
                    self._rows[job] = result["rows"]


@contextmanager
def disturbable(stack: Stack, _slow_seconds: float) -> Iterator[Datastore]:
    yield Objects(stack)
