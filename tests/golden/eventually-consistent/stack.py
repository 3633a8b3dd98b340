"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code

MIGRATIONS = Path(__file__).parents[1] / "src/eventually_consistent/migrations"


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    error_percent: float = 5
    """Which share of the calls may fail, in percent; AWS recommends 5."""
    latency_milliseconds: float = 2500
    """How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500."""
    oldest_record_milliseconds: float = 900000
    """How long a record may wait in a stream, in milliseconds."""
    refused_percent: float = 50
    """Which share of the requests may be refused, in percent, before it looks like an error of
    ours.
    """


class EventuallyConsistentStack(cdk.Stack):
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

        # Two private subnets, with gateway endpoints for S3 and DynamoDB only.
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/23"),
            max_azs=2,
            # It is unused; to close it CDK would add a function that may change groups.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Private",
                    subnet_type=ec2.SubnetType.PRIVATE_ISOLATED,
                    cidr_mask=24,
                ),
            ],
            gateway_endpoints={
                "S3Endpoint": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.S3,
                ),
                "DynamoDBEndpoint": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.DYNAMODB,
                ),
            },
        )
        function_security_group = ec2.SecurityGroup(
            self,
            "FunctionSecurityGroup",
            vpc=vpc,
            description="The functions that use the database",
        )
        reports_security_group = ec2.SecurityGroup(
            self,
            "ReportsSecurityGroup",
            vpc=vpc,
            description="The database, for the functions that use it",
        )
        reports_security_group.add_ingress_rule(
            ec2.Peer.security_group_id(function_security_group.security_group_id),
            ec2.Port.tcp(5432),
            "PostgreSQL",
        )
        reports_subnet_group = rds.SubnetGroup(
            self,
            "ReportsSubnetGroup",
            description="The private subnets",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        )
        reports_capacity = rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
            min_capacity=0,  # pauses when nobody uses it; waking up takes about 15 seconds
            max_capacity=4,
        )
        # There is no password: users sign in with a token that IAM authorizes.
        # A rds.DatabaseCluster would always have one.
        reports_cluster = rds.CfnDBCluster(
            self,
            "ReportsCluster",
            engine="aurora-postgresql",
            engine_version="16.8",  # AWS supports it until 2029; raise it here
            database_name="reports",
            enable_iam_database_authentication=True,
            master_username="master",
            master_user_authentication_type="iam-db-auth",
            serverless_v2_scaling_configuration=reports_capacity,
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            storage_encrypted=True,
            backup_retention_period=7,  # days
            copy_tags_to_snapshot=True,
            enable_cloudwatch_logs_exports=["postgresql"],
            db_subnet_group_name=reports_subnet_group.subnet_group_name,
            vpc_security_group_ids=[reports_security_group.security_group_id],
        )
        reports_cluster.apply_removal_policy(cdk.RemovalPolicy.SNAPSHOT)
        reports_instance = rds.CfnDBInstance(
            self,
            "ReportsInstance",
            engine="aurora-postgresql",
            db_cluster_identifier=reports_cluster.ref,
            db_instance_class="db.serverless",
            publicly_accessible=False,
            # Off the pinned version, the next deployment would downgrade it.
            auto_minor_version_upgrade=False,
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
            default="eventually-consistent",
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
                throttling_rate_limit=50,
                throttling_burst_limit=100,
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

        manage_function = self._function(
            "ManageFunction",
            name="manage",
            description="Stores, reads and deletes orders",
            timeout=cdk.Duration.seconds(28),
        )

        orders_table = dynamodb.Table(
            self,
            "OrdersTable",
            partition_key=dynamodb.Attribute(
                name="id",
                type=dynamodb.AttributeType.STRING,
            ),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True,
            ),
            time_to_live_attribute="expires_at",
            # Another one is a new stream: what nobody has read is lost.
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        # The failed records themselves: a queue would only get their position.
        orders_to_copy_failures_bucket = self._bucket(
            "OrdersToCopyFailuresBucket",
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(14))],
        )
        orders_to_copy_dead_letter_queue = self._dead_letter_queue(
            "OrdersToCopyDeadLetterQueue",
        )
        orders_to_copy_failures_rule = self._object_created_rule(
            "OrdersToCopyFailuresRule",
            "Records that copy could not process",
            orders_to_copy_failures_bucket,
            orders_to_copy_dead_letter_queue,
        )

        copy_function = self._function(
            "CopyFunction",
            name="copy",
            description="Writes each change of an order to the copy for reports",
            timeout=cdk.Duration.seconds(60),
            vpc=vpc,
            security_groups=[function_security_group],
        )

        replay_function = self._function(
            "ReplayFunction",
            name="replay",
            description="Sends orders through the stream again",
            timeout=cdk.Duration.seconds(300),
            # It invokes itself; Lambda would stop a chain of 16.
            recursive_loop=lambda_.RecursiveLoop.ALLOW,
        )
        replay_dead_letter_queue = self._dead_letter_queue(
            "ReplayDeadLetterQueue",
        )
        self._keep_failed_events(
            "ReplayFunctionInvokes",
            replay_function,
            replay_dead_letter_queue,
            retries=2,
        )

        migrate_function = self._function(
            "MigrateFunction",
            name="migrate",
            description="Applies the schema at each deployment",
            timeout=cdk.Duration.seconds(240),
            vpc=vpc,
            security_groups=[function_security_group],
        )
        migrate_dead_letter_queue = self._dead_letter_queue(
            "MigrateDeadLetterQueue",
        )
        migrate_invokes = self._keep_failed_events(
            "MigrateFunctionInvokes",
            migrate_function,
            migrate_dead_letter_queue,
            retries=0,
        )

        # api -> manage
        api.add_routes(
            path="/orders/{order_id}",
            methods=[
                apigatewayv2.HttpMethod.PUT,
                apigatewayv2.HttpMethod.DELETE,
            ],
            integration=integrations.HttpLambdaIntegration(
                "ManageFunctionIntegration",
                manage_function,
            ),
            authorization_scopes=["orders:write"],
        )
        api.add_routes(
            path="/orders/{order_id}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "ManageFunctionIntegration",
                manage_function,
            ),
            authorization_scopes=["orders:read"],
        )

        # manage -> orders
        orders_table.grant(manage_function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        manage_function.add_environment("ORDERS_TABLE_NAME", orders_table.table_name)

        # orders -> copy
        orders_stream_arn = cast("str", orders_table.table_stream_arn)
        orders_table.grant_stream(
            copy_function,
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
        )
        orders_table.grant_table_list_streams(copy_function)
        iam.Grant.add_to_principal(
            grantee=copy_function,
            actions=["s3:PutObject"],
            resource_arns=[orders_to_copy_failures_bucket.arn_for_objects("*")],
        )
        iam.Grant.add_to_principal(
            grantee=copy_function,
            actions=["s3:ListBucket"],
            resource_arns=[orders_to_copy_failures_bucket.bucket_arn],
        )
        lambda_.CfnEventSourceMapping(
            self,
            "OrdersTableToCopyFunction",
            event_source_arn=orders_stream_arn,
            function_name=copy_function.function_name,
            starting_position="TRIM_HORIZON",
            batch_size=100,
            function_response_types=["ReportBatchItemFailures"],
            bisect_batch_on_function_error=True,
            # Long enough for an outage of what the function needs, but limited.
            maximum_retry_attempts=10000,
            maximum_record_age_in_seconds=21600,  # 6 hours
            # CDK's own destination would let the function read and delete there too.
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(
                    destination=orders_to_copy_failures_bucket.bucket_arn
                )
            ),
        )
        copy_function.add_environment(
            "ORDERS_FAILED_RECORDS_BUCKET_NAME", orders_to_copy_failures_bucket.bucket_name
        )

        # copy -> reports
        self._let_sign_in(
            copy_function,
            reports_cluster,
            user="service",
            patience=35,
        )
        # What a function that has ended began must not go on, nor hold its locks.
        copy_function.add_environment("PGOPTIONS", "-c statement_timeout=5s -c lock_timeout=2s")

        # replay -> replay
        # In the function's own policies this would be a circular dependency.
        iam.Policy(
            self,
            "ReplayFunctionInvokesItself",
            roles=[cast("iam.IRole", replay_function.role)],
            statements=[
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[replay_function.function_arn],
                ),
            ],
        )

        # replay -> orders
        orders_table.grant(replay_function, "dynamodb:Scan", "dynamodb:UpdateItem")
        replay_function.add_environment("ORDERS_TABLE_NAME", orders_table.table_name)

        # migrate -> reports
        self._let_sign_in(
            migrate_function,
            reports_cluster,
            user="master",
            patience=180,
        )
        reports_schema = cdk.CustomResource(
            self,
            "ReportsSchema",
            resource_type="Custom::Schema",
            service_token=migrate_function.function_arn,
            service_timeout=cdk.Duration.minutes(5),
            # CloudFormation calls the function when one of these has changed.
            properties={
                "ClusterResourceId": reports_cluster.attr_db_cluster_resource_id,
                "Digest": cdk.FileSystem.fingerprint(str(MIGRATIONS)),
                "Migrations": sorted(file.name for file in MIGRATIONS.glob("*.sql")),
            },
        )
        # The function answers CloudFormation through the endpoint of S3.
        reports_schema.node.add_dependency(
            vpc,
            reports_instance,
            migrate_invokes,
        )
        # New code must not run on the old schema.
        copy_function.node.add_dependency(reports_schema)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into OrdersToCopyDeadLetterQueue, "
            "ReplayDeadLetterQueue and MigrateDeadLetterQueue. First: run make dead-letters, then "
            "see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) "
                "+ IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0)",
                w1=waiting_in(orders_to_copy_dead_letter_queue),
                h1=hidden_in(orders_to_copy_dead_letter_queue),
                w2=waiting_in(replay_dead_letter_queue),
                h2=hidden_in(replay_dead_letter_queue),
                w3=waiting_in(migrate_dead_letter_queue),
                h3=hidden_in(migrate_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at OrdersToCopyFailuresRule, "
            "CopyFunction, ReplayFunction and MigrateFunction. First: check the permissions to "
            "send to the dead-letter queue",
            math(
                "m1 + m2 + m3 + m4",
                m1=metric(
                    "AWS/Events",
                    "FailedInvocations",
                    "Sum",
                    RuleName=orders_to_copy_failures_rule.ref,
                ),
                m2=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=copy_function.function_name,
                ),
                m3=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=replay_function.function_name,
                ),
                m4=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=migrate_function.function_name,
                ),
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
        # AWS recommends 15 of 15 minutes.
        alarms.page(
            "CopyFunctionIteratorAgeAlarm",
            "Page: Records wait too long for the copy function. First: look for its errors",
            metric(
                "AWS/Lambda", "IteratorAge", "Maximum", FunctionName=copy_function.function_name
            ),
            When(above=thresholds.oldest_record_milliseconds, periods=15),
        )
        # 90 percent for 15 minutes; a cluster that scales reaches its limit for a moment.
        alarms.ticket(
            "ReportsClusterCapacityAlarm",
            "Ticket: The database is at the limit of its capacity. First: raise its maximum, or "
            "find the query",
            metric("AWS/RDS", "ACUUtilization", "Average", DBClusterIdentifier=reports_cluster.ref),
            When(above=90, minutes=5, periods=3),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of ManageFunction fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, m1)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1=manage_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output("OrdersTableName", "The table of the orders", orders_table.table_name)
        self._output(
            "OrdersToCopyFailuresBucketName",
            "The bucket of the records that copy could not process",
            orders_to_copy_failures_bucket.bucket_name,
        )
        self._output(
            "OrdersToCopyDeadLetterQueueUrl",
            "The queue of messages about them",
            orders_to_copy_dead_letter_queue.queue_url,
        )
        self._output(
            "CopyFunctionName",
            "The function that writes each change of an order to the copy for reports",
            copy_function.function_name,
        )
        cdk.CfnOutput(
            self, "CopyFunctionLogGroupName", value=copy_function.log_group.log_group_name
        )
        self._output("ReportsClusterId", "The database cluster", reports_cluster.ref)
        self._output(
            "ReportsClusterEndpoint",
            "The database of the copy of the orders",
            reports_cluster.attr_endpoint_address,
        )
        cdk.CfnOutput(self, "ReportsClusterPort", value=reports_cluster.attr_endpoint_port)
        self._output(
            "ReplayFunctionName",
            "The function that sends orders through the stream again",
            replay_function.function_name,
        )
        cdk.CfnOutput(
            self, "ReplayFunctionLogGroupName", value=replay_function.log_group.log_group_name
        )
        self._output(
            "ReplayDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            replay_dead_letter_queue.queue_url,
        )
        self._output(
            "MigrateFunctionName",
            "The function that applies the schema at each deployment",
            migrate_function.function_name,
        )
        cdk.CfnOutput(
            self, "MigrateFunctionLogGroupName", value=migrate_function.log_group.log_group_name
        )
        self._output(
            "MigrateDeadLetterQueueUrl",
            "The queue of the events that it could not process",
            migrate_dead_letter_queue.queue_url,
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
        **options: Any,
    ) -> lambda_.Function:
        return lambda_.Function(
            self,
            construct_id,
            description=description,
            code=function_code(),
            handler=f"eventually_consistent.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "eventually-consistent",
                "POWERTOOLS_METRICS_NAMESPACE": "EventuallyConsistent",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
            **options,
        )

    def _keep_failed_events(
        self, construct_id: str, function: lambda_.Function, queue: sqs.Queue, *, retries: int
    ) -> lambda_.CfnEventInvokeConfig:
        queue.grant(function, "sqs:SendMessage")
        return lambda_.CfnEventInvokeConfig(
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

    def _bucket(self, construct_id: str, **options: Any) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            **options,
        )
        # As an option of the bucket, CDK would set it by a function that may change every bucket.
        resource = cast("s3.CfnBucket", bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        return bucket

    def _object_created_rule(
        self,
        construct_id: str,
        description: str,
        bucket: s3.Bucket,
        queue: sqs.Queue,
        *,
        prefix: str = "",
    ) -> events.CfnRule:
        objects = {"object": {"key": [{"prefix": prefix}]}} if prefix else {}
        pattern = {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket.bucket_name]}, **objects},
        }
        return self._dead_letter_rule(construct_id, description, pattern, queue)

    def _let_sign_in(
        self, function: lambda_.Function, cluster: rds.CfnDBCluster, *, user: str, patience: int
    ) -> None:
        iam.Grant.add_to_principal(
            grantee=function,
            actions=["rds-db:connect"],
            resource_arns=[
                self.format_arn(
                    service="rds-db",
                    resource="dbuser",
                    resource_name=f"{cluster.attr_db_cluster_resource_id}/{user}",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
            ],
        )
        function.add_environment("PGHOST", cluster.attr_endpoint_address)
        function.add_environment("PGPORT", cluster.attr_endpoint_port)
        function.add_environment("PGDATABASE", str(cluster.database_name))
        function.add_environment("PGUSER", user)
        function.add_environment("PGSSLMODE", "verify-full")
        function.add_environment("PGSSLROOTCERT", "/var/task/rds-ca.pem")  # src/rds-ca.pem
        # Seconds, of all attempts; a paused database takes 15 or more to resume.
        function.add_environment("PGCONNECT_TIMEOUT", str(patience))

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
