"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code

MIGRATIONS = Path(__file__).parents[1] / "src/read_heavy_reporting_engine/migrations"


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    error_percent: float = 5
    """Which share of the calls may fail, in percent; AWS recommends 5."""
    latency_milliseconds: float = 2500
    """How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500."""


class ReadHeavyReportingEngineStack(cdk.Stack):
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
        sales_security_group = ec2.SecurityGroup(
            self,
            "SalesSecurityGroup",
            vpc=vpc,
            description="The database, for the functions that use it",
        )
        sales_security_group.add_ingress_rule(
            ec2.Peer.security_group_id(function_security_group.security_group_id),
            ec2.Port.tcp(5432),
            "PostgreSQL",
        )
        sales_subnet_group = rds.SubnetGroup(
            self,
            "SalesSubnetGroup",
            description="The private subnets",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        )
        sales_capacity = rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
            min_capacity=0,  # pauses when nobody uses it; waking up takes about 15 seconds
            max_capacity=4,
        )
        # There is no password: users sign in with a token that IAM authorizes.
        # A rds.DatabaseCluster would always have one.
        sales_cluster = rds.CfnDBCluster(
            self,
            "SalesCluster",
            engine="aurora-postgresql",
            engine_version="16.8",  # AWS supports it until 2029; raise it here
            database_name="sales",
            enable_iam_database_authentication=True,
            master_username="master",
            master_user_authentication_type="iam-db-auth",
            serverless_v2_scaling_configuration=sales_capacity,
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            storage_encrypted=True,
            backup_retention_period=7,  # days
            copy_tags_to_snapshot=True,
            enable_cloudwatch_logs_exports=["postgresql"],
            db_subnet_group_name=sales_subnet_group.subnet_group_name,
            vpc_security_group_ids=[sales_security_group.security_group_id],
        )
        sales_cluster.apply_removal_policy(cdk.RemovalPolicy.SNAPSHOT)
        sales_instance = rds.CfnDBInstance(
            self,
            "SalesInstance",
            engine="aurora-postgresql",
            db_cluster_identifier=sales_cluster.ref,
            db_instance_class="db.serverless",
            publicly_accessible=False,
            # Off the pinned version, the next deployment would downgrade it.
            auto_minor_version_upgrade=False,
        )
        # Heavy reads do not slow down writes: from tier 2 on, it has a capacity of its own.
        sales_reader = rds.CfnDBInstance(
            self,
            "SalesReader",
            engine="aurora-postgresql",
            db_cluster_identifier=sales_cluster.ref,
            db_instance_class="db.serverless",
            promotion_tier=2,
            publicly_accessible=False,
            auto_minor_version_upgrade=False,
        )
        # The first instance is the writer.
        sales_reader.add_resource_dependency(sales_instance)

        reports_client_security_group = ec2.SecurityGroup(
            self,
            "ReportsClientSecurityGroup",
            vpc=vpc,
            description="The functions that use the cache",
        )
        reports_security_group = ec2.SecurityGroup(
            self,
            "ReportsSecurityGroup",
            vpc=vpc,
            description="The cache, for the functions that use it",
        )
        reports_security_group.add_ingress_rule(
            ec2.Peer.security_group_id(reports_client_security_group.security_group_id),
            ec2.Port.tcp_range(6379, 6380),
            "Valkey; clients find readers at the second port",
        )
        # It must have a name, of 40 characters at most; the stack's own may be longer.
        reports_unique = cdk.Fn.select(
            4, cdk.Fn.split("-", cdk.Fn.select(2, cdk.Fn.split("/", self.stack_id)))
        )
        reports_name = f"reports-{reports_unique}"
        # A role with the permission to connect signs in as this user, which has the cache's name.
        reports_user = elasticache.CfnUser(
            self,
            "ReportsUser",
            engine="valkey",
            user_id=reports_name,
            user_name=reports_name,
            authentication_mode={"Type": "iam"},
            # The keys, the commands of the code, and what its client asks of a cluster.
            access_string=(
                "on ~report:* ~lock:* -@all "
                "+del +eval +get +hdel +hget +hset +pexpire +set "
                "+command +cluster|slots"
            ),
        )
        reports_user_group = elasticache.CfnUserGroup(
            self,
            "ReportsUserGroup",
            engine="valkey",
            user_group_id=reports_user.ref,
            user_ids=[reports_user.ref],
        )
        # Above these it evicts what was used least recently, and throttles: they bound the bill.
        reports_limits = elasticache.CfnServerlessCache.CacheUsageLimitsProperty(
            data_storage=elasticache.CfnServerlessCache.DataStorageProperty(maximum=1, unit="GB"),
            ecpu_per_second=elasticache.CfnServerlessCache.ECPUPerSecondProperty(maximum=10000),
        )
        reports_cache = elasticache.CfnServerlessCache(
            self,
            "ReportsCache",
            serverless_cache_name=reports_name,
            description="The cache of reports",
            engine="valkey",
            major_engine_version="8",
            user_group_id=reports_user_group.ref,
            cache_usage_limits=reports_limits,
            subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
            security_group_ids=[reports_security_group.security_group_id],
        )
        reports_cache_url = (
            f"rediss://{reports_cache.ref}@{reports_cache.attr_endpoint_address}"
            f":{reports_cache.attr_endpoint_port}"
        )

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
                throttling_rate_limit=25,
                throttling_burst_limit=50,
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

        report_function = self._function(
            "ReportFunction",
            name="report",
            description="Serves reports, from the cache if possible",
            timeout=cdk.Duration.seconds(28),
            vpc=vpc,
            security_groups=[function_security_group, reports_client_security_group],
        )

        record_function = self._function(
            "RecordFunction",
            name="record",
            description="Records sales, and invalidates their reports",
            timeout=cdk.Duration.seconds(28),
            vpc=vpc,
            security_groups=[function_security_group, reports_client_security_group],
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

        # api -> report
        api.add_routes(
            path="/shops/{shop}/reports/{month}",
            methods=[apigatewayv2.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration(
                "ReportFunctionIntegration",
                report_function,
            ),
        )

        # api -> record
        api.add_routes(
            path="/sales/{sale_id}",
            methods=[apigatewayv2.HttpMethod.PUT],
            integration=integrations.HttpLambdaIntegration(
                "RecordFunctionIntegration",
                record_function,
            ),
        )

        # report -> reports
        iam.Grant.add_to_principal(
            grantee=report_function,
            actions=["elasticache:Connect"],
            resource_arns=[reports_cache.attr_arn],
        )
        iam.Grant.add_to_principal(
            grantee=report_function,
            actions=["elasticache:Connect"],
            resource_arns=[reports_user.attr_arn],
        )
        # The user has the cache's name. Without TLS, which is the second s, a client would hang.
        report_function.add_environment("REPORTS_URL", reports_cache_url)

        # report -> sales
        self._let_sign_in(
            report_function,
            sales_cluster,
            user="service",
            patience=22,
            host=sales_cluster.attr_read_endpoint_address,
        )
        # What a function that has ended began must not go on, nor hold its locks.
        report_function.add_environment("PGOPTIONS", "-c statement_timeout=20s -c lock_timeout=5s")

        # record -> sales
        self._let_sign_in(
            record_function,
            sales_cluster,
            user="service",
            patience=22,
        )
        # What a function that has ended began must not go on, nor hold its locks.
        record_function.add_environment("PGOPTIONS", "-c statement_timeout=20s -c lock_timeout=5s")

        # record -> reports
        iam.Grant.add_to_principal(
            grantee=record_function,
            actions=["elasticache:Connect"],
            resource_arns=[reports_cache.attr_arn],
        )
        iam.Grant.add_to_principal(
            grantee=record_function,
            actions=["elasticache:Connect"],
            resource_arns=[reports_user.attr_arn],
        )
        # The user has the cache's name. Without TLS, which is the second s, a client would hang.
        record_function.add_environment("REPORTS_URL", reports_cache_url)

        # migrate -> sales
        self._let_sign_in(
            migrate_function,
            sales_cluster,
            user="master",
            patience=180,
        )
        sales_schema = cdk.CustomResource(
            self,
            "SalesSchema",
            resource_type="Custom::Schema",
            service_token=migrate_function.function_arn,
            service_timeout=cdk.Duration.minutes(5),
            # CloudFormation calls the function when one of these has changed.
            properties={
                "ClusterResourceId": sales_cluster.attr_db_cluster_resource_id,
                "Digest": cdk.FileSystem.fingerprint(str(MIGRATIONS)),
                "Migrations": sorted(file.name for file in MIGRATIONS.glob("*.sql")),
            },
        )
        # The function answers CloudFormation through the endpoint of S3.
        sales_schema.node.add_dependency(
            vpc,
            sales_instance,
            migrate_invokes,
        )
        # New code must not run on the old schema.
        report_function.node.add_dependency(sales_schema)
        record_function.node.add_dependency(sales_schema)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into MigrateDeadLetterQueue. First: run make "
            "dead-letters, then see When a message fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)",
                w1=waiting_in(migrate_dead_letter_queue),
                h1=hidden_in(migrate_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at MigrateFunction. First: "
            "check the permissions to send to the dead-letter queue",
            metric(
                "AWS/Lambda",
                "DestinationDeliveryFailures",
                "Sum",
                FunctionName=migrate_function.function_name,
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
        # 90 percent for 15 minutes; a cluster that scales reaches its limit for a moment.
        alarms.ticket(
            "SalesClusterCapacityAlarm",
            "Ticket: The database is at the limit of its capacity. First: raise its maximum, or "
            "find the query",
            metric("AWS/RDS", "ACUUtilization", "Average", DBClusterIdentifier=sales_cluster.ref),
            When(above=90, minutes=5, periods=3),
        )
        # Callers work without the cache meanwhile; AWS recommends 5 of 5 minutes for throttles.
        alarms.ticket(
            "ReportsCacheThrottlesAlarm",
            "Ticket: The cache is throttled. First: raise ECPUPerSecond of its CacheUsageLimits",
            metric("AWS/ElastiCache", "ThrottledCmds", "Sum", clusterId=reports_cache.ref),
            When(periods=5),
        )
        # Callers are still served; 3 of 3 minutes, since a cache may fail over.
        alarms.ticket(
            "ReportFunctionWithoutCacheAlarm",
            "Ticket: The report function works without its cache. First: check the cache and its "
            "security group",
            metric(
                "ReadHeavyReportingEngine",
                "CacheUnavailable",
                "Sum",
                FunctionName=report_function.function_name,
                service="read-heavy-reporting-engine",
            ),
            When(periods=3),
        )
        # Callers are still served; 3 of 3 minutes, since a cache may fail over.
        alarms.ticket(
            "RecordFunctionWithoutCacheAlarm",
            "Ticket: The record function works without its cache. First: check the cache and its "
            "security group",
            metric(
                "ReadHeavyReportingEngine",
                "CacheUnavailable",
                "Sum",
                FunctionName=record_function.function_name,
                service="read-heavy-reporting-engine",
            ),
            When(periods=3),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of ReportFunction and RecordFunction fail. First: see their logs",
            math(
                f"IF(100 * failed > IF(calls < 9, 24, {thresholds.error_percent}) * calls, 0, "
                "m1_1 + m1_2)",
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiId=api.api_id),
                failed=metric("AWS/ApiGateway", "5xx", "Sum", ApiId=api.api_id),
                m1_1=report_function.metric_errors(),
                m1_2=record_function.metric_errors(),
            ),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.api_endpoint)
        self._output(
            "ReportFunctionName",
            "The function that serves reports, from the cache if possible",
            report_function.function_name,
        )
        cdk.CfnOutput(
            self, "ReportFunctionLogGroupName", value=report_function.log_group.log_group_name
        )
        self._output(
            "RecordFunctionName",
            "The function that records sales, and invalidates their reports",
            record_function.function_name,
        )
        cdk.CfnOutput(
            self, "RecordFunctionLogGroupName", value=record_function.log_group.log_group_name
        )
        self._output("SalesClusterId", "The database cluster", sales_cluster.ref)
        self._output(
            "SalesClusterEndpoint",
            "The database of the sales, and the version of each report",
            sales_cluster.attr_endpoint_address,
        )
        cdk.CfnOutput(self, "SalesClusterPort", value=sales_cluster.attr_endpoint_port)
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
            handler=f"read_heavy_reporting_engine.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "read-heavy-reporting-engine",
                "POWERTOOLS_METRICS_NAMESPACE": "ReadHeavyReportingEngine",
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

    def _let_sign_in(
        self,
        function: lambda_.Function,
        cluster: rds.CfnDBCluster,
        *,
        user: str,
        patience: int,
        host: str | None = None,
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
        function.add_environment("PGHOST", host or cluster.attr_endpoint_address)
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
