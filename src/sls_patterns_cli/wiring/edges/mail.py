"""Rules for received mail: https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda.html."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack, inside
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import Edge


def edges(stack: Stack) -> Iterator[Edge]:
    for rule in stack.of_type("AWS::SES::ReceiptRule"):
        for action in rule.items("Rule", "Actions"):
            # Without a type it is Event.
            if inside(action, "LambdaAction", "InvocationType") != "RequestResponse":
                arn = inside(action, "LambdaAction", "FunctionArn")
                yield from invocation(stack, rule.name, arn, rule, is_function=True)
