"""The flavours of a variant are one infrastructure: what differs has a name and a reason."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from contract.changes import REMOVE, changed
from contract.made import Made
from golden import render_all
from graphs.overlay import graphs
from kept import digest, kept
from parity.differences import KNOWN, Difference, unexplained
from parity.facts import Fact, facts
from synthesis import SYNTHESISED_ONCE, template_files, with_templates_of
from variants import Variant, authorized_variants_of, invoked_in_every_way, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.cloudformation.document import Template

PARITY = Path(__file__).parent

CANARY = "canary"
"""Stands for the variants that are deployed gradually."""

GRAPHS = "graphs"
"""Stands for those under test, as the slug of a pattern for its variants."""

BY_PATTERN = [pytest.param(each, marks=with_templates_of(each)) for each in catalog.slugs()]


@dataclass(frozen=True)
class Flavours:
    """The templates of a variant by flavour, for a stack of this name."""

    stack: str
    templates: dict[str, Template]

    @cached_property
    def facts(self) -> dict[str, set[Fact]]:
        return {iac: facts(template, self.stack) for iac, template in self.templates.items()}

    def with_sam(self, template: Template) -> dict[str, set[Fact]]:
        """Return the facts with another template in the place of SAM's."""
        return {**self.facts, "sam": facts(template, self.stack)}


@dataclass(frozen=True)
class Group:
    """The variants of a pattern, or of the graphs."""

    made: tuple[Made, ...]

    @cached_property
    def several(self) -> dict[str, Flavours]:
        """The variants that have several flavours."""
        flavours: dict[tuple[str, str], dict[str, Template]] = defaultdict(dict)
        for each in self.made:
            of_variant = flavours[without_flavour(each.variant), each.variant.pattern]
            of_variant[each.variant.iac] = each.template
        several = {names: each for names, each in flavours.items() if len(each) > 1}
        return {name: Flavours(stack, each) for (name, stack), each in several.items()}

    @cached_property
    def content(self) -> str:
        """The digest of all that decides how they differ."""
        return digest(PARITY, *(part for each in self.made for part in each.looked_at()))


Of = Callable[[str], Group]


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Of:
    """Return what makes the variants of a pattern, or of the graphs."""

    @cache
    def made(pattern: str) -> Group:
        projects = rendered(pattern, tmp_path_factory.mktemp("parity"))
        files = template_files(projects.values())
        return Group(tuple(Made(each, of, files[of]) for each, of in projects.items()))

    return made


def rendered(pattern: str, folder: Path) -> dict[Variant, Path]:
    if pattern == CANARY:
        return render_all(invoked_in_every_way(), folder, rollout="canary")
    if pattern != GRAPHS:
        declared = catalog.pattern(pattern)
        # Further answers are shown in one runtime, which need not be the same in both flavours.
        in_cdk = [each for each in authorized_variants_of(declared) if each.iac == "cdk"]
        authorized = [replace(each, iac=iac) for each in in_cdk for iac in declared.flavours]
        return render_all([*variants_of(declared), *authorized], folder)
    return {graph.variant: graph.render(folder / str(graph)) for graph in graphs()}


def without_flavour(variant: Variant) -> str:
    return str(replace(variant, iac="any"))


@pytest.mark.parametrize(
    "pattern",
    [*BY_PATTERN, *(pytest.param(each, marks=SYNTHESISED_ONCE) for each in (CANARY, GRAPHS))],
)
def test_whatever_differs_has_a_name_and_a_reason(pattern: str, of: Of) -> None:
    group = of(pattern)
    with kept("parity", group.content) as is_new:
        if is_new:
            assert group.several
            assert differing(group.several) == {}


def differing(several: dict[str, Flavours]) -> dict[str, list[str]]:
    found = {name: list(unexplained(each.facts)) for name, each in several.items()}
    return {name: differences for name, differences in found.items() if differences}


@SYNTHESISED_ONCE
def test_no_difference_is_listed_that_there_is_not(of: Of) -> None:
    groups = [of(each) for each in (CANARY, GRAPHS, *catalog.slugs())]
    for difference in KNOWN:
        was_shown = any(shows(group, difference, only_if_kept=True) for group in groups)
        assert was_shown or any(shows(group, difference) for group in groups), difference.name


@with_templates_of("scalable-webhook")
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_a_change_of_one_template_is_compared_again(iac: str, of: Of, tmp_path: Path) -> None:
    group = of("scalable-webhook")
    one = next(each for each in group.made if each.variant.iac == iac)
    copied = shutil.copytree(one.file.parent, tmp_path / "copied") / one.file.name
    copied.write_text(f"{copied.read_text()}\n")
    changed = replace(one, file=copied)

    others = [changed if each is one else each for each in group.made]
    assert Group(tuple(others)).content != group.content
    assert Group(group.made).content == group.content


class NotShownError(Exception):
    """Keeps `kept` from keeping what was not found."""


def shows(group: Group, difference: Difference, *, only_if_kept: bool = False) -> bool:
    """Tell whether a group has the difference; it may be told only what has been found before."""
    others = [each for each in KNOWN if each != difference]
    with suppress(NotShownError), kept("difference", difference.name, group.content) as is_new:
        if is_new and (only_if_kept or not any(unexplained_in(group, others))):
            raise NotShownError
        return True
    return False


def unexplained_in(group: Group, known: list[Difference]) -> Iterator[str]:
    for each in group.several.values():
        yield from unexplained(each.facts, known)


@with_templates_of("scalable-webhook")
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
        ("DeadLettersAlarm.Threshold", 1, "Alarm: Threshold is 1"),
        (
            "EventsTable.BillingMode",
            "PROVISIONED",
            "EventsTable: BillingMode is PROVISIONED",
        ),
    ],
)
def test_what_changes_in_one_flavour_is_noticed(of: Of, change: str, value: Any, says: str) -> None:
    flavours = next(iter(of("scalable-webhook").several.values()))
    sam = changed(flavours.templates["sam"], change, value)

    found = list(unexplained(flavours.with_sam(sam)))

    assert any(each.startswith("only sam has ") and each.endswith(says) for each in found)


@with_templates_of("scalable-webhook")
def test_an_alarm_that_one_flavour_does_not_have_is_noticed(of: Of) -> None:
    flavours = next(iter(of("scalable-webhook").several.values()))
    sam = changed(flavours.templates["sam"], "DeadLettersAlarm", REMOVE)

    assert any(
        each.startswith("only cdk has DeadLettersAlarm: ")
        for each in unexplained(flavours.with_sam(sam))
    )
