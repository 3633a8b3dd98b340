"""Executions that failed, timed out or were aborted, as EventBridge reports them to a queue.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from sls_patterns_cli.letters.aws import Clients, code_of
from sls_patterns_cli.letters.letter import (
    PROCESSED,
    Cause,
    Letter,
    Outcome,
    decoded,
    failed_again,
    kept,
)
from sls_patterns_cli.letters.stores import MOST_RECEIVED
from sls_patterns_cli.letters.targets import execution_name, name_of, start
from sls_patterns_cli.letters.ways.way import Context, Grant, Way
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.wiring.edges.executions import failure_rule
from sls_patterns_cli.wiring.model import Edge

EXECUTION_SECONDS = 100
"""For how long executions that go on are waited for."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two questions for an execution's status."""

ENDED_BADLY = {"FAILED", "TIMED_OUT", "ABORTED"}


class Executions(Way):
    kind = "executions"
    held_seconds = EXECUTION_SECONDS + 200
    most_at_once = MOST_RECEIVED

    def __init__(self, edge: Edge, context: Context) -> None:
        super().__init__(edge, context)
        self.named: frozenset[str] = frozenset()
        """The executions to restart although an operator has stopped them."""
        self._anew: dict[str, str] = {}
        """The executions that were started in the place of others, by letter."""

    @property
    def machine(self) -> str:
        return self.context.id(self.edge.target)

    def ends_at(self) -> str | None:
        stack = self.context.stack
        rule = failure_rule(stack, stack.resources[self.edge.target])
        if rule is None:
            return None
        name = name_of(self.context.id(rule.name))
        targets = self.clients("events").list_targets_by_rule(Rule=name)["Targets"]
        wanted = self.context.deployed.ids.get(self.edge.end.name, "")
        arns = [str(target["Arn"]) for target in targets]
        return next(
            (arn for arn in arns if name_of(arn) == name_of(wanted)), next(iter(arns), None)
        )

    def takes(self, letter: Letter) -> bool | None:
        detail = letter.content.get("detail") if isinstance(letter.content, dict) else None
        if not isinstance(detail, dict) or "executionArn" not in detail:
            return False
        machine = detail.get("stateMachineArn")
        return name_of(machine) == name_of(self.machine) if machine else None

    def cause(self, letter: Letter) -> Cause:
        detail = letter.content["detail"]
        stopped = "stopped by an operator" if detail["status"] == "ABORTED" else None
        told = (stopped, detail.get("error"), detail.get("cause"))
        return Cause(detail["status"], ": ".join(filter(None, told)))

    def payload(self, letter: Letter) -> Any:
        detail = letter.content["detail"]
        given = decoded(detail.get("input") or "")
        return {"executionArn": detail["executionArn"], "input": given}

    def send_all(self, letters: Sequence[Letter]) -> Iterator[Sequence[Outcome]]:
        """All go on while the first is waited for; one that goes on twice is the same one."""
        started = [(letter, self.attempt(letter)) for letter in letters]
        for letter, outcome in started:
            yield [self._end(letter) if outcome.leaves else outcome]

    def send_back(self, letter: Letter) -> Outcome:
        arn = letter.content["detail"]["executionArn"]
        found = execution(self.clients, arn)
        if found is None:
            return self._start(letter)
        name = found["name"]
        if found["status"] == "ABORTED" and name not in self.named:
            again = f"an operator stopped {name}: --execution {name} restarts it"
            return kept(again, by_choice=True)
        # It may have gone on for another letter, or by hand.
        if found["status"] in ENDED_BADLY:
            if found.get("redriveStatus") == "NOT_REDRIVABLE":
                return self._start(letter, found.get("input"))
            self.clients("stepfunctions").redrive_execution(executionArn=arn)
        return PROCESSED

    def grants(self) -> Iterator[Grant]:
        for action in ("RedriveExecution", "DescribeExecution"):
            yield f"states:{action}", f"{self.edge.target}/executions"
        yield "states:StartExecution", self.edge.target

    def reads(self) -> Iterator[Grant]:
        stack = self.context.stack
        if rule := failure_rule(stack, stack.resources[self.edge.target]):
            yield "events:ListTargetsByRule", rule.name

    def _start(self, letter: Letter, given: str | None = None) -> Outcome:
        """Begin anew, with the same input, what cannot go on any more."""
        text = given or letter.content["detail"].get("input")
        if not text:
            return kept("the event is without the input of the execution, which is gone")
        executions = self.machine.replace(":stateMachine:", ":execution:")
        self._anew[letter.id] = f"{executions}:{execution_name(letter.id)}"
        return start(self.clients, self.machine, letter, text)

    def _end(self, letter: Letter) -> Outcome:
        again = self._anew.get(letter.id, letter.content["detail"]["executionArn"])
        status = wait_for_end(self.clients, again)
        if status == "RUNNING":
            return kept(f"{again} is still running: redrive again once it has ended")
        return (
            PROCESSED if status == "SUCCEEDED" else failed_again(f"{again} ended again: {status}")
        )


def wait_for_end(clients: Clients, arn: str) -> str:
    """Return how an execution has ended; RUNNING if it has not after EXECUTION_SECONDS."""
    deadline, pause = time.monotonic() + EXECUTION_SECONDS, FIRST_PAUSE
    while True:
        found = execution(clients, arn)
        status = found["status"] if found else "RUNNING"  # not found at first
        if status not in {"RUNNING", "PENDING_REDRIVE"}:
            return str(status)
        if time.monotonic() > deadline:
            return "RUNNING"
        with interrupts.allowed():
            time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def execution(clients: Clients, arn: str) -> dict[str, Any] | None:
    """Return what AWS says of an execution; None for one that is not there."""
    from botocore.exceptions import ClientError

    try:
        return dict(clients("stepfunctions").describe_execution(executionArn=arn))
    except ClientError as error:
        if code_of(error) != "ExecutionDoesNotExist":
            raise
        return None
