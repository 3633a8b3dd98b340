"""The infrastructure: resources, what flows between them, alarms and outputs."""

from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code

STATE_MACHINES = Path(__file__).parents[1] / "statemachines"


class FanOutFanInStack(cdk.Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarm_topic_arn: str | None = None,
        ticket_topic_arn: str | None = None,
        **options: Any,
    ) -> None:
        """Define the stack.

        Alarms that need somebody now go to a topic of the stack unless `alarm_topic_arn` names
        another; those that can wait go to `ticket_topic_arn` if it is given, or else there, too.
        """
        super().__init__(scope, construct_id, **options)

        jobs_bucket = s3.Bucket(
            self,
            "JobsBucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
        )
        self._notify_event_bridge(jobs_bucket)
        jobs_to_start_dead_letter_queue = self._dead_letter_queue(
            "JobsToStartDeadLetterQueue",
        )

        start_function = self._function(
            "StartFunction",
            name="start",
            description="Starts the execution of a job that was uploaded",
            timeout=cdk.Duration.seconds(30),
        )
        start_dead_letter_queue = self._dead_letter_queue(
            "StartDeadLetterQueue",
        )
        self._keep_failed_events(
            "StartFunctionInvokes",
            start_function,
            start_dead_letter_queue,
            retries=2,
        )

        work_function = self._function(
            "WorkFunction",
            name="work",
            description="Processes a batch of rows",
            timeout=cdk.Duration.seconds(60),
        )

        combine_function = self._function(
            "CombineFunction",
            name="combine",
            description="Ends a job with the total of its results",
            timeout=cdk.Duration.seconds(900),
        )

        describe_function = self._function(
            "DescribeFunction",
            name="describe",
            description="Returns the status of a job",
            timeout=cdk.Duration.seconds(30),
        )

        results_bucket = s3.Bucket(
            self,
            "ResultsBucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(120))],
        )

        process_state_machine = sfn.StateMachine(
            self,
            "ProcessStateMachine",
            definition_body=sfn.DefinitionBody.from_file(
                f"{STATE_MACHINES}/process.asl.json",
            ),
            definition_substitutions={
                "Partition": cdk.Aws.PARTITION,
                "JobsBucketName": jobs_bucket.bucket_name,
                "WorkFunctionArn": work_function.function_arn,
                "ResultsBucketName": results_bucket.bucket_name,
                "CombineFunctionArn": combine_function.function_arn,
            },
            tracing_enabled=True,
        )
        # Each part is an execution; in the machine's other policies this would be circular.
        iam.Policy(
            self,
            "ProcessStateMachineStartsParts",
            roles=[process_state_machine.role],
            statements=[
                iam.PolicyStatement(
                    actions=["states:StartExecution"],
                    resources=[process_state_machine.state_machine_arn],
                ),
                iam.PolicyStatement(
                    actions=[
                        "states:DescribeExecution",
                        "states:StopExecution",
                        "states:RedriveExecution",
                    ],
                    resources=[
                        self.format_arn(
                            service="states",
                            resource="execution",
                            resource_name=f"{process_state_machine.state_machine_name}/*",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        ),
                    ],
                ),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution"],
                    resources=[
                        self.format_arn(
                            service="states",
                            resource="execution",
                            resource_name=f"{process_state_machine.state_machine_name}:*",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        ),
                    ],
                ),
            ],
        )
        process_dead_letter_queue = self._dead_letter_queue(
            "ProcessDeadLetterQueue",
        )
        process_failure_rule = self._dead_letter_rule(
            "ProcessFailureRule",
            "Executions of process that ended in a failure",
            {
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": [process_state_machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            },
            process_dead_letter_queue,
        )

        # jobs -> start
        jobs_to_start_rule = self._rule(
            "JobsBucketToStartFunction",
            pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": {"name": [jobs_bucket.bucket_name]},
                },
            },
            target=("start", start_function.function_arn),
            dead_letters=jobs_to_start_dead_letter_queue,
        )
        start_function.add_permission(
            "JobsBucket",
            principal=iam.ServicePrincipal("events.amazonaws.com"),
            source_arn=jobs_to_start_rule.attr_arn,
        )

        # start -> process
        process_state_machine.grant_start_execution(start_function)
        iam.Grant.add_to_principal(
            grantee=start_function,
            actions=["states:DescribeExecution"],
            resource_arns=[
                self.format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{process_state_machine.state_machine_name}:*",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
            ],
        )
        start_function.add_environment(
            "PROCESS_MACHINE_ARN", process_state_machine.state_machine_arn
        )

        # process -> jobs
        iam.Grant.add_to_principal(
            grantee=process_state_machine,
            actions=["s3:GetObject"],
            resource_arns=[jobs_bucket.arn_for_objects("*")],
        )

        # process -> work
        iam.Grant.add_to_principal(
            grantee=process_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[work_function.function_arn],
        )

        # process -> results
        iam.Grant.add_to_principal(
            grantee=process_state_machine,
            actions=[
                "s3:GetObject",
                "s3:PutObject",
                "s3:ListMultipartUploadParts",
                "s3:AbortMultipartUpload",
            ],
            resource_arns=[results_bucket.arn_for_objects("*")],
        )

        # process -> combine
        iam.Grant.add_to_principal(
            grantee=process_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[combine_function.function_arn],
        )

        # combine -> results
        iam.Grant.add_to_principal(
            grantee=combine_function,
            actions=["s3:GetObject", "s3:PutObject"],
            resource_arns=[results_bucket.arn_for_objects("*")],
        )
        combine_function.add_environment("RESULTS_BUCKET_NAME", results_bucket.bucket_name)

        # describe -> process
        iam.Grant.add_to_principal(
            grantee=describe_function,
            actions=["states:DescribeExecution", "states:ListMapRuns"],
            resource_arns=[
                self.format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{process_state_machine.state_machine_name}:*",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
            ],
        )
        iam.Grant.add_to_principal(
            grantee=describe_function,
            actions=["states:DescribeMapRun"],
            resource_arns=[
                self.format_arn(
                    service="states",
                    resource="mapRun",
                    resource_name=f"{process_state_machine.state_machine_name}/*",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
            ],
        )
        describe_function.add_environment(
            "PROCESS_MACHINE_ARN", process_state_machine.state_machine_arn
        )

        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into JobsToStartDeadLetterQueue, "
            "StartDeadLetterQueue and ProcessDeadLetterQueue. First: run make dead-letters, then "
            "see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) "
                "+ IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0)",
                w1=waiting_in(jobs_to_start_dead_letter_queue),
                h1=hidden_in(jobs_to_start_dead_letter_queue),
                w2=waiting_in(start_dead_letter_queue),
                h2=hidden_in(start_dead_letter_queue),
                w3=waiting_in(process_dead_letter_queue),
                h3=hidden_in(process_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at JobsBucketToStartFunction, "
            "StartFunction and ProcessFailureRule. First: check the permissions to send to the "
            "dead-letter queue",
            math(
                "m1 + m2 + m3",
                m1=metric(
                    "AWS/Events",
                    "InvocationsFailedToBeSentToDlq",
                    "Sum",
                    RuleName=jobs_to_start_rule.ref,
                ),
                m2=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=start_function.function_name,
                ),
                m3=metric(
                    "AWS/Events", "FailedInvocations", "Sum", RuleName=process_failure_rule.ref
                ),
            ),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of WorkFunction and DescribeFunction fail. First: see their logs",
            math(
                "m1 + m2",
                m1=work_function.metric_errors(),
                m2=describe_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("JobsBucketName", "The bucket of jobs", jobs_bucket.bucket_name)
        self._output(
            "JobsToStartDeadLetterQueueUrl",
            "The queue of the events that could not be delivered to start",
            jobs_to_start_dead_letter_queue.queue_url,
        )
        self._output(
            "StartFunctionName",
            "The function that starts the execution of a job that was uploaded",
            start_function.function_name,
        )
        cdk.CfnOutput(
            self, "StartFunctionLogGroupName", value=start_function.log_group.log_group_name
        )
        self._output(
            "StartDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            start_dead_letter_queue.queue_url,
        )
        self._output(
            "ProcessStateMachineArn",
            "The state machine that processes a job's rows in batches, and combines the results",
            process_state_machine.state_machine_arn,
        )
        self._output(
            "ProcessDeadLetterQueueUrl",
            "The queue of its executions that ended in a failure",
            process_dead_letter_queue.queue_url,
        )
        self._output(
            "WorkFunctionName",
            "The function that processes a batch of rows",
            work_function.function_name,
        )
        cdk.CfnOutput(
            self, "WorkFunctionLogGroupName", value=work_function.log_group.log_group_name
        )
        self._output(
            "CombineFunctionName",
            "The function that ends a job with the total of its results",
            combine_function.function_name,
        )
        self._output(
            "DescribeFunctionName",
            "The function that returns the status of a job",
            describe_function.function_name,
        )
        self._output("ResultsBucketName", "The bucket of results", results_bucket.bucket_name)
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
            handler=f"fan_out_fan_in.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "fan-out-fan-in",
                "POWERTOOLS_METRICS_NAMESPACE": "FanOutFanIn",
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

    def _dead_letter_rule(
        self, construct_id: str, description: str, pattern: dict[str, Any], queue: sqs.Queue
    ) -> events.CfnRule:
        rule = events.CfnRule(
            self,
            construct_id,
            description=description,
            event_pattern=pattern,
            targets=[
                events.CfnRule.TargetProperty(
                    id="dead-letters",
                    arn=queue.queue_arn,
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_retry_attempts=185,
                        maximum_event_age_in_seconds=86400,  # 24 hours
                    ),
                )
            ],
        )
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowSender",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
        return rule

    def _log_group(self, construct_id: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            construct_id,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _output(self, name: str, description: str, value: str) -> None:
        cdk.CfnOutput(self, name, description=description, value=value)
