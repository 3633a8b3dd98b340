"""Gradual deployments: everything follows the alias, and what is deployed already stays."""

from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from contract.check import asynchronous_edges, violations
from contract.graph import differences
from contract.stack import load
from golden import render_all
from synthesis import SYNTHESISED_ONCE, template_file, template_files
from variants import Variant, invoked_in_every_way

from sls_patterns_cli import catalog
from sls_patterns_cli.check.report import Report, reports

Templates = dict[Variant, tuple[Path, Path]]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Return the projects of each chosen variant: deployed at once, and gradually."""
    folder = tmp_path_factory.mktemp("rollout")
    at_once = render_all(invoked_in_every_way(), folder / "at-once")
    gradual = render_all(invoked_in_every_way(), folder / "canary", rollout="canary")
    template_files([*at_once.values(), *gradual.values()])
    return {variant: (at_once[variant], gradual[variant]) for variant in invoked_in_every_way()}


@pytest.fixture(params=invoked_in_every_way(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    chosen: Variant = request.param
    return chosen


@pytest.fixture
def gradual(variant: Variant, templates: Templates) -> Path:
    return templates[variant][1]


pytestmark = SYNTHESISED_ONCE


def test_a_variant_that_is_deployed_gradually_keeps_the_contract(gradual: Path) -> None:
    """Facts I1 to I8, among all other rules."""
    assert list(map(str, violations(load(gradual)))) == []


def test_its_edges_and_their_ends_are_those_of_the_graph(variant: Variant, gradual: Path) -> None:
    topology = catalog.pattern(variant.pattern).topology(variant.topology).on(variant.datastore)

    assert differences(asynchronous_edges(load(gradual)), topology) == []


def test_check_sees_the_same_edges_and_finds_nothing(
    variant: Variant, templates: Templates
) -> None:
    files = [template_file(project) for project in templates[variant]]
    at_once, gradual = (
        next(iter(reports(file if variant.iac == "sam" else file.parent))) for file in files
    )

    assert [each for each in gradual.findings if each.severity != "note"] == []
    assert said(gradual) == said(at_once)


def said(report: Report) -> list[tuple[str, ...]]:
    """Return what a report says of each edge and its end."""
    return sorted(
        tuple(str(each[name]) for name in ("mechanism", "source", "target", "end", "alarmed"))
        for each in report.edges()
    )


# What has no data: who may invoke a function, where events go that failed, alarms, and versions.
WITHOUT_DATA = {
    "AWS::Lambda::Version",
    "AWS::Lambda::Permission",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::SNS::Subscription",
    "AWS::CloudWatch::Alarm",
    "AWS::ApiGateway::Deployment",
    "AWS::IAM::Policy",
}


def test_the_switch_replaces_and_removes_nothing_that_holds_data(
    variant: Variant, templates: Templates
) -> None:
    """Fact I9: mappings keep their place in the stream, and queues their messages."""
    at_once, gradual = (load(project)["Resources"] for project in templates[variant])

    lost = {
        name
        for name, resource in at_once.items()
        if name not in gradual or _is_replaced(resource, gradual[name])
    }

    assert {at_once[name]["Type"] for name in lost} <= WITHOUT_DATA


def _is_replaced(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell whether an update of a resource makes another one."""
    if before["Type"].startswith("Custom::"):
        return False
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", before["Type"]).schema
    fixed = {path.split("/")[2] for path in schema.get("createOnlyProperties", ())}
    old, new = before.get("Properties", {}), after.get("Properties", {})
    return before["Type"] != after["Type"] or any(old.get(n) != new.get(n) for n in fixed)
