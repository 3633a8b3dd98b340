"""What a deployment changes of a function with an alias, its alias serves.

The templates are those of projects; in the place of a function's code is some that tells its
configuration.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from contract.stack import load
from local.support import RUNTIME, Client, wait_until
from rendering import kept_from, template

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.server import Emulator

STACK = "telling"
CODE = """
import os
def handler(event, context):
    return [context.memory_limit_in_mb, os.environ.get("CATALOG_FUNCTION_ARN")]
"""
AT_FIRST, NEXT = (
    f"arn:aws:lambda:eu-west-1:111122223333:function:{name}:live" for name in ("catalog", "wares")
)
OTHERS = {
    f"{name}FunctionArn": AT_FIRST.replace("catalog", name.lower()) for name in ("Stock", "Reviews")
}
FLAVOURS = [
    {"iac": "sam", "runtime": "python"},
    {"iac": "cdk", "runtime": "python"},
    {"iac": "cdk", "runtime": "typescript"},
]


@pytest.fixture(params=FLAVOURS, ids=lambda each: f"{each['iac']}-{each['runtime']}")
def telling(request: pytest.FixtureRequest) -> Template:
    """The template of a function that has an alias, and parameters in its configuration."""
    answers = {"pattern": "aggregator", "auth": "none", "rollout": "canary", "stages": "true"}
    stack = load(kept_from(template(), **answers, **request.param))
    stack["Parameters"].pop("BootstrapVersion", None)  # of an account that has been bootstrapped
    stack.pop("Rules", None)
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"] |= {
                "Code": {"ZipFile": CODE},
                "Handler": "index.handler",
                "Runtime": RUNTIME,
            }
    return stack


@pytest.fixture
def cloudformation(client: Client) -> Iterator[Any]:
    """CloudFormation, which deletes the stack afterwards: CDK gives each the same log group."""
    yield (found := client("cloudformation"))
    found.delete_stack(StackName=STACK)
    wait_until(lambda: not found.list_stack_resources(StackName=STACK)["StackResourceSummaries"])


@pytest.mark.usefixtures("cloudformation")
def test_another_value_of_a_parameter_is_published(
    telling: Template, emulator: Emulator, client: Client
) -> None:
    """Fact A20: else the alias would go on with what it had."""

    def told(**parameters: str) -> Any:
        outputs = deploy.deploy(emulator, STACK, telling, {**OTHERS, **parameters})
        alias = outputs["AggregateFunctionAliasArn"]
        return json.load(client("lambda").invoke(FunctionName=alias)["Payload"])

    assert told(CatalogFunctionArn=AT_FIRST) == ["256", AT_FIRST]
    assert told(CatalogFunctionArn=NEXT) == ["256", NEXT]
    assert told(CatalogFunctionArn=NEXT, MemorySize="512") == ["512", NEXT]
