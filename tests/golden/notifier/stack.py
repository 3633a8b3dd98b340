"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infrastructure.alarms import (
    Alarms,
    When,
    deleted_from,
    hidden_in,
    math,
    metric,
    oldest_in,
    waiting_in,
)
from infrastructure.bundling import function_code


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    oldest_message_seconds: float = 1500
    """How long a message may wait, in seconds; 1.5 times the longest normal wait."""


class NotifierStack(cdk.Stack):
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

        publish_function = self._function(
            "PublishFunction",
            name="publish",
            description="Publishes an event if it matches the schema",
            timeout=cdk.Duration.seconds(10),
        )

        orders_topic = sns.Topic(
            self,
            "OrdersTopic",
            enforce_ssl=True,
            master_key=kms.Alias.from_alias_name(self, "OrdersTopicKey", "alias/aws/sns"),
        )
        # Where other stacks find the topic that they subscribe to.
        orders_topic_parameter = ssm.StringParameter(
            self,
            "OrdersTopicParameter",
            parameter_name=f"/topics/{self.stack_name}/orders",
            string_value=orders_topic.topic_arn,
        )
        orders_to_invoicing_dead_letter_queue = self._dead_letter_queue(
            "OrdersToInvoicingDeadLetterQueue",
        )
        orders_to_audit_dead_letter_queue = self._dead_letter_queue(
            "OrdersToAuditDeadLetterQueue",
        )

        invoicing_dead_letter_queue = self._dead_letter_queue(
            "InvoicingDeadLetterQueue",
        )
        invoicing_queue = sqs.Queue(
            self,
            "InvoicingQueue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(4),
            # Six times the function's timeout.
            visibility_timeout=cdk.Duration.seconds(180),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=invoicing_dead_letter_queue,
                # An outage of an hour makes no dead letter.
                max_receive_count=22,
            ),
        )

        invoice_function = self._function(
            "InvoiceFunction",
            name="invoice",
            description="Writes the invoice of a placed order once",
            timeout=cdk.Duration.seconds(30),
        )

        invoices_table = dynamodb.Table(
            self,
            "InvoicesTable",
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

        audit_function = self._function(
            "AuditFunction",
            name="audit",
            description="Records each change of an order once",
            timeout=cdk.Duration.seconds(20),
        )
        audit_dead_letter_queue = self._dead_letter_queue(
            "AuditDeadLetterQueue",
        )
        self._keep_failed_events(
            "AuditFunctionInvokes",
            audit_function,
            audit_dead_letter_queue,
            retries=2,
        )

        changes_table = dynamodb.Table(
            self,
            "ChangesTable",
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

        # publish -> orders
        iam.Grant.add_to_principal(
            grantee=publish_function,
            actions=["sns:Publish"],
            resource_arns=[orders_topic.topic_arn],
        )
        publish_function.add_environment("ORDERS_TOPIC_ARN", orders_topic.topic_arn)

        # orders -> invoicing
        orders_topic.add_subscription(
            subscriptions.SqsSubscription(
                invoicing_queue,
                raw_message_delivery=True,
                filter_policy={
                    "type": sns.SubscriptionFilter.string_filter(
                        allowlist=["placed"],
                    ),
                    "version": sns.SubscriptionFilter.string_filter(
                        allowlist=["1"],
                    ),
                },
                dead_letter_queue=orders_to_invoicing_dead_letter_queue,
            )
        )

        # orders -> audit
        orders_topic.add_subscription(
            subscriptions.LambdaSubscription(
                audit_function,
                filter_policy={
                    "type": sns.SubscriptionFilter.string_filter(
                        allowlist=["placed", "cancelled"],
                    ),
                    "version": sns.SubscriptionFilter.string_filter(
                        allowlist=["1"],
                    ),
                },
                dead_letter_queue=orders_to_audit_dead_letter_queue,
            )
        )

        # invoicing -> invoice
        invoicing_queue.grant(
            invoice_function, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"
        )
        invoicing_dead_letter_queue.grant(invoice_function, "sqs:SendMessage")
        invoice_function.add_event_source_mapping(
            "InvoicingQueue",
            event_source_arn=invoicing_queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=5,
        )
        invoice_function.add_environment(
            "DEAD_LETTER_QUEUE_URL", invoicing_dead_letter_queue.queue_url
        )

        # invoice -> invoices
        invoices_table.grant(invoice_function, "dynamodb:GetItem", "dynamodb:PutItem")
        invoice_function.add_environment("INVOICES_TABLE_NAME", invoices_table.table_name)

        # audit -> changes
        changes_table.grant(audit_function, "dynamodb:GetItem", "dynamodb:PutItem")
        audit_function.add_environment("CHANGES_TABLE_NAME", changes_table.table_name)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into OrdersToInvoicingDeadLetterQueue, "
            "OrdersToAuditDeadLetterQueue, AuditDeadLetterQueue and InvoicingDeadLetterQueue. "
            "First: run make dead-letters, then see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) "
                "+ IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0) "
                "+ IF(w4 + h4 > 0 AND FILL(DIFF(w4 + h4), 1) > 0, 1, 0)",
                w1=waiting_in(orders_to_invoicing_dead_letter_queue),
                h1=hidden_in(orders_to_invoicing_dead_letter_queue),
                w2=waiting_in(orders_to_audit_dead_letter_queue),
                h2=hidden_in(orders_to_audit_dead_letter_queue),
                w3=waiting_in(audit_dead_letter_queue),
                h3=hidden_in(audit_dead_letter_queue),
                w4=waiting_in(invoicing_dead_letter_queue),
                h4=hidden_in(invoicing_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at OrdersTopic and "
            "AuditFunction. First: check the permissions to send to the dead-letter queue",
            math(
                "m1 + m2",
                m1=metric(
                    "AWS/SNS",
                    "NumberOfNotificationsFailedToRedriveToDlq",
                    "Sum",
                    TopicName=orders_topic.topic_name,
                ),
                m2=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=audit_function.function_name,
                ),
            ),
        )
        # 3 messages or more of which none is deleted count as if they waited until the queue
        # drops them; in 4 of 4 minutes.
        alarms.page(
            "InvoicingQueueAgeAlarm",
            "Page: The invoice function processes no message, or messages wait too long. First: "
            "look for errors and throttles",
            math(
                "IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)",
                age=oldest_in(invoicing_queue),
                deleted=deleted_from(invoicing_queue),
                waiting=waiting_in(invoicing_queue),
                hidden=hidden_in(invoicing_queue),
            ),
            When(above=thresholds.oldest_message_seconds, periods=4),
        )
        # Callers are told by a status, and events are retried; three receives of a message in a
        # row; if no message of a queue is processed, its own alarm goes off.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of PublishFunction and InvoiceFunction fail. First: see their "
            "logs",
            math(
                "m1 + IF(deleted2 == 0 AND waiting2 + hidden2 >= 3, 0, m2)",
                m1=publish_function.metric_errors(),
                m2=invoice_function.metric_errors(),
                deleted2=deleted_from(invoicing_queue),
                waiting2=waiting_in(invoicing_queue),
                hidden2=hidden_in(invoicing_queue),
            ),
            When(minutes=4, periods=3),
        )

        self._output(
            "PublishFunctionName",
            "The function that publishes an event if it matches the schema",
            publish_function.function_name,
        )
        self._output("OrdersTopicArn", "The topic of order events", orders_topic.topic_arn)
        self._output(
            "OrdersTopicParameterName",
            "The parameter that holds its ARN",
            orders_topic_parameter.parameter_name,
        )
        self._output(
            "OrdersToInvoicingDeadLetterQueueUrl",
            "The queue of the messages that could not be delivered to invoicing",
            orders_to_invoicing_dead_letter_queue.queue_url,
        )
        self._output(
            "OrdersToAuditDeadLetterQueueUrl",
            "The queue of the messages that could not be delivered to audit",
            orders_to_audit_dead_letter_queue.queue_url,
        )
        self._output(
            "InvoicingQueueUrl",
            "The queue that holds events of placed orders until they are invoiced",
            invoicing_queue.queue_url,
        )
        cdk.CfnOutput(
            self, "InvoicingDeadLetterQueueUrl", value=invoicing_dead_letter_queue.queue_url
        )
        self._output(
            "InvoiceFunctionName",
            "The function that writes the invoice of a placed order once",
            invoice_function.function_name,
        )
        cdk.CfnOutput(
            self, "InvoiceFunctionLogGroupName", value=invoice_function.log_group.log_group_name
        )
        self._output("InvoicesTableName", "The table of the invoices", invoices_table.table_name)
        self._output(
            "AuditFunctionName",
            "The function that records each change of an order once",
            audit_function.function_name,
        )
        cdk.CfnOutput(
            self, "AuditFunctionLogGroupName", value=audit_function.log_group.log_group_name
        )
        self._output(
            "AuditDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            audit_dead_letter_queue.queue_url,
        )
        self._output(
            "ChangesTableName", "The table of the changes of orders", changes_table.table_name
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
            handler=f"notifier.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "notifier",
                "POWERTOOLS_METRICS_NAMESPACE": "Notifier",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
        )

    def _keep_failed_events(
        self, construct_id: str, function: lambda_.Function, queue: sqs.Queue, *, retries: int
    ) -> None:
        queue.grant(function, "sqs:SendMessage")
        lambda_.CfnEventInvokeConfig(
            self,
            construct_id,
            function_name=function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=retries,
            maximum_event_age_in_seconds=21600,  # 6 hours
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                    destination=queue.queue_arn
                )
            ),
        )

    def _dead_letter_queue(self, construct_id: str) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
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
