"""Log groups: a name is there once."""

import pytest
from local.support import Client, DeployStack

from sls_patterns_cli.errors import UserError

STACK = """
Resources:
  Group: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /aws/lambda/left-behind}}
"""


def test_a_stack_with_a_log_group_that_exists_fails(
    deploy_stack: DeployStack, client: Client
) -> None:
    """Fact A2."""
    client("logs").create_log_group(logGroupName="/aws/lambda/left-behind")

    with pytest.raises(UserError, match="/aws/lambda/left-behind exists"):
        deploy_stack(STACK)
