"""Executions of an express machine that may be half done, as the machine itself sends them.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
"""

import json
from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import dictionaries
from sls_patterns_cli.letters.aws import EXECUTION_SECONDS
from sls_patterns_cli.letters.letter import SENT, Cause, Letter, Outcome, failed_again
from sls_patterns_cli.letters.ways.way import Grant, Way
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.wiring.edges.executions import definition


class ExpressExecutions(Way):
    """What such a machine has kept by name and input, and starts again under its name.

    One that is half done once more succeeds, as it has kept a letter anew: so what has not
    succeeded has kept none, and its letter stays, unless it ended with an error that the definition
    itself names.
    """

    kind = "express executions"
    held_seconds = EXECUTION_SECONDS + 60
    most_at_a_time = 1

    def ends_at(self) -> str | None:
        return self.context.id(self.edge.end.name)

    def takes(self, letter: Letter) -> bool | None:
        return isinstance(letter.content, dict) and {"execution", "input"} <= letter.content.keys()

    def cause(self, letter: Letter) -> Cause:
        error = letter.content["error"]
        return Cause(str(error.get("Error", "")), str(error.get("Cause") or ""))

    def payload(self, letter: Letter) -> Any:
        return {name: letter.content[name] for name in ("execution", "input")}

    def send_back(self, letter: Letter) -> Outcome:
        name, given = letter.content["execution"], letter.content["input"]
        with interrupts.allowed():
            ended = self.clients("stepfunctions").start_sync_execution(
                stateMachineArn=self.context.id(self.edge.target),
                name=name,
                input=given if isinstance(given, str) else json.dumps(given),
            )
        if ended["status"] == "SUCCEEDED" or ended.get("error") in self._final_errors():
            return SENT
        told = ": ".join(filter(None, (ended["status"], ended.get("error"))))
        return failed_again(f"{name} ended again: {told}")

    def grants(self) -> Iterator[Grant]:
        yield "states:StartSyncExecution", self.edge.target

    def _final_errors(self) -> set[str]:
        stack = self.context.stack
        states = dictionaries(definition(stack, stack.resources[self.edge.target]))
        return {
            str(each["Error"]) for each in states if each.get("Type") == "Fail" and "Error" in each
        }
