"""The infrastructure: resources, what flows between them, alarms and outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_athena as athena
from aws_cdk import aws_events as events
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_kinesisfirehose import CfnDeliveryStream as DeliveryStream
from constructs import Construct

from infrastructure.alarms import Alarms, When, hidden_in, math, metric, waiting_in
from infrastructure.bundling import function_code

# How a request becomes a call of an AWS service, and its result an answer.
TEMPLATES = Path(__file__).with_name("api")

# What does not fit the model of its route is answered with 400.
EVENT = apigateway.JsonSchema(
    type=apigateway.JsonSchemaType.OBJECT,
    required=["id", "type", "page", "occurred_at"],
    properties={
        "id": apigateway.JsonSchema(
            type=apigateway.JsonSchemaType.STRING,
            pattern="^[A-Za-z0-9_-]{1,64}$",
        ),
        "type": apigateway.JsonSchema(
            type=apigateway.JsonSchemaType.STRING,
            enum=["page-view", "click", "purchase"],
        ),
        "page": apigateway.JsonSchema(
            type=apigateway.JsonSchemaType.STRING,
            min_length=1,
            max_length=2048,
            pattern=r"^[^\u0000]*$",
        ),
        "occurred_at": apigateway.JsonSchema(
            type=apigateway.JsonSchemaType.STRING,
            pattern=r"^[12]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:[0-5]\d)$",
        ),
    },
)
BATCH = apigateway.JsonSchema(
    type=apigateway.JsonSchemaType.OBJECT,
    required=["events"],
    properties={
        "events": apigateway.JsonSchema(
            type=apigateway.JsonSchemaType.ARRAY,
            min_items=1,
            max_items=500,
            items=EVENT,
        ),
    },
)


@dataclass(frozen=True)
class Thresholds:
    """From when on alarms go off: what is normal differs from service to service."""

    error_percent: float = 5
    """Which share of the calls may fail, in percent; AWS recommends 5."""
    latency_milliseconds: float = 2500
    """How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500."""
    oldest_record_milliseconds: float = 900000
    """How long a record may wait in a stream, in milliseconds."""


class StreamerStack(cdk.Stack):
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

        api_log_group = self._log_group(
            "ApiLogGroup",
            f"/aws/vendedlogs/apis/{self.stack_name}-api",
        )
        logs.MetricFilter(
            self,
            "ApiRefusedDataFilter",
            log_group=api_log_group,
            filter_pattern=logs.FilterPattern.literal(
                '{($.status = "400" || $.status = "413" || $.status = "415") && $.apiId = *}'
            ),
            metric_namespace="Streamer",
            metric_name="RefusedData",
            dimensions={"ApiId": "$.apiId"},
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=self.stack_name,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            default_method_options=apigateway.MethodOptions(
                authorization_type=apigateway.AuthorizationType.IAM,
            ),
            cloud_watch_role=False,  # it would replace the role of the whole account
            deploy_options=apigateway.StageOptions(
                stage_name="live",
                tracing_enabled=True,
                throttling_rate_limit=500,
                throttling_burst_limit=1000,
                access_log_destination=apigateway.LogGroupLogDestination(api_log_group),
                access_log_format=apigateway.AccessLogFormat.custom(
                    self.to_json_string(
                        {
                            "requestId": "$context.requestId",
                            "time": "$context.requestTime",
                            "apiId": "$context.apiId",
                            "route": "$context.httpMethod $context.resourcePath",
                            "status": "$context.status",
                            "latency": "$context.responseLatency",
                            "error": "$context.error.message",
                            "traceId": "$context.xrayTraceId",
                            "integrationRequestId": "$context.awsEndpointRequestId",
                            "sourceIp": "$context.identity.sourceIp",
                            "subject": "$context.identity.userArn",
                            "integrationError": "$context.integrationErrorMessage",
                            "userAgent": "$context.identity.userAgent",
                        }
                    )
                ),
            ),
        )
        api.node.try_remove_child("Endpoint")  # an output of its own; ApiUrl says it
        body_validator = api.add_request_validator("Body", validate_request_body=True)
        event_model = api.add_model("Event", schema=EVENT)
        batch_model = api.add_model("Batch", schema=BATCH)
        api_role = iam.Role(
            self,
            "ApiRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
        )

        events_stream = kinesis.Stream(
            self,
            "EventsStream",
            stream_mode=kinesis.StreamMode.ON_DEMAND,
            retention_period=cdk.Duration.hours(24),
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        # The failed records themselves: a queue would only get their position.
        events_to_count_failures_bucket = self._bucket(
            "EventsToCountFailuresBucket",
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(14))],
        )
        events_to_count_dead_letter_queue = self._dead_letter_queue(
            "EventsToCountDeadLetterQueue",
        )
        events_to_count_failures_rule = self._object_created_rule(
            "EventsToCountFailuresRule",
            "Records that count could not process",
            events_to_count_failures_bucket,
            events_to_count_dead_letter_queue,
        )

        transform_function = self._function(
            "TransformFunction",
            name="transform",
            description="Converts each event to the format in which it is stored",
            timeout=cdk.Duration.seconds(60),
        )

        archive_bucket = self._bucket("ArchiveBucket")
        archive_database = glue.CfnDatabase(
            self,
            "ArchiveDatabase",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                # Athena takes hyphens only in quotes.
                name=self.stack_name.replace("-", "_")
            ),
        )
        archive_work_group = athena.CfnWorkGroup(
            self,
            "ArchiveWorkGroup",
            name=self.stack_name,
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                # 100 GB, which cost $0.49.
                bytes_scanned_cutoff_per_query=107374182400,
                # Athena keeps results for a day, at no cost.
                managed_query_results_configuration=athena.CfnWorkGroup.ManagedQueryResultsConfigurationProperty(
                    enabled=True
                ),
            ),
        )
        # Change its columns by Athena (ALTER TABLE), never here: an update by CloudFormation takes
        # away the place of its metadata.
        archive_table = glue.CfnTable(
            self,
            "ArchiveTable",
            catalog_id=self.account,
            database_name=archive_database.ref,
            open_table_format_input=glue.CfnTable.OpenTableFormatInputProperty(
                iceberg_input=glue.CfnTable.IcebergInputProperty(
                    metadata_operation="CREATE",
                    version="2",  # Firehose writes to no other
                )
            ),
            table_input=glue.CfnTable.TableInputProperty(
                name="events",
                table_type="EXTERNAL_TABLE",
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=archive_bucket.s3_url_for_object("events"),
                    columns=[
                        glue.CfnTable.ColumnProperty(name=name, type=column_type)
                        for name, column_type in {
                            "id": "string",
                            "type": "string",
                            "page": "string",
                            "occurred_at": "string",
                            "received_at": "string",
                        }.items()
                    ],
                ),
            ),
        )
        catalog_arn = self.format_arn(service="glue", resource="catalog")
        archive_database_arn = self.format_arn(
            service="glue", resource="database", resource_name=archive_database.ref
        )
        archive_table_arn = self.format_arn(
            service="glue",
            resource="table",
            resource_name=f"{archive_database.ref}/events",
        )

        count_function = self._function(
            "CountFunction",
            name="count",
            description="Counts the events of each type as they arrive",
            timeout=cdk.Duration.seconds(30),
        )

        batches_delivery_stream_log_group = self._log_group(
            "BatchesDeliveryStreamLogGroup",
            f"/aws/kinesisfirehose/{self.stack_name}-batches",
        )
        batches_delivery_stream_log_stream = logs.LogStream(
            self,
            "BatchesDeliveryStreamLogStream",
            log_group=batches_delivery_stream_log_group,
            log_stream_name="delivery",
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        batches_delivery_stream_role = iam.Role(
            self,
            "BatchesDeliveryStreamRole",
            assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"),
            inline_policies={
                "deliver": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=[
                                "kinesis:DescribeStream",
                                "kinesis:GetRecords",
                                "kinesis:GetShardIterator",
                                "kinesis:ListShards",
                            ],
                            resources=[events_stream.stream_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
                            resources=[catalog_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
                            resources=[archive_database_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
                            resources=[archive_table_arn],
                        ),
                        iam.PolicyStatement(
                            actions=[
                                "s3:AbortMultipartUpload",
                                "s3:DeleteObject",
                                "s3:GetObject",
                                "s3:PutObject",
                            ],
                            resources=[archive_bucket.arn_for_objects("*")],
                        ),
                        iam.PolicyStatement(
                            actions=[
                                "s3:GetBucketLocation",
                                "s3:ListBucket",
                                "s3:ListBucketMultipartUploads",
                            ],
                            resources=[archive_bucket.bucket_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"],
                            resources=[transform_function.function_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["logs:PutLogEvents"],
                            resources=[batches_delivery_stream_log_group.log_group_arn],
                        ),
                    ]
                )
            },
        )
        # CDK's own construct would let the role do more than Firehose needs.
        batches_delivery_stream = DeliveryStream(
            self,
            "BatchesDeliveryStream",
            delivery_stream_type="KinesisStreamAsSource",
            kinesis_stream_source_configuration=DeliveryStream.KinesisStreamSourceConfigurationProperty(
                kinesis_stream_arn=events_stream.stream_arn,
                role_arn=batches_delivery_stream_role.role_arn,
            ),
            iceberg_destination_configuration=DeliveryStream.IcebergDestinationConfigurationProperty(
                role_arn=batches_delivery_stream_role.role_arn,
                append_only=True,  # each record is one more row, so Firehose scales by itself
                catalog_configuration=DeliveryStream.CatalogConfigurationProperty(
                    catalog_arn=catalog_arn
                ),
                destination_table_configuration_list=[
                    DeliveryStream.DestinationTableConfigurationProperty(
                        destination_database_name=archive_database.ref,
                        destination_table_name=archive_table.ref,
                    )
                ],
                retry_options=DeliveryStream.RetryOptionsProperty(
                    # The most; then it keeps the rows under errors/.
                    duration_in_seconds=7200
                ),
                s3_backup_mode="FailedDataOnly",
                buffering_hints=DeliveryStream.BufferingHintsProperty(
                    interval_in_seconds=60,
                    size_in_m_bs=64,
                ),
                s3_configuration=DeliveryStream.S3DestinationConfigurationProperty(
                    bucket_arn=archive_bucket.bucket_arn,
                    role_arn=batches_delivery_stream_role.role_arn,
                    error_output_prefix=(
                        "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
                    ),
                    compression_format="GZIP",
                ),
                processing_configuration=DeliveryStream.ProcessingConfigurationProperty(
                    enabled=True,
                    processors=[
                        DeliveryStream.ProcessorProperty(
                            type="Lambda",
                            parameters=[
                                DeliveryStream.ProcessorParameterProperty(
                                    parameter_name="LambdaArn",
                                    parameter_value=transform_function.function_arn,
                                ),
                                # What it answers may be larger, and must be less than 6 MB.
                                DeliveryStream.ProcessorParameterProperty(
                                    parameter_name="BufferSizeInMBs",
                                    parameter_value="1",
                                ),
                            ],
                        )
                    ],
                ),
                cloud_watch_logging_options=DeliveryStream.CloudWatchLoggingOptionsProperty(
                    enabled=True,
                    log_group_name=batches_delivery_stream_log_group.log_group_name,
                    log_stream_name=batches_delivery_stream_log_stream.log_stream_name,
                ),
            ),
        )
        batches_dead_letter_queue = self._dead_letter_queue(
            "BatchesDeadLetterQueue",
        )
        archive_errors_rule = self._object_created_rule(
            "ArchiveErrorsRule",
            "Records that batches could not transform or deliver",
            archive_bucket,
            batches_dead_letter_queue,
            prefix="errors/",
        )

        # api -> events
        events_stream.grant(api_role, "kinesis:PutRecord", "kinesis:PutRecords")
        api.root.resource_for_path("/events").add_method(
            "POST",
            self._kinesis_integration(
                "PutRecord",
                template="put-event",
                stream=events_stream,
                role=api_role,
            ),
            request_validator=body_validator,
            request_models={"application/json": event_model},
            method_responses=[
                apigateway.MethodResponse(status_code="202"),
                apigateway.MethodResponse(status_code="502"),
            ],
        )
        api.root.resource_for_path("/batches").add_method(
            "POST",
            self._kinesis_integration(
                "PutRecords",
                template="put-batch",
                stream=events_stream,
                role=api_role,
            ),
            request_validator=body_validator,
            request_models={"application/json": batch_model},
            method_responses=[
                apigateway.MethodResponse(status_code="202"),
                apigateway.MethodResponse(status_code="502"),
            ],
        )

        # events -> count
        events_stream.grant(
            count_function,
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        )
        iam.Grant.add_to_principal(
            grantee=count_function,
            actions=["s3:PutObject"],
            resource_arns=[events_to_count_failures_bucket.arn_for_objects("*")],
        )
        iam.Grant.add_to_principal(
            grantee=count_function,
            actions=["s3:ListBucket"],
            resource_arns=[events_to_count_failures_bucket.bucket_arn],
        )
        lambda_.CfnEventSourceMapping(
            self,
            "EventsStreamToCountFunction",
            event_source_arn=events_stream.stream_arn,
            function_name=count_function.function_name,
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
                    destination=events_to_count_failures_bucket.bucket_arn
                )
            ),
        )
        count_function.add_environment(
            "EVENTS_FAILED_RECORDS_BUCKET_NAME", events_to_count_failures_bucket.bucket_name
        )

        thresholds = thresholds or Thresholds()
        alarms = Alarms(self, alarm_topic_arn, ticket_topic_arn)
        # A message comes there after all its retries, and is deleted after 14 days; new messages
        # set it off, even if older ones remain.
        alarms.page(
            "DeadLettersAlarm",
            "Page: Failed messages have come into BatchesDeadLetterQueue and "
            "EventsToCountDeadLetterQueue. First: run make dead-letters, then see When a message "
            "fails in the README",
            math(
                "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) "
                "+ IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0)",
                w1=waiting_in(batches_dead_letter_queue),
                h1=hidden_in(batches_dead_letter_queue),
                w2=waiting_in(events_to_count_dead_letter_queue),
                h2=hidden_in(events_to_count_dead_letter_queue),
            ),
            When(periods=20, needed=1, clears=False),
        )
        # Nothing else shows it.
        alarms.page(
            "LostEventsAlarm",
            "Page: A failed event could not be kept, and is lost, at EventsToCountFailuresRule, "
            "ArchiveErrorsRule and CountFunction. First: check the permissions to send to the "
            "dead-letter queue",
            math(
                "m1 + m2 + m3",
                m1=metric(
                    "AWS/Events",
                    "FailedInvocations",
                    "Sum",
                    RuleName=events_to_count_failures_rule.ref,
                ),
                m2=metric(
                    "AWS/Events", "FailedInvocations", "Sum", RuleName=archive_errors_rule.ref
                ),
                m3=metric(
                    "AWS/Lambda",
                    "DestinationDeliveryFailures",
                    "Sum",
                    FunctionName=count_function.function_name,
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
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiName=api.rest_api_name),
                failed=metric("AWS/ApiGateway", "5XXError", "Sum", ApiName=api.rest_api_name),
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
                calls=metric("AWS/ApiGateway", "Count", "Sum", ApiName=api.rest_api_name),
                failed=metric("AWS/ApiGateway", "5XXError", "Sum", ApiName=api.rest_api_name),
            ),
            When(minutes=60),
        )
        # AWS recommends the 90th percentile in 5 of 5 minutes.
        alarms.ticket(
            "ApiLatencyAlarm",
            "Ticket: The API is slow. First: compare its latency with the durations of its "
            "functions",
            metric("AWS/ApiGateway", "Latency", "p90", ApiName=api.rest_api_name),
            When(above=thresholds.latency_milliseconds, periods=5),
        )
        # A share of what those sent in an hour who may call, 3 requests or more: nobody sends it
        # again in another form, so what is refused is lost.
        alarms.ticket(
            "ApiRefusedDataAlarm",
            "Ticket: The API refuses data for its form or size. First: see the access log for who "
            "sends it since when",
            math(
                "IF(refused >= 3, 100 * refused / (requests - errors + refused), 0)",
                refused=metric("Streamer", "RefusedData", "Sum", ApiId=api.rest_api_id),
                errors=metric("AWS/ApiGateway", "4XXError", "Sum", ApiName=api.rest_api_name),
                requests=metric("AWS/ApiGateway", "Count", "Sum", ApiName=api.rest_api_name),
            ),
            When(above=thresholds.error_percent, minutes=60),
        )
        # 15 minutes and what is collected before a delivery, in 5 of 5 minutes.
        alarms.page(
            "BatchesDeliveryStreamFreshnessAlarm",
            "Page: Records wait longer than 15 minutes. First: see the log of the delivery stream",
            metric(
                "AWS/Firehose",
                "DeliveryToIceberg.DataFreshness",
                "Maximum",
                DeliveryStreamName=batches_delivery_stream.ref,
            ),
            When(above=900, periods=5),
        )
        # They are kept under errors/, and redriven once the cause is fixed.
        alarms.ticket(
            "BatchesDeliveryStreamRowsAlarm",
            "Ticket: The table does not take rows. First: see errorCode and errorMessage in the "
            "dead-letter queue's messages",
            metric(
                "AWS/Firehose",
                "DeliveryToIceberg.FailedRowCount",
                "Sum",
                DeliveryStreamName=batches_delivery_stream.ref,
            ),
        )
        # AWS recommends 15 of 15 minutes for the age of a stream's records.
        alarms.page(
            "BatchesDeliveryStreamLagAlarm",
            "Page: Firehose reads the stream 15 minutes late. First: see the log of the delivery "
            "stream",
            metric(
                "AWS/Firehose",
                "KinesisMillisBehindLatest",
                "Maximum",
                DeliveryStreamName=batches_delivery_stream.ref,
            ),
            When(above=900000, periods=15),
        )
        # What is throttled is sent again; AWS recommends 5 of 5 minutes for throttles.
        alarms.ticket(
            "BatchesDeliveryStreamThrottledAlarm",
            "Ticket: Firehose is throttled when it reads the stream. First: have its quota raised",
            metric(
                "AWS/Firehose",
                "ThrottledGetRecords",
                "Sum",
                DeliveryStreamName=batches_delivery_stream.ref,
            ),
            When(periods=5),
        )
        # Firehose retries, and what still fails is in the dead-letter queue.
        alarms.ticket(
            "BatchesDeliveryStreamTransformAlarm",
            "Ticket: Records are not transformed. First: see the log of the function",
            metric(
                "AWS/Firehose",
                "ExecuteProcessing.Success",
                "Average",
                DeliveryStreamName=batches_delivery_stream.ref,
            ),
            When(below=1, minutes=5, periods=3),
        )
        # AWS recommends 15 of 15 minutes.
        alarms.page(
            "CountFunctionIteratorAgeAlarm",
            "Page: Records wait too long for the count function. First: look for its errors",
            metric(
                "AWS/Lambda", "IteratorAge", "Maximum", FunctionName=count_function.function_name
            ),
            When(above=thresholds.oldest_record_milliseconds, periods=15),
        )
        # Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
        alarms.ticket(
            "FunctionErrorsAlarm",
            "Ticket: Invocations of TransformFunction fail. First: see their logs",
            transform_function.metric_errors(),
            When(periods=3),
        )

        self._output("ApiUrl", "The address of the API", api.url.rstrip("/"))
        self._output("EventsStreamName", "The stream of the events", events_stream.stream_name)
        self._output(
            "EventsToCountFailuresBucketName",
            "The bucket of the records that count could not process",
            events_to_count_failures_bucket.bucket_name,
        )
        self._output(
            "EventsToCountDeadLetterQueueUrl",
            "The queue of messages about them",
            events_to_count_dead_letter_queue.queue_url,
        )
        self._output(
            "BatchesDeliveryStreamName",
            "The delivery stream that stores the events in batches",
            batches_delivery_stream.ref,
        )
        self._output(
            "BatchesDeadLetterQueueUrl",
            "The queue of messages about records that could not be delivered",
            batches_dead_letter_queue.queue_url,
        )
        self._output(
            "ArchiveBucketName",
            "The bucket of events in batches, and under errors/ those that could not be stored",
            archive_bucket.bucket_name,
        )
        self._output(
            "ArchiveDatabaseName", "The database of the table events", archive_database.ref
        )
        self._output(
            "ArchiveWorkGroupName",
            "The workgroup that queries it by Athena",
            archive_work_group.ref,
        )
        self._output(
            "CountFunctionName",
            "The function that counts the events of each type as they arrive",
            count_function.function_name,
        )
        cdk.CfnOutput(
            self, "CountFunctionLogGroupName", value=count_function.log_group.log_group_name
        )
        self._output(
            "AlarmTopicArn", "Where the alarms go that need somebody now", alarms.topic.topic_arn
        )

    def _kinesis_integration(
        self, action: str, *, template: str, stream: kinesis.Stream, role: iam.Role
    ) -> apigateway.AwsIntegration:
        request = (TEMPLATES / f"{template}.request.vtl").read_text()
        response = (TEMPLATES / f"{template}.response.vtl").read_text()
        return apigateway.AwsIntegration(
            service="kinesis",
            action=action,
            options=apigateway.IntegrationOptions(
                credentials_role=role,
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                request_parameters={
                    "integration.request.header.Content-Type": "'application/x-amz-json-1.1'",
                },
                request_templates={
                    "application/json": request.replace("${events}", stream.stream_name),
                },
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code="202",
                        response_templates={"application/json": response},
                    ),
                    apigateway.IntegrationResponse(
                        status_code="502",
                        selection_pattern=r"[45]\d{2}",
                        response_templates={
                            "application/json": (TEMPLATES / "errors.vtl").read_text(),
                        },
                    ),
                ],
            ),
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
            handler=f"streamer.handlers.{name}.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=256,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group(f"{construct_id}LogGroup"),
            environment={
                "POWERTOOLS_SERVICE_NAME": "streamer",
                "POWERTOOLS_METRICS_NAMESPACE": "Streamer",
                "AWS_MAX_ATTEMPTS": "2",  # of a call: 4 seconds each, 1 second between them
            },
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
