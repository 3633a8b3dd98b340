"""The flavours of a variant are one infrastructure: what differs has a name and a reason."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from contract.changes import REMOVE, changed
from contract.stack import Template, load
from golden import render_all
from graphs.overlay import graphs
from parity.differences import KNOWN, unexplained
from parity.facts import Fact, facts
from synthesis import SYNTHESISED_ONCE, template_files
from variants import Variant, all_variants

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = SYNTHESISED_ONCE


@dataclass(frozen=True)
class Flavours:
    """The templates of a variant by flavour, for a stack of this name."""

    stack: str
    templates: dict[str, Template]

    def facts(self, **changed: Template) -> dict[str, set[Fact]]:
        templates = self.templates | changed
        return {iac: facts(template, self.stack) for iac, template in templates.items()}


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flavours]:
    """Return the templates by flavour of each variant that has several, the graphs' included."""
    folder = tmp_path_factory.mktemp("parity")
    flavours: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    for variant, project in render_all(all_variants(), folder).items():
        flavours[without_flavour(variant), variant.pattern][variant.iac] = project
    for graph in graphs():
        project = graph.render(folder / "graphs" / str(graph))
        name, stack = f"graph {without_flavour(graph.variant)}", graph.variant.pattern
        flavours[name, stack][graph.variant.iac] = project
    several = {names: each for names, each in flavours.items() if len(each) > 1}
    template_files(project for each in several.values() for project in each.values())
    return {
        name: Flavours(stack, {iac: load(project) for iac, project in each.items()})
        for (name, stack), each in several.items()
    }


def without_flavour(variant: Variant) -> str:
    return f"{variant.pattern}/{variant.topology}-{variant.runtime}-{variant.datastore}"


def test_there_are_variants_in_several_flavours(variants: dict[str, Flavours]) -> None:
    assert variants


def test_whatever_differs_has_a_name_and_a_reason(variants: dict[str, Flavours]) -> None:
    assert {name: list(unexplained(flavours.facts())) for name, flavours in variants.items()} == {
        name: [] for name in variants
    }


def test_no_difference_is_listed_that_there_is_not(variants: dict[str, Flavours]) -> None:
    needed = {
        difference.name
        for flavours in variants.values()
        for difference in KNOWN
        if list(unexplained(flavours.facts(), [d for d in KNOWN if d != difference]))
    }

    assert needed == {difference.name for difference in KNOWN}


@pytest.mark.parametrize(
    ("change", "value", "says"),
    [
        ("DeliveriesQueue.VisibilityTimeout", 61, "DeliveriesQueue: VisibilityTimeout is 61"),
        (
            "DeliveriesQueue.RedrivePolicy.maxReceiveCount",
            4,
            "DeliveriesQueue: RedrivePolicy.maxReceiveCount is 4",
        ),
        ("ProcessFunction.Timeout", 9, "ProcessFunction: Timeout is 9"),
        (
            "DeliveriesQueueToProcessFunction.ScalingConfig.MaximumConcurrency",
            6,
            "DeliveriesQueue => ProcessFunction: ScalingConfig.MaximumConcurrency is 6",
        ),
        (
            "ProcessFunctionRole.Policies.0.PolicyDocument.Statement.0.Action.1",
            "sqs:PurgeQueue",
            "ProcessFunction: its role is allows sqs:PurgeQueue on ${DeliveriesQueue.Arn}",
        ),
        (
            "DeliveriesQueuePolicy.PolicyDocument.Statement.0.Action",
            "sqs:SendMessage",
            "anyone sqs:SendMessage on ${DeliveriesQueue.Arn} bool aws:securetransport false",
        ),
        ("DeliveriesDeadLetterQueueAlarm.Threshold", 1, "Alarm: Threshold is 1"),
        (
            "EventsTable.BillingMode",
            "PROVISIONED",
            "EventsTable: BillingMode is PROVISIONED",
        ),
    ],
)
def test_what_changes_in_one_flavour_is_noticed(
    variants: dict[str, Flavours], change: str, value: Any, says: str
) -> None:
    flavours = next(each for name, each in variants.items() if name.startswith("scalable-webhook"))
    sam = changed(flavours.templates["sam"], change, value)

    found = list(unexplained(flavours.facts(sam=sam)))

    assert any(each.startswith("only sam has ") and each.endswith(says) for each in found)


def test_an_alarm_that_one_flavour_does_not_have_is_noticed(variants: dict[str, Flavours]) -> None:
    flavours = next(each for name, each in variants.items() if name.startswith("scalable-webhook"))
    sam = changed(flavours.templates["sam"], "DeliveriesDeadLetterQueueAlarm", REMOVE)

    assert any(
        each.startswith("only cdk has DeliveriesDeadLetterQueueAlarm: ")
        for each in unexplained(flavours.facts(sam=sam))
    )
