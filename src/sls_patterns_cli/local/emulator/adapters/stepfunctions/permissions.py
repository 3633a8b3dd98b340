"""A state machine calls services and starts the executions of a map in the name of its role.

AWS: a task that the role may not do fails; so does a distributed map of which the role may not read
the items or start the executions.
https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html

Emulator: asks for no permission. Here Lambda, SQS and DynamoDB are called, items are read and the
executions of a map are started only where the role allows it.
"""

import contextvars
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.stepfunctions.machines import machine_of

INVOKE, SEND = "arn:aws:states:::lambda:invoke", "arn:aws:states:::sqs:sendMessage"
DYNAMODB = "arn:aws:states:::dynamodb:"

_role: contextvars.ContextVar[str] = contextvars.ContextVar("role")

Execution = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_execute_task", "53c818d247db", _in_name_of_role)
    replace(stepfunctions, "_invoke_resource", "a85d2be9a858", _permitted)
    replace(stepfunctions, "_s3_object_text", "9351030b6822", _readable)
    replace(stepfunctions, "_run_distributed_map", "2b77d3ec0e04", _startable)


def _in_name_of_role(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_task(
        definition: dict[str, Any], given: Any, execution: Execution, context: dict[str, Any]
    ) -> Any:
        _role.set(machine_of(execution)["roleArn"])
        return execute(definition, given, execution, context)

    return execute_task


def _permitted(invoke: Callable[..., Any]) -> Callable[..., Any]:
    def invoke_resource(resource: str, given: Any) -> Any:
        if resource == SEND:
            place = f"arn:aws:sqs:{get_region()}:{get_account_id()}"
            queue = f"{place}:{given['QueueUrl'].rpartition('/')[2]}"
            _check("sqs:SendMessage", queue, "SQS.AmazonSQSException")
        if resource == INVOKE and given["FunctionName"].startswith("arn:"):
            function = given["FunctionName"]
            _check("lambda:InvokeFunction", function, "Lambda.AWSLambdaException")
        if resource.startswith(DYNAMODB):
            operation = resource.removeprefix(DYNAMODB)
            place = f"arn:aws:dynamodb:{get_region()}:{get_account_id()}"
            action = f"dynamodb:{operation[0].upper()}{operation[1:]}"
            error = "DynamoDB.AmazonDynamoDBException"
            _check(action, f"{place}:table/{given['TableName']}", error)
        return invoke(resource, given)

    return invoke_resource


def _readable(read: Callable[..., str]) -> Callable[..., str]:
    def s3_object_text(bucket: str, key: str) -> str:
        _check("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", "States.ItemReaderFailed")
        return read(bucket, key)

    return s3_object_text


def _startable(run: Callable[..., Any]) -> Callable[..., Any]:
    def run_distributed_map(*arguments: Any) -> Any:
        execution: Execution = arguments[4]
        _role.set(machine_of(execution)["roleArn"])
        _check("states:StartExecution", execution["stateMachineArn"], "States.Permissions")
        return run(*arguments)

    return run_distributed_map


def _check(action: str, resource: str, error: str) -> None:
    if not role_may(_role.get(), action, resource):
        says = f"User: {_role.get()} is not authorized to perform: {action} on resource: {resource}"
        raise stepfunctions._ExecutionError(error, says)
