"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code

STATE_MACHINES = Path(__file__).parents[1] / "statemachines"


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


class StateMachineStack(cdk.Stack):
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
            default="state-machine",
            description="The audiences that tokens may be for, "
            "as in their claim aud (or client_id)",
        ).value_as_list

        api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.stack_name,
            create_default_stage=False,
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
        api_role = iam.Role(
            self,
            "ApiRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
        )

        status_function = self._function(
            "StatusFunction",
            name="status",
            description="Returns the status of an order",
            timeout=cdk.Duration.seconds(10),
        )

        reserve_function = self._function(
            "ReserveFunction",
            name="reserve",
            description="Reserves the goods of an order",
            timeout=cdk.Duration.seconds(10),
        )

        charge_function = self._function(
            "ChargeFunction",
            name="charge",
            description="Charges the customer for an order",
            timeout=cdk.Duration.seconds(10),
        )

        ship_function = self._function(
            "ShipFunction",
            name="ship",
            description="Ships an order",
            timeout=cdk.Duration.seconds(10),
        )

        cancel_function = self._function(
            "CancelFunction",
            name="cancel",
            description="Cancels the shipment of an order",
            timeout=cdk.Duration.seconds(10),
        )

        refund_function = self._function(
            "RefundFunction",
            name="refund",
            description="Refunds the payment of an order",
            timeout=cdk.Duration.seconds(10),
        )

        release_function = self._function(
            "ReleaseFunction",
            name="release",
            description="Releases the reserved goods of an order",
            timeout=cdk.Duration.seconds(10),
        )

        effects_table = dynamodb.Table(
            self,
            "EffectsTable",
            partition_key=dynamodb.Attribute(
                name="id",
                type=dynamodb.AttributeType.STRING,
            ),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True,
            ),
            time_to_live_attribute="expires_at",
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

        order_state_machine = sfn.StateMachine(
            self,
            "OrderStateMachine",
            definition_body=sfn.DefinitionBody.from_file(
                f"{STATE_MACHINES}/order.asl.json",
            ),
            definition_substitutions={
                "Partition": cdk.Aws.PARTITION,
                "ReserveFunctionArn": reserve_function.function_arn,
                "ChargeFunctionArn": charge_function.function_arn,
                "ShipFunctionArn": ship_function.function_arn,
                "CancelFunctionArn": cancel_function.function_arn,
                "RefundFunctionArn": refund_function.function_arn,
                "ReleaseFunctionArn": release_function.function_arn,
                "EffectsTableName": effects_table.table_name,
            },
            tracing_enabled=True,
        )
        order_dead_letter_queue = self._dead_letter_queue(
            "OrderDeadLetterQueue",
        )
        order_failure_rule = self._dead_letter_rule(
            "OrderFailureRule",
            "Executions of order that ended in a failure",
            {
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": [order_state_machine.state_machine_arn],
                    # A redrive of what ended with CancelledError could only fail again.
                    "$or": [
                        {
                            "status": ["FAILED"],
                            "error": [{"anything-but": "CancelledError"}],
                        },
                        {"status": ["TIMED_OUT", "ABORTED"]},
                    ],
                },
            },
            order_dead_letter_queue,
        )

        # api -> order
        order_state_machine.grant_start_execution(api_role)
        order_state_machine_integration = apigatewayv2.CfnIntegration(
            self,
            "OrderStateMachineIntegration",
            api_id=api.api_id,
            integration_type="AWS_PROXY",
            integration_subtype="StepFunctions-StartExecution",
            payload_format_version="1.0",
            credentials_arn=api_role.role_arn,
            request_parameters={
                "StateMachineArn": order_state_machine.state_machine_arn,
                "Name": "$request.path.id",  # starting it twice has no effect
                "Input": "$request.body",
            },
            response_parameters={
                "200": {
                    "ResponseParameters": [
                        {"Destination": "overwrite:statuscode", "Source": "202"},
                    ],
                },
            },
        )
        apigatewayv2.CfnRoute(
            self,
            "OrderStateMachineRoute",
            api_id=api.api_id,
            route_key="PUT /orders/{id}",
            target=f"integrations/{order_state_machine_integration.ref}",
            authorization_type="JWT",
            authorizer_id=issuer.authorizer_id,
            authorization_scopes=["orders:write"],
        )

        # api -> status
        api.add_routes(
            path="/orders/{id}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "StatusFunctionIntegration",
                status_function,
            ),
            authorizer=issuer_authorizer,
            authorization_scopes=["orders:read"],
        )

        # status -> order
        iam.Grant.add_to_principal(
            grantee=status_function,
            actions=["states:DescribeExecution"],
            resource_arns=[
                self.format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{order_state_machine.state_machine_name}:*",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
            ],
        )
        status_function.add_environment("ORDER_MACHINE_ARN", order_state_machine.state_machine_arn)

        # order -> reserve
        iam.Grant.add_to_principal(
            grantee=order_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[reserve_function.function_arn],
        )

        # order -> charge
        iam.Grant.add_to_principal(
            grantee=order_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[charge_function.function_arn],
        )

        # order -> ship
        iam.Grant.add_to_principal(
            grantee=order_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[ship_function.function_arn],
        )

        # order -> cancel
        iam.Grant.add_to_principal(
            grantee=order_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[cancel_function.function_arn],
        )

        # order -> refund
        iam.Grant.add_to_principal(
            grantee=order_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[refund_function.function_arn],
        )

        # order -> release
        iam.Grant.add_to_principal(
            grantee=order_state_machine,
            actions=["lambda:InvokeFunction"],
            resource_arns=[release_function.function_arn],
        )

        # reserve -> effects
        effects_table.grant(reserve_function, "dynamodb:UpdateItem")
        reserve_function.add_environment("EFFECTS_TABLE_NAME", effects_table.table_name)
        reserve_function.add_environment("EFFECTS_DAYS", "120")

        # charge -> effects
        effects_table.grant(charge_function, "dynamodb:UpdateItem")
        charge_function.add_environment("EFFECTS_TABLE_NAME", effects_table.table_name)
        charge_function.add_environment("EFFECTS_DAYS", "120")

        # ship -> effects
        effects_table.grant(ship_function, "dynamodb:UpdateItem")
        ship_function.add_environment("EFFECTS_TABLE_NAME", effects_table.table_name)
        ship_function.add_environment("EFFECTS_DAYS", "120")

        # cancel -> effects
        effects_table.grant(cancel_function, "dynamodb:UpdateItem")
        cancel_function.add_environment("EFFECTS_TABLE_NAME", effects_table.table_name)
        cancel_function.add_environment("EFFECTS_DAYS", "120")

        # refund -> effects
        effects_table.grant(refund_function, "dynamodb:UpdateItem")
        refund_function.add_environment("EFFECTS_TABLE_NAME", effects_table.table_name)
        refund_function.add_environment("EFFECTS_DAYS", "120")

        # release -> effects
        effects_table.grant(release_function, "dynamodb:UpdateItem")
        release_function.add_environment("EFFECTS_TABLE_NAME", effects_table.table_name)
        release_function.add_environment("EFFECTS_DAYS", "120")

        # order -> effects
        effects_table.grant(order_state_machine, "dynamodb:UpdateItem")

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into OrderDeadLetterQueue. First: run make "
            "dead-letters, then see When an execution fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)",
                w1=waiting_in(order_dead_letter_queue),
                h1=hidden_in(order_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at OrderFailureRule. First: "
            "check the permissions to send to the dead-letter queue",
            metric("AWS/Events", "FailedInvocations", "Sum", RuleName=order_failure_rule.ref),
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
        # A share in 3 of 15 minutes, each with at least 9 executions: after three minutes of an
        # outage, and also where only each fourth minute is bad.
        alarms.page(
            "OrderStateMachineFailedAlarm",
            "Page: Too many executions of order fail, and are undone. First: see its history in "
            "the console",
            math(
                "IF((failed + succeeded) >= 9, 100 * (failed + timed_out + aborted - kept) / "
                "(failed + succeeded), 0)",
                failed=metric(
                    "AWS/States",
                    "ExecutionsFailed",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                timed_out=metric(
                    "AWS/States",
                    "ExecutionsTimedOut",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                aborted=metric(
                    "AWS/States",
                    "ExecutionsAborted",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                kept=metric("AWS/Events", "TriggeredRules", "Sum", RuleName=order_failure_rule.ref),
                succeeded=metric(
                    "AWS/States",
                    "ExecutionsSucceeded",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
            ),
            When(above=thresholds.error_percent, periods=15, needed=3),
        )
        # Fewer than 540 executions in an hour are no rate by the minute: three of them have
        # failed, and a quarter or more.
        alarms.page(
            "OrderStateMachineQuietFailedAlarm",
            "Page: Three or more of the few executions of order in an hour were undone. First: "
            "see its history in the console",
            math(
                "IF((failed + succeeded) < 540 AND (failed + timed_out + aborted - kept) >= 3 AND "
                "4 * (failed + timed_out + aborted - kept) >= (failed + succeeded), 1, 0)",
                failed=metric(
                    "AWS/States",
                    "ExecutionsFailed",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                timed_out=metric(
                    "AWS/States",
                    "ExecutionsTimedOut",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                aborted=metric(
                    "AWS/States",
                    "ExecutionsAborted",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                kept=metric("AWS/Events", "TriggeredRules", "Sum", RuleName=order_failure_rule.ref),
                succeeded=metric(
                    "AWS/States",
                    "ExecutionsSucceeded",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
            ),
            When(minutes=60),
        )
        # Its caller sees that it failed, and nothing is left to redrive.
        alarms.ticket(
            "OrderStateMachineUndoneAlarm",
            "Ticket: An execution of order has failed, and is undone. First: see its history in "
            "the console",
            math(
                "failed + timed_out + aborted - kept",
                failed=metric(
                    "AWS/States",
                    "ExecutionsFailed",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                timed_out=metric(
                    "AWS/States",
                    "ExecutionsTimedOut",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                aborted=metric(
                    "AWS/States",
                    "ExecutionsAborted",
                    "Sum",
                    StateMachineArn=order_state_machine.state_machine_arn,
                ),
                kept=metric("AWS/Events", "TriggeredRules", "Sum", RuleName=order_failure_rule.ref),
            ),
            When(minutes=5),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of StatusFunction fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=status_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "OrderStateMachineArn",
            "The state machine that reserves, charges and ships an order, or undoes the steps",
            order_state_machine.state_machine_arn,
        )
        self._output(
            "OrderDeadLetterQueueUrl",
            "The queue of its executions that ended in a failure",
            order_dead_letter_queue.queue_url,
        )
        self._output(
            "StatusFunctionName",
            "The function that returns the status of an order",
            status_function.function_name,
        )
        self._output(
            "ReserveFunctionName",
            "The function that reserves the goods of an order",
            reserve_function.function_name,
        )
        self._output(
            "ChargeFunctionName",
            "The function that charges the customer for an order",
            charge_function.function_name,
        )
        self._output(
            "ShipFunctionName", "The function that ships an order", ship_function.function_name
        )
        cdk.CfnOutput(
            self, "ShipFunctionLogGroupName", value=ship_function.log_group.log_group_name
        )
        self._output(
            "CancelFunctionName",
            "The function that cancels the shipment of an order",
            cancel_function.function_name,
        )
        self._output(
            "RefundFunctionName",
            "The function that refunds the payment of an order",
            refund_function.function_name,
        )
        self._output(
            "ReleaseFunctionName",
            "The function that releases the reserved goods of an order",
            release_function.function_name,
        )
        cdk.CfnOutput(
            self, "ReleaseFunctionLogGroupName", value=release_function.log_group.log_group_name
        )
        self._output(
            "EffectsTableName",
            "The table of the steps done and undone for each order",
            effects_table.table_name,
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
            handler=f"state_machine.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "state-machine",
                "POWERTOOLS_METRICS_NAMESPACE": "StateMachine",
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
