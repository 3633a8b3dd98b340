"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
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


class GatekeeperStack(cdk.Stack):
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

        authorize_function = self._function(
            "AuthorizeFunction",
            name="authorize",
            description="Turns a token into a policy for every route that the token allows",
            timeout=cdk.Duration.seconds(10),
        )

        api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.stack_name,
            create_default_stage=False,
            default_authorizer=authorizers.HttpLambdaAuthorizer(
                "Authorize",
                authorize_function,
                identity_source=["$request.header.Authorization"],
                # A policy says which routes; a simple answer would be for all.
                response_types=[authorizers.HttpLambdaResponseType.IAM],
                results_cache_ttl=cdk.Duration.seconds(300),
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
                        "subject": "$context.authorizer.principalId",
                        "authorizerError": "$context.authorizer.error",
                        "integrationError": "$context.integrationErrorMessage",
                        "userAgent": "$context.identity.userAgent",
                    }
                ),
            ),
        )

        grants_table = dynamodb.Table(
            self,
            "GrantsTable",
            partition_key=dynamodb.Attribute(
                name="id",
                type=dynamodb.AttributeType.STRING,
            ),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True,
            ),
            time_to_live_attribute="remove_at",
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

        parcels_function = self._function(
            "ParcelsFunction",
            name="parcels",
            description="Quotes rates and makes labels for the principal of the call",
            timeout=cdk.Duration.seconds(10),
        )

        administer_function = self._function(
            "AdministerFunction",
            name="administer",
            description="Grants and revokes tokens",
            timeout=cdk.Duration.seconds(10),
        )

        # authorize -> grants
        grants_table.grant(authorize_function, "dynamodb:GetItem")
        authorize_function.add_environment("GRANTS_TABLE_NAME", grants_table.table_name)
        authorize_function.add_environment("GRANTS_DAYS", "30")

        # api -> parcels
        parcels_integration = integrations.HttpLambdaIntegration(
            "ParcelsFunctionIntegration",
            parcels_function,
        )
        api.add_routes(
            path="/rates/{country}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=parcels_integration,
        )
        api.add_routes(
            path="/labels",
            methods=[apigatewayv2.HttpMethod.POST],
            integration=parcels_integration,
        )

        # administer -> grants
        grants_table.grant(administer_function, "dynamodb:PutItem", "dynamodb:DeleteItem")
        administer_function.add_environment("GRANTS_TABLE_NAME", grants_table.table_name)
        administer_function.add_environment("GRANTS_DAYS", "30")

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
            "Ticket: Api refuses most requests. First: see the log of the authorize function",
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
            "Ticket: Invocations of AuthorizeFunction, ParcelsFunction and AdministerFunction "
            "fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, "
                "m1_1 + m1_2) + m2",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1_1=authorize_function.metric_errors(),
                m1_2=parcels_function.metric_errors(),
                m2=administer_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "AuthorizeFunctionName",
            "The function that turns a token into a policy for every route that the token allows",
            authorize_function.function_name,
        )
        cdk.CfnOutput(
            self, "AuthorizeFunctionLogGroupName", value=authorize_function.log_group.log_group_name
        )
        self._output(
            "GrantsTableName", "The table of the grants, by token id", grants_table.table_name
        )
        self._output(
            "AdministerFunctionName",
            "The function that grants and revokes tokens",
            administer_function.function_name,
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
            handler=f"gatekeeper.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "gatekeeper",
                "POWERTOOLS_METRICS_NAMESPACE": "Gatekeeper",
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
