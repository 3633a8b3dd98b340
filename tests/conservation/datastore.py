"""A datastore as functions see it while they are disturbed: slow for some messages, and down."""

from abc import ABC, abstractmethod
from collections import Counter

OUTAGE_SECONDS = 0.45
"""An outage fails two attempts at most: no message is tried again in less than 0.25 s."""
HITS_OF_AN_OUTAGE = 2

LATE = 0.9
"""Which part of its caller's patience a slow call takes."""

Item = tuple[str, str]
"""The name of a datastore's node, and the id of the message that became an item of it."""


class Datastore(ABC):
    """Neither code nor wiring of the service changes while its datastore is disturbed."""

    @abstractmethod
    def stored(self) -> set[Item]:
        """Return what is in the datastore."""

    @abstractmethod
    def written(self) -> Counter[Item]:
        """Return how often each item was written: twice looks like once when it is stored."""

    @abstractmethod
    def answered(self) -> Counter[Item]:
        """Return how often functions were told that an item is written, now or before."""

    @abstractmethod
    def fail_for_a_while(self) -> None:
        """Let every call fail for `OUTAGE_SECONDS`."""


class Interruptible(Datastore):
    """One that is down for as long as its service waits for it, or slow."""

    @abstractmethod
    def fail_until_tried(self, tries: float) -> None:
        """Let every call fail until a message has been tried so often."""

    @abstractmethod
    def is_down(self) -> bool:
        """Whether that outage goes on; looks whether it is to end."""

    @abstractmethod
    def recover(self) -> None:
        """End it."""

    @abstractmethod
    def answer_late(self) -> None:
        """Let every call take nine tenths of what its caller waits for."""

    @abstractmethod
    def most_at_a_time(self) -> int:
        """Return how many calls of one kind were answered at the same time, at most."""
