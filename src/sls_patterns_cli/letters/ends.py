"""The ends of a deployed stack: what keeps their letters, and whose way back each letter takes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import Clients, explained
from sls_patterns_cli.letters.deployed import Deployed
from sls_patterns_cli.letters.letter import UNREADABLE, Letter, Outcome
from sls_patterns_cli.letters.stores import Bucket, NoticedBucket, Queue, Store
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.letters.ways import kept_alone, kept_beside, way_back
from sls_patterns_cli.letters.ways.firehose import UndeliveredRecords, error_prefixes
from sls_patterns_cli.letters.ways.messages import Messages
from sls_patterns_cli.letters.ways.redshift import MANIFESTS, REDSHIFT
from sls_patterns_cli.letters.ways.way import Context, NoWayBack, Way
from sls_patterns_cli.wiring import edges as wiring
from sls_patterns_cli.wiring.edges.mappings import polls
from sls_patterns_cli.wiring.model import BUCKET, FUNCTION, QUEUE, SUBSCRIPTION, TOPIC, Edge
from sls_patterns_cli.wiring.policies import Grant, allowed, role_of


@dataclass
class End:
    """Where failures of a deployed stack end, and what is kept there.

    `name` is the logical id of what keeps the letters; `ways` has one way back for each edge that
    ends there.
    """

    store: Store
    ways: list[Way]
    keeper: str
    """The logical id of the end as the template has it, such as a bucket that a queue tells of."""
    notes: list[str] = field(default_factory=list)
    """What to know before letters are read, one line each."""

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def failed(self) -> list[str]:
        """The logical ids of what could not process what is kept here."""
        return list(dict.fromkeys(way.failed for way in self.ways))

    def way_of(self, letter: Letter) -> Way:
        """Return the way back of a letter: of the edge that it says it is of, or of the only one.

        What nobody can place is kept.
        """
        if letter.problem:
            return NoWayBack(self.ways[0].edge, self.ways[0].context, letter.problem)
        said = [(way, _taken(way, letter)) for way in self.ways]
        named = [way for way, taken in said if taken]
        possible = named or [way for way, taken in said if taken is None]
        if len(possible) == 1 or len({way.goes_to for way in possible}) == 1:
            return possible[0]
        first = self.ways[0]
        why = (
            f"letter {letter.id} may be of {' or '.join(way.goes_to for way in possible)}"
            if possible
            else f"letter {letter.id} is nothing that this stack sends to {self.name}"
        )
        return NoWayBack(first.edge, first.context, why)

    def movable(self) -> tuple[Queue, Queue] | None:
        """Return a dead-letter queue and its queue, if SQS itself may move all letters.

        It tells nothing of a single message, and knows no topics and functions. What somebody has
        sent to the queue has a record that does not go back, and may be there twice: in a FIFO
        queue that is what an operator has set aside, in any what a function sends that may.
        """
        match self.ways:
            case [Messages() as way] if isinstance(self.store, Queue) and not self.store.is_fifo:
                if not _is_sent_to(way.context.stack, self.keeper):
                    return self.store, Queue(way.edge.source, way.url, way.clients)
        return None

    def send_back(self, letter: Letter) -> Outcome:
        """Send a letter back to what failed; it stays in the end until it is deleted.

        Raises botocore's ClientError where that is not permitted.
        """
        return self.way_of(letter).attempt(letter)

    def confirm(self) -> Iterator[str]:
        """Ask AWS where failures end now; yield what differs from the template, one line each."""
        for way in self.ways:
            if isinstance(way, NoWayBack):
                continue
            try:
                with explained(f"where failures of {way.failed} end cannot be confirmed"):
                    now = way.ends_at()
            except UserError as error:
                yield error.message
                continue
            wanted = way.context.deployed.ids[self.keeper]
            if now is None:
                yield f"failures of {way.failed} end nowhere now, and not in {self.keeper}"
            elif name_of(now) != name_of(wanted):
                yield f"failures of {way.failed} now end in {now}, and not in {self.keeper}"


def ends(deployed: Deployed, clients: Clients) -> tuple[list[End], list[str]]:
    """Return the ends that keep letters, and what is said of edges that end in something else."""
    return _Finder(deployed, clients).found()


class _Finder:
    def __init__(self, deployed: Deployed, clients: Clients) -> None:
        self._context = Context(deployed, clients)
        self._by_store: dict[str, End] = {}
        self._keepers: dict[str, Store | None] = {}
        self._said: list[str] = []

    @cached_property
    def _stack(self) -> Stack:
        return self._context.stack

    def found(self) -> tuple[list[End], list[str]]:
        ways: set[tuple[str, ...]] = set()
        for way in self._ways():
            edge = way.edge
            store = self._store_of(edge)
            if store is None:
                self._say(edge)
                continue
            end = self._by_store.get(store.name)
            if end is None:
                end = End(store, [], edge.end.name)
                end.notes += self._notes(store.name)
                self._by_store[store.name] = end
            # Many sources may invoke one function, with one end.
            key = (store.name, way.kind, way.failed, edge.qualifier, *_source_that_counts(way))
            if key not in ways:
                ways.add(key)
                end.ways.append(way)
            if isinstance(store, Bucket) and isinstance(end.store, Bucket):
                prefixes = dict.fromkeys((*end.store.prefixes, *store.prefixes))
                end.store.prefixes = tuple(prefixes)
        for end in self._by_store.values():
            if isinstance(end.store, Queue):
                end.store.has_records = all(isinstance(way, Messages) for way in end.ways)
        return list(self._by_store.values()), self._said

    def _ways(self) -> Iterator[Way]:
        for edge in wiring.ends(self._stack):
            yield way_back(edge, self._context)
            yield from kept_beside(edge, self._context)
        yield from kept_alone(self._context)

    def _store_of(self, edge: Edge) -> Store | None:
        """Return what keeps the letters of an edge; None for an end that keeps nothing."""
        end = self._stack.resources[edge.end.name]
        if end.name not in self._context.deployed.ids:
            return None
        if end.type == QUEUE:
            return self._queue(end.name)
        if end.type == TOPIC:
            queue = self._behind(end)
            return self._queue(queue) if queue else None
        if end.type == BUCKET:
            physical = self._context.id(end.name)
            clients = self._context.clients
            if notices := self._noticing(end):
                told = _told_of(self._stack.resources.get(notices.declared_by))
                bucket = Bucket(end.name, physical, told, clients)
                return NoticedBucket(self._queue(notices.target), bucket, clients)
            return Bucket(end.name, physical, self._prefixes(edge), clients)
        return None

    def _queue(self, name: str) -> Queue:
        return Queue(name, self._context.id(name), self._context.clients)

    def _prefixes(self, edge: Edge) -> tuple[str, ...]:
        """Return where a service puts the objects of an edge."""
        way = way_back(edge, self._context)
        if isinstance(way, UndeliveredRecords):
            delivery = self._stack.resources[edge.declared_by].properties
            destinations = [
                each
                for name, each in delivery.items()
                if name.endswith("DestinationConfiguration") and isinstance(each, dict)
            ]
            first = destinations[0] if destinations else {}
            # Beside another destination the bucket has what could not be delivered there.
            backup = first.get("S3Configuration") or first.get("S3BackupConfiguration")
            prefixes = error_prefixes(first if first.get("ErrorOutputPrefix") else backup or first)
            return (*prefixes, MANIFESTS) if delivery.get(REDSHIFT) else prefixes
        declared = self._context.deployed.ids.get(edge.declared_by, "")
        if edge.mechanism in {"stream", "kafka"}:
            return (f"aws/lambda/{declared}/",)
        function = name_of(self._context.deployed.ids.get(edge.target, edge.target))
        return (f"aws/lambda/async/{function}/",)

    def _noticing(self, bucket: Resource) -> Edge | None:
        """Return the edge to a queue that is told of a bucket's objects, if nobody polls it."""
        polled = {poll.source.name for poll in polls(self._stack) if poll.source}
        for edge in wiring.edges(self._stack):
            target = self._stack.resources.get(edge.target)
            if edge.source == bucket.name and target and target.type == QUEUE:
                return edge if target.name not in polled else None
        return None

    def _behind(self, topic: Resource) -> str | None:
        """Return the queue of the stack that subscribes to a topic."""
        for subscription in self._stack.of_type(SUBSCRIPTION):
            if self._stack.found(subscription.get("TopicArn"), TOPIC) == topic:
                queue = self._stack.found(subscription.get("Endpoint"), QUEUE)
                if queue and queue.name in self._context.deployed.ids:
                    return queue.name
        return None

    def _notes(self, store: str) -> Iterator[str]:
        for poll in polls(self._stack):
            if poll.source and poll.source.name == store and poll.function:
                yield f"{poll.function.name} polls it, and does not see what is listed meanwhile"

    def _say(self, edge: Edge) -> None:
        end = self._stack.resources[edge.end.name]
        kind = end.type.rpartition("::")[2]
        line = f"failures of {edge.target} go to {end.name} ({kind}), which keeps no letters"
        if line not in self._said:
            self._said.append(line)


def _told_of(declared: Resource | None) -> tuple[str, ...]:
    """Return the prefixes of the objects that a rule tells of; ("",) where it may be any object."""
    keys = declared.get("EventPattern", "detail", "object", "key") if declared else None
    if not isinstance(keys, list):
        return ("",)
    prefixes = [each.get("prefix") if isinstance(each, dict) else each for each in keys]
    return tuple(each if isinstance(each, str) else "" for each in prefixes)


def _taken(way: Way, letter: Letter) -> bool | None:
    """Tell whether a letter is of a way's edge; what AWS has not sent is of none."""
    try:
        return way.takes(letter)
    except UNREADABLE:
        return False


def _is_sent_to(stack: Stack, queue: str) -> bool:
    """Tell whether a function of the stack may send to a queue, or has a role that is not known."""
    resource = stack.resources[queue]
    return any(
        allowed(stack, role_of(stack, function), "sqs:SendMessage", resource) is not Grant.NO
        for function in stack.of_type(FUNCTION)
    )


def _source_that_counts(way: Way) -> tuple[str, ...]:
    """Return what tells edges with one target apart: of invocations of a function nothing does."""
    if way.edge.mechanism in {"lambda-async", "step-functions", "firehose"}:
        return ()
    return way.edge.source, way.edge.declared_by
