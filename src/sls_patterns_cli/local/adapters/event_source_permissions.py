"""An event source mapping needs its function's role to be allowed to read the queue.

AWS: CreateEventSourceMapping fails when the execution role may not receive and delete messages
and read the queue's attributes; Lambda polls with that role.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions

Emulator: reads any queue for any function.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.adapters import replace

ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    replace(handlers, "create", "f053a4e8c30c", _permitted)


def _permitted(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_mapping(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        source = properties.get("EventSourceArn", "")
        if ":sqs:" in source:
            function, _, _ = lambda_svc._get_func_record_for_ref(properties["FunctionName"])
            if function:
                _require(function["config"]["Role"], source)
        return create(logical_id, properties, stack)

    return create_mapping


def _require(role_arn: str, queue_arn: str) -> None:
    policies = iam_evaluator._gather_role_policies(role_arn.rsplit("/", 1)[-1], get_account_id())
    for action in ACTIONS:
        context = iam_evaluator.EvalContext(
            principal_arn=role_arn,
            principal_type="AssumedRole",
            principal_account=get_account_id(),
            action=f"sqs:{action}",
            resource_arn=queue_arn,
            region=get_region(),
        )
        if iam_evaluator.evaluate(context, policies).decision != "Allow":
            raise ValueError(
                f"The provided execution role does not have permissions to call {action} on SQS"
            )
