"""Aliases follow deployments: what is deployed is published, and can be published again."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from contract.changes import changed
from contract.check import violations
from contract.examples import EXAMPLES
from contract.stack import expand
from rendering import render_project

from sls_patterns_cli.cloudformation.document import Template, read

ANSWERS = {"pattern": "internal-api", "iac": "sam"}


@pytest.fixture(scope="module", params=["python", "typescript"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template of a SAM project whose function has an alias, packaged."""
    project = tmp_path_factory.mktemp("alias") / "project"
    render_project(project, **ANSWERS, runtime=request.param)
    packaged = read(Path(project) / "template.yaml")
    packaged["Globals"]["Function"]["CodeUri"] = "s3://packaged/one.zip"
    return packaged


def published(template: Template) -> str:
    """Return the version that a template publishes: by another id it is another one."""
    resources = expand(deepcopy(template))["Resources"]
    version: str
    (version,) = (name for name, each in resources.items() if each["Type"].endswith("::Version"))
    return version


@pytest.mark.parametrize(
    ("where", "setting", "value"),
    [
        ("Globals", "CodeUri", "s3://packaged/two.zip"),
        ("Globals", "MemorySize", 512),
        ("Function", "Timeout", 9),
        ("Function", "Handler", "another.handler"),
        ("Function", "Environment", {"Variables": {"MODE": "new"}}),
    ],
)
def test_each_changed_setting_is_published(
    template: Template, where: str, setting: str, value: Any
) -> None:
    """Fact A20: https://github.com/aws/serverless-application-model/issues/413."""
    other = deepcopy(template)
    function: dict[str, Any] = (
        other["Globals"]["Function"]
        if where == "Globals"
        else other["Resources"]["QuoteFunction"]["Properties"]
    )
    function[setting] = value

    assert published(other) != published(template)


def test_what_has_not_changed_is_not_published_again(template: Template) -> None:
    """Lambda publishes nothing that it has already, and CloudFormation fails (fact A21)."""
    other = deepcopy(template)
    policies = other["Resources"]["QuoteFunction"]["Properties"]["Policies"]
    policies[0]["Statement"][0]["Action"] = ["dynamodb:GetItem", "dynamodb:BatchGetItem"]

    assert published(other) == published(template)


def test_a_version_that_is_kept_is_refused() -> None:
    """Fact A21: https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html."""
    kept = EXAMPLES["SDK"]()
    kept["Resources"]["QuoteVersion"]["DeletionPolicy"] = "Retain"

    assert list(map(str, violations(kept))) == [
        (
            "alias QuoteVersion: DeletionPolicy is Retain, but must be Delete: "
            "$LATEST that is the same as a kept version cannot be published again"
        )
    ]


def test_an_alarm_of_one_alias_alone_is_refused() -> None:
    """Fact C8: it would not ring for the next alias, nor for `$LATEST`."""
    of_alias = [
        {"Name": "FunctionName", "Value": {"Ref": "Quote"}},
        {"Name": "Resource", "Value": {"Fn::Sub": "${Quote}:live"}},
    ]
    template = changed(EXAMPLES["SDK"](), "QuoteErrors.Dimensions", of_alias)

    assert "alarm Quote: no alarm watches AWS/Lambda Errors" in map(str, violations(template))
