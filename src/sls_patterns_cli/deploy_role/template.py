"""The template of a deploy role: whom it trusts, what it may do, and the boundary of others."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from sls_patterns_cli.cloudformation.document import BOOTSTRAP_PARAMETER
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.cloudformation.stack import dictionaries, listed
from sls_patterns_cli.deploy_role.permissions import Statement, statements

Template = dict[str, Any]

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"

LARGEST_POLICY = 6144
"""Characters of a managed policy without white space, and room for names that `Fn::Sub` puts in.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
ROOM_FOR_NAMES = 1800

MANAGED = {
    "AWSLambdaBasicDurableExecutionRolePolicy": [
        "lambda:CheckpointDurableExecution",
        "lambda:GetDurableExecutionState",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ],
    "AWSLambdaBasicExecutionRole": [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ],
    "AWSLambdaVPCAccessExecutionRole": [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "ec2:GetSecurityGroupsForVpc",
        "ec2:UnassignPrivateIpAddresses",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ],
    "AWSXRayDaemonWriteAccess": ["xray:Put*", "xray:GetSampling*"],
    "AWSXrayWriteOnlyAccess": ["xray:Put*", "xray:GetSampling*"],
}
"""What the managed policies allow that SAM, CDK and the templates give to functions.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html"""


def deploy_role(path: Path, stack: str, environment: str) -> Template:
    """Return the template of a role that deploys the stack whose template is at the path.

    A file is SAM or CloudFormation, a folder what `cdk synth` has written or a project. Raises
    UserError for what cannot be read, and for a resource whose permissions nobody knows.
    """
    templates = [source.template for source in sources(path)]
    by_cdk = any(BOOTSTRAP_PARAMETER in template.get("Parameters", {}) for template in templates)
    resources = [resource for template in templates for resource in template["Resources"].values()]
    made: Template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The role with which GitHub Actions deploys {stack}.",
        "Parameters": _parameters(stack, environment),
        "Conditions": {
            "CreateProvider": {"Fn::Equals": [{"Ref": "ProviderArn"}, "none"]},
            "HasSmokeTestPolicy": {
                "Fn::Not": [{"Fn::Equals": [{"Ref": "SmokeTestPolicyArn"}, "none"]}]
            },
        },
        "Resources": {
            "Provider": {
                "Type": "AWS::IAM::OIDCProvider",
                "Condition": "CreateProvider",
                # The account has one, and other roles may trust it.
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {"Url": f"https://{ISSUER}", "ClientIdList": [AUDIENCE]},
            },
        },
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }
    if by_cdk:
        policies = list(_policies([*_reading(), _of_bootstrap()]))
    else:
        boundary = _boundary(resources)
        made["Resources"]["Boundary"] = boundary
        made["Outputs"]["PermissionsBoundaryArn"] = {"Value": {"Ref": "Boundary"}}
        needed = statements(sorted({each["Type"] for each in resources}), _services(resources))
        policies = list(_policies([*_reading(), *_of_sam(), *needed]))
    names = [f"Permissions{number}" for number in range(1, len(policies) + 1)]
    made["Resources"].update(zip(names, policies, strict=True))
    made["Resources"]["Role"] = _role(names)
    return made


def text(template: Template) -> str:
    """Return a template as YAML."""
    return str(yaml.dump(template, Dumper=_Plain, sort_keys=False, width=100)).rstrip("\n")


class _Plain(yaml.SafeDumper):
    """Writes a value twice where it occurs twice: CloudFormation reads no aliases."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def _parameters(stack: str, environment: str) -> Template:
    return {
        "Repository": {
            "Type": "String",
            # Without wildcards: the subject is compared as it is.
            "AllowedPattern": r"[\w.-]+(@\d+)?/[\w.-]+(@\d+)?",
            "Description": "The repository, as in the subject of its tokens: OWNER/NAME, or "
            "OWNER@ID/NAME@ID if it was created or renamed since July 15, 2026.",
        },
        "Environment": {
            "Type": "String",
            "Default": environment,
            "AllowedPattern": r"[\w.-]+",
            "Description": "The environment of the job that deploys.",
        },
        "StackName": {
            "Type": "String",
            "Default": stack,
            "AllowedPattern": "[a-zA-Z][a-zA-Z0-9-]*",
            "Description": "The stack that the role deploys.",
        },
        "ProviderArn": {
            "Type": "String",
            "Default": "none",
            "Description": "The OpenID Connect provider of GitHub in this account; with none, the "
            "stack creates it. An account has at most one.",
        },
        "SmokeTestPolicyArn": {
            "Type": "String",
            "Default": "none",
            "Description": "A policy with what the smoke test needs after a deployment.",
        },
    }


def _role(policies: list[str]) -> Template:
    trusted = {
        "Fn::If": ["CreateProvider", {"Fn::GetAtt": ["Provider", "Arn"]}, {"Ref": "ProviderArn"}]
    }
    subject = {"Fn::Sub": "repo:${Repository}:environment:${Environment}"}
    smoke = {
        "Fn::If": [
            "HasSmokeTestPolicy",
            {"Ref": "SmokeTestPolicyArn"},
            {"Ref": "AWS::NoValue"},
        ]
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "MaxSessionDuration": 7200,
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Federated": trusted},
                        "Action": "sts:AssumeRoleWithWebIdentity",
                        "Condition": {
                            "StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subject}
                        },
                    }
                ],
            },
            "ManagedPolicyArns": [*({"Ref": name} for name in policies), smoke],
        },
    }


def _policies(allowed: Iterable[Statement]) -> Iterator[Template]:
    """Yield managed policies with the statements, none too large."""
    group: list[Statement] = []
    for statement in allowed:
        if group and _size([*group, statement]) > LARGEST_POLICY - ROOM_FOR_NAMES:
            yield _policy(group)
            group = []
        group.append(statement)
    yield _policy(group)


def _size(group: list[Statement]) -> int:
    return len(json.dumps(group, separators=(",", ":")))


def _policy(group: list[Statement]) -> Template:
    document = {"Version": "2012-10-17", "Statement": group}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}


def _boundary(resources: list[Template]) -> Template:
    """The policy that no role of the stack can exceed: what all of them are given together."""
    actions = sorted(set(_actions_of_roles(resources)))
    return _policy([{"Effect": "Allow", "Action": actions, "Resource": ["*"]}])


def _actions_of_roles(resources: list[Template]) -> Iterator[str]:
    for resource in resources:
        if resource["Type"] not in {"AWS::IAM::Role", "AWS::IAM::Policy"}:
            continue
        properties = resource.get("Properties", {})
        given = {key: value for key, value in properties.items() if "AssumeRole" not in key}
        for statement in dictionaries(given):
            if statement.get("Effect") == "Allow":
                yield from (str(action) for action in listed(statement.get("Action")))
        named = json.dumps(properties.get("ManagedPolicyArns", []))
        for name, actions in MANAGED.items():
            if f"/{name}" in named:
                yield from actions


def _services(resources: list[Template]) -> Iterator[str]:
    """The services that the roles of the stack trust, to which the roles are passed."""
    for resource in resources:
        trust = resource.get("Properties", {}).get("AssumeRolePolicyDocument", {})
        for statement in dictionaries(trust):
            principal = statement.get("Principal")
            if isinstance(principal, dict):
                yield from (str(each) for each in listed(principal.get("Service")))


def _reading() -> Iterator[Statement]:
    """What `make deploy` and `make smoke` ask of the stack."""
    yield {
        "Effect": "Allow",
        "Action": ["cloudformation:DescribeStacks"],
        "Resource": [{"Fn::Sub": f"{STACKS}/${{StackName}}/*"}],
    }


STACKS = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack"
ARTEFACTS = "aws-sam-cli-managed-default"
"""The stack with the bucket into which `sam deploy` uploads with `resolve_s3`."""


def _of_sam() -> Iterator[Statement]:
    """What `sam deploy` does itself: it uploads, and makes and executes a change set."""
    yield {
        "Effect": "Allow",
        "Action": [
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:GetTemplateSummary",
            "cloudformation:ListStackResources",
            "cloudformation:TagResource",
        ],
        "Resource": [
            {"Fn::Sub": f"{STACKS}/${{StackName}}/*"},
            {"Fn::Sub": f"{STACKS}/{ARTEFACTS}/*"},
            {
                "Fn::Sub": "arn:${AWS::Partition}:cloudformation:${AWS::Region}:aws:"
                "transform/Serverless-2016-10-31"
            },
        ],
    }
    # Of a template that is no stack yet.
    yield {
        "Effect": "Allow",
        "Action": ["cloudformation:GetTemplateSummary", "cloudformation:ValidateTemplate"],
        "Resource": ["*"],
    }
    yield {
        "Effect": "Allow",
        "Action": [
            "s3:CreateBucket",
            "s3:GetBucketLocation",
            "s3:GetBucketPolicy",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutObject",
        ],
        "Resource": [
            {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{ARTEFACTS}-*"},
            {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{ARTEFACTS}-*/*"},
        ],
    }


def _of_bootstrap() -> Statement:
    """What `cdk deploy` needs: CDK's own roles, which `cdk bootstrap` has made and may limit."""
    role = (
        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-*-${AWS::AccountId}-${AWS::Region}"
    )
    return {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [{"Fn::Sub": role}]}
