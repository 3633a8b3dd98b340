"""Asynchronous invocations that failed for good: the function processes the event again.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.letters.aws import INVOCATION_SECONDS, code_of
from sls_patterns_cli.letters.letter import UNREADABLE, Cause, Letter, Outcome, decoded, kept
from sls_patterns_cli.letters.stores import unwrapped
from sls_patterns_cli.letters.targets import invoke, start_durably
from sls_patterns_cli.letters.ways.way import Grant, Way
from sls_patterns_cli.wiring.edges.invocations import is_durable


class RetriedByFunction(Way):
    """What a function could not process, and processes again while we wait."""

    held_seconds = INVOCATION_SECONDS + 60
    most_at_a_time = 1

    @property
    def function(self) -> str:
        """What is invoked: the function, or the alias that is configured."""
        return self.qualified(self.edge.qualifier)

    def retry(self, payload: str) -> Outcome:
        if _is_of_a_deployment(decoded(payload)):
            return kept(f"deploy again: that invokes {self.failed} again", by_choice=True)
        return invoke(self.clients, self.function, self.failed, payload)

    def grants(self) -> Iterator[Grant]:
        yield "lambda:InvokeFunction", self.edge.target


class InvocationRecords(RetriedByFunction):
    """Records of a destination, with the event in them."""

    kind = "invocation records"

    def ends_at(self) -> str | None:
        from botocore.exceptions import ClientError

        try:
            found = self.clients("lambda").get_function_event_invoke_config(
                FunctionName=self.context.id(self.edge.target),
                Qualifier=self.qualifier(self.edge.qualifier),
            )
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return None
        end: str | None = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return end

    def takes(self, letter: Letter) -> bool | None:
        try:
            record = self._record(letter)
            return "requestPayload" in record and self.is_id_of(
                record["requestContext"]["functionArn"], self.edge.target
            )
        except UNREADABLE:
            return False

    def cause(self, letter: Letter) -> Cause:
        record = self._record(letter)
        context = record["requestContext"]
        answer = record.get("responsePayload")
        return Cause(context["condition"], error_of(answer), context.get("requestId", ""))

    def payload(self, letter: Letter) -> Any:
        return self._record(letter)["requestPayload"]

    def send_back(self, letter: Letter) -> Outcome:
        return self.retry(json.dumps(self.payload(letter)))

    def reads(self) -> Iterator[Grant]:
        yield "lambda:GetFunctionEventInvokeConfig", self.edge.target

    def _record(self, letter: Letter) -> Any:
        return unwrapped(letter).content


class Events(RetriedByFunction):
    """Events in a function's own dead-letter queue, as they were sent."""

    kind = "events of a function"

    def ends_at(self) -> str | None:
        found = self.clients("lambda").get_function_configuration(
            FunctionName=self.context.id(self.edge.target)
        )
        end: str | None = found.get("DeadLetterConfig", {}).get("TargetArn")
        return end

    def takes(self, letter: Letter) -> bool | None:
        """Tell what Lambda has sent from the rest; of which function it is, it does not say."""
        return None if letter.told("RequestID") else False

    def cause(self, letter: Letter) -> Cause:
        return Cause(error=letter.told("ErrorMessage"), request=letter.told("RequestID"))

    def payload(self, letter: Letter) -> Any:
        return unwrapped(letter).content

    def send_back(self, letter: Letter) -> Outcome:
        event = unwrapped(letter).body
        if not is_durable(self.context.stack.resources[self.edge.target]):
            return self.retry(event)
        function = self.context.id(self.edge.target)
        qualified = f"{function}:{self.qualifier(self.edge.qualifier)}"
        return start_durably(self.clients, qualified, letter.id, event)

    def reads(self) -> Iterator[Grant]:
        yield "lambda:GetFunctionConfiguration", self.edge.target


def _is_of_a_deployment(event: Any) -> bool:
    """Tell whether it is a request of CloudFormation, which waits only while it deploys.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
    """
    return isinstance(event, dict) and {"RequestType", "ResponseURL", "StackId"} <= event.keys()


def error_of(answer: Any) -> str:
    """Return what a function's answer says of its error."""
    if not isinstance(answer, dict):
        return ""
    told = (answer.get("errorType"), answer.get("errorMessage"))
    return ": ".join(str(each) for each in told if each)
