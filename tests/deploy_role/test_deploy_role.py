"""The deploy role of a stack: whom it trusts, what it may do, and what it can never become.

`allowed` evaluates policies as IAM does for what occurs in them:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import json
import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Cli
from rendering import ROOT, kept_from, template
from synthesis import template_file
from tools import BIN, run, tool
from variants import Variant, all_variants

from sls_patterns_cli.deploy_role import template as roles

Template = dict[str, Any]
Context = Mapping[str, str]

STACK = "shop-production"
NAMES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "StackName": STACK,
    "Repository": "octo/shop",
    "Environment": "production",
}
BOUNDARY = "Boundary"
BY_CLOUDFORMATION = {"aws:CalledVia": "cloudformation.amazonaws.com"}
BOUND = {**BY_CLOUDFORMATION, "iam:PermissionsBoundary": BOUNDARY}


def deploy_role(path: Path, *options: str) -> Template:
    """Return what the command prints for a template or a folder."""
    made = Cli(path.parent, dict(os.environ))("deploy-role", str(path), "--stack", STACK, *options)
    assert made.returncode == 0, made.stderr
    printed: Template = yaml.safe_load(made.stdout)
    return printed


@cache
def webhook() -> Template:
    answers = {"pattern": "scalable-webhook", "iac": "sam", "runtime": "python"}
    return deploy_role(kept_from(template(), **answers) / "template.yaml")


def text(value: Any) -> str:
    """Return a value with its names put in; a reference is the name of what it refers to."""
    if isinstance(value, dict):
        if "Ref" in value:
            return str(NAMES.get(value["Ref"], value["Ref"]))
        value = value["Fn::Sub"]
    for name, meant in NAMES.items():
        value = value.replace(f"${{{name}}}", meant)
    return str(value)


def statements(role: Template) -> Iterator[dict[str, Any]]:
    for resource in role["Resources"].values():
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and resource is not role["Resources"].get(
            BOUNDARY
        ):
            yield from resource["Properties"]["PolicyDocument"]["Statement"]


def allowed(role: Template, action: str, resource: str, context: Context) -> bool:
    """Tell whether the role may do this; nothing in its policies denies."""
    return any(
        any(fnmatchcase(action.lower(), each.lower()) for each in statement["Action"])
        and any(fnmatchcase(resource, text(each)) for each in statement["Resource"])
        and holds(statement.get("Condition", {}), context)
        for statement in statements(role)
    )


def holds(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    for operator, keys in condition.items():
        assert operator in {"StringEquals", "ForAnyValue:StringEquals"}
        for key, values in keys.items():
            wanted = values if isinstance(values, list) else [values]
            if context.get(key, "") not in [text(value) for value in wanted]:
                return False
    return True


def trusts(role: Template, subject: str, audience: str = "sts.amazonaws.com") -> bool:
    (statement,) = role["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    issuer = "token.actions.githubusercontent.com"
    context = {f"{issuer}:aud": audience, f"{issuer}:sub": subject}
    return holds(statement["Condition"], context)


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:us-east-1:111122223333:{rest}"


def iam_role(name: str) -> str:
    return f"arn:aws:iam::111122223333:role/{name}"


def test_the_role_trusts_one_environment_of_one_repository() -> None:
    """Fact A8."""
    assert trusts(webhook(), "repo:octo/shop:environment:production")
    for other in (
        "repo:octo/other:environment:production",
        "repo:evil/shop:environment:production",
        "repo:octo/shop:environment:staging",
        "repo:octo/shop:environment:production2",
        "repo:octo/shop:ref:refs/heads/main",
        "repo:octo/shop:pull_request",
    ):
        assert not trusts(webhook(), other), other
    assert not trusts(webhook(), "repo:octo/shop:environment:production", "another")


def test_a_repository_is_named_without_wildcards_and_with_its_ids_if_it_has_them() -> None:
    import re

    pattern = webhook()["Parameters"]["Repository"]["AllowedPattern"]

    for name in ("octo/shop", "octo@123/shop@456", "Octo-1/my.shop_2"):
        assert re.fullmatch(pattern, name)
    for name in ("octo/*", "octo/shop:environment:x", "octo", "octo/shop/x", "*/*"):
        assert not re.fullmatch(pattern, name)


def test_the_stack_is_changed_by_cloudformation_only() -> None:
    queue, other = arn("sqs", f"{STACK}-Deliveries-1"), arn("sqs", "other-Deliveries-1")

    assert allowed(webhook(), "sqs:CreateQueue", queue, BY_CLOUDFORMATION)
    assert not allowed(webhook(), "sqs:CreateQueue", queue, {})
    assert not allowed(webhook(), "sqs:CreateQueue", other, BY_CLOUDFORMATION)
    function = arn("lambda", f"function:{STACK}-Receive-1")
    assert not allowed(webhook(), "lambda:UpdateFunctionCode", function, {})
    assert not allowed(webhook(), "dynamodb:GetItem", arn("dynamodb", f"table/{STACK}-E-1"), BOUND)
    assert not allowed(webhook(), "ec2:RunInstances", "*", BY_CLOUDFORMATION)


@pytest.mark.parametrize(
    "action", ["CreateRole", "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary"]
)
def test_a_role_is_made_with_the_boundary_only(action: str) -> None:
    """Fact E27."""
    ours = iam_role(f"{STACK}-ReceiveFunctionRole-1")
    other = {**BY_CLOUDFORMATION, "iam:PermissionsBoundary": "arn:aws:iam::aws:policy/Admin"}

    assert allowed(webhook(), f"iam:{action}", ours, BOUND)
    assert not allowed(webhook(), f"iam:{action}", ours, BY_CLOUDFORMATION)
    assert not allowed(webhook(), f"iam:{action}", ours, other)
    assert not allowed(webhook(), f"iam:{action}", iam_role("Admin"), BOUND)


def test_the_boundary_stays() -> None:
    ours = iam_role(f"{STACK}-ReceiveFunctionRole-1")

    for action in ("DeleteRolePermissionsBoundary", "CreatePolicyVersion", "PutUserPolicy"):
        assert not allowed(webhook(), f"iam:{action}", ours, BOUND)
        assert not allowed(webhook(), f"iam:{action}", "*", BOUND)


def test_a_role_is_passed_to_the_services_of_the_stack_only() -> None:
    ours = iam_role(f"{STACK}-ReceiveFunctionRole-1")
    to_lambda = {"iam:PassedToService": "lambda.amazonaws.com"}

    assert allowed(webhook(), "iam:PassRole", ours, to_lambda)
    assert not allowed(webhook(), "iam:PassRole", iam_role("Admin"), to_lambda)
    assert not allowed(
        webhook(), "iam:PassRole", ours, {"iam:PassedToService": "ec2.amazonaws.com"}
    )


def test_the_boundary_allows_what_the_roles_of_the_stack_do_and_nothing_of_iam() -> None:
    (statement,) = webhook()["Resources"][BOUNDARY]["Properties"]["PolicyDocument"]["Statement"]

    assert {"sqs:SendMessage", "dynamodb:PutItem", "logs:PutLogEvents"} <= {*statement["Action"]}
    assert not [each for each in statement["Action"] if each.startswith(("iam:", "sts:", "*"))]


SAM_VARIANTS = [
    variant for variant in all_variants() if (variant.iac, variant.runtime) == ("sam", "python")
]


@pytest.mark.parametrize("variant", SAM_VARIANTS, ids=str)
def test_each_resource_of_a_variant_has_its_permissions(variant: Variant) -> None:
    """Each type is known, and each policy is as small as IAM wants it."""
    project = kept_from(template(), **variant.answers)
    role = roles.deploy_role(project / "template.yaml", STACK, "production")

    policies = [each for each in role["Resources"].values() if "ManagedPolicy" in each["Type"]]
    assert len(policies) <= 10  # those that a role may have, but one for the smoke test
    for policy in policies:
        document = json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))
        for name, meant in NAMES.items():
            document = document.replace(f"${{{name}}}", meant.ljust(40, "x"))
        assert len(document) <= 6144


def test_cdk_needs_its_bootstrap_roles_only() -> None:
    answers = {"pattern": "scalable-webhook", "iac": "cdk", "runtime": "python"}
    role = deploy_role(template_file(kept_from(template(), **answers)).parent)

    mine = [each["Action"] for each in statements(role)]
    assert mine == [["cloudformation:DescribeStacks"], ["sts:AssumeRole"]]
    assert BOUNDARY not in role["Resources"]


def test_cfn_lint_and_checkov_find_nothing_that_is_not_meant(tmp_path: Path) -> None:
    file = tmp_path / "role.yaml"
    file.write_text(yaml.safe_dump(webhook()))

    run([BIN / "cfn-lint", file], tmp_path)
    run([tool("SLS_CHECKOV"), "--quiet", "--compact", "--file", file, "--skip-check", MEANT], ROOT)


MEANT = "CKV_AWS_108,CKV_AWS_111"
"""Actions on any resource: only through CloudFormation, for services whose ids are no names; the
boundary allows actions, and the policies of the roles say on what."""


def test_what_nobody_knows_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("Resources: {Odd: {Type: 'AWS::Odd::Thing'}}\n")
    cli = Cli(tmp_path, dict(os.environ))

    unknown = cli("deploy-role", str(file), "--stack", STACK)
    unnamed = cli("deploy-role", str(file))

    assert (unknown.returncode, unnamed.returncode) == (2, 2)
    assert unknown.stderr == (
        "sls-patterns: AWS::Odd::Thing: AWS does not say which permissions it needs.\n"
    )
    assert unnamed.stderr == "sls-patterns: --stack must name the stack that the role deploys\n"
    assert (unknown.stdout, unnamed.stdout) == ("", "")
