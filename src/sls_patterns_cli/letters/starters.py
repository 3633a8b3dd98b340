"""What starts the functions of a deployed stack and can be disabled: mappings, rules, schedules."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from sls_patterns_cli.cloudformation.stack import Resource
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import Clients, code_of
from sls_patterns_cli.letters.deployed import Deployed
from sls_patterns_cli.letters.ways.way import Grant
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.wiring import edges as wiring
from sls_patterns_cli.wiring.model import FUNCTION, MAPPING, RULE, SCHEDULE, Edge

LONGEST_CHANGE_SECONDS = 300
"""Lambda disables and enables a mapping in the background, mostly within a minute (fact X28)."""

LOOKS_EVERY_SECONDS = 1.0

DEFAULT_GROUP = "default"


class Starter(ABC):
    """Starts a function for an edge, unless it is disabled."""

    kind: ClassVar[str]

    def __init__(self, edge: Edge, deployed: Deployed, clients: Clients) -> None:
        self.edge = edge
        self._deployed, self._clients = deployed, clients

    @property
    def name(self) -> str:
        """Its logical id."""
        return self.edge.declared_by

    @property
    def function(self) -> str:
        return self.edge.target

    @property
    def resource(self) -> Resource:
        return self._deployed.stack.resources[self.name]

    @property
    def id(self) -> str:
        return self._deployed.ids[self.name]

    @property
    @abstractmethod
    def meanwhile(self) -> str:
        """What happens to its events while it is disabled."""

    @abstractmethod
    def is_enabled(self) -> bool:
        """Ask AWS."""

    @abstractmethod
    def switch(self, *, on: bool) -> None:
        """Enable or disable it, and wait until it is; raises UserError if that takes too long."""

    @abstractmethod
    def reads(self) -> Iterator[Grant]:
        """Yield what it takes to ask."""

    @abstractmethod
    def changes(self) -> Iterator[Grant]:
        """Yield what it takes to enable and disable it, beside that."""


class Mapping(Starter):
    """An event source mapping."""

    kind = "event source mapping"

    @property
    def meanwhile(self) -> str:
        return f"{self.edge.source} keeps what comes meanwhile, until its retention ends"

    def is_enabled(self) -> bool:
        return self._state() not in {"Disabled", "Disabling"}

    def switch(self, *, on: bool) -> None:
        wanted = "Enabled" if on else "Disabled"
        deadline = time.monotonic() + LONGEST_CHANGE_SECONDS
        is_asked = False
        while (state := self._state()) != wanted:
            if time.monotonic() > deadline:
                raise UserError(
                    f"{self.name} is {state} after {LONGEST_CHANGE_SECONDS} s, and not {wanted}."
                )
            is_asked = is_asked or self._ask(on=on)
            with interrupts.allowed():
                time.sleep(LOOKS_EVERY_SECONDS)

    def _ask(self, *, on: bool) -> bool:
        """Ask Lambda to change it; return whether it does, as it makes one change at a time."""
        from botocore.exceptions import ClientError

        try:
            self._clients("lambda").update_event_source_mapping(UUID=self.id, Enabled=on)
        except ClientError as error:
            if code_of(error) != "ResourceInUseException":
                raise
            return False
        return True

    def _state(self) -> str:
        return str(self._clients("lambda").get_event_source_mapping(UUID=self.id)["State"])

    def reads(self) -> Iterator[Grant]:
        yield "lambda:GetEventSourceMapping", self.name

    def changes(self) -> Iterator[Grant]:
        yield "lambda:UpdateEventSourceMapping", self.name


class Rule(Starter):
    """A rule of EventBridge, with a schedule or for events."""

    kind = "rule"

    @property
    def meanwhile(self) -> str:
        is_of_events = self.resource.get("EventPattern")
        lost = "events that come meanwhile are lost" if is_of_events else Schedule.meanwhile
        targets = {edge.target for edge in _edges_of(self._deployed, self.name)} - {self.function}
        return f"{lost}, also for {', '.join(sorted(targets))}" if targets else lost

    def is_enabled(self) -> bool:
        return bool(self._events.describe_rule(**self._named)["State"] != "DISABLED")

    def switch(self, *, on: bool) -> None:
        change = self._events.enable_rule if on else self._events.disable_rule
        change(**self._named)

    @property
    def _events(self) -> Any:
        return self._clients("events")

    @property
    def _named(self) -> dict[str, str]:
        """A physical id is `bus|name` on a custom bus."""
        bus, _, name = self.id.rpartition("|")
        return {"Name": name, **({"EventBusName": bus} if bus else {})}

    def reads(self) -> Iterator[Grant]:
        yield "events:DescribeRule", self.name

    def changes(self) -> Iterator[Grant]:
        yield "events:DisableRule", self.name
        yield "events:EnableRule", self.name


class Schedule(Starter):
    """A schedule of EventBridge Scheduler."""

    kind = "schedule"
    meanwhile = "what is due meanwhile is skipped"

    def is_enabled(self) -> bool:
        return bool(self._read()["State"] != "DISABLED")

    def switch(self, *, on: bool) -> None:
        """Write it as it is: what an update does not repeat becomes the default (fact X30)."""
        scheduler = self._clients("scheduler")
        takes = scheduler.meta.service_model.operation_model("UpdateSchedule").input_shape.members
        kept = {name: value for name, value in self._read().items() if name in takes}
        scheduler.update_schedule(**{**kept, "State": "ENABLED" if on else "DISABLED"})

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = self._clients("scheduler").get_schedule(
            Name=self.id, GroupName=self._group
        )
        return found

    @property
    def _group(self) -> str:
        given = self.resource.get("GroupName")
        named = self._deployed.stack.named(given) if given is not None else None
        return self._deployed.ids[named.name] if named else str(given or DEFAULT_GROUP)

    def reads(self) -> Iterator[Grant]:
        yield "scheduler:GetSchedule", self.name

    def changes(self) -> Iterator[Grant]:
        yield "scheduler:UpdateSchedule", self.name
        yield "iam:PassRole", self._read()["Target"]["RoleArn"]


KINDS: dict[str, type[Starter]] = {MAPPING: Mapping, RULE: Rule, SCHEDULE: Schedule}


def starters(deployed: Deployed, clients: Clients) -> list[Starter]:
    """Return what the template has enabled to start functions of the stack."""
    found: dict[tuple[str, str], Starter] = {}
    for edge in wiring.edges(deployed.stack):
        kind = KINDS.get(deployed.stack.resources[edge.declared_by].type)
        target = deployed.stack.resources.get(edge.target)
        is_there = edge.declared_by in deployed.ids and target and target.type == FUNCTION
        if kind and is_there and edge.is_enabled:
            found.setdefault((edge.declared_by, edge.target), kind(edge, deployed, clients))
    return list(found.values())


def others(deployed: Deployed, function: str) -> list[str]:
    """Return what else starts a function, and cannot be disabled."""
    kinds = KINDS.keys()
    return sorted(
        {
            edge.source
            for edge in wiring.edges(deployed.stack)
            if edge.target == function
            and deployed.stack.resources[edge.declared_by].type not in kinds
            and edge.source not in {"", function}
        }
    )


def _edges_of(deployed: Deployed, declared_by: str) -> list[Edge]:
    return [edge for edge in wiring.edges(deployed.stack) if edge.declared_by == declared_by]
