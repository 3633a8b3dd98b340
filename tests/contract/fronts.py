"""What must hold of what is in front of an API: it is in front of a stage that exists.

https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-associating-aws-resource.html
"""

from collections.abc import Iterator

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Stack

STAGES = ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage")
FRONTS = {
    "AWS::WAFv2::WebACLAssociation": "O11",
    "AWS::ApiGateway::BasePathMapping": "O12",
    "AWS::ApiGatewayV2::ApiMapping": "O12",
}
"""By type: the fact that says what a deployment fails with."""


def front_violations(stack: Stack) -> Iterator[Violation]:
    """Say what may be deployed before the stage that it is for."""
    stages = {each.name for each in stack.of_type(*STAGES)}
    for front in stack.of_type(*FRONTS):
        if stages.isdisjoint(stack.comes_after(front)):
            must = f"a stage: else this may come before there is one (fact {FRONTS[front.type]})"
            yield is_but("front", front.name, "what it comes after", None, must)
