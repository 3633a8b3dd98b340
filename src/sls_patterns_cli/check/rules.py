"""The rules: 0xx the check itself, 1xx no end, 2xx an end that does not work, 3xx nobody is told,
4xx retries and batches, 5xx landing zones. docs/rules has a page for each.
"""

from dataclasses import dataclass

from sls_patterns_cli.check.finding import Severity

_DOCS = "https://docs.aws.amazon.com"
_SQS = f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_LAMBDA = f"{_DOCS}/lambda/latest/dg"
_EVENTBRIDGE = f"{_DOCS}/eventbridge/latest/userguide"


@dataclass(frozen=True)
class Rule:
    """A rule; `url` is AWS's page about what it checks."""

    id: str
    title: str
    severity: Severity
    url: str


RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "SP001",
            "Suppression that matches no finding",
            "note",
            f"{_DOCS}/AWSCloudFormation/latest/TemplateReference/aws-attribute-metadata.html",
        ),
        Rule(
            "SP101",
            "Queue without a dead-letter queue",
            "error",
            f"{_SQS}/sqs-dead-letter-queues.html",
        ),
        Rule(
            "SP102",
            "Stream mapping without an on-failure destination",
            "error",
            f"{_LAMBDA}/kinesis-on-failure-destination.html",
        ),
        Rule(
            "SP103",
            "Asynchronous invocation without a failure destination",
            "error",
            f"{_LAMBDA}/invocation-async-retain-records.html",
        ),
        Rule(
            "SP104",
            "Delivery without a dead-letter queue",
            "warning",
            f"{_EVENTBRIDGE}/eb-rule-dlq.html",
        ),
        Rule(
            "SP201",
            "Failure destination that cannot be written to",
            "error",
            f"{_EVENTBRIDGE}/eb-rule-dlq.html",
        ),
        Rule(
            "SP202",
            "Dead-letter queue on a function that is only polled",
            "error",
            f"{_LAMBDA}/services-sqs-configure.html",
        ),
        Rule(
            "SP203",
            "Destination on a durable function",
            "error",
            f"{_LAMBDA}/durable-best-practices.html",
        ),
        Rule(
            "SP204",
            "Target that refuses what is delivered",
            "warning",
            f"{_EVENTBRIDGE}/eb-use-resource-based.html",
        ),
        Rule(
            "SP205",
            "Encrypted queue whose key the sender cannot use",
            "error",
            f"{_SQS}/sqs-key-management.html",
        ),
        Rule(
            "SP206",
            "Dead-letter queue that retains messages no longer than its source",
            "warning",
            f"{_SQS}/setting-up-dead-letter-queue-retention.html",
        ),
        Rule(
            "SP207",
            "FIFO target without content-based deduplication",
            "error",
            f"{_DOCS}/eventbridge/latest/APIReference/API_SqsParameters.html",
        ),
        Rule(
            "SP301",
            "Failure destination without an alarm",
            "warning",
            f"{_SQS}/dead-letter-queues-alarms-cloudwatch.html",
        ),
        Rule(
            "SP302",
            "Alarm that cannot notify anybody",
            "error",
            f"{_SQS}/sqs-dead-letter-queues.html",
        ),
        Rule(
            "SP303",
            "Alarm with the Ref of a rule on a custom bus",
            "error",
            f"{_EVENTBRIDGE}/eb-monitoring.html",
        ),
        Rule(
            "SP304",
            "State machine whose failed executions notify nobody",
            "warning",
            f"{_DOCS}/step-functions/latest/dg/procedure-cw-metrics.html",
        ),
        Rule(
            "SP305",
            "Failure destination that can fail unnoticed",
            "note",
            f"{_LAMBDA}/monitoring-metrics-types.html",
        ),
        Rule(
            "SP306",
            "Alarm in which one message hides those of other queues",
            "note",
            f"{_SQS}/dead-letter-queues-alarms-cloudwatch.html",
        ),
        Rule(
            "SP307",
            "Alarm that can never go off",
            "warning",
            f"{_LAMBDA}/monitoring-metrics-types.html",
        ),
        Rule(
            "SP401",
            "Batch without partial responses",
            "warning",
            f"{_LAMBDA}/services-sqs-errorhandling.html",
        ),
        Rule(
            "SP402",
            "Visibility timeout below six times the function's timeout",
            "note",
            f"{_LAMBDA}/services-sqs-configure.html",
        ),
        Rule(
            "SP403",
            "Stream mapping with unlimited retries",
            "warning",
            f"{_LAMBDA}/services-kinesis-parameters.html",
        ),
        Rule(
            "SP404",
            "Retries and event age left to their defaults",
            "note",
            f"{_LAMBDA}/invocation-async-configuring.html",
        ),
        Rule(
            "SP405",
            "Filter that deletes messages",
            "note",
            f"{_LAMBDA}/with-sqs-filtering.html",
        ),
        Rule(
            "SP406",
            "Fewer than five receives before the dead-letter queue",
            "warning",
            f"{_LAMBDA}/services-sqs-configure.html",
        ),
        Rule(
            "SP407",
            "Reserved concurrency below what the queues may invoke",
            "warning",
            f"{_LAMBDA}/services-sqs-scaling.html",
        ),
        Rule(
            "SP408",
            "FIFO queue read in batches",
            "note",
            f"{_LAMBDA}/services-sqs-errorhandling.html",
        ),
        Rule(
            "SP501",
            "Queue that Control Tower rejects",
            "note",
            f"{_DOCS}/controltower/latest/controlreference/sqs-rules.html",
        ),
    )
}
"""All rules by their id, in the order of their ids."""
