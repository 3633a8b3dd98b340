"""An event source mapping needs its function's role to be allowed to read the source.

AWS: CreateEventSourceMapping fails when the execution role may not receive and delete messages
and read the queue's attributes, or read the stream; Lambda polls with that role. Of Kinesis, the
old set of actions, with which serverless/serverless#8540 was deployed, is enough as well.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html#events-kinesis-permissions
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html

Emulator: reads any queue and any stream for any function.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may

ACTIONS = {
    "sqs": ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
    "kinesis": ("DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"),
    "dynamodb": ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"),
}
OLD = {
    "kinesis:DescribeStreamSummary": "kinesis:DescribeStream",
    "kinesis:ListShards": "kinesis:DescribeStream",
}
"""What lists shards and describes a stream as well."""


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    replace(handlers, "create", "f053a4e8c30c", _permitted)


def _permitted(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_mapping(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        source = properties.get("EventSourceArn", "")
        service = source.split(":")[2] if source.startswith("arn:") else ""
        if service in ACTIONS:
            function, _, _ = lambda_svc._get_func_record_for_ref(properties["FunctionName"])
            if function:
                _require(function["config"]["Role"], service, source)
        return create(logical_id, properties, stack)

    return create_mapping


def _require(role_arn: str, service: str, source_arn: str) -> None:
    for action in ACTIONS[service]:
        needed = f"{service}:{action}"
        if not any(
            role_may(role_arn, each, source_arn) for each in (needed, OLD.get(needed, needed))
        ):
            where = {"sqs": "SQS", "kinesis": "Kinesis", "dynamodb": "DynamoDB"}[service]
            raise ValueError(
                f"The provided execution role does not have permissions to call {action} on {where}"
            )
