"""SAM's translator does without boto3 and jsonschema what it does with them."""

import json
import os
import subprocess
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from command import Cli
from rendering import ROOT, kept_from, template
from samtranslator import policy_templates_data
from variants import Variant, all_variants

from sls_patterns_cli.cloudformation import translator
from sls_patterns_cli.cloudformation.document import read

EXPAND = """
import json, sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
from sls_patterns_cli.cloudformation import sam, translator
def said(act, *arguments):
    try:
        return act(*arguments)
    except Exception as error:
        return str(error)
for line in sys.stdin:
    template = json.loads(line)
    whole = said(sam.expand, template, "cn-north-1")
    print(json.dumps([whole, said(sam.expand_what_can_be, template)]))
print(translator._has_stand_ins(), "boto3" in sys.modules, "jsonschema" in sys.modules)
"""
"""Expands each template of its standard input, after it has imported what its arguments name."""

REAL = ("boto3", "jsonschema")

OF_SAM = [each for each in all_variants() if each.iac == "sam"]
OF_EACH_TOPOLOGY = [*{(each.pattern, each.topology): each for each in OF_SAM}.values()]
HAND_WRITTEN = [
    file
    for folder in ("recorded", "wiring/cases", "prove")
    for file in sorted((ROOT / "tests" / folder).glob("*.yaml"))
    if "AWS::Serverless" in file.read_text()
]

FROM_A_REPOSITORY = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Application": {
            "Type": "AWS::Serverless::Application",
            "Properties": {
                "Location": {
                    "ApplicationId": "arn:aws:serverlessrepo:us-east-1:123456789012:applications/a",
                    "SemanticVersion": "1.0.0",
                }
            },
        }
    },
}


def expanded(templates: list[Any], *imported: str, **environment: str) -> tuple[list[Any], str]:
    """Return what becomes of templates in a process of their own, and what that has imported."""
    done = subprocess.run(
        [sys.executable, "-c", EXPAND, *imported],
        input="".join(f"{json.dumps(each)}\n" for each in templates),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *results, modules = done.stdout.splitlines()
    return [json.loads(each) for each in results], modules


def packaged(project: Path) -> Any:
    """Return the template of a project with its code somewhere, as `sam package` leaves it."""
    loaded = read(project / "template.yaml")
    functions = [each.get("Properties", {}) for each in loaded["Resources"].values()]
    for function in (*functions, loaded.get("Globals", {}).get("Function", {})):
        if "CodeUri" in function:
            function["CodeUri"] = "s3://packaged/code.zip"
        if isinstance(function.get("DefinitionUri"), str):
            function["DefinitionUri"] = "s3://packaged/definition.json"
    return loaded


@pytest.mark.parametrize(
    "variants", [OF_EACH_TOPOLOGY, pytest.param(OF_SAM, marks=pytest.mark.exhaustive)], ids=len
)
def test_a_project_is_expanded_to_the_same(variants: Collection[Variant]) -> None:
    projects = [packaged(kept_from(template(), **each.answers)) for each in variants]
    plain, modules = expanded(projects)
    whole, all_modules = expanded(projects, *REAL)

    assert (modules, all_modules) == ("True False False", "False True True")
    assert all(isinstance(complete, dict) for complete, _ in whole)
    assert plain == whole


def test_what_others_write_and_what_sam_refuses_is_expanded_to_the_same() -> None:
    wrong = {"Type": "AWS::Serverless::Function", "Properties": {"Policies": [{"No": {}}]}}
    templates: list[Any] = [read(file) for file in HAND_WRITTEN]
    templates += [
        {**each, "Resources": {**each["Resources"], "Wrong": wrong}} for each in templates
    ]
    plain, _ = expanded(templates)

    assert plain == expanded(templates, *REAL)[0]
    assert any(isinstance(complete, str) for complete, _ in plain)


def test_the_policy_templates_that_are_not_checked_each_time_are_valid() -> None:
    files = (policy_templates_data.POLICY_TEMPLATES_FILE, policy_templates_data.SCHEMA_FILE)
    jsonschema.validate(*(json.loads(Path(file).read_text()) for file in files))


def test_what_stands_in_is_there() -> None:
    for module, names in translator.STAND_INS.items():
        assert all(hasattr(import_module(module), name) for name in names)


def test_check_imports_neither_boto3_nor_jsonschema(cli: Cli) -> None:
    (cli.folder / "template.yaml").write_bytes((ROOT / "tests/recorded/mended.yaml").read_bytes())
    program = (
        "import sys; from sls_patterns_cli.cli import commands; code = commands.run(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    )
    done = Cli(cli.folder, cli.environment, (sys.executable, "-c", program))("check")
    assert done.returncode == 0
    modules = {*done.stderr.split()}
    assert "samtranslator" in modules
    assert not modules & {"boto3", "botocore", "jsonschema", "copier"}


def test_a_profile_that_is_not_configured_is_nothing_to_check(cli: Cli) -> None:
    (cli.folder / "template.yaml").write_bytes((ROOT / "tests/recorded/mended.yaml").read_bytes())
    assert cli("check", AWS_PROFILE="nowhere").returncode == 0


def test_a_template_that_takes_an_application_from_a_repository_gets_boto3() -> None:
    """Also if others did without before; here it has no credentials, and asks nobody."""
    nobody = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    plain = read(HAND_WRITTEN[0])
    results, modules = expanded([plain, FROM_A_REPOSITORY, plain], **nobody)
    whole, _ = expanded([plain, FROM_A_REPOSITORY, plain], *REAL, **nobody)

    assert modules == "False True True"
    assert results == whole
    assert "SAM cannot read the template: Unable to locate credentials" in results[1][1]
