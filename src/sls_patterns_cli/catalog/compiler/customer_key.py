"""A customer managed key for what holds data: what may use it, if a parameter names one.

Encrypted by it is what changes its key in place. A database and a cache would be replaced, by
another key as well (fact O20).
"""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import Facts, Graph, OptionalParameter, unique
from sls_patterns_cli.catalog.compiler.stack_parts import either, has_part, of

KEY = r"none|arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[a-z0-9-]+"
"""The ARN of a key: CloudWatch Logs takes no alias (fact O21)."""

WRITES = {
    "kinesis:PutRecord",
    "kinesis:PutRecords",
    "s3:PutObject",
    "sns:Publish",
    "sqs:SendMessage",
}
"""The actions for which a service asks for a data key in the name of the caller."""

READS = {
    "kinesis:GetRecords",
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
    "sqs:ReceiveMessage",
}
"""Those for which it decrypts, beside all of DynamoDB, which decrypts the key of a table for writes
as well: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"""


def parameters() -> Iterator[OptionalParameter]:
    """The key of what holds data."""
    yield OptionalParameter(
        "KmsKeyArn",
        "kms",
        "none",
        "The customer managed key of AWS KMS that encrypts what the stack stores, by its ARN; with "
        "none, keys of AWS do",
        pattern=KEY,
        default_is_off=True,
    )


def encryption(graph: Graph) -> Facts:
    """Who uses the key: by id what writes data and what only reads it, and services of AWS.

    An id is that of a role, or of a function or a state machine that has one. What writes also
    decrypts: SQS, SNS and multipart uploads need both.
    """
    granted = [
        grant
        for facts in (*(node.facts for node in graph.nodes), *graph.edges)
        for grant in facts.get("grants", [])
    ]
    writers = unique(each["grantee"] for each in granted if WRITES.intersection(each["actions"]))
    # Lambda sends events that failed by the role of the function.
    writers += [
        node["id"]
        for node in graph.nodes
        if node["kind"] == "function" and node["invoked_asynchronously"]
    ]
    readers = [
        each["grantee"]
        for each in granted
        if any(action in READS or action.startswith("dynamodb:") for action in each["actions"])
    ]
    sends = either(of("event-bus"), has_part("delivery-rules"), has_part("failure-rules"))
    topics = any(node["kind"] == "topic" and node["outgoing"] for node in graph.nodes)
    return {
        "writers": unique(writers),
        "readers": [each for each in unique(readers) if each not in writers],
        "services": [
            "cloudwatch.amazonaws.com",
            *(["events.amazonaws.com"] if sends(graph) else []),
            *(["sns.amazonaws.com"] if topics else []),
        ],
    }
