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


KEY = "4f1c.json"
MACHINE = {
    "Resources": {
        "Prepare": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": "arn:aws:iam::123456789012:role/prepare",
                "Code": {"ZipFile": "def handler(event, context): ..."},
            },
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "StateMachineType": "EXPRESS",
                "RoleArn": "arn:aws:iam::123456789012:role/machine",
                "DefinitionS3Location": {
                    "Bucket": {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-eu-west-1"},
                    "Key": KEY,
                },
                "DefinitionSubstitutions": {"prepare": {"Fn::GetAtt": ["Prepare", "Arn"]}},
            },
        },
    }
}


def definition(invocation: str) -> str:
    """A machine with one state, which calls a function and waits for it or does not."""
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "${prepare}", "InvocationType": invocation},
        "End": True,
    }
    return json.dumps({"StartAt": "Prepare", "States": {"Prepare": state}})


def with_asset(folder: Path, key: str, text: str | None) -> None:
    """Write an assembly with a state machine, and its definition as CDK leaves it in a file."""
    assembly(folder, MACHINE)
    asset = {
        "source": {"path": f"asset.{KEY}", "packaging": "file"},
        "destinations": {"current": {"bucketName": "assets", "objectKey": key}},
    }
    (folder / "Shop.assets.json").write_text(json.dumps({"version": "48", "files": {key: asset}}))
    if text is not None:
        (folder / f"asset.{KEY}").write_text(text)


@pytest.mark.parametrize(
    ("key", "text", "is_lost"),
    [
        pytest.param(KEY, definition("Event"), True, id="nobody waits for the call"),
        pytest.param(KEY, definition("RequestResponse"), False, id="the machine waits"),
        pytest.param("other.json", definition("Event"), False, id="the file is of another key"),
        pytest.param(KEY, None, False, id="the file is missing"),
    ],
)
@pytest.mark.parametrize("path", [".", "Shop.template.json"])
def test_a_definition_that_is_an_asset_of_the_assembly_is_read(
    key: str, text: str | None, path: str, *, is_lost: bool, cli: Cli
) -> None:
    with_asset(cli.folder, key, text)

    found = {each["rule"] for each in findings(cli, path)}

    assert ("SP103" in found) == is_lost
