"""A datastore as functions see it while they are disturbed: slow for some messages, and down."""

from abc import ABC, abstractmethod
from collections import Counter

OUTAGE_SECONDS = 0.45
"""An outage fails two attempts at most: no message is tried again in less than 0.25 s."""
HITS_OF_AN_OUTAGE = 2

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
