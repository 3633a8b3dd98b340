"""The infrastructure: resources, what flows between them, alarms and outputs."""

from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code


class DistributedTriggerStack(cdk.Stack):
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

        incoming_bucket = s3.Bucket(
            self,
            "IncomingBucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
        )
        self._notify_event_bridge(incoming_bucket)
        incoming_to_trigger_dead_letter_queue = self._dead_letter_queue(
            "IncomingToTriggerDeadLetterQueue",
        )

        trigger_function = self._function(
            "TriggerFunction",
            name="trigger",
            description="Publishes each upload to the topic",
            timeout=cdk.Duration.seconds(10),
        )
        trigger_dead_letter_queue = self._dead_letter_queue(
            "TriggerDeadLetterQueue",
        )
        self._keep_failed_events(
            "TriggerFunctionInvokes",
            trigger_function,
            trigger_dead_letter_queue,
            retries=2,
        )

        uploads_topic = sns.Topic(
            self,
            "UploadsTopic",
            enforce_ssl=True,
            master_key=kms.Alias.from_alias_name(self, "UploadsTopicKey", "alias/aws/sns"),
        )
        # Where other stacks find the topic that they subscribe to.
        uploads_topic_parameter = ssm.StringParameter(
            self,
            "UploadsTopicParameter",
            parameter_name=f"/topics/{self.stack_name}/uploads",
            string_value=uploads_topic.topic_arn,
        )

        # incoming -> trigger
        incoming_to_trigger_rule = self._rule(
            "IncomingBucketToTriggerFunction",
            pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": {"name": [incoming_bucket.bucket_name]},
                    "object": {"key": [{"prefix": "uploads/"}]},
                },
            },
            target=("trigger", trigger_function.function_arn),
            dead_letters=incoming_to_trigger_dead_letter_queue,
        )
        trigger_function.add_permission(
            "IncomingBucket",
            principal=iam.ServicePrincipal("events.amazonaws.com"),
            source_arn=incoming_to_trigger_rule.attr_arn,
        )

        # trigger -> uploads
        iam.Grant.add_to_principal(
            grantee=trigger_function,
            actions=["sns:Publish"],
            resource_arns=[uploads_topic.topic_arn],
        )
        trigger_function.add_environment("UPLOADS_TOPIC_ARN", uploads_topic.topic_arn)

        alarms = Alarms(self, alarm_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into IncomingToTriggerDeadLetterQueue and "
            "TriggerDeadLetterQueue. First: run make dead-letters, then see When a message fails "
            "in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0)",
                w1=waiting_in(incoming_to_trigger_dead_letter_queue),
                h1=hidden_in(incoming_to_trigger_dead_letter_queue),
                w2=waiting_in(trigger_dead_letter_queue),
                h2=hidden_in(trigger_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at "
            "IncomingBucketToTriggerFunction and TriggerFunction. First: check the permissions to "
            "send to the dead-letter queue",
            math(
                "m1 + m2",
                m1=metric(
                    "AWS/Events",
                    "InvocationsFailedToBeSentToDlq",
                    "Sum",
                    RuleName=incoming_to_trigger_rule.ref,
                ),
                m2=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=trigger_function.function_name,
                ),
            ),
        )

        self._output(
            "IncomingBucketName", "The bucket of incoming files", incoming_bucket.bucket_name
        )
        self._output(
            "IncomingToTriggerDeadLetterQueueUrl",
            "The queue of the events that could not be delivered to trigger",
            incoming_to_trigger_dead_letter_queue.queue_url,
        )
        self._output(
            "TriggerFunctionName",
            "The function that publishes each upload to the topic",
            trigger_function.function_name,
        )
        cdk.CfnOutput(
            self, "TriggerFunctionLogGroupName", value=trigger_function.log_group.log_group_name
        )
        self._output(
            "TriggerDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            trigger_dead_letter_queue.queue_url,
        )
        self._output("UploadsTopicArn", "The topic of uploads", uploads_topic.topic_arn)
        self._output(
            "UploadsTopicParameterName",
            "The parameter that holds its ARN",
            uploads_topic_parameter.parameter_name,
        )
        self._output(
            "AlarmTopicArn", "Where the alarms go that need somebody now", alarms.topic.topic_arn
        )

    def _notify_event_bridge(self, bucket: s3.Bucket) -> None:
        # As an option of the bucket, CDK would set it by a function that may change every bucket.
        resource = cast("s3.CfnBucket", bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
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
            handler=f"distributed_trigger.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "distributed-trigger",
                "POWERTOOLS_METRICS_NAMESPACE": "DistributedTrigger",
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

    def _rule(
        self,
        construct_id: str,
        *,
        pattern: dict[str, Any],
        target: tuple[str, str],
        dead_letters: sqs.Queue,
    ) -> events.CfnRule:
        name, arn = target
        rule = events.CfnRule(
            self,
            construct_id,
            event_pattern=pattern,
            targets=[
                events.CfnRule.TargetProperty(
                    id=name,
                    arn=arn,
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_retry_attempts=185,
                        maximum_event_age_in_seconds=86400,  # 24 hours
                    ),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=dead_letters.queue_arn
                    ),
                )
            ],
        )
        self._allow_sending(rule, dead_letters)
        return rule

    def _allow_sending(self, rule: events.CfnRule, queue: sqs.Queue) -> None:
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowSender",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
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
