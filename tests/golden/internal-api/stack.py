"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
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


class InternalApiStack(cdk.Stack):
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

        quote_function = self._function(
            "QuoteFunction",
            name="quote",
            description="Quotes the price of an item",
            timeout=cdk.Duration.seconds(10),
        )
        quote_function_alias = quote_function.add_alias("live")
        self._permit_caller(
            "QuoteFunctionCallerPermission",
            quote_function_alias,
            "Caller",
        )

        prices_table = dynamodb.Table(
            self,
            "PricesTable",
            partition_key=dynamodb.Attribute(
                name="item",
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

        # quote -> prices
        prices_table.grant(quote_function, "dynamodb:GetItem")
        quote_function.add_environment("PRICES_TABLE_NAME", prices_table.table_name)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A share in 3 of 15 minutes, each with at least 9 calls: after three minutes of an
        # outage, and also where only each fourth minute is bad.
        alarms.page(
            "QuoteFunctionErrorsAlarm",
            "Page: Calls of the quote function fail. First: see its log",
            math(
                "IF(calls >= 9, 100 * failed / calls, 0)",
                calls=quote_function.metric_invocations(),
                failed=quote_function.metric_errors(),
            ),
            When(above=thresholds.error_percent, periods=15, needed=3),
        )
        # Fewer than 540 calls in an hour are no rate by the minute: three of them have failed,
        # and a quarter or more.
        alarms.page(
            "QuoteFunctionQuietErrorsAlarm",
            "Page: Three or more of the few calls of the quote function in an hour failed. First: "
            "see its log",
            math(
                "IF(calls < 540 AND failed >= 3 AND 4 * failed >= calls, 1, 0)",
                calls=quote_function.metric_invocations(),
                failed=quote_function.metric_errors(),
            ),
            When(minutes=60),
        )
        # AWS recommends the 90th percentile in 5 of 5 minutes.
        alarms.ticket(
            "QuoteFunctionDurationAlarm",
            "Ticket: Calls of the quote function are slow. First: see its log, and compare with "
            "the memory that it has",
            metric("AWS/Lambda", "Duration", "p90", FunctionName=quote_function.function_name),
            When(above=thresholds.latency_milliseconds, periods=5),
        )

        self._output(
            "QuoteFunctionName",
            "The function that quotes the price of an item",
            quote_function.function_name,
        )
        self._output(
            "QuoteFunctionAliasArn",
            "Its alias, which callers invoke",
            quote_function_alias.function_arn,
        )
        cdk.CfnOutput(
            self, "QuoteFunctionLogGroupName", value=quote_function.log_group.log_group_name
        )
        self._output(
            "PricesTableName", "The table of the prices of all items", prices_table.table_name
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
            handler=f"internal_api.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "internal-api",
                "POWERTOOLS_METRICS_NAMESPACE": "InternalApi",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
        )

    def _permit_caller(self, construct_id: str, alias: lambda_.Alias, caller: str) -> None:
        arn = cdk.CfnParameter(
            self,
            f"{caller}Arn",
            default="",
            allowed_pattern=r"(arn:aws[a-z-]*:iam::\d{12}:(root|(role|user)/.+))?",
            description="A role, or the root of an account, that may call beside the roles "
            "that IAM allows in this account.",
        ).value_as_string
        permission = lambda_.CfnPermission(
            self,
            construct_id,
            # Not the function: what it permits does not hold for its aliases.
            function_name=alias.function_arn,
            action="lambda:InvokeFunction",
            principal=arn,
        )
        permission.cfn_options.condition = cdk.CfnCondition(
            self,
            f"{caller}IsNamed",
            expression=cdk.Fn.condition_not(cdk.Fn.condition_equals(arn, "")),
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
