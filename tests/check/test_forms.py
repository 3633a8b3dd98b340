"""A defect is found in whatever form a stack is written: SAM, CloudFormation, CDK's assembly."""

import json
from pathlib import Path
from typing import Any

import pytest
from checking import findings, page
from command import Cli

from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.cloudformation import sources

RULES_OF_STACKS = [rule for rule in RULES if rule != "SP001"]
"""A suppression stands where people write; CDK writes no comments about its resources."""


def expanded(folder: Path, rule: str) -> dict[str, Any]:
    """The broken example of a rule as CloudFormation deploys it."""
    file = folder / "written.yaml"
    file.write_text(page(rule).broken)
    (source,) = sources.sources(file)
    return dict(source.template)


def assembly(folder: Path, template: dict[str, Any]) -> None:
    """Write what `cdk synth` would: a manifest, and a template that names its constructs."""
    resources = {
        name: {**resource, "Metadata": {"aws:cdk:path": f"Shop/{name}/Resource"}}
        for name, resource in template["Resources"].items()
    }
    stack = {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "Shop.template.json"},
    }
    (folder / "Shop.template.json").write_text(json.dumps({**template, "Resources": resources}))
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"Shop": stack}}))


@pytest.mark.parametrize("rule", RULES_OF_STACKS)
def test_a_defect_is_found_in_plain_cloudformation(rule: str, cli: Cli) -> None:
    template = expanded(cli.folder.parent, rule)
    (cli.folder / "template.json").write_text(json.dumps(template, indent=2))

    assert rule in {each["rule"] for each in findings(cli, "template.json")}


@pytest.mark.parametrize("rule", RULES_OF_STACKS)
def test_a_defect_is_found_in_an_assembly_of_cdk(rule: str, cli: Cli) -> None:
    assembly(cli.folder, expanded(cli.folder.parent, rule))

    assert rule in {each["rule"] for each in findings(cli, ".")}
