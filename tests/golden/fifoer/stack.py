"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.alarms import Alarms, When, deleted_from, hidden_in, math, oldest_in, waiting_in
from infrastructure.bundling import function_code


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    oldest_message_seconds: float = 1500
    """How long a message may wait, in seconds; 1.5 times the longest normal wait."""


class FifoerStack(cdk.Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarm_topic_arn: str | None = None,
        ticket_topic_arn: str | None = None,
        thresholds: Thresholds | None = None,
        **options: Any,
    ) -> None:
        """Define the stack.

        Alarms that need somebody now go to a topic of the stack unless `alarm_topic_arn` names
        another; those that can wait go to `ticket_topic_arn` if it is given, or else there, too.
        """
        super().__init__(scope, construct_id, **options)

        entries_dead_letter_queue = self._dead_letter_queue(
            "EntriesDeadLetterQueue",
            fifo_name=f"{self.stack_name}-entries-dlq.fifo",
        )
        entries_queue = sqs.Queue(
            self,
            "EntriesQueue",
            # A generated name of a FIFO queue may be too long.
            queue_name=f"{self.stack_name}-entries.fifo",
            fifo=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(4),
            # Six times the function's timeout.
            visibility_timeout=cdk.Duration.seconds(240),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=entries_dead_letter_queue,
                # An outage of a day changes no order.
                max_receive_count=360,
            ),
        )

        post_function = self._function(
            "PostFunction",
            name="post",
            description="Posts each entry to its account",
            timeout=cdk.Duration.seconds(40),
        )

        ledger_table = dynamodb.Table(
            self,
            "LedgerTable",
            partition_key=dynamodb.Attribute(
                name="id",
                type=dynamodb.AttributeType.STRING,
            ),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True,
            ),
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

        # entries -> post
        entries_queue.grant(
            post_function, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"
        )
        entries_dead_letter_queue.grant(post_function, "sqs:SendMessage")
        post_function.add_event_source_mapping(
            "EntriesQueue",
            event_source_arn=entries_queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=10,
        )
        post_function.add_environment("DEAD_LETTER_QUEUE_URL", entries_dead_letter_queue.queue_url)

        # post -> ledger
        ledger_table.grant(post_function, "dynamodb:GetItem", "dynamodb:PutItem")
        post_function.add_environment("LEDGER_TABLE_NAME", ledger_table.table_name)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into EntriesDeadLetterQueue. First: run make "
            "dead-letters, then see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)",
                w1=waiting_in(entries_dead_letter_queue),
                h1=hidden_in(entries_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # 3 messages or more of which none is deleted count as if they waited until the queue
        # drops them; in 4 of 4 minutes.
        alarms.page(
            "EntriesQueueAgeAlarm",
            "Page: The post function processes no message, or messages wait too long. First: look "
            "for errors and throttles",
            math(
                "IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)",
                age=oldest_in(entries_queue),
                deleted=deleted_from(entries_queue),
                waiting=waiting_in(entries_queue),
                hidden=hidden_in(entries_queue),
            ),
            When(above=thresholds.oldest_message_seconds, periods=4),
        )
        # Callers are told by a status, and events are retried; three receives of a message in a
        # row; if no message of a queue is processed, its own alarm goes off.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of PostFunction fail. First: see their logs",
            math(
                "IF(deleted1 == 0 AND waiting1 + hidden1 >= 3, 0, m1)",
                m1=post_function.metric_errors(),
                deleted1=deleted_from(entries_queue),
                waiting1=waiting_in(entries_queue),
                hidden1=hidden_in(entries_queue),
            ),
            When(minutes=5, periods=3),
        )

        self._output(
            "EntriesQueueUrl",
            "The queue that holds ledger entries in the order of each account",
            entries_queue.queue_url,
        )
        cdk.CfnOutput(self, "EntriesDeadLetterQueueUrl", value=entries_dead_letter_queue.queue_url)
        self._output(
            "PostFunctionName",
            "The function that posts each entry to its account",
            post_function.function_name,
        )
        cdk.CfnOutput(
            self, "PostFunctionLogGroupName", value=post_function.log_group.log_group_name
        )
        self._output(
            "LedgerTableName",
            "The table of the accounts and their entries",
            ledger_table.table_name,
        )
        self._output(
            "AlarmTopicArn", "Where the alarms go that need somebody now", alarms.topic.topic_arn
        )

    def _function(
        self,
        construct_id: str,
        *,
        name: str,
        description: str,
        timeout: cdk.Duration,
    ) -> lambda_.Function:
        return lambda_.Function(
            self,
            construct_id,
            description=description,
            code=function_code(),
            handler=f"fifoer.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "fifoer",
                "POWERTOOLS_METRICS_NAMESPACE": "Fifoer",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
        )

    def _dead_letter_queue(self, construct_id: str, *, fifo_name: str | None = None) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            # A generated name of a FIFO queue may be too long.
            queue_name=fifo_name,
            fifo=True if fifo_name else None,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
            # The default, which landing zones may require.
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.ALLOW_ALL
            ),
        )

    def _log_group(self, construct_id: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            construct_id,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _output(self, name: str, description: str, value: str) -> None:
        cdk.CfnOutput(self, name, description=description, value=value)
