"""What must hold where a customer managed key encrypts: whoever uses the data may use the key.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from collections.abc import Iterator
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.policies import may, role_statements

KEYS = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Kinesis::Stream": ("StreamEncryption", "KeyId"),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
}
"""By type: where its key is; a bucket has a list of rules."""

DATA_KEY, DECRYPT = "kms:GenerateDataKey", "kms:Decrypt"
USES = {
    "dynamodb:getitem": [DECRYPT],
    "dynamodb:getrecords": [DECRYPT],
    "dynamodb:putitem": [DECRYPT],
    "dynamodb:query": [DECRYPT],
    "dynamodb:updateitem": [DECRYPT],
    "kinesis:getrecords": [DECRYPT],
    "kinesis:putrecord": [DATA_KEY],
    "kinesis:putrecords": [DATA_KEY],
    "s3:getobject": [DECRYPT],
    "s3:putobject": [DATA_KEY],
    "secretsmanager:getsecretvalue": [DECRYPT],
    "sns:publish": [DECRYPT, DATA_KEY],
    "sqs:receivemessage": [DECRYPT],
    "sqs:sendmessage": [DECRYPT, DATA_KEY],
}
"""What an action on data needs on its key (facts O22 and O23)."""


def key_violations(stack: Stack) -> Iterator[Violation]:
    """Say which roles may use data and not its key, and what SQS and S3 do not take."""
    keys = {
        resource.name: key
        for resource in stack.of_type(*KEYS, "AWS::S3::Bucket")
        if is_customers(key := _key(stack, resource))
    }
    for role in stack.of_type("AWS::IAM::Role") if keys else ():
        needed = {
            (keys[resource.name], use)
            for resource in map(stack.resources.__getitem__, keys)
            for statement in role_statements(stack, role)
            if statement.allow
            for action in statement.actions
            for use in USES.get(action.lower(), ())
            if may(stack, role, action, resource) or _objects(stack, statement.resources, resource)
        }
        for key, use in sorted(needed):
            if not may(stack, role, use, key):
                says = f"uses what {key} encrypts, and must be allowed {use} (fact O22)"
                yield Violation("key", role.name, says)
    for queue in stack.of_type("AWS::SQS::Queue"):
        if queue.get("KmsMasterKeyId") and queue.is_true("SqsManagedSseEnabled"):
            must = "missing beside KmsMasterKeyId: a queue has one of both (fact O24)"
            yield is_but("key", queue.name, "SqsManagedSseEnabled", "true", must)
    for group in stack.of_type("AWS::Logs::LogGroup"):
        key = stack.text(group.get("KmsKeyId") or "")
        if key.startswith("alias/") or ":alias/" in key:
            must = "the ARN of a key, not of an alias (fact O21)"
            yield is_but("key", group.name, "KmsKeyId", key, must)


def is_customers(key: str) -> bool:
    """Tell whether a key is one whose policy an account decides."""
    return bool(key) and "alias/aws/" not in key


def _key(stack: Stack, resource: Resource) -> str:
    if resource.type == "AWS::S3::Bucket":
        rules = resource.get("BucketEncryption", "ServerSideEncryptionConfiguration") or [{}]
        named: Any = rules[0].get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    else:
        named = resource.get(*KEYS[resource.type])
    return stack.text(named) if named else ""


def _objects(stack: Stack, named: tuple[str, ...], bucket: Resource) -> bool:
    """Tell whether one of the ARNs is of the objects of a bucket."""
    return any(f"{arn}/*" in named for arn in stack.arns(bucket))
