"""One redrive of an end at a time, by a tag of its queue.

The tag says until when the end is taken, and by whom. A redrive renews it while it runs and removes
it at its end; one that was killed takes the end for no longer than the time that its tag says. SQS
has no condition for a tag, so who has written it looks again a moment later: the last one has it.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import is_denied, reason
from sls_patterns_cli.letters.stores import HELD_SECONDS, Queue, Store, seconds

TAG = "sls-patterns:redrive"

SETTLES = 1.0
"""Seconds after which another one that has seen no tag has written its own."""


@contextmanager
def alone(store: Store, said: Callable[[str], None]) -> Iterator[None]:
    """Keep other redrives from an end while the block runs; raises UserError if one is there.

    Who may not tag is told so, and sends nevertheless. A bucket that no queue tells of has no tag
    of its own, and nothing keeps another redrive out.
    """
    from botocore.exceptions import ClientError

    if not isinstance(store, Queue):
        yield
        return
    token = uuid.uuid4().hex
    try:
        _require_free(store)
        _take(store, token)
        time.sleep(SETTLES / min(10, seconds(1)))
        if not _tag(store).endswith(token):
            raise _taken(store)
    except ClientError as error:
        if not is_denied(error):
            raise
        said(f"{store.name}: nothing keeps another redrive out: {reason(error)}")
        yield
        return
    is_over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(store, token, is_over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        is_over.set()
        renewing.join()
        if _tag(store).endswith(token):
            store.sqs.untag_queue(QueueUrl=store.url, TagKeys=[TAG])


def _renew(store: Queue, token: str, is_over: threading.Event) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    while not is_over.wait(HELD_SECONDS / 3):
        with suppress(BotoCoreError, ClientError):
            _take(store, token)


def _take(store: Queue, token: str) -> None:
    until = datetime.now(UTC) + timedelta(seconds=HELD_SECONDS)
    value = f"{until.isoformat(timespec='seconds')} {token}"
    store.sqs.tag_queue(QueueUrl=store.url, Tags={TAG: value})


def _require_free(store: Queue) -> None:
    until, _, token = _tag(store).partition(" ")
    if token and datetime.fromisoformat(until) > datetime.now(UTC):
        raise _taken(store)


def _tag(store: Queue) -> str:
    tags = store.sqs.list_queue_tags(QueueUrl=store.url).get("Tags", {})
    return str(tags.get(TAG, ""))


def _taken(store: Queue) -> UserError:
    until = _tag(store).partition(" ")[0]
    killed = f"if that was killed, wait until {until}"
    return UserError(f"{store.name}: another redrive sends its letters back; {killed}")
