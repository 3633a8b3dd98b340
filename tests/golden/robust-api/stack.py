"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    error_percent: float = 5
    """Which share of the calls may fail, in percent; AWS recommends 5."""
    latency_milliseconds: float = 2500
    """How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500."""
    refused_percent: float = 50
    """Which share of the requests may be refused, in percent, before it looks like an error of
    ours.
    """


class RobustApiStack(cdk.Stack):
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

        issuer_url = cdk.CfnParameter(
            self,
            "IssuerUrl",
            allowed_pattern="https://.+",
            description="The issuer, exactly as in the iss claim of its tokens, "
            "with a final slash if there is one",
        ).value_as_string
        issuer_audience = cdk.CfnParameter(
            self,
            "IssuerAudience",
            type="CommaDelimitedList",
            default="robust-api",
            description="The audiences that tokens may be for, "
            "as in their claim aud (or client_id)",
        ).value_as_list

        api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.stack_name,
            create_default_stage=False,
            default_authorizer=authorizers.HttpJwtAuthorizer(
                "Issuer",
                issuer_url,
                jwt_audience=issuer_audience,
            ),
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
                throttling_rate_limit=100,
                throttling_burst_limit=200,
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
                        "subject": "$context.authorizer.claims.sub",
                        "authorizerError": "$context.authorizer.error",
                        "integrationError": "$context.integrationErrorMessage",
                        "userAgent": "$context.identity.userAgent",
                    }
                ),
            ),
        )

        orders_function = self._function(
            "OrdersFunction",
            name="orders",
            description="Stores orders and reads them",
            timeout=cdk.Duration.seconds(10),
        )

        invoices_function = self._function(
            "InvoicesFunction",
            name="invoices",
            description="Accepts requests for invoices",
            timeout=cdk.Duration.seconds(10),
        )

        shipping_function = self._function(
            "ShippingFunction",
            name="shipping",
            description="Returns shipping costs",
            timeout=cdk.Duration.seconds(12),
        )

        write_invoice_function = self._function(
            "WriteInvoiceFunction",
            name="write-invoice",
            description="Writes the invoice of an order once",
            timeout=cdk.Duration.seconds(20),
        )
        write_invoice_dead_letter_queue = self._dead_letter_queue(
            "WriteInvoiceDeadLetterQueue",
        )
        self._keep_failed_events(
            "WriteInvoiceFunctionInvokes",
            write_invoice_function,
            write_invoice_dead_letter_queue,
            retries=2,
        )

        rates_function = self._function(
            "RatesFunction",
            name="rates",
            description="Quotes shipping rates to other functions, as an internal API",
            timeout=cdk.Duration.seconds(10),
        )
        rates_function_alias = rates_function.add_alias("live")

        order_book_table = dynamodb.Table(
            self,
            "OrderBookTable",
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

        tariffs_table = dynamodb.Table(
            self,
            "TariffsTable",
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

        # api -> orders
        api.add_routes(
            path="/orders/{order_id}",
            methods=[apigatewayv2.HttpMethod.PUT],
            integration=integrations.HttpLambdaIntegration(
                "OrdersFunctionIntegration",
                orders_function,
            ),
            authorization_scopes=["orders:write"],
        )
        api.add_routes(
            path="/orders/{order_id}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "OrdersFunctionIntegration",
                orders_function,
            ),
            authorization_scopes=["orders:read"],
        )

        # api -> invoices
        api.add_routes(
            path="/orders/{order_id}/invoice",
            methods=[apigatewayv2.HttpMethod.POST],
            integration=integrations.HttpLambdaIntegration(
                "InvoicesFunctionIntegration",
                invoices_function,
            ),
            authorization_scopes=["orders:write"],
        )

        # api -> shipping
        api.add_routes(
            path="/shipping/{country}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "ShippingFunctionIntegration",
                shipping_function,
            ),
            authorization_scopes=["shipping:read"],
        )

        # orders -> order-book
        order_book_table.grant(orders_function, "dynamodb:GetItem", "dynamodb:PutItem")
        orders_function.add_environment("ORDER_BOOK_TABLE_NAME", order_book_table.table_name)

        # invoices -> write-invoice
        iam.Grant.add_to_principal(
            grantee=invoices_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[write_invoice_function.function_arn],
        )
        invoices_function.add_environment(
            "WRITE_INVOICE_FUNCTION_NAME", write_invoice_function.function_name
        )

        # write-invoice -> order-book
        order_book_table.grant(write_invoice_function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        write_invoice_function.add_environment("ORDER_BOOK_TABLE_NAME", order_book_table.table_name)

        # shipping -> rates
        iam.Grant.add_to_principal(
            grantee=shipping_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[rates_function_alias.function_arn],
        )
        shipping_function.add_environment("RATES_ALIAS_ARN", rates_function_alias.function_arn)

        # rates -> tariffs
        tariffs_table.grant(rates_function, "dynamodb:GetItem")
        rates_function.add_environment("TARIFFS_TABLE_NAME", tariffs_table.table_name)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into WriteInvoiceDeadLetterQueue. First: run make "
            "dead-letters, then see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)",
                w1=waiting_in(write_invoice_dead_letter_queue),
                h1=hidden_in(write_invoice_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at WriteInvoiceFunction. First: "
            "check the permissions to send to the dead-letter queue",
            metric(
                "AWS/Lambda",
                "DestinationDeliveryFailures",
                "Sum",
                FunctionName=write_invoice_function.function_name,
            ),
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
            "ApiRefusalsAlarm",
            "Ticket: Api refuses most requests. First: check issuer and audience, and the "
            "provider's keys",
            math(
                "IF(requests >= 20, 100 * refused / requests, 0)",
                requests=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                refused=metric("AWS/ApiGateway", "4xx", "Sum", ApiId=api.api_id),
            ),
            When(above=thresholds.refused_percent, minutes=5, periods=3),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of OrdersFunction, InvoicesFunction, ShippingFunction and "
            "RatesFunction fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, "
                "m1_1 + m1_2 + m1_3 + m1_4)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1_1=orders_function.metric_errors(),
                m1_2=invoices_function.metric_errors(),
                m1_3=shipping_function.metric_errors(),
                m1_4=rates_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "OrdersFunctionName",
            "The function that stores orders and reads them",
            orders_function.function_name,
        )
        cdk.CfnOutput(
            self, "OrdersFunctionLogGroupName", value=orders_function.log_group.log_group_name
        )
        self._output(
            "InvoicesFunctionName",
            "The function that accepts requests for invoices",
            invoices_function.function_name,
        )
        cdk.CfnOutput(
            self, "InvoicesFunctionLogGroupName", value=invoices_function.log_group.log_group_name
        )
        self._output(
            "ShippingFunctionName",
            "The function that returns shipping costs",
            shipping_function.function_name,
        )
        cdk.CfnOutput(
            self, "ShippingFunctionLogGroupName", value=shipping_function.log_group.log_group_name
        )
        self._output(
            "WriteInvoiceFunctionName",
            "The function that writes the invoice of an order once",
            write_invoice_function.function_name,
        )
        cdk.CfnOutput(
            self,
            "WriteInvoiceFunctionLogGroupName",
            value=write_invoice_function.log_group.log_group_name,
        )
        self._output(
            "WriteInvoiceDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            write_invoice_dead_letter_queue.queue_url,
        )
        self._output(
            "RatesFunctionName",
            "The function that quotes shipping rates to other functions, as an internal API",
            rates_function.function_name,
        )
        self._output(
            "RatesFunctionAliasArn",
            "Its alias, which callers invoke",
            rates_function_alias.function_arn,
        )
        cdk.CfnOutput(
            self, "RatesFunctionLogGroupName", value=rates_function.log_group.log_group_name
        )
        self._output(
            "OrderBookTableName",
            "The table of the orders and their invoices",
            order_book_table.table_name,
        )
        self._output(
            "TariffsTableName", "The table of the tariff of each country", tariffs_table.table_name
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
        module = name.replace("-", "_")
        return lambda_.Function(
            self,
            construct_id,
            description=description,
            code=function_code(),
            handler=f"robust_api.handlers.{module}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "robust-api",
                "POWERTOOLS_METRICS_NAMESPACE": "RobustApi",
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
