"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
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

    error_percent: float = 5
    """Which share of the calls may fail, in percent; AWS recommends 5."""
    latency_milliseconds: float = 2500
    """How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500."""
    oldest_message_seconds: float = 1500
    """How long a message may wait, in seconds; 1.5 times the longest normal wait."""
    refused_percent: float = 50
    """Which share of the requests may be refused, in percent, before it looks like an error of
    ours.
    """


class ScalableWebhookStack(cdk.Stack):
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

        api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.stack_name,
            create_default_stage=False,
        )
        api_log_group = self._log_group(
            "ApiLogGroup",
            f"/aws/vendedlogs/apis/{self.stack_name}-api",
        )
        apigatewayv2.CfnStage(
            self,
            "ApiStage",
            api_id=api.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=apigatewayv2.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=500,
                throttling_burst_limit=1000,
            ),
            access_log_settings=apigatewayv2.CfnStage.AccessLogSettingsProperty(
                destination_arn=api_log_group.log_group_arn,
                format=self.to_json_string(
                    {
                        "requestId": "$context.requestId",
                        "time": "$context.requestTime",
                        "route": "$context.routeKey",
                        "status": "$context.status",
                        "latency": "$context.responseLatency",
                        "error": "$context.error.message",
                        "integrationRequestId": "$context.awsEndpointRequestId",
                        "sourceIp": "$context.identity.sourceIp",
                        "integrationError": "$context.integrationErrorMessage",
                        "userAgent": "$context.identity.userAgent",
                    }
                ),
            ),
        )

        receive_function = self._function(
            "ReceiveFunction",
            name="receive",
            description="Checks the signature, enqueues the delivery, returns 202",
            timeout=cdk.Duration.seconds(20),
        )

        signing_secret = secretsmanager.Secret(
            self,
            "SigningSecret",
            description="The key that sender and service share",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=32,
                exclude_punctuation=True,
            ),
        )

        deliveries_dead_letter_queue = self._dead_letter_queue(
            "DeliveriesDeadLetterQueue",
        )
        deliveries_queue = sqs.Queue(
            self,
            "DeliveriesQueue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(4),
            # Six times the function's timeout.
            visibility_timeout=cdk.Duration.seconds(180),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=deliveries_dead_letter_queue,
                # An outage of an hour makes no dead letter.
                max_receive_count=22,
            ),
        )

        process_function = self._function(
            "ProcessFunction",
            name="process",
            description="Stores each event once",
            timeout=cdk.Duration.seconds(30),
        )

        events_table = dynamodb.Table(
            self,
            "EventsTable",
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

        # api -> receive
        api.add_routes(
            path="/webhooks",
            methods=[apigatewayv2.HttpMethod.POST],
            integration=integrations.HttpLambdaIntegration(
                "ReceiveFunctionIntegration",
                receive_function,
            ),
        )

        # receive -> signing-secret
        iam.Grant.add_to_principal(
            grantee=receive_function,
            actions=["secretsmanager:GetSecretValue"],
            resource_arns=[signing_secret.secret_arn],
        )
        receive_function.add_environment("SIGNING_SECRET_ARN", signing_secret.secret_arn)

        # receive -> deliveries
        deliveries_queue.grant(receive_function, "sqs:SendMessage")
        receive_function.add_environment("DELIVERIES_QUEUE_URL", deliveries_queue.queue_url)

        # deliveries -> process
        deliveries_queue.grant(
            process_function, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"
        )
        deliveries_dead_letter_queue.grant(process_function, "sqs:SendMessage")
        process_function.add_event_source_mapping(
            "DeliveriesQueue",
            event_source_arn=deliveries_queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=2,
        )
        process_function.add_environment(
            "DEAD_LETTER_QUEUE_URL", deliveries_dead_letter_queue.queue_url
        )

        # process -> events
        events_table.grant(process_function, "dynamodb:GetItem", "dynamodb:PutItem")
        process_function.add_environment("EVENTS_TABLE_NAME", events_table.table_name)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into DeliveriesDeadLetterQueue. First: run make "
            "dead-letters, then see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)",
                w1=waiting_in(deliveries_dead_letter_queue),
                h1=hidden_in(deliveries_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # A share in 3 of 15 minutes, each with at least 9 calls: after three minutes of an
        # outage, and also where only each fourth minute is bad.
        alarms.page(
            "ApiErrorsAlarm",
            "Page: The API answers too many requests with a 5xx status. First: see its access "
            "log, then the logs of its functions",
            math(
                "IF(calls >= 9, 100 * failed / calls, 0)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
            ),
            When(above=thresholds.error_percent, periods=15, needed=3),
        )
        # Fewer than 540 calls in an hour are no rate by the minute: three of them have failed,
        # and a quarter or more.
        alarms.page(
            "ApiQuietErrorsAlarm",
            "Page: Three or more of the few requests of an hour got a 5xx status. First: see its "
            "access log, then the logs of its functions",
            math(
                "IF(calls < 540 AND failed >= 3 AND 4 * failed >= calls, 1, 0)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
            ),
            When(minutes=60),
        )
        # AWS recommends the 90th percentile in 5 of 5 minutes.
        alarms.ticket(
            "ApiLatencyAlarm",
            "Ticket: The API is slow. First: compare its latency with the durations of its "
            "functions",
            metric("AWS/ApiGateway", "Latency", "p90", ApiId=api.api_id),
            When(above=thresholds.latency_milliseconds, periods=5),
        )
        # A share of at least 20 requests in five minutes, three times in a row: anyone can send
        # one that is refused.
        alarms.ticket(
            "ReceiveFunctionRefusalsAlarm",
            "Ticket: ReceiveFunction refuses most requests. First: compare the secret with the "
            "sender's: one of the two has changed",
            math(
                "IF(requests >= 20, 100 * refused / requests, 0)",
                requests=receive_function.metric_invocations(),
                refused=metric(
                    "ScalableWebhook",
                    "RefusedDeliveries",
                    "Sum",
                    FunctionName=receive_function.function_name,
                    service="scalable-webhook",
                ),
            ),
            When(above=thresholds.refused_percent, minutes=5, periods=3),
        )
        # A sender sends it in no other form, so each is lost; an hour of them is one ticket.
        alarms.ticket(
            "ReceiveFunctionSignedRefusalsAlarm",
            "Ticket: ReceiveFunction refuses what its sender has signed. First: see its log for "
            "the reason and the id, and have the sender send it again",
            metric(
                "ScalableWebhook",
                "RefusedSignedDeliveries",
                "Sum",
                FunctionName=receive_function.function_name,
                service="scalable-webhook",
            ),
            When(periods=60, needed=1),
        )
        # 3 messages or more of which none is deleted count as if they waited until the queue
        # drops them; in 4 of 4 minutes.
        alarms.page(
            "DeliveriesQueueAgeAlarm",
            "Page: The process function processes no message, or messages wait too long. First: "
            "look for errors and throttles",
            math(
                "IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)",
                age=oldest_in(deliveries_queue),
                deleted=deleted_from(deliveries_queue),
                waiting=waiting_in(deliveries_queue),
                hidden=hidden_in(deliveries_queue),
            ),
            When(above=thresholds.oldest_message_seconds, periods=4),
        )
        # Callers are told by a status, and events are retried; three receives of a message in a
        # row; if no message of a queue is processed, its own alarm goes off.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of ReceiveFunction and ProcessFunction fail. First: see their "
            "logs",
            math(
                f"IF(100 * failed > IF(calls < 36, 24, {thresholds.error_percent}) * calls, 0, "
                "m1) + IF(deleted2 == 0 AND waiting2 + hidden2 >= 3, 0, m2)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=receive_function.metric_errors(),
                m2=process_function.metric_errors(),
                deleted2=deleted_from(deliveries_queue),
                waiting2=waiting_in(deliveries_queue),
                hidden2=hidden_in(deliveries_queue),
            ),
            When(minutes=4, periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "ReceiveFunctionName",
            "The function that checks the signature, enqueues the delivery, returns 202",
            receive_function.function_name,
        )
        cdk.CfnOutput(
            self, "ReceiveFunctionLogGroupName", value=receive_function.log_group.log_group_name
        )
        self._output(
            "SigningSecretArn", "The key that sender and service share", signing_secret.secret_arn
        )
        self._output(
            "DeliveriesQueueUrl",
            "The queue that holds verified deliveries until they are stored",
            deliveries_queue.queue_url,
        )
        cdk.CfnOutput(
            self, "DeliveriesDeadLetterQueueUrl", value=deliveries_dead_letter_queue.queue_url
        )
        self._output(
            "ProcessFunctionName",
            "The function that stores each event once",
            process_function.function_name,
        )
        cdk.CfnOutput(
            self, "ProcessFunctionLogGroupName", value=process_function.log_group.log_group_name
        )
        self._output("EventsTableName", "The table of the events received", events_table.table_name)
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
            handler=f"scalable_webhook.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "scalable-webhook",
                "POWERTOOLS_METRICS_NAMESPACE": "ScalableWebhook",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
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

    def _log_group(self, construct_id: str, name: str | None = None) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            construct_id,
            log_group_name=name,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _output(self, name: str, description: str, value: str) -> None:
        cdk.CfnOutput(self, name, description=description, value=value)
