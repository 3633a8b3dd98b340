"""The infrastructure: resources, what flows between them, alarms and outputs."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code


class InternalHandoffStack(cdk.Stack):
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

        award_function = self._function(
            "AwardFunction",
            name="award",
            description="Awards loyalty points for each purchase once",
            timeout=cdk.Duration.seconds(20),
        )
        award_dead_letter_queue = self._dead_letter_queue(
            "AwardDeadLetterQueue",
        )
        self._keep_failed_events(
            "AwardFunctionInvokes",
            award_function,
            award_dead_letter_queue,
            retries=2,
        )

        awards_table = dynamodb.Table(
            self,
            "AwardsTable",
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

        # award -> awards
        awards_table.grant(award_function, "dynamodb:GetItem", "dynamodb:PutItem")
        award_function.add_environment("AWARDS_TABLE_NAME", awards_table.table_name)

        alarms = Alarms(self, alarm_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into AwardDeadLetterQueue. First: run make "
            "dead-letters, then see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)",
                w1=waiting_in(award_dead_letter_queue),
                h1=hidden_in(award_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at AwardFunction. First: check "
            "the permissions to send to the dead-letter queue",
            metric(
                "AWS/Lambda",
                "DestinationDeliveryFailures",
                "Sum",
                FunctionName=award_function.function_name,
            ),
        )

        self._output(
            "AwardFunctionName",
            "The function that awards loyalty points for each purchase once",
            award_function.function_name,
        )
        cdk.CfnOutput(
            self, "AwardFunctionLogGroupName", value=award_function.log_group.log_group_name
        )
        self._output(
            "AwardDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            award_dead_letter_queue.queue_url,
        )
        self._output("AwardsTableName", "The table of the points awarded", awards_table.table_name)
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
            handler=f"internal_handoff.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "internal-handoff",
                "POWERTOOLS_METRICS_NAMESPACE": "InternalHandoff",
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
