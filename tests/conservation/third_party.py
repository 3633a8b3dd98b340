"""A table of charges, and the payment provider that makes them: each once, whatever happens."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from payment_provider import PaymentProvider, payment_provider

from conservation import dynamodb
from conservation.datastore import LATE, Datastore, Interruptible, Item
from conservation.stack import Stack

ANSWERS_AFTER_SECONDS = 0.02
"""So long a payment is made and nobody knows of it; then some are killed."""


WAITS_SECONDS = 5
"""How long the service waits for the provider's answer."""


class ThirdParty(Interruptible):
    def __init__(self, stack: Stack, table: Interruptible, provider: PaymentProvider) -> None:
        self._stack, self._table, self._provider = stack, table, provider
        (self._node,) = stack.tables

    def stored(self) -> set[Item]:
        """Return the charges that are recorded with the payment that the provider has made."""
        made = {(each.reference, each.id) for each in self._provider.payments()}
        recorded = [each for each in self._stack.items(self._node) if "outcome" in each]
        return {
            (self._node, charge["id"]["S"])
            for charge in recorded
            if (charge["id"]["S"], charge["payment_id"]["S"]) in made
        }

    def written(self) -> Counter[Item]:
        """Return how many payments there are for each charge."""
        return Counter((self._node, each.reference) for each in self._provider.payments())

    def answered(self) -> Counter[Item]:
        return self._table.answered()

    def fail_for_a_while(self) -> None:
        self._table.fail_for_a_while()

    def fail_until_tried(self, tries: float) -> None:
        self._table.fail_until_tried(tries)

    def is_down(self) -> bool:
        return self._table.is_down()

    def recover(self) -> None:
        self._table.recover()

    def answer_late(self) -> None:
        self._table.answer_late()
        self._provider.answers_after_seconds = LATE * WAITS_SECONDS

    def most_at_a_time(self) -> int:
        return max(self._table.most_at_a_time(), self._provider.most_at_a_time())


@contextmanager
def disturbable(stack: Stack, slow_seconds: float) -> Iterator[Datastore]:
    """Give the function a provider that keeps payments by key, and disturb the table."""
    functions, name = stack.client("lambda"), stack.outputs["ChargeFunctionName"]
    environment = functions.get_function_configuration(FunctionName=name)["Environment"]
    with payment_provider(ANSWERS_AFTER_SECONDS) as provider:
        variables = {**environment["Variables"], "PAYMENTS_URL": provider.url}
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )
        with dynamodb.disturbable(stack, slow_seconds) as table:
            yield ThirdParty(stack, table, provider)
