"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
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

MIGRATIONS = Path(__file__).parents[1] / "src/frugal_consumer/migrations"


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    oldest_message_seconds: float = 1500
    """How long a message may wait, in seconds; 1.5 times the longest normal wait."""


class FrugalConsumerStack(cdk.Stack):
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

        # Two private subnets, with gateway endpoints for S3 and DynamoDB.
        # IPv6 leads to SQS, and nobody in: it costs nothing.
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/23"),
            max_azs=2,
            ip_protocol=ec2.IpProtocol.DUAL_STACK,
            nat_gateways=0,
            create_internet_gateway=False,
            # It is unused; to close it CDK would add a function that may change groups.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Private",
                    subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS,
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
        function_security_group.add_egress_rule(ec2.Peer.any_ipv6(), ec2.Port.HTTPS, "to SQS")
        records_security_group = ec2.SecurityGroup(
            self,
            "RecordsSecurityGroup",
            vpc=vpc,
            description="The database, for the functions that use it",
        )
        records_security_group.add_ingress_rule(
            ec2.Peer.security_group_id(function_security_group.security_group_id),
            ec2.Port.tcp(5432),
            "PostgreSQL",
        )
        records_subnet_group = rds.SubnetGroup(
            self,
            "RecordsSubnetGroup",
            description="The private subnets",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        )
        records_capacity = rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
            min_capacity=0,  # pauses when nobody uses it; waking up takes about 15 seconds
            max_capacity=4,
        )
        # There is no password: users sign in with a token that IAM authorizes.
        # A rds.DatabaseCluster would always have one.
        records_cluster = rds.CfnDBCluster(
            self,
            "RecordsCluster",
            engine="aurora-postgresql",
            engine_version="16.8",  # AWS supports it until 2029; raise it here
            database_name="records",
            enable_iam_database_authentication=True,
            master_username="master",
            master_user_authentication_type="iam-db-auth",
            serverless_v2_scaling_configuration=records_capacity,
            # The stack of the proofs can be deleted.
            deletion_protection=not self.stack_name.endswith("-e2e"),
            storage_encrypted=True,
            backup_retention_period=7,  # days
            copy_tags_to_snapshot=True,
            enable_cloudwatch_logs_exports=["postgresql"],
            db_subnet_group_name=records_subnet_group.subnet_group_name,
            vpc_security_group_ids=[records_security_group.security_group_id],
        )
        records_cluster.apply_removal_policy(cdk.RemovalPolicy.SNAPSHOT)
        records_instance = rds.CfnDBInstance(
            self,
            "RecordsInstance",
            engine="aurora-postgresql",
            db_cluster_identifier=records_cluster.ref,
            db_instance_class="db.serverless",
            publicly_accessible=False,
            # Off the pinned version, the next deployment would downgrade it.
            auto_minor_version_upgrade=False,
        )

        usage_dead_letter_queue = self._dead_letter_queue(
            "UsageDeadLetterQueue",
        )
        usage_queue = sqs.Queue(
            self,
            "UsageQueue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(4),
            # Six times the function's timeout.
            visibility_timeout=cdk.Duration.seconds(360),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=usage_dead_letter_queue,
                # An outage of an hour makes no dead letter.
                max_receive_count=11,
            ),
        )

        store_function = self._function(
            "StoreFunction",
            name="store",
            description="Stores each usage record once",
            timeout=cdk.Duration.seconds(60),
            vpc=vpc,
            security_groups=[function_security_group],
            ipv6_allowed_for_dual_stack=True,
        )
        # SQS answers over IPv6.
        store_function.add_environment("AWS_USE_DUALSTACK_ENDPOINT", "true")

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

        # usage -> store
        usage_queue.grant(
            store_function, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"
        )
        usage_dead_letter_queue.grant(store_function, "sqs:SendMessage")
        store_function.add_event_source_mapping(
            "UsageQueue",
            event_source_arn=usage_queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=2,
        )
        store_function.add_environment("DEAD_LETTER_QUEUE_URL", usage_dead_letter_queue.queue_url)

        # store -> records
        self._let_sign_in(
            store_function,
            records_cluster,
            user="service",
            patience=35,
        )
        # What a function that has ended began must not go on, nor hold its locks.
        store_function.add_environment("PGOPTIONS", "-c statement_timeout=5s -c lock_timeout=2s")

        # migrate -> records
        self._let_sign_in(
            migrate_function,
            records_cluster,
            user="master",
            patience=180,
        )
        records_schema = cdk.CustomResource(
            self,
            "RecordsSchema",
            resource_type="Custom::Schema",
            service_token=migrate_function.function_arn,
            service_timeout=cdk.Duration.minutes(5),
            # CloudFormation calls the function when one of these has changed.
            properties={
                "ClusterResourceId": records_cluster.attr_db_cluster_resource_id,
                "Digest": cdk.FileSystem.fingerprint(str(MIGRATIONS)),
                "Migrations": sorted(file.name for file in MIGRATIONS.glob("*.sql")),
            },
        )
        # The function answers CloudFormation through the endpoint of S3.
        records_schema.node.add_dependency(
            vpc,
            records_instance,
            migrate_invokes,
        )
        # New code must not run on the old schema.
        store_function.node.add_dependency(records_schema)

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into UsageDeadLetterQueue and "
            "MigrateDeadLetterQueue. First: run make dead-letters, then see When a message fails "
            "in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0)",
                w1=waiting_in(usage_dead_letter_queue),
                h1=hidden_in(usage_dead_letter_queue),
                w2=waiting_in(migrate_dead_letter_queue),
                h2=hidden_in(migrate_dead_letter_queue),
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
        # 3 messages or more of which none is deleted count as if they waited until the queue
        # drops them; in 4 of 4 minutes.
        alarms.page(
            "UsageQueueAgeAlarm",
            "Page: The store function processes no message, or messages wait too long. First: "
            "look for errors and throttles",
            math(
                "IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)",
                age=oldest_in(usage_queue),
                deleted=deleted_from(usage_queue),
                waiting=waiting_in(usage_queue),
                hidden=hidden_in(usage_queue),
            ),
            When(above=thresholds.oldest_message_seconds, periods=4),
        )
        # 90 percent for 15 minutes; a cluster that scales reaches its limit for a moment.
        alarms.ticket(
            "RecordsClusterCapacityAlarm",
            "Ticket: The database is at the limit of its capacity. First: raise its maximum, or "
            "find the query",
            metric("AWS/RDS", "ACUUtilization", "Average", DBClusterIdentifier=records_cluster.ref),
            When(above=90, minutes=5, periods=3),
        )
        # Callers are told by a status, and events are retried; three receives of a message in a
        # row; if no message of a queue is processed, its own alarm goes off.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of StoreFunction fail. First: see their logs",
            math(
                "IF(deleted1 == 0 AND waiting1 + hidden1 >= 3, 0, m1)",
                m1=store_function.metric_errors(),
                deleted1=deleted_from(usage_queue),
                waiting1=waiting_in(usage_queue),
                hidden1=hidden_in(usage_queue),
            ),
            When(minutes=7, periods=3),
        )

        self._output(
            "UsageQueueUrl",
            "The queue that holds usage records until they are stored",
            usage_queue.queue_url,
        )
        cdk.CfnOutput(self, "UsageDeadLetterQueueUrl", value=usage_dead_letter_queue.queue_url)
        self._output(
            "StoreFunctionName",
            "The function that stores each usage record once",
            store_function.function_name,
        )
        cdk.CfnOutput(
            self, "StoreFunctionLogGroupName", value=store_function.log_group.log_group_name
        )
        self._output("RecordsClusterId", "The database cluster", records_cluster.ref)
        self._output(
            "RecordsClusterEndpoint",
            "The database of the usage records",
            records_cluster.attr_endpoint_address,
        )
        cdk.CfnOutput(self, "RecordsClusterPort", value=records_cluster.attr_endpoint_port)
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
            handler=f"frugal_consumer.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "frugal-consumer",
                "POWERTOOLS_METRICS_NAMESPACE": "FrugalConsumer",
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

    def _log_group(self, construct_id: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            construct_id,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _output(self, name: str, description: str, value: str) -> None:
        cdk.CfnOutput(self, name, description=description, value=value)
