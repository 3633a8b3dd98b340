"""What changes once parameters say that a legacy system is in a VPC."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from contract.check import violations
from contract.stack import default_stack, load
from deployed import deployed, of_type
from environments import fork_by
from golden import render_all
from parity.differences import unexplained
from parity.facts import facts
from synthesis import template_files, with_templates_of
from tools import BIN
from variants import PATTERNS, Variant

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges.apis import integrations

HERE = Path(__file__).parent
TOPOLOGIES = ("gradual", "http-api")
LINK = "AWS::ApiGatewayV2::VpcLink"

PRIVATE = {
    "ListenerArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/old/a1/b2",
    "SubnetAId": "subnet-0123456789abcdef0",
    "SubnetBId": "subnet-0123456789abcdef1",
    "CallersSecurityGroupId": "sg-0123456789abcdef0",
}

NETWORK = {"SubnetIds", "SecurityGroupIds"}

Templates = dict[tuple[str, str, str], Template]
"""By topology, runtime and flavour."""

pytestmark = with_templates_of("strangler")


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Templates]:
    made: dict[bool, Templates] = {}

    def templates(*, optional: bool = True) -> Templates:
        if optional not in made:
            further = (("parameters", "[private-legacy]"),) if optional else ()
            variants = [
                Variant("strangler", topology, runtime, iac, "dynamodb", further)
                for topology, runtime, iac in product(
                    TOPOLOGIES, ("python", "typescript"), ("sam", "cdk")
                )
            ]
            projects = render_all(variants, tmp_path_factory.mktemp("private"))
            template_files(projects.values())
            made[optional] = {
                (each.topology, each.runtime, each.iac): load(project)
                for each, project in projects.items()
            }
        return made[optional]

    return templates


def to_legacy(stack: Stack) -> list[dict[str, Any]]:
    """Return how the default route calls the legacy system: properties by OpenAPI's names."""
    found = [each for _, each in integrations(stack) if "requestParameters" in each]
    called = [each for each in found if each.get("connectionType") == "VPC_LINK"]
    return called or found


@pytest.mark.parametrize("values", [{}, PRIVATE], ids=["none", "set"])
def test_every_stack_keeps_the_contract_and_both_flavours_deploy_the_same(
    values: dict[str, str], of: Callable[..., Templates]
) -> None:
    made = of()

    assert {each: violations(deployed(made[each], **values)) for each in made} == {
        each: [] for each in made
    }
    for topology, runtime in product(TOPOLOGIES, ("python", "typescript")):
        found = {
            iac: facts(deployed(made[topology, runtime, iac], **values), "strangler")
            for iac in ("sam", "cdk")
        }
        assert list(unexplained(found)) == []


def test_cfn_lint_finds_nothing(of: Callable[..., Templates], tmp_path: Path) -> None:
    for each, template in of().items():
        (tmp_path / f"{'-'.join(each)}.json").write_text(json.dumps(template))

    files = map(str, tmp_path.iterdir())
    fork_by(BIN / "python", HERE, "cfn-lint", "--ignore-checks", "W3005", "--", *files)


def test_defaults_change_nothing(of: Callable[..., Templates]) -> None:
    """But that the function's role has the policy by which Lambda deletes its interfaces."""
    plain = of(optional=False)

    for each, template in of().items():
        changed = facts(deployed(template), "strangler") ^ facts(deployed(plain[each]), "strangler")
        policies = {fact for fact in changed if "AWSLambdaVPCAccessExecutionRole" in str(fact)}
        assert changed - policies == set(), each


def test_the_api_calls_the_listener_as_the_legacy_system_itself(
    of: Callable[..., Templates],
) -> None:
    for each, template in of().items():
        stack = default_stack(deployed(template, **PRIVATE))
        (link,) = stack.of_type(LINK)
        (integration,) = to_legacy(stack)

        address = integration.get("uri") or integration["integrationUri"]
        assert stack.text(address) in {PRIVATE["ListenerArn"], "${ListenerArn}"}, each
        assert stack.named(integration["connectionId"], LINK) == link
        mapped = integration["requestParameters"]
        assert mapped["overwrite:header.host"] == "$stageVariables.LegacyHost"
        assert mapped["overwrite:path"] == "$request.path"
        assert set(link.properties) == NETWORK | {"Name"}


def test_only_the_function_that_calls_it_is_in_the_vpc(of: Callable[..., Templates]) -> None:
    for (topology, *_), template in of().items():
        for values in ({}, PRIVATE):
            stack = default_stack(deployed(template, **values))
            inside = [
                set(each["VpcConfig"])
                for each in of_type(stack, "AWS::Lambda::Function")
                if "VpcConfig" in each
            ]
            assert inside == ([NETWORK] if values and topology == "gradual" else [])
            assert len(of_type(stack, LINK)) == (1 if values else 0)


def test_a_part_of_the_parameters_is_refused(of: Callable[..., Templates]) -> None:
    for template in of().values():
        rule = template["Rules"]["PrivateLegacy"]
        unset = [{"Fn::Equals": [{"Ref": name}, "none"]} for name in PRIVATE]
        assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::And": unset}]}
        (asserted,) = rule["Assertions"]
        assert asserted["Assert"] == {"Fn::Not": [{"Fn::Or": unset}]}


def test_no_rest_api_offers_it() -> None:
    """Fact O86: a parameter that changes does not deploy its integrations again."""
    graphs = PATTERNS / "strangler/graphs"
    offered = {
        file.name: "private-legacy"
        in {each["option"] for each in json.loads(file.read_text())["optional_parameters"]}
        for file in graphs.glob("*.json")
    }
    assert offered == {
        "gradual-dynamodb.json": True,
        "http-api-dynamodb.json": True,
        "rest-api-dynamodb.json": False,
    }
