"""One trial an edge and fault: break it, send something in, wait for what becomes of it.

Lost is only what a service says that it has given up: silence is no verdict.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sls_patterns_cli.cloudformation.stack import Resource, Stack, dictionaries
from sls_patterns_cli.local.emulator.proving.messages import POISON, readable
from sls_patterns_cli.local.emulator.proving.names import OUTSIDE_QUEUES
from sls_patterns_cli.prove.deployment import Deployment, unqualified
from sls_patterns_cli.prove.stimuli import Send, direct, stimulus
from sls_patterns_cli.prove.verdict import Fault, Outcome, Verdict
from sls_patterns_cli.wiring.edges.buses import waited_for
from sls_patterns_cli.wiring.edges.deliveries import S3
from sls_patterns_cli.wiring.edges.executions import is_failure_rule
from sls_patterns_cli.wiring.edges.invocations import is_durable
from sls_patterns_cli.wiring.edges.pipes import STREAM_SOURCES, source_mechanism, waits_for
from sls_patterns_cli.wiring.model import (
    DELIVERY,
    EVENT_SOURCE,
    FUNCTION,
    MACHINE,
    OUTSIDE,
    QUEUE,
    RULE,
    Edge,
    Mechanism,
    function_at,
)

FAULTS_OF: dict[Mechanism, tuple[Fault, ...]] = {
    "sqs": ("error", "timeout", "throttle", "poison"),
    "stream": ("error", "timeout", "throttle", "poison"),
    "lambda-async": ("error", "timeout", "throttle"),
    "eventbridge": ("denied", "throttle"),
    "eventbridge-v2": ("error", "timeout", "throttle", "denied"),
    "sns": ("denied", "throttle"),
    "scheduler": ("denied", "throttle"),
    "step-functions": ("error",),
    "firehose": ("error",),
    "pipe": ("error", "timeout", "poison", "denied"),
}
"""What can go wrong on an edge, first what is tried if nobody says; of other mechanisms nothing is
emulated."""

DELIVERIES = "eventbridge", "eventbridge-v2", "sns", "scheduler"

WHOLE: dict[str, Any] = {"functions": {}, "machines": [], "denied": [], "throttled": []}
"""What is broken while nothing is."""

SENT = 10
"""How many messages are sent with one poison among them: a batch of SQS."""

CONFIRMING_ATTEMPTS = 3
"""So many failures confirm that something is tried again for ever, which its configuration says."""

ARRIVES_SECONDS = 2.5
"""Within this a message reaches its consumer here, or it never does."""

AGAIN_SECONDS = 1.0
"""A mapping that reads only what is new may have looked for the first time after the message."""

SETTLES_SECONDS = 0.5
"""Within this a failed execution's event has reached its rules."""

LONGEST_SECONDS = 60.0
"""How long a trial may take: 1,000 receives of a queue with a visibility timeout of 5 minutes."""

LOOKS_EVERY_SECONDS = 0.01

Note = dict[str, Any]


def faults_of(stack: Stack, edge: Edge) -> tuple[Fault, ...]:
    """Return what can go wrong on an edge."""
    possible = FAULTS_OF.get(edge.mechanism, ())
    if edge.mechanism == "lambda-async" and _is_durable(stack, edge.target):
        return "error", "timeout"  # how long AWS tries to start one is not documented
    if edge.mechanism not in {"pipe", "eventbridge-v2"}:
        return possible
    consumer = _waited_for(stack, edge)
    if consumer and consumer.type == FUNCTION:
        return possible
    if edge.mechanism == "eventbridge-v2":
        return "denied", "throttle"
    return ("error", "denied") if consumer else ("denied",)


def _is_durable(stack: Stack, name: str) -> bool:
    function = stack.resources.get(name)
    return function is not None and is_durable(function)


def _waited_for(stack: Stack, edge: Edge) -> Resource | None:
    """Return what a pipe or subscriber waits for."""
    declared = stack.resources[edge.declared_by]
    return waits_for(stack, declared) if edge.mechanism == "pipe" else waited_for(stack, declared)


@dataclass(frozen=True)
class Trial:
    """One edge with one fault, on a stack in which nothing else happens."""

    deployment: Deployment
    edge: Edge
    fault: Fault

    def run(self) -> Outcome:
        """Break the target, send, and return what came of it; the stack is whole again then."""
        if why := self._not_emulated():
            return Outcome("not-emulated", why=why)
        if why := self._not_here():
            return Outcome("no-stimulus", why=why)
        ways = [stimulus(self.deployment, self.edge)]
        if self.edge.mechanism in {"lambda-async", "step-functions"}:
            ways.append(direct(self.deployment, self.edge))
        if not any(ways):
            return Outcome("no-stimulus", why=f"nothing here sends from {self.edge.source}")
        self._break()
        refused = ""
        try:
            outcomes = (self._observed(send) for send in ways if send)
            found = next((each for each in outcomes if each), None)
        except ClientError as error:
            found, refused = None, str(error)
        finally:
            self._mend()
        return found or Outcome("no-stimulus", why=refused or "what was sent did not arrive")

    def _not_emulated(self) -> str:  # noqa: PLR0911 - one a reason
        """Say why nobody can see here where an edge ends."""
        if not self.edge.can_end:
            return "AWS keeps nothing that fails on it, whatever is configured"
        if self.deployment.stack.resources[self.edge.declared_by].type == EVENT_SOURCE:
            return "event sources of a custom event bus are not emulated"
        if self.edge.end.kind == "unknown":
            return "its end is named by something that stands elsewhere"
        if self.edge.mechanism != "firehose":
            return ""
        delivery = self.deployment.stack.resources[self.edge.declared_by]
        if not any(map(delivery.get, S3)):
            return "only deliveries to buckets are emulated"
        if transformer(self.deployment, self.edge) is None:
            return "it transforms nothing, and Firehose tries the destination itself for a day"
        return ""

    def _not_here(self) -> str:
        """Say what of an edge the emulator does not have."""
        edge, here = self.edge, self.deployment.resource
        if not edge.is_enabled:
            return "it is switched off"
        if edge.mechanism in DELIVERIES:
            return "" if here(edge.declared_by) else f"{edge.declared_by} is not there"
        if edge.mechanism in {"sqs", "stream", "pipe"} and here(edge.source) is None:
            return f"{edge.source} stands elsewhere"
        if edge.mechanism == "pipe":
            return "" if here(edge.declared_by) else f"{edge.declared_by} is not there"
        kinds = (DELIVERY,) if edge.mechanism == "firehose" else (FUNCTION, MACHINE)
        name = edge.declared_by if edge.mechanism == "firehose" else edge.target
        return "" if here(name, *kinds) else f"{name} stands elsewhere"

    def _break(self) -> None:
        broken = dict(WHOLE)
        consumer, delivery = self.consumer(), self.deployment.arn(self.edge.declared_by)
        if self.fault == "denied":
            broken["denied"] = [delivery]
        elif self.fault == "throttle" and self.edge.mechanism in DELIVERIES:
            broken["throttled"] = [delivery]
        elif consumer and consumer.type == MACHINE:
            broken["machines"] = [self.deployment.arn(consumer.name)]
        elif consumer:
            broken["functions"] = {self.deployment.ids[consumer.name]: self.fault}
        self.deployment.control({"do": "break", **broken})

    def _mend(self) -> None:
        """Let everything work again, and what still waits be processed."""
        self.deployment.control({"do": "break", **WHOLE})
        if self.edge.mechanism in {"sqs", "pipe"}:
            self._wait(self._is_empty, LONGEST_SECONDS / 10)

    def consumer(self) -> Resource | None:
        """The function or state machine that fails: of Firehose the one that transforms records."""
        edge, stack = self.edge, self.deployment.stack
        if edge.mechanism in {"sqs", "stream", "lambda-async", "step-functions"}:
            return stack.resources[edge.target]
        if edge.mechanism in {"pipe", "eventbridge-v2"}:
            return _waited_for(stack, edge)
        return transformer(self.deployment, edge) if edge.mechanism == "firehose" else None

    def _tries(self) -> str:
        """The ARN of what notes each attempt: the consumer, or the pipe in front of it."""
        if self.edge.mechanism == "pipe":
            return self.deployment.arn(self.edge.declared_by)
        consumer = self.consumer()
        return self.deployment.arn(consumer.name if consumer else self.edge.target)

    def _observed(self, send: Send) -> Outcome | None:
        """Send, and return what came of it; None if nothing arrived."""
        first = self.deployment.next_note()
        self._send(send)
        began = sent = time.monotonic()
        arrived = math.inf
        while (now := time.monotonic()) - began < LONGEST_SECONDS:
            notes = self.deployment.notes(first)
            mine = list(self._attempts(notes))
            arrived = min(arrived, now) if mine else arrived
            if outcome := self._outcome(notes, mine, settled=now - arrived > SETTLES_SECONDS):
                return outcome
            if not mine and now - began > ARRIVES_SECONDS:
                return None
            if not mine and now - sent > AGAIN_SECONDS and self._reads_a_stream():
                self._send(send)
                sent = now
            time.sleep(LOOKS_EVERY_SECONDS)
        why = f"it did not end within {LONGEST_SECONDS:.0f} seconds here"
        return Outcome("not-emulated", why=why)

    def _send(self, send: Send) -> None:
        """Send all messages before any is read, so that they are one batch."""
        self.deployment.control({"do": "hold", "held": True})
        try:
            send(self._texts())
        finally:
            self.deployment.control({"do": "hold", "held": False})

    def _texts(self) -> Sequence[str]:
        if self.fault != "poison":
            return ["sls-patterns-0"]
        return [POISON, *(f"sls-patterns-{number}" for number in range(1, SENT))]

    def _attempts(self, notes: Sequence[Note]) -> Iterator[Note]:
        """Yield the failed attempts of the consumer, of a batch only those of this source."""
        source = self.deployment.arn(self.edge.source)
        polled = self.edge.mechanism in {"sqs", "stream", "pipe"}
        arn = self._tries()
        for note in notes:
            failed = note["kind"] == "Attempt" and note["fault"]
            is_mine = failed and unqualified(note["consumer"]) == arn
            if is_mine and (not polled or source in str(note["event"])):
                yield note

    def _outcome(
        self, notes: Sequence[Note], mine: Sequence[Note], *, settled: bool
    ) -> Outcome | None:
        if self.edge.mechanism == "step-functions":
            return self._of_execution(notes, settled=settled) if mine else None
        given_up = [note for note in notes if self._is_mine(note)]
        if self.fault == "poison" and not self._is_empty():
            given_up = []
        if given_up:
            return self._of_given_up(given_up)
        if len(mine) < CONFIRMING_ATTEMPTS:
            return None
        return Outcome("for-ever", taken_along=self._behind(notes)) if self._is_for_ever() else None

    def _is_mine(self, note: Note) -> bool:
        """Tell whether a note says that a message of this edge was given up."""
        edge, arn = self.edge, self.deployment.arn
        mechanism = "sqs" if self._reads_a_queue() else edge.mechanism
        if note["kind"] != "GivenUp" or note["mechanism"] != mechanism:
            return False
        match mechanism:
            case "sqs":
                return bool(note["by"] == arn(edge.source))
            case "lambda-async":
                return bool(unqualified(note["by"]) == arn(edge.target))
            case "stream" | "firehose" | "pipe":
                return bool(note["by"] == arn(edge.declared_by))
        by = arn(edge.declared_by)
        # A subscription inside of a topic has no logical id; its ARN begins as the topic's.
        is_by = note["by"] == by or note["by"].startswith(f"{by}:")
        target = arn(edge.target)
        # The ARN of a log group may end in `:*`, that of a state machine's version in a number.
        return is_by and (not target or unqualified(note["target"]).startswith(target))

    def _of_given_up(self, given_up: Sequence[Note]) -> Outcome:
        last = given_up[-1]
        along = None
        if self.fault == "poison":
            bodies = [body for note in given_up for body in note["bodies"]]
            along = sum(POISON not in readable(body) for body in bodies)
        # The emulator has queues for what stands elsewhere, but no buckets.
        is_outside = self.edge.end.kind == "outside" and not last["end"]
        end = self.deployment.name(last["end"]) or None
        if is_outside or last["end"] in OUTSIDE_QUEUES:
            end = OUTSIDE
        verdict: Verdict = "ended" if end else "lost"
        return Outcome(verdict, end, last["seconds"], taken_along=along, attempts=last["attempts"])

    def _of_execution(self, notes: Sequence[Note], *, settled: bool) -> Outcome | None:
        """An execution that failed is kept by Step Functions; a rule may carry it to somebody.

        https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
        """
        for note in notes:
            if note["kind"] == "Delivered":
                rule = self.deployment.stack.resources.get(self.deployment.name(note["by"]))
                if rule and rule.type == RULE and is_failure_rule(rule):
                    return Outcome("ended", self.deployment.name(note["target"]), 0.0)
        return Outcome("ended", self.edge.target, 0.0) if settled else None

    def _is_for_ever(self) -> bool:
        """Tell whether the configuration lets AWS try a message until it expires."""
        if self._reads_a_queue():
            return self.edge.end.kind == "none"
        if not self._reads_a_stream():
            return False
        limited = ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
        limits = (each for name in limited for each in self.limits(name))
        return all(each in (None, -1, "-1") for each in limits)

    def limits(self, name: str) -> list[Any]:
        """What the mapping or pipe that reads a stream says of a limit, for each kind of stream."""
        declared = self.deployment.stack.resources[self.edge.declared_by]
        paths = [("SourceParameters", kind) for kind in STREAM_SOURCES] if self.is_pipe() else [()]
        return [declared.get(*path, name) for path in paths]

    def is_pipe(self) -> bool:
        """Tell whether a pipe reads the source and hands over what it has read."""
        return self.edge.mechanism == "pipe"

    def _reads_a_queue(self) -> bool:
        return self.polled() == "sqs"

    def _reads_a_stream(self) -> bool:
        return self.polled() == "stream"

    def polled(self) -> Mechanism:
        """How the source of the edge is read, be it by a pipe."""
        stack = self.deployment.stack
        if self.is_pipe():
            return source_mechanism(stack, stack.resources[self.edge.declared_by])
        return self.edge.mechanism

    def _behind(self, notes: Sequence[Note]) -> int | None:
        """How many good messages are held up by a poison that is tried again for ever."""
        if self.fault != "poison":
            return None
        arn = self._tries()
        done = "".join(
            readable(note["event"])
            for note in notes
            if note["kind"] == "Attempt" and not note["fault"] and note["consumer"] == arn
        )
        return sum(f"sls-patterns-{number}" not in done for number in range(1, SENT))

    def _is_empty(self) -> bool:
        """Tell whether a queue holds nothing; a shard is read in order, and has nothing to hide."""
        queue = self.deployment.resource(self.edge.source, QUEUE)
        if queue is None:
            return True
        answer = self.deployment.client("sqs").get_queue_attributes(
            QueueUrl=self.deployment.ids[queue.name], AttributeNames=["All"]
        )
        counts = (
            int(value)
            for name, value in answer["Attributes"].items()
            if name.startswith("ApproximateNumberOfMessages")
        )
        return not any(counts)

    def _wait(self, is_so: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not is_so() and time.monotonic() < until:
            time.sleep(LOOKS_EVERY_SECONDS)


def transformer(deployment: Deployment, edge: Edge) -> Resource | None:
    """Return the function of the stack that transforms the records of a delivery stream."""
    delivery = deployment.stack.resources[edge.declared_by]
    for each in dictionaries(delivery.properties):
        if each.get("ParameterName") == "LambdaArn":
            found = function_at(deployment.stack, each.get("ParameterValue"))
            return found[0] if found else None
    return None
