"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.alarms import Alarms, When, math, metric
from infrastructure.bundling import function_code
from infrastructure.routes import moved


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


class StranglerStack(cdk.Stack):
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

        legacy_url = cdk.CfnParameter(
            self,
            "LegacyUrl",
            # On the local stack it is a stand-in.
            allowed_pattern=r"https://[^/]+|http://127\.0\.0\.1:\d+",
            description="The address of the legacy system, without a path",
        ).value_as_string
        # A changed stage variable takes effect at once, a changed address in an integration never.
        legacy_host = cdk.Fn.select(1, cdk.Fn.split("://", legacy_url))

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
            default="strangler",
            description="The audiences that tokens may be for, "
            "as in their claim aud (or client_id)",
        ).value_as_list

        api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.stack_name,
            create_default_stage=False,
            default_integration=integrations.HttpUrlIntegration(
                "LegacyIntegration",
                "https://${stageVariables.LegacyHost}",
                parameter_mapping=apigatewayv2.ParameterMapping().overwrite_path(
                    apigatewayv2.MappingValue.request_path()
                ),
                timeout=cdk.Duration.seconds(29),
            ),
        )
        issuer = apigatewayv2.HttpAuthorizer(
            self,
            "Issuer",
            http_api=api,
            type=apigatewayv2.HttpAuthorizerType.JWT,
            identity_source=["$request.header.Authorization"],
            jwt_issuer=issuer_url,
            jwt_audience=issuer_audience,
        )
        issuer_authorizer = apigatewayv2.HttpAuthorizer.from_http_authorizer_attributes(
            self,
            "IssuerAuthorizer",
            authorizer_id=issuer.authorizer_id,
            authorizer_type="JWT",
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
            stage_variables={"LegacyHost": legacy_host},
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
                        "path": "$context.path",
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
            description="Serves orders, while they move",
            timeout=cdk.Duration.seconds(29),
        )

        records_table = dynamodb.Table(
            self,
            "RecordsTable",
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

        shifts_table = dynamodb.Table(
            self,
            "ShiftsTable",
            partition_key=dynamodb.Attribute(
                name="path",
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
        serving = {
            "orders": integrations.HttpLambdaIntegration(
                "OrdersFunctionIntegration",
                orders_function,
                scope_permission_to_route=False,  # one statement, however many routes
            ),
        }
        for path, function in moved(serving).items():
            integration = serving[function]
            needed = path.split("/")[1] + ":write"
            for served in (path, path + "/{proxy+}"):
                api.add_routes(
                    path=served,
                    integration=integration,
                    authorizer=issuer_authorizer,
                    authorization_scopes=[needed],
                )

        # orders -> shifts
        shifts_table.grant(orders_function, "dynamodb:GetItem")
        orders_function.add_environment("SHIFTS_TABLE_NAME", shifts_table.table_name)

        # orders -> legacy
        orders_function.add_environment("LEGACY_URL", legacy_url)

        # orders -> records
        records_table.grant(orders_function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        orders_function.add_environment("RECORDS_TABLE_NAME", records_table.table_name)

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
        # Callers got the answer of the system that is replaced; each difference counts.
        alarms.ticket(
            "LegacyShadowDifferenceAlarm",
            "Ticket: Answers of legacy and of orders differ. First: find the fields of 'shadow "
            "difference' in the function's log; move no more callers before",
            metric(
                "Strangler",
                "ShadowDifference",
                "Sum",
                FunctionName=orders_function.function_name,
                service="strangler",
            ),
            When(minutes=5),
        )
        # Callers are served all the same; 3 of 3 minutes.
        alarms.ticket(
            "LegacyShadowFailureAlarm",
            "Ticket: Answers of legacy cannot be compared. First: find 'shadow failed' in the "
            "function's log: its datastore is slow, or refuses calls",
            metric(
                "Strangler",
                "ShadowFailure",
                "Sum",
                FunctionName=orders_function.function_name,
                service="strangler",
            ),
            When(periods=3),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of OrdersFunction fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=orders_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output("ApiLogGroupName", "The access log of the API", api_log_group.log_group_name)
        self._output(
            "OrdersFunctionName",
            "The function that serves orders, while they move",
            orders_function.function_name,
        )
        cdk.CfnOutput(
            self, "OrdersFunctionLogGroupName", value=orders_function.log_group.log_group_name
        )
        self._output(
            "RecordsTableName", "The table of the orders, by their id", records_table.table_name
        )
        self._output(
            "ShiftsTableName", "The table of how far each path has moved", shifts_table.table_name
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
            handler=f"strangler.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "strangler",
                "POWERTOOLS_METRICS_NAMESPACE": "Strangler",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
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
