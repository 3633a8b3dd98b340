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
from aws_cdk import aws_secretsmanager as secretsmanager
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


class CircuitBreakerStack(cdk.Stack):
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

        carrier_url = cdk.CfnParameter(
            self,
            "CarrierUrl",
            # On the local stack it is a stand-in.
            allowed_pattern=r"https://.*[^/]|http://127\.0\.0\.1:\d+",
            description="The address of the carrier's API",
        ).value_as_string

        api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.stack_name,
            create_default_stage=False,
            default_authorizer=authorizers.HttpIamAuthorizer(),
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
                        "subject": "$context.identity.userArn",
                        "integrationError": "$context.integrationErrorMessage",
                        "userAgent": "$context.identity.userAgent",
                    }
                ),
            ),
        )

        track_function = self._function(
            "TrackFunction",
            name="track",
            description="Asks the carrier where a parcel is",
            timeout=cdk.Duration.seconds(20),
        )

        circuits_table = dynamodb.Table(
            self,
            "CircuitsTable",
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

        administer_function = self._function(
            "AdministerFunction",
            name="administer",
            description="Shows, opens and closes the circuit",
            timeout=cdk.Duration.seconds(10),
        )

        carrier_token = secretsmanager.Secret(
            self,
            "CarrierToken",
            description="The token by which the service signs in to the carrier",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=43,
                exclude_punctuation=True,
            ),
        )

        # api -> track
        api.add_routes(
            path="/parcels/{number}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "TrackFunctionIntegration",
                track_function,
            ),
        )

        # track -> circuits
        circuits_table.grant(track_function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        track_function.add_environment("CIRCUITS_TABLE_NAME", circuits_table.table_name)

        # track -> carrier
        track_function.add_environment("CARRIER_URL", carrier_url)

        # administer -> circuits
        circuits_table.grant(administer_function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        administer_function.add_environment("CIRCUITS_TABLE_NAME", circuits_table.table_name)

        # track -> carrier-token
        iam.Grant.add_to_principal(
            grantee=track_function,
            actions=["secretsmanager:GetSecretValue"],
            resource_arns=[carrier_token.secret_arn],
        )
        track_function.add_environment("CARRIER_TOKEN_ARN", carrier_token.secret_arn)

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
        # 10 minutes in none of which it was closed, since it opens for moments in normal
        # operation; while callers get an error, another alarm tells; it stays open while nobody
        # calls.
        alarms.ticket(
            "CarrierCircuitOpenAlarm",
            "Ticket: The circuit of carrier stays open. First: ask those who run carrier; the "
            "circuit closes once a probe succeeds",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=metric(
                    "CircuitBreaker",
                    "CircuitOpen",
                    "Minimum",
                    FunctionName=track_function.function_name,
                    service="circuit-breaker",
                    circuit="carrier",
                ),
            ),
            When(periods=10, missing=cloudwatch.TreatMissingData.IGNORE),
        )
        # Callers are still served; 3 of 3 minutes.
        alarms.ticket(
            "CarrierCircuitUnguardedAlarm",
            "Ticket: The state of the circuit of carrier cannot be read or written. First: check "
            "the datastore of the circuit: calls go through unguarded",
            metric(
                "CircuitBreaker",
                "CircuitStateUnavailable",
                "Sum",
                FunctionName=track_function.function_name,
                service="circuit-breaker",
                circuit="carrier",
            ),
            When(periods=3),
        )
        # In two minutes of an hour; while most that track does fails, another alarm tells.
        alarms.ticket(
            "CarrierSignInAlarm",
            "Ticket: The service cannot sign in to carrier. First: see in the log of track "
            "whether the token is refused or cannot be read, and store a valid one in "
            "CarrierToken",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=metric(
                    "CircuitBreaker",
                    "SignInFailed",
                    "Sum",
                    FunctionName=track_function.function_name,
                    service="circuit-breaker",
                    system="carrier",
                ),
            ),
            When(periods=60, needed=2),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of TrackFunction and AdministerFunction fail. First: see their "
            "logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1) "
                "+ m2",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=track_function.metric_errors(),
                m2=administer_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "TrackFunctionName",
            "The function that asks the carrier where a parcel is",
            track_function.function_name,
        )
        cdk.CfnOutput(
            self, "TrackFunctionLogGroupName", value=track_function.log_group.log_group_name
        )
        self._output(
            "CircuitsTableName",
            "The table of the state of the circuit, shared by all instances",
            circuits_table.table_name,
        )
        self._output(
            "AdministerFunctionName",
            "The function that shows, opens and closes the circuit",
            administer_function.function_name,
        )
        self._output(
            "CarrierTokenArn",
            "The token by which the service signs in to the carrier",
            carrier_token.secret_arn,
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
            handler=f"circuit_breaker.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "circuit-breaker",
                "POWERTOOLS_METRICS_NAMESPACE": "CircuitBreaker",
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
