"""The infrastructure: resources, what flows between them, alarms and outputs."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code


class RouterStack(cdk.Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarm_topic_arn: str | None = None,
        **options: Any,
    ) -> None:
        """Define the stack, whose alarms go to a topic of its own or to `alarm_topic_arn`."""
        super().__init__(scope, construct_id, **options)

        route_function = self._function(
            "RouteFunction",
            name="route",
            description="Routes each task to the function for its type",
            timeout=cdk.Duration.seconds(10),
        )
        route_dead_letter_queue = self._dead_letter_queue(
            "RouteDeadLetterQueue",
        )
        self._keep_failed_events(
            "RouteFunctionInvokes",
            route_function,
            route_dead_letter_queue,
            retries=2,
        )

        invoice_function = self._function(
            "InvoiceFunction",
            name="invoice",
            description="Writes the invoice of an order once",
            timeout=cdk.Duration.seconds(20),
        )
        invoice_dead_letter_queue = self._dead_letter_queue(
            "InvoiceDeadLetterQueue",
        )
        self._keep_failed_events(
            "InvoiceFunctionInvokes",
            invoice_function,
            invoice_dead_letter_queue,
            retries=2,
        )

        label_function = self._function(
            "LabelFunction",
            name="label",
            description="Makes the shipping label of an order once",
            timeout=cdk.Duration.seconds(20),
        )
        label_dead_letter_queue = self._dead_letter_queue(
            "LabelDeadLetterQueue",
        )
        self._keep_failed_events(
            "LabelFunctionInvokes",
            label_function,
            label_dead_letter_queue,
            retries=2,
        )

        refund_function = self._function(
            "RefundFunction",
            name="refund",
            description="Refunds an amount of an order once",
            timeout=cdk.Duration.seconds(20),
        )
        refund_dead_letter_queue = self._dead_letter_queue(
            "RefundDeadLetterQueue",
        )
        self._keep_failed_events(
            "RefundFunctionInvokes",
            refund_function,
            refund_dead_letter_queue,
            retries=2,
        )

        results_table = dynamodb.Table(
            self,
            "ResultsTable",
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

        # route -> invoice
        iam.Grant.add_to_principal(
            grantee=route_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[invoice_function.function_arn],
        )
        route_function.add_environment("INVOICE_FUNCTION_NAME", invoice_function.function_name)

        # route -> label
        iam.Grant.add_to_principal(
            grantee=route_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[label_function.function_arn],
        )
        route_function.add_environment("LABEL_FUNCTION_NAME", label_function.function_name)

        # route -> refund
        iam.Grant.add_to_principal(
            grantee=route_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[refund_function.function_arn],
        )
        route_function.add_environment("REFUND_FUNCTION_NAME", refund_function.function_name)

        # invoice -> results
        results_table.grant(invoice_function, "dynamodb:GetItem", "dynamodb:PutItem")
        invoice_function.add_environment("RESULTS_TABLE_NAME", results_table.table_name)

        # label -> results
        results_table.grant(label_function, "dynamodb:GetItem", "dynamodb:PutItem")
        label_function.add_environment("RESULTS_TABLE_NAME", results_table.table_name)

        # refund -> results
        results_table.grant(refund_function, "dynamodb:GetItem", "dynamodb:PutItem")
        refund_function.add_environment("RESULTS_TABLE_NAME", results_table.table_name)

        alarms = Alarms(self, alarm_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into RouteDeadLetterQueue, InvoiceDeadLetterQueue, "
            "LabelDeadLetterQueue and RefundDeadLetterQueue. First: run make dead-letters, then "
            "see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) "
                "+ IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0) "
                "+ IF(w4 + h4 > 0 AND FILL(DIFF(w4 + h4), 1) > 0, 1, 0)",
                w1=waiting_in(route_dead_letter_queue),
                h1=hidden_in(route_dead_letter_queue),
                w2=waiting_in(invoice_dead_letter_queue),
                h2=hidden_in(invoice_dead_letter_queue),
                w3=waiting_in(label_dead_letter_queue),
                h3=hidden_in(label_dead_letter_queue),
                w4=waiting_in(refund_dead_letter_queue),
                h4=hidden_in(refund_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at RouteFunction, "
            "InvoiceFunction, LabelFunction and RefundFunction. First: check the permissions to "
            "send to the dead-letter queue",
            math(
                "m1 + m2 + m3 + m4",
                m1=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=route_function.function_name,
                ),
                m2=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=invoice_function.function_name,
                ),
                m3=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=label_function.function_name,
                ),
                m4=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=refund_function.function_name,
                ),
            ),
        )

        self._output(
            "RouteFunctionName",
            "The function that routes each task to the function for its type",
            route_function.function_name,
        )
        cdk.CfnOutput(
            self, "RouteFunctionLogGroupName", value=route_function.log_group.log_group_name
        )
        self._output(
            "RouteDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            route_dead_letter_queue.queue_url,
        )
        self._output(
            "InvoiceFunctionName",
            "The function that writes the invoice of an order once",
            invoice_function.function_name,
        )
        cdk.CfnOutput(
            self, "InvoiceFunctionLogGroupName", value=invoice_function.log_group.log_group_name
        )
        self._output(
            "InvoiceDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            invoice_dead_letter_queue.queue_url,
        )
        self._output(
            "LabelFunctionName",
            "The function that makes the shipping label of an order once",
            label_function.function_name,
        )
        cdk.CfnOutput(
            self, "LabelFunctionLogGroupName", value=label_function.log_group.log_group_name
        )
        self._output(
            "LabelDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            label_dead_letter_queue.queue_url,
        )
        self._output(
            "RefundFunctionName",
            "The function that refunds an amount of an order once",
            refund_function.function_name,
        )
        cdk.CfnOutput(
            self, "RefundFunctionLogGroupName", value=refund_function.log_group.log_group_name
        )
        self._output(
            "RefundDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            refund_dead_letter_queue.queue_url,
        )
        self._output(
            "ResultsTableName", "The table of the results of the tasks", results_table.table_name
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
            handler=f"router.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "router",
                "POWERTOOLS_METRICS_NAMESPACE": "Router",
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
