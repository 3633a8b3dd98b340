"""Each role may do what the graph of its stack needs, and nothing else; and the guard can fail.

That it holds in each variant is asked with the rest of the contract, in test_contract.py. Here are
the variants with other answers, and the defects that the guard must notice.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.least_privilege import applied, complaints, declared, rules
from contract.permissions import permissions
from contract.stack import expand, load
from rendering import render_from, template
from rendering import render_project as rendered
from synthesis import SYNTHESISED_ONCE, template_files, with_templates_of
from variants import (
    Variant,
    all_variants,
    combined_variants,
    further_variants,
)

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler import compiled, grants
from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.compiler.records import CompiledNode, Facts, Grant
from sls_patterns_cli.cloudformation.document import Template, read
from sls_patterns_cli.cloudformation.stack import listed

PATTERNS = sorted(pattern.slug for pattern in catalog.patterns())


def with_other_answers(pattern: str, *, flavour: str) -> list[Variant]:
    """Return the variants with other answers: in CDK those with several of them stand for each."""
    found = further_variants() if flavour == "sam" else ()
    return [
        each
        for each in (*found, *combined_variants())
        if (each.pattern, each.iac) == (pattern, flavour)
    ]


@pytest.mark.parametrize("flavour", ["sam", "cdk"])
@pytest.mark.parametrize(
    "pattern", [pytest.param(slug, marks=with_templates_of(slug)) for slug in PATTERNS]
)
def test_no_other_answer_permits_more_than_the_graph_needs(
    pattern: str, flavour: str, tmp_path: Path
) -> None:
    assert_least_privilege(with_other_answers(pattern, flavour=flavour), tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "pattern", [pytest.param(slug, marks=with_templates_of(slug)) for slug in PATTERNS]
)
def test_no_other_answer_permits_more_in_cdk_either(pattern: str, tmp_path: Path) -> None:
    in_cdk = [each for each in further_variants() if (each.pattern, each.iac) == (pattern, "cdk")]

    assert_least_privilege(in_cdk, tmp_path)


def assert_least_privilege(variants: list[Variant], folder: Path) -> None:
    projects = {each: rendered(folder / str(each), **each.answers) for each in variants}
    template_files(projects.values())

    found = {str(each): complaints(load(projects[each]), each) for each in variants}

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_a_stack_that_others_copy_permits_what_is_said_of_it(tmp_path: Path) -> None:
    seen = set[str]()
    for variant in all_variants():
        for file in rendered(tmp_path / str(variant), **variant.answers).glob("stacks/*.yaml"):
            of = f"{variant.pattern}/{variant.topology}"
            assert sorted(map(str, permissions(expand(read(file))))) == sorted(
                declared()["copied"][of]
            )
            seen.add(of)

    assert seen == declared()["copied"].keys()


def test_each_rule_is_of_some_variant() -> None:
    used = {
        rule.stands
        for variant in (*all_variants(), *further_variants())
        for rule, _ in applied(variant)
    }

    assert [
        str(each) for some in rules().values() for each in some if each.stands not in used
    ] == []


def test_each_rule_has_its_reason() -> None:
    reasons = [
        line["why"]
        for section in ("edges", "nodes", "failures", "stack")
        for lines in declared()[section].values()
        for line in lines
    ]

    assert all(reasons)


# The seeded defects.

FLAVOURS = {
    "SAM": Variant("scalable-webhook", "function", "python", "sam", "dynamodb"),
    "CDK in Python": Variant("scalable-webhook", "function", "python", "cdk", "dynamodb"),
    "CDK in TypeScript": Variant("scalable-webhook", "function", "typescript", "cdk", "dynamodb"),
}
SURPLUS = "surplus: ReceiveFunction may sqs:GetQueueUrl on DeliveriesQueue"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a copy of the template, to be broken."""
    shutil.copytree(template(), folder := tmp_path / "template")
    return folder


def complaints_about(origin: Path, variant: Variant) -> list[str]:
    project = render_from(origin, origin.with_name("project"), **variant.answers)
    return complaints(load(project), variant)


@SYNTHESISED_ONCE
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_surplus_action_in_the_compiler_is_noticed(
    flavour: str, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
        yield queue.grant(source["id"], target["id"], "sqs:SendMessage", "sqs:GetQueueUrl")

    monkeypatch.setitem(grants.CALLED, "queue", called)
    variant = FLAVOURS[flavour]
    for file, text in compiled(catalog.pattern(variant.pattern), catalog.vocabulary()).items():
        (origin / "templates/patterns" / variant.pattern / file).write_text(text)

    assert complaints_about(origin, variant) == [SURPLUS]


ADDED = "(grant.actions + (['sqs:GetQueueUrl'] if 'sqs:SendMessage' in grant.actions else []))"
MACROS = {
    "SAM": "templates/iac/sam/references.jinja",
    "CDK in Python": "templates/iac/cdk/python/names.jinja",
    "CDK in TypeScript": "templates/iac/cdk/typescript/names.jinja",
}


@SYNTHESISED_ONCE
@pytest.mark.parametrize("broken", MACROS)
def test_a_surplus_action_in_a_template_is_noticed_in_its_flavour(
    broken: str, origin: Path
) -> None:
    macros = origin / MACROS[broken]
    assert "grant.actions" in macros.read_text()
    macros.write_text(macros.read_text().replace("grant.actions", ADDED))

    found = complaints_about(origin, FLAVOURS[broken])

    assert SURPLUS in found
    assert all("sqs:GetQueueUrl" in each for each in found)


Change = Callable[[Template], None]


def allowing(template: Template, action: str) -> dict[str, Any]:
    """Return the first statement of a role that allows an action."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
        elif resource["Type"] == "AWS::IAM::Policy":
            documents = [properties["PolicyDocument"]]
        else:
            continue
        for document in documents:
            for statement in document["Statement"]:
                if action in listed(statement["Action"]):
                    found: dict[str, Any] = statement
                    return found
    raise AssertionError(action)


def properties_of(template: Template, type_: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == type_]


def function_role(template: Template, function: str) -> dict[str, Any]:
    """Return the properties of a function's role."""
    (name,) = (
        each["Properties"]["Role"]["Fn::GetAtt"][0]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function" and name.startswith(function)
    )
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def no_resource(template: Template) -> None:
    allowing(template, "sqs:SendMessage")["Resource"] = "*"


def no_action(template: Template) -> None:
    statement = allowing(template, "sqs:ReceiveMessage")
    statement["Action"].remove("sqs:DeleteMessage")


def any_action(template: Template) -> None:
    allowing(template, "sqs:SendMessage")["Action"] = "sqs:*"


def a_second_table(template: Template) -> None:
    resources = template["Resources"]
    table = next(each for each in resources.values() if each["Type"] == "AWS::DynamoDB::Table")
    resources["OtherTable"] = copy.deepcopy(table)
    statement = allowing(template, "dynamodb:PutItem")
    statement["Resource"] = [statement["Resource"], {"Fn::GetAtt": ["OtherTable", "Arn"]}]


def a_role_without_a_node(template: Template) -> None:
    template["Resources"]["SpareRole"] = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                    }
                ]
            },
            "Policies": [
                {
                    "PolicyName": "spare",
                    "PolicyDocument": {
                        "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
                    },
                }
            ],
        },
    }


def a_role_of_another(template: Template) -> None:
    for name, each in template["Resources"].items():
        if each["Type"] == "AWS::Lambda::Function" and name.startswith("ReceiveFunction"):
            receives = each["Properties"]
        elif each["Type"] == "AWS::Lambda::Function" and name.startswith("ProcessFunction"):
            processes = each["Properties"]
    receives["Role"] = processes["Role"]


def a_policy_of_aws(template: Template) -> None:
    function_role(template, "ReceiveFunction")["ManagedPolicyArns"].append(
        "arn:aws:iam::aws:policy/AdministratorAccess"
    )


def anybody_assumes(template: Template) -> None:
    document = function_role(template, "ReceiveFunction")["AssumeRolePolicyDocument"]
    document["Statement"][0]["Principal"] = {"AWS": "*"}


def anybody_invokes(template: Template) -> None:
    permission = properties_of(template, "AWS::Lambda::Permission")[0]
    permission["Principal"] = "*"


def no_source(template: Template) -> None:
    for permission in properties_of(template, "AWS::Lambda::Permission"):
        del permission["SourceArn"]


def no_condition(template: Template) -> None:
    (policy,) = properties_of(template, "AWS::SNS::TopicPolicy")
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Effect"] == "Allow":
            del statement["Condition"]


def a_queue_for_all(template: Template) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"}
    policy = properties_of(template, "AWS::SQS::QueuePolicy")[0]
    on = policy["PolicyDocument"]["Statement"][0]["Resource"]
    policy["PolicyDocument"]["Statement"].append({**statement, "Resource": on})


def all_but_one(template: Template) -> None:
    statement = allowing(template, "sqs:SendMessage")
    statement["NotAction"] = statement.pop("Action")


SEEDED: dict[str, tuple[Change, list[str]]] = {
    "a resource widened to *": (
        no_resource,
        [
            "surplus: ReceiveFunction may sqs:SendMessage on *",
            "missing: ReceiveFunction may sqs:SendMessage on DeliveriesQueue",
        ],
    ),
    "an action removed": (
        no_action,
        ["missing: ProcessFunction may sqs:DeleteMessage on DeliveriesQueue"],
    ),
    "an action widened to *": (
        any_action,
        [
            "surplus: ReceiveFunction may sqs:* on DeliveriesQueue",
            "missing: ReceiveFunction may sqs:SendMessage on DeliveriesQueue",
        ],
    ),
    "all actions but one": (
        all_but_one,
        [
            "surplus: ReceiveFunction may all but sqs:SendMessage on DeliveriesQueue",
            "missing: ReceiveFunction may sqs:SendMessage on DeliveriesQueue",
        ],
    ),
    "a second table": (
        a_second_table,
        [
            "surplus: ProcessFunction may dynamodb:GetItem on OtherTable",
            "surplus: ProcessFunction may dynamodb:PutItem on OtherTable",
        ],
    ),
    "a role without a node": (
        a_role_without_a_node,
        [
            "surplus: no resource (SpareRole) may s3:* on *",
            "surplus: lambda.amazonaws.com may sts:AssumeRole on the role of no resource",
        ],
    ),
    "a role of another node": (
        a_role_of_another,
        [
            "surplus: ReceiveFunction may dynamodb:PutItem on EventsTable",
            "surplus: ReceiveFunction may sqs:ReceiveMessage on DeliveriesQueue",
            "missing: ReceiveFunction may sqs:SendMessage on DeliveriesQueue",
        ],
    ),
    "a policy of AWS": (
        a_policy_of_aws,
        ["surplus: ReceiveFunction may AdministratorAccess on AWS's policy"],
    ),
    "a role that anybody assumes": (
        anybody_assumes,
        [
            "surplus: anyone may sts:AssumeRole on the role of ReceiveFunction",
            "missing: lambda.amazonaws.com may sts:AssumeRole on the role of ReceiveFunction",
        ],
    ),
    "a function that anybody invokes": (
        anybody_invokes,
        ["surplus: anyone may lambda:InvokeFunction on"],
    ),
    "a function that each API invokes": (
        no_source,
        ["surplus: apigateway.amazonaws.com may lambda:InvokeFunction on ReceiveFunction"],
    ),
    "a lost condition": (
        no_condition,
        [
            "surplus: cloudwatch.amazonaws.com may sns:Publish on AlarmTopic",
            "missing: cloudwatch.amazonaws.com may sns:Publish on AlarmTopic where aws:Source",
        ],
    ),
    "a queue for all": (a_queue_for_all, ["surplus: anyone may sqs:SendMessage on"]),
}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    folder = tmp_path_factory.mktemp("privileges")
    projects = {
        name: rendered(folder / str(each), **each.answers) for name, each in FLAVOURS.items()
    }
    template_files(projects.values())
    return {name: load(project) for name, project in projects.items()}


@SYNTHESISED_ONCE
@pytest.mark.parametrize("seeded", SEEDED)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_seeded_defect_is_told_by_role_action_and_resource(
    seeded: str, flavour: str, stacks: dict[str, Template]
) -> None:
    change, expected = SEEDED[seeded]
    broken = json.loads(json.dumps(stacks[flavour]))
    assert complaints(broken, FLAVOURS[flavour]) == []
    change(broken)

    found = complaints(broken, FLAVOURS[flavour])

    assert [each for each in expected if not any(line.startswith(each) for line in found)] == []
