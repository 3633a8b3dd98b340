"""What a customer managed key encrypts while a parameter names it, and who may use it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from contract.check import violations
from contract.stack import default_stack, load
from deployed import deployed, of_type
from landing_zones import CONTROLS
from parity.differences import unexplained
from parity.facts import facts
from rendering import kept_from, template
from synthesis import template_files

from sls_patterns_cli.catalog.compiler.customer_key import KEY
from sls_patterns_cli.cli import explaining
from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Stack, find_all

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/a1-b2"

CHOSEN = {
    "streamer": {"topology": "kinesis", "datastore": "s3", "runtime": "python"},
    "notifier": {"topology": "sns", "datastore": "dynamodb", "runtime": "typescript"},
    "scalable-webhook": {"topology": "function", "datastore": "dynamodb", "runtime": "python"},
}
"""Patterns that have everything that a key encrypts, each once in both flavours."""

ENCRYPTED = {
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}

each_pattern = pytest.mark.parametrize("pattern", CHOSEN)


@pytest.fixture(scope="module", name="projects")
def rendered() -> dict[tuple[str, str], Path]:
    """Return the project of each pattern in each flavour, with the parameter."""
    projects = {
        (pattern, iac): kept_from(
            template(), pattern=pattern, iac=iac, parameters="[kms]", **answers
        )
        for pattern, answers in CHOSEN.items()
        for iac in ("sam", "cdk")
    }
    template_files(projects.values())
    return projects


@pytest.fixture(scope="module")
def templates(projects: dict[tuple[str, str], Path]) -> dict[tuple[str, str], Template]:
    return {each: load(project) for each, project in projects.items()}


def with_key(made: Template) -> Stack:
    return default_stack(deployed(made, KmsKeyArn=KEY_ARN))


@each_pattern
def test_a_key_encrypts_all_that_holds_data_while_a_parameter_names_it(
    pattern: str, templates: dict[tuple[str, str], Template]
) -> None:
    for iac in ("sam", "cdk"):
        made = templates[pattern, iac]
        holding = [each for each in with_key(made).resources.values() if each.type in ENCRYPTED]
        assert {each.type for each in holding} >= {"AWS::Logs::LogGroup", "AWS::SQS::Queue"}
        assert [each.name for each in holding if KEY_ARN not in json.dumps(each.properties)] == []
        unnamed = default_stack(deployed(made))
        assert KEY_ARN not in json.dumps([each.properties for each in unnamed.resources.values()])
        assert of_type(unnamed, "AWS::IAM::Policy") == [
            each for each in of_type(unnamed, "AWS::IAM::Policy") if each["PolicyName"] != "use-key"
        ]


def test_the_patterns_have_everything_that_a_key_encrypts(
    templates: dict[tuple[str, str], Template],
) -> None:
    types = {each["Type"] for made in templates.values() for each in made["Resources"].values()}

    assert types >= ENCRYPTED


@each_pattern
def test_who_uses_the_data_may_use_its_key(
    pattern: str, templates: dict[tuple[str, str], Template]
) -> None:
    """Fact O22, and no role may do more with the key."""
    for iac in ("sam", "cdk"):
        made = templates[pattern, iac]
        assert violations(deployed(made, KmsKeyArn=KEY_ARN)) == []
        allowed = {
            action
            for statement in statements(with_key(made))
            if statement["Resource"] == KEY_ARN
            for action in listed(statement["Action"])
        }
        assert allowed <= {"kms:Decrypt", "kms:GenerateDataKey"}


def statements(stack: Stack) -> list[dict[str, Any]]:
    policies = of_type(stack, "AWS::IAM::Policy")
    return [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@each_pattern
def test_flavours_deploy_the_same_with_a_key(
    pattern: str, templates: dict[tuple[str, str], Template]
) -> None:
    set_to = {
        iac: facts(deployed(templates[pattern, iac], KmsKeyArn=KEY_ARN), pattern)
        for iac in ("sam", "cdk")
    }

    assert list(unexplained(set_to)) == []


@each_pattern
def test_a_landing_zone_that_requires_keys_takes_the_stack(
    pattern: str, templates: dict[tuple[str, str], Template]
) -> None:
    keys = [each for each in CONTROLS if each.requires == "encryption with a KMS key"]
    assert {each.type for each in keys} == {"AWS::DynamoDB::Table", "AWS::Logs::LogGroup"}

    for iac in ("sam", "cdk"):
        stack = with_key(templates[pattern, iac])
        for control in keys:
            assert all(map(control.keeps, of_type(stack, control.type)))


@each_pattern
def test_a_key_replaces_nothing_that_holds_data(
    pattern: str, templates: dict[tuple[str, str], Template]
) -> None:
    """Fact O20, by the schemas of CloudFormation."""
    made = templates[pattern, "sam"]
    keyed, before = with_key(made), default_stack(deployed(made))

    for name, resource in before.resources.items():
        after = keyed.resources[name]
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource.type).schema
        replaced_by = {each.split("/")[2] for each in schema.get("createOnlyProperties", [])}
        changed = {
            each
            for each in {*resource.properties, *after.properties}
            if resource.get(each) != after.get(each)
        }
        assert not changed & replaced_by, name


def test_a_database_and_a_cache_would_be_replaced() -> None:
    """Fact O20: so they keep their keys."""
    for kind in ("AWS::RDS::DBCluster", "AWS::ElastiCache::ServerlessCache"):
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        assert "/properties/KmsKeyId" in schema["createOnlyProperties"]


@each_pattern
def test_the_readme_has_the_policy_that_the_services_of_the_stack_need(
    pattern: str,
    projects: dict[tuple[str, str], Path],
    templates: dict[tuple[str, str], Template],
) -> None:
    """Facts O21 and O23: they are those that the stack's own policies let send."""
    readme = (projects[pattern, "sam"] / "README.md").read_text()
    (line,) = re.findall(r"The policy of the key needs (.*?) and CloudWatch Logs\.", readme)
    (block,) = re.findall(r"```json\n(.*?)```", explaining.page("customer-key"), re.DOTALL)
    policy = json.loads(block)
    logs, services = (each for each in policy if "Service" in each["Principal"])

    stack = with_key(templates[pattern, "sam"])
    senders = {
        service
        for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
        for each in of_type(stack, kind)
        for principal in find_all(each, "Principal")
        if isinstance(principal, dict)
        for service in listed(principal["Service"])
    }
    assert services["Principal"]["Service"] == ["SERVICES"]
    assert {*re.findall(r"`([^`]+)`", line)} == senders
    assert services["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert logs["Principal"]["Service"] == "logs.REGION.amazonaws.com"


@pytest.mark.parametrize(
    ("arn", "accepted"),
    [
        ("none", True),
        (KEY_ARN, True),
        (KEY_ARN.replace("key/a1-b2", "key/mrk-0123456789abcdef"), True),
        (KEY_ARN.replace("arn:aws:", "arn:aws-cn:"), True),
        (KEY_ARN.replace("key/a1-b2", "alias/shop"), False),
        ("alias/shop", False),
        ("a1-b2", False),
        ("", False),
    ],
)
def test_a_key_is_named_by_its_arn(arn: str, *, accepted: bool) -> None:
    assert (re.fullmatch(KEY, arn) is not None) == accepted
