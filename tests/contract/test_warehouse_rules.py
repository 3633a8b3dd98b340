"""A warehouse: what the contract says of its data, and whom the template lets in."""

import ipaddress
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from contract.changes import REMOVE, changed
from contract.check import violations
from contract.examples import load
from environments import link_modules, node
from rendering import ROOT, render_project
from variants import all_variants

ADDRESSES = yaml.safe_load((ROOT / "templates/firehose-addresses.yml").read_text())
# CDK does not know it yet; AWS's page does.
NEWER_THAN_CDK = {"mx-central-1"}


@pytest.mark.parametrize("policy", ["Delete", REMOVE])
def test_a_namespace_is_not_deleted_with_its_data(policy: object) -> None:
    """U2: a changed tag replaces it."""
    template = load()
    template["Resources"]["Namespace"]["DeletionPolicy"] = policy
    if policy is REMOVE:
        del template["Resources"]["Namespace"]["DeletionPolicy"]

    (violation,) = violations(template)

    assert violation.resource == "Namespace"
    assert "must be Retain: a changed tag replaces it (fact U2)" in violation.says


def test_nobody_else_is_admitted_by_a_rule_of_its_own() -> None:
    """A15: also where the rule is no part of the group."""
    template = load()
    rule = {"GroupId": {"Ref": "Admitted"}, "IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439}
    template["Resources"]["Everybody"] = {
        "Type": "AWS::EC2::SecurityGroupIngress",
        "Properties": rule | {"CidrIp": "0.0.0.0/0"},
    }

    assert [violation.resource for violation in violations(template)] == ["Warehouse"]


def test_a_warehouse_is_made_after_the_way_to_it() -> None:
    """U5: what is public needs an internet gateway."""
    template = changed(load(), "PublicRoute.GatewayId", REMOVE)
    template["Resources"]["Warehouse"]["DependsOn"] = []

    said = {violation.says for violation in violations(template)}

    assert (
        "must depend on the route to the Internet: without one it cannot be public (fact U5)"
        in said
    )


def test_each_region_of_the_template_has_one_block_of_firehose() -> None:
    """A15: a region without one would fail to deploy."""
    regions = yaml.safe_load((ROOT / "templates/regions.yml").read_text())

    blocks = [ipaddress.ip_network(block) for block in ADDRESSES.values()]

    assert {*regions} <= ADDRESSES.keys()
    assert {block.num_addresses for block in blocks} == {32}
    assert len({*blocks}) == len(ADDRESSES)


def test_the_blocks_are_those_that_cdk_has_as_well(tmp_path: Path) -> None:
    """A15: CDK has them from the same page of AWS."""
    variant = next(v for v in all_variants() if (v.runtime, v.iac) == ("typescript", "cdk"))
    project = render_project(tmp_path / "project", **variant.answers)
    link_modules(project)
    asked = (
        'const { RegionInfo } = require("aws-cdk-lib/region-info");'
        "const known = RegionInfo.regions.map((each) => [each.name, each.firehoseCidrBlock]);"
        "console.log(JSON.stringify(Object.fromEntries(known)));"
    )

    printed = subprocess.run(
        [node().executable, "-e", asked], cwd=project, capture_output=True, text=True, check=True
    ).stdout

    assert json.loads(printed) == {
        region: block for region, block in ADDRESSES.items() if region not in NEWER_THAN_CDK
    }
