"""A way back: how the letters of one edge say why they are there, and how they return."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.letters.aws import Clients, is_denied, reason
from sls_patterns_cli.letters.deployed import Deployed
from sls_patterns_cli.letters.letter import SENT, UNREADABLE, Cause, Letter, Outcome, kept
from sls_patterns_cli.letters.logs import Logs
from sls_patterns_cli.letters.stores import HELD_SECONDS, MOST_RECEIVED
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.wiring.model import Edge
from sls_patterns_cli.wiring.ways_back import way_back

Grant = tuple[str, str]
"""An action and the resource: a logical id, an ARN, or `*`."""


@dataclass(frozen=True)
class Context:
    """What a way back knows of the stack that it is in."""

    deployed: Deployed
    clients: Clients

    @property
    def stack(self) -> Stack:
        return self.deployed.stack

    @cached_property
    def logs(self) -> Logs:
        """What the logs of its functions say."""
        return Logs(self.deployed, self.clients)

    def id(self, name: str) -> str:
        """Return the physical id of a resource; KeyError for one that is not of the stack."""
        return self.deployed.ids[name]


class Way(ABC):
    """The way back of one edge's letters, to the target that failed and nowhere else."""

    kind: ClassVar[str]
    """What is kept, for people and programs, such as `messages`."""

    held_seconds: float = HELD_SECONDS
    """For how long nobody else receives a letter while it is sent back."""

    most_at_a_time: int = MOST_RECEIVED
    """How many letters are received in one request."""

    most_at_once: int = 1
    """How many letters are sent before the first of them is deleted."""

    keeps_anew: bool = False
    """Whether what fails again is a new letter as soon as the outcome is known."""

    says_error: bool = True
    """Whether letters say what the consumer raised; if not, its log may."""

    def __init__(self, edge: Edge, context: Context) -> None:
        self.edge = edge
        self.context = context

    @property
    def failed(self) -> str:
        """The logical id of what could not process it."""
        return self.edge.target

    @property
    def goes_to(self) -> str:
        """The logical id of what a letter is sent to."""
        return self.failed

    @property
    def goes_back(self) -> str:
        """The way back in words, as `check` and `prove` say it, such as `to Orders`."""
        return way_back(self.context.stack, self.edge) or "nowhere"

    @property
    def clients(self) -> Clients:
        return self.context.clients

    @abstractmethod
    def ends_at(self) -> str | None:
        """Ask AWS where failures of this edge end now; None for nowhere."""

    def takes(self, letter: Letter) -> bool | None:  # noqa: ARG002
        """Tell whether a letter is of this edge; None where it does not say."""
        return None

    @abstractmethod
    def cause(self, letter: Letter) -> Cause:
        """Return why a letter is there; raises UNREADABLE for what AWS has not sent."""

    def payload(self, letter: Letter) -> Any:
        """Return what failed."""
        return letter.content

    def identity(self, letter: Letter) -> str:
        """Return the same for what has failed again."""
        return hashlib.sha256(letter.body.encode()).hexdigest()

    @abstractmethod
    def send_back(self, letter: Letter) -> Outcome:
        """Send a letter back; raises UNREADABLE, or an error of botocore's."""

    def attempt(self, letter: Letter) -> Outcome:
        """Send a letter back; what cannot be sent is kept. Raises ClientError if it is denied."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self.send_back(letter)
        except (BotoCoreError, ClientError) as error:
            if is_denied(error):
                raise
            return kept(reason(error))
        except UNREADABLE as error:
            return kept(f"message {letter.id} cannot be read: {error!r}")

    def send_all(self, letters: Sequence[Letter]) -> Iterator[Sequence[Outcome]]:
        """Send so many letters back; yield outcomes, in their order, as soon as they are known."""
        yield from ([self.attempt(letter)] for letter in letters)

    @abstractmethod
    def grants(self) -> Iterator[Grant]:
        """Yield what sending back needs, beside reading and deleting letters."""

    def reads(self) -> Iterator[Grant]:
        """Yield what confirming the end needs."""
        yield from ()

    def qualifier(self, given: str) -> str:
        """Return the alias or version that a function is invoked by, as wiring says it."""
        if given.endswith(".Version}"):  # of a resource, whose ARN ends with its number
            return self.context.id(given[2:].partition(".")[0]).rpartition(":")[2]
        return given

    def qualified(self, given: str) -> str:
        """Return the name by which the function that failed is invoked with a qualifier."""
        name = self.context.id(self.edge.target)
        return name if given == "$LATEST" else f"{name}:{self.qualifier(given)}"

    def is_id_of(self, arn: str, name: str) -> bool:
        """Tell whether an ARN is that of a resource of the stack."""
        return name in self.context.deployed.ids and name_of(arn) == name_of(self.context.id(name))


class SentInBatches(Way):
    """A way back to what takes many letters in one request, or refuses some of them."""

    most_at_once = MOST_RECEIVED

    most_bytes: ClassVar[int]
    """What a request takes, of the size that `entry_size` says."""

    @abstractmethod
    def entry(self, letter: Letter) -> dict[str, Any]:
        """Return what stands for a letter in a request; raises UNREADABLE."""

    @abstractmethod
    def entry_size(self, entry: dict[str, Any]) -> int: ...

    @abstractmethod
    def put(self, entries: Sequence[dict[str, Any]]) -> dict[int, str]:
        """Send entries; return why some are not taken, by their place. Raises ClientError."""

    def send_back(self, letter: Letter) -> Outcome:
        refused = self.put([self.entry(letter)])
        return kept(refused[0]) if refused else SENT

    def send_all(self, letters: Sequence[Letter]) -> Iterator[Sequence[Outcome]]:
        some: list[Letter] = []
        entries: list[dict[str, Any]] = []
        size = 0
        for letter in letters:
            try:
                entry = self.entry(letter)
            except UNREADABLE:
                entry = None
            more = self.entry_size(entry) if entry else 0
            if some and (entry is None or size + more > self.most_bytes):
                yield self._send(some, entries)
                some, entries, size = [], [], 0
            if entry is None:
                yield [self.attempt(letter)]
                continue
            some.append(letter)
            entries.append(entry)
            size += more
        if some:
            yield self._send(some, entries)

    def _send(self, letters: list[Letter], entries: list[dict[str, Any]]) -> list[Outcome]:
        """Send letters in one request; one by one, if it is refused as a whole for one of them."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            refused = self.put(entries)
        except ClientError as error:
            if is_denied(error):
                raise
            if len(letters) > 1:
                return [self.attempt(letter) for letter in letters]
            refused = {0: reason(error)}
        except BotoCoreError as error:  # nobody knows what has been taken
            refused = dict.fromkeys(range(len(letters)), reason(error))
        places = range(len(letters))
        return [kept(refused[place]) if place in refused else SENT for place in places]


class NoWayBack(Way):
    """Letters that can be listed, and that nothing here can send back."""

    kind = "other"
    goes_back = "nowhere"

    def __init__(self, edge: Edge, context: Context, why: str) -> None:
        super().__init__(edge, context)
        self.why = why

    def ends_at(self) -> str | None:
        return self.context.deployed.ids.get(self.edge.end.name)

    def cause(self, letter: Letter) -> Cause:
        names = [name for name in letter.attributes if "ERROR" in name.upper()]
        return Cause(error=": ".join(filter(None, map(letter.told, names))))

    def send_back(self, letter: Letter) -> Outcome:  # noqa: ARG002
        return kept(self.why)

    def grants(self) -> Iterator[Grant]:
        yield from ()
