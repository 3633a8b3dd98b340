"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.alarms import Alarms, When, math, metric
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


class AggregatorStack(cdk.Stack):
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

        catalog_function_arn = self._remote_function(
            "CatalogFunctionArn",
            "The function that returns the name and the price of a product; better its alias",
        )

        stock_function_arn = self._remote_function(
            "StockFunctionArn",
            "The function that returns how many of a product are available; better its alias",
        )

        reviews_function_arn = self._remote_function(
            "ReviewsFunctionArn",
            "The function that returns the reviews of a product; better its alias",
        )

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
            default="aggregator",
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

        aggregate_function = self._function(
            "AggregateFunction",
            name="aggregate",
            description="Builds the page of a product",
            timeout=cdk.Duration.seconds(25),
        )

        answers_table = dynamodb.Table(
            self,
            "AnswersTable",
            partition_key=dynamodb.Attribute(
                name="id",
                type=dynamodb.AttributeType.STRING,
            ),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=False,
            ),
            time_to_live_attribute="expires_at",
            # What a cache has may be lost at any time.
            deletion_protection=False,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

        # api -> aggregate
        api.add_routes(
            path="/products/{product_id}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "AggregateFunctionIntegration",
                aggregate_function,
            ),
            authorization_scopes=["products:read"],
        )

        # aggregate -> catalog
        iam.Grant.add_to_principal(
            grantee=aggregate_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[catalog_function_arn],
        )
        aggregate_function.add_environment("CATALOG_FUNCTION_ARN", catalog_function_arn)

        # aggregate -> stock
        iam.Grant.add_to_principal(
            grantee=aggregate_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[stock_function_arn],
        )
        aggregate_function.add_environment("STOCK_FUNCTION_ARN", stock_function_arn)

        # aggregate -> reviews
        iam.Grant.add_to_principal(
            grantee=aggregate_function,
            actions=["lambda:InvokeFunction"],
            resource_arns=[reviews_function_arn],
        )
        aggregate_function.add_environment("REVIEWS_FUNCTION_ARN", reviews_function_arn)

        # aggregate -> answers
        answers_table.grant(aggregate_function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        aggregate_function.add_environment("ANSWERS_TABLE_NAME", answers_table.table_name)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
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
        # Of 3 calls an hour or more; callers get the rest; quiet after 6 hours without it.
        alarms.ticket(
            "AggregateFunctionMissingPartsAlarm",
            "Ticket: Half of the pages of aggregate lack catalog or stock or reviews. First: find "
            "'service failed' in the log of aggregate: it names the service, and why",
            math(
                "IF(calls >= 3, IF(calls - 2 * catalog <= 0, 1, 0) + IF(calls - 2 * stock <= 0, "
                "1, 0) + IF(calls - 2 * reviews <= 0, 1, 0))",
                calls=aggregate_function.metric_invocations(),
                catalog=metric(
                    "Aggregator",
                    "PartMissing",
                    "Sum",
                    FunctionName=aggregate_function.function_name,
                    service="aggregator",
                    part="catalog",
                ),
                stock=metric(
                    "Aggregator",
                    "PartMissing",
                    "Sum",
                    FunctionName=aggregate_function.function_name,
                    service="aggregator",
                    part="stock",
                ),
                reviews=metric(
                    "Aggregator",
                    "PartMissing",
                    "Sum",
                    FunctionName=aggregate_function.function_name,
                    service="aggregator",
                    part="reviews",
                ),
            ),
            When(minutes=60, periods=6, needed=1, missing=cloudwatch.TreatMissingData.IGNORE),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of AggregateFunction fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=aggregate_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "AggregateFunctionName",
            "The function that builds the page of a product",
            aggregate_function.function_name,
        )
        cdk.CfnOutput(
            self, "AggregateFunctionLogGroupName", value=aggregate_function.log_group.log_group_name
        )
        self._output(
            "AnswersTableName",
            "The table of the last valid responses of the services",
            answers_table.table_name,
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
            handler=f"aggregator.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "aggregator",
                "POWERTOOLS_METRICS_NAMESPACE": "Aggregator",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
        )

    def _remote_function(self, construct_id: str, description: str) -> str:
        return cdk.CfnParameter(
            self,
            construct_id,
            allowed_pattern=r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:"
            r"[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?",
            description=description,
        ).value_as_string

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
