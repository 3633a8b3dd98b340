"""Resources of the stack that proofs change for a while, and read."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from e2e.harness.tool import ask, changed
from e2e.harness.waiting import wait_until


class LambdaFunction:
    def __init__(self, name: str) -> None:
        self.name = name

    def with_variables(self, variables: Mapping[str, str]) -> AbstractContextManager[None]:
        """Give the function other environment variables for a while."""
        return changed("set-variables", name=self.name, variables=dict(variables))

    def throttled(self) -> AbstractContextManager[None]:
        """Leave the function no room to run for a while."""
        return changed("throttle", name=self.name)

    def restore(self) -> None:
        """Restore what is changed for a while before that while ends."""
        ask("restore-function", name=self.name)


class Secret:
    def __init__(self, name: str) -> None:
        self.name = name

    def with_value(self, value: str) -> AbstractContextManager[None]:
        """Give the secret another value for a while."""
        return changed("set-secret", name=self.name, value=value)


class Cluster:
    def __init__(self, name: str) -> None:
        self.name = name

    def stopped(self) -> AbstractContextManager[None]:
        """Stop the database; on AWS that takes minutes, and starting it as well."""
        return changed("stop-cluster", name=self.name)


class Queue:
    """A queue that a function consumes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def consumer_paused(self) -> AbstractContextManager[None]:
        """Let messages pile up for a while."""
        return changed("pause-consumer", url=self.url)

    def closed(self) -> AbstractContextManager[None]:
        """Let nobody send to the queue for a while."""
        return changed("close-queue", url=self.url)

    def with_fewer_receives(self) -> AbstractContextManager[None]:
        """Let SQS give messages up after two receives for a while."""
        return changed("lower-receives", url=self.url)

    def send_messages(self, bodies: Iterable[str], group_id: str) -> list[str]:
        """Send these messages, in this order; return their ids."""
        sent: list[str] = ask("send-messages", url=self.url, bodies=[*bodies], group_id=group_id)
        return sent

    def is_drained(self) -> bool:
        """Return whether no message waits, and the consumer has finished with all others."""
        return not any(ask("message-counts", url=self.url).values())


@dataclass(frozen=True)
class Message:
    id: str
    body: str
    attributes: Mapping[str, str]


def source_id(message: Message) -> str:
    """Return the id that a dead letter had in its queue: what a function sends has another."""
    return message.attributes.get("source_message_id", message.id)


class KeptMessages:
    """The messages of a queue that no function consumes, each known by what `id_of` reads."""

    def __init__(self, queue_url: str, id_of: Callable[[Message], str]) -> None:
        self.url = queue_url
        self._id_of = id_of
        self.reasons: dict[str, str] = {}

    def take(self) -> set[str]:
        """Remove all messages; return their ids."""
        taken = {self._id_of(each): each for each in self._take()}
        for each, message in taken.items():
            if reason := message.attributes.get("reason"):
                self.reasons[each] = reason
        return {*taken}

    def take_until(self, expected: Iterable[str]) -> set[str]:
        """Wait until all of these have come; return the ids of all that was taken meanwhile."""
        ids, taken = set(expected), set[str]()

        def all_are_there() -> bool:
            taken.update(self.take())
            return taken >= ids

        wait_until(all_are_there)
        return taken

    def message_count(self) -> int:
        count: int = ask("message-counts", url=self.url)["visible"]
        return count

    def _take(self) -> list[Message]:
        return [Message(**each) for each in ask("take-messages", url=self.url)]


class LogGroup:
    """What a log group has got since the proof began."""

    def __init__(self, name: str) -> None:
        self._part = {"group": name, "since": int(time.time() * 1000)}

    def lines(self) -> list[str]:
        """Return each line as it is."""
        lines: list[str] = ask("log-lines", **self._part)
        return lines

    def mentions(self, *texts: str) -> bool:
        """Tell whether one line has all these texts."""
        return any(all(text in line for text in texts) for line in self.lines())

    def json_lines(self) -> list[dict[str, Any]]:
        """Return what functions have logged themselves, each entry parsed."""
        entries: list[dict[str, Any]] = ask("log-entries", **self._part)
        return entries

    def most_at_a_time(self) -> int:
        """Return how many invocations there were at the same time, when it was most."""
        most: int = ask("most-at-a-time", **self._part)
        return most

    def metric_values(
        self, namespace: str, name: str, dimensions: Mapping[str, str]
    ) -> list[float]:
        """Return the values of a metric that were logged with just these dimensions."""
        metric = {"namespace": namespace, "name": name, "dimensions": dict(dimensions)}
        values: list[float] = ask("metric-values", **self._part, **metric)
        return values
