"""Which CloudFormation type a type of the AWS provider is, and what its attributes are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """A CloudFormation type; `properties` are its own by the attributes of Terraform's type.

    `attributes` are what references become: Ref ("") or the attribute of GetAtt. Others become
    Ref, but for `arn`, which becomes Arn.
    """

    type: str
    properties: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


def kind(type_: str, properties: str = "", **attributes: str) -> Kind:
    """Describe a type by words `attribute` or `attribute=Property`."""
    words = (word.partition("=") for word in properties.split())
    return Kind(type_, {name: given or camel(name) for name, _, given in words}, attributes)


def camel(name: str) -> str:
    return NAMES.get(name) or "".join(word[:1].upper() + word[1:] for word in name.split("_"))


# Attributes in blocks whose properties have another name than in CamelCase.
NAMES = {
    "bucket_arn": "BucketARN",
    "destination_arn": "Destination",
    "dynamodb": "DynamoDB",
    "dynamodb_stream_parameters": "DynamoDBStreamParameters",
    "dynamodbv2": "DynamoDBv2",
    "filter": "Filters",
    "kinesis_stream_arn": "KinesisStreamARN",
}
# Blocks that may be repeated; any other is one object.
REPEATED = {"filter", "processors", "parameters", "metric_query", "source_access_configuration"}

FIREHOSE = (
    "name=DeliveryStreamName kinesis_source_configuration=KinesisStreamSourceConfiguration "
    "extended_s3_configuration=ExtendedS3DestinationConfiguration "
    "redshift_configuration=RedshiftDestinationConfiguration "
    "elasticsearch_configuration=ElasticsearchDestinationConfiguration "
    "opensearch_configuration=AmazonopensearchserviceDestinationConfiguration "
    "opensearchserverless_configuration=AmazonOpenSearchServerlessDestinationConfiguration "
    "splunk_configuration=SplunkDestinationConfiguration "
    "http_endpoint_configuration=HttpEndpointDestinationConfiguration "
    "snowflake_configuration=SnowflakeDestinationConfiguration "
    "iceberg_configuration=IcebergDestinationConfiguration"
)
# https://registry.terraform.io/providers/hashicorp/aws/latest/docs
KINDS = {
    "aws_api_gateway_rest_api": kind("AWS::ApiGateway::RestApi", "name body"),
    "aws_apigatewayv2_api": kind("AWS::ApiGatewayV2::Api", "name body"),
    "aws_apigatewayv2_integration": kind(
        "AWS::ApiGatewayV2::Integration",
        "api_id credentials_arn integration_type integration_subtype integration_uri "
        "request_parameters",
    ),
    "aws_cloudwatch_composite_alarm": kind(
        "AWS::CloudWatch::CompositeAlarm",
        "alarm_name alarm_rule alarm_actions ok_actions=OKActions actions_enabled",
    ),
    "aws_cloudwatch_event_api_destination": kind("AWS::Events::ApiDestination", "name"),
    "aws_cloudwatch_event_bus": kind("AWS::Events::EventBus", "name dead_letter_config"),
    "aws_cloudwatch_event_rule": kind(
        "AWS::Events::Rule", "name event_bus_name event_pattern schedule_expression state role_arn"
    ),
    "aws_cloudwatch_log_group": kind("AWS::Logs::LogGroup", "name=LogGroupName"),
    "aws_cloudwatch_log_subscription_filter": kind(
        "AWS::Logs::SubscriptionFilter",
        "name=FilterName log_group_name destination_arn=DestinationArn filter_pattern role_arn",
    ),
    "aws_cloudwatch_metric_alarm": kind(
        "AWS::CloudWatch::Alarm",
        "alarm_name namespace metric_name statistic extended_statistic period evaluation_periods "
        "datapoints_to_alarm threshold threshold_metric_id comparison_operator "
        "treat_missing_data actions_enabled alarm_actions ok_actions=OKActions "
        "insufficient_data_actions dimensions metric_query=Metrics",
    ),
    "aws_docdb_cluster": kind("AWS::DocDB::DBCluster"),
    "aws_dynamodb_table": kind("AWS::DynamoDB::Table", "name=TableName", stream_arn="StreamArn"),
    "aws_iam_policy": kind(
        "AWS::IAM::ManagedPolicy", "name=ManagedPolicyName policy=PolicyDocument", arn=""
    ),
    "aws_iam_role": kind(
        "AWS::IAM::Role",
        "name=RoleName assume_role_policy=AssumeRolePolicyDocument "
        "managed_policy_arns inline_policy=Policies",
    ),
    "aws_iam_role_policy": kind(
        "AWS::IAM::Policy", "name=PolicyName policy=PolicyDocument role=Roles"
    ),
    "aws_iot_topic_rule": kind("AWS::IoT::TopicRule", "name=RuleName"),
    "aws_kinesis_firehose_delivery_stream": kind(
        "AWS::KinesisFirehose::DeliveryStream", FIREHOSE, id="Arn"
    ),
    "aws_kinesis_stream": kind("AWS::Kinesis::Stream", "name", id="Arn"),
    "aws_kinesis_stream_consumer": kind(
        "AWS::Kinesis::StreamConsumer", "name=ConsumerName stream_arn=StreamARN", arn=""
    ),
    "aws_kms_alias": kind("AWS::KMS::Alias", "name=AliasName target_key_id"),
    "aws_kms_key": kind("AWS::KMS::Key", "policy=KeyPolicy"),
    "aws_lambda_alias": kind(
        "AWS::Lambda::Alias", "name function_name function_version", arn="", name="Name"
    ),
    "aws_lambda_event_source_mapping": kind(
        "AWS::Lambda::EventSourceMapping",
        "event_source_arn function_name enabled batch_size maximum_batching_window_in_seconds "
        "maximum_record_age_in_seconds maximum_retry_attempts bisect_batch_on_function_error "
        "destination_config filter_criteria function_response_types parallelization_factor "
        "queues topics starting_position tumbling_window_in_seconds scaling_config "
        "self_managed_event_source amazon_managed_kafka_event_source_config "
        "self_managed_kafka_event_source_config "
        "document_db_event_source_config=DocumentDBEventSourceConfig "
        "source_access_configuration=SourceAccessConfigurations",
    ),
    "aws_lambda_function": kind(
        "AWS::Lambda::Function",
        "function_name role timeout runtime handler dead_letter_config durable_config "
        "reserved_concurrent_executions",
        qualified_arn="Arn",
    ),
    "aws_lambda_function_event_invoke_config": kind(
        "AWS::Lambda::EventInvokeConfig",
        "function_name qualifier maximum_event_age_in_seconds maximum_retry_attempts "
        "destination_config",
    ),
    "aws_lambda_permission": kind(
        "AWS::Lambda::Permission", "function_name action principal source_arn source_account"
    ),
    "aws_mq_broker": kind("AWS::AmazonMQ::Broker", "broker_name engine_type"),
    "aws_msk_cluster": kind("AWS::MSK::Cluster", "cluster_name", arn=""),
    "aws_msk_serverless_cluster": kind("AWS::MSK::ServerlessCluster", "cluster_name", arn=""),
    "aws_pipes_pipe": kind(
        "AWS::Pipes::Pipe",
        "name source target enrichment role_arn desired_state source_parameters target_parameters",
    ),
    "aws_s3_bucket": kind("AWS::S3::Bucket", "bucket=BucketName"),
    "aws_s3_bucket_policy": kind("AWS::S3::BucketPolicy", "bucket policy=PolicyDocument"),
    "aws_scheduler_schedule": kind(
        "AWS::Scheduler::Schedule",
        "name group_name state schedule_expression schedule_expression_timezone "
        "flexible_time_window target",
    ),
    "aws_scheduler_schedule_group": kind("AWS::Scheduler::ScheduleGroup", "name"),
    "aws_ses_receipt_rule": kind("AWS::SES::ReceiptRule", "rule_set_name"),
    "aws_sfn_state_machine": kind(
        "AWS::StepFunctions::StateMachine",
        "name=StateMachineName type=StateMachineType role_arn definition",
        arn="",
        name="Name",
    ),
    "aws_sns_topic": kind(
        "AWS::SNS::Topic",
        "name=TopicName fifo_topic kms_master_key_id",
        arn="",
        name="TopicName",
    ),
    "aws_sns_topic_policy": kind("AWS::SNS::TopicPolicy", "arn=Topics policy=PolicyDocument"),
    "aws_sns_topic_subscription": kind(
        "AWS::SNS::Subscription",
        "topic_arn protocol endpoint redrive_policy filter_policy filter_policy_scope "
        "raw_message_delivery",
    ),
    "aws_sqs_queue": kind(
        "AWS::SQS::Queue",
        "name=QueueName fifo_queue content_based_deduplication deduplication_scope delay_seconds "
        "visibility_timeout_seconds=VisibilityTimeout kms_master_key_id sqs_managed_sse_enabled "
        "message_retention_seconds=MessageRetentionPeriod redrive_policy redrive_allow_policy",
        name="QueueName",
    ),
    "aws_sqs_queue_policy": kind("AWS::SQS::QueuePolicy", "queue_url=Queues policy=PolicyDocument"),
}
# What is a property of another resource in CloudFormation.
TARGET = kind(
    "", "target_id=Id arn role_arn dead_letter_config retry_policy input sqs_target=SqsParameters"
)
METHOD = kind(
    "", "type uri integration_http_method credentials request_parameters request_templates"
)

ALIAS = "aws_lambda_alias"
SOURCES = (
    "aws_docdb_cluster",
    "aws_dynamodb_table",
    "aws_kinesis_stream",
    "aws_kinesis_stream_consumer",
    "aws_mq_broker",
    "aws_msk_cluster",
    "aws_msk_serverless_cluster",
    "aws_sqs_queue",
)
FUNCTIONS = ("aws_lambda_function", ALIAS)
# What an attribute names, where its value is made of several things or is a name.
NAMED = {
    "bucket": ("aws_s3_bucket",),
    "event_bus_name": ("aws_cloudwatch_event_bus",),
    "event_source_arn": SOURCES,
    "function_name": FUNCTIONS,
    "log_group_name": ("aws_cloudwatch_log_group",),
    "policy_arn": ("aws_iam_policy",),
    "queue_url": ("aws_sqs_queue",),
    "redrive_policy": ("aws_sqs_queue",),
    "role": ("aws_iam_role",),
    "role_arn": ("aws_iam_role",),
    "rule": ("aws_cloudwatch_event_rule",),
    "topic_arn": ("aws_sns_topic",),
    # Dimensions of metrics.
    "DeliveryStreamName": ("aws_kinesis_firehose_delivery_stream",),
    "FunctionName": ("aws_lambda_function",),
    "QueueName": ("aws_sqs_queue",),
    "RuleName": ("aws_cloudwatch_event_rule",),
    "StreamName": ("aws_kinesis_stream",),
    "TableName": ("aws_dynamodb_table",),
    "TopicName": ("aws_sns_topic",),
}
