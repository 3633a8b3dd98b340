"""Terraform plans and states as CloudFormation templates."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sls_patterns_cli.cloudformation.terraform_plan import (
    LOCAL,
    Attribute,
    Joined,
    Planned,
    Unknown,
    planned,
)
from sls_patterns_cli.errors import UserError

Template = dict[str, Any]
Properties = dict[str, Any]

POLICY_DOCUMENT = "aws_iam_policy_document"


@dataclass(frozen=True)
class Kind:
    """A CloudFormation type; `properties` are its own by the attributes of Terraform's type.

    `attributes` are what references become: Ref ("") or the attribute of GetAtt. Others become
    Ref, but for `arn`, which becomes Arn.
    """

    type: str
    properties: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


def _kind(type_: str, properties: str = "", **attributes: str) -> Kind:
    """Describe a type by words `attribute` or `attribute=Property`."""
    words = (word.partition("=") for word in properties.split())
    return Kind(type_, {name: given or _camel(name) for name, _, given in words}, attributes)


def _camel(name: str) -> str:
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
    "aws_api_gateway_rest_api": _kind("AWS::ApiGateway::RestApi", "name body"),
    "aws_apigatewayv2_api": _kind("AWS::ApiGatewayV2::Api", "name body"),
    "aws_apigatewayv2_integration": _kind(
        "AWS::ApiGatewayV2::Integration",
        "api_id credentials_arn integration_type integration_subtype integration_uri "
        "request_parameters",
    ),
    "aws_cloudwatch_composite_alarm": _kind(
        "AWS::CloudWatch::CompositeAlarm",
        "alarm_name alarm_rule alarm_actions ok_actions=OKActions actions_enabled",
    ),
    "aws_cloudwatch_event_api_destination": _kind("AWS::Events::ApiDestination", "name"),
    "aws_cloudwatch_event_bus": _kind("AWS::Events::EventBus", "name dead_letter_config"),
    "aws_cloudwatch_event_rule": _kind(
        "AWS::Events::Rule", "name event_bus_name event_pattern schedule_expression state role_arn"
    ),
    "aws_cloudwatch_log_group": _kind("AWS::Logs::LogGroup", "name=LogGroupName"),
    "aws_cloudwatch_log_subscription_filter": _kind(
        "AWS::Logs::SubscriptionFilter",
        "name=FilterName log_group_name destination_arn=DestinationArn filter_pattern role_arn",
    ),
    "aws_cloudwatch_metric_alarm": _kind(
        "AWS::CloudWatch::Alarm",
        "alarm_name namespace metric_name statistic extended_statistic period evaluation_periods "
        "datapoints_to_alarm threshold threshold_metric_id comparison_operator "
        "treat_missing_data actions_enabled alarm_actions ok_actions=OKActions "
        "insufficient_data_actions dimensions metric_query=Metrics",
    ),
    "aws_docdb_cluster": _kind("AWS::DocDB::DBCluster"),
    "aws_dynamodb_table": _kind("AWS::DynamoDB::Table", "name=TableName", stream_arn="StreamArn"),
    "aws_iam_policy": _kind(
        "AWS::IAM::ManagedPolicy", "name=ManagedPolicyName policy=PolicyDocument", arn=""
    ),
    "aws_iam_role": _kind(
        "AWS::IAM::Role",
        "name=RoleName assume_role_policy=AssumeRolePolicyDocument "
        "managed_policy_arns inline_policy=Policies",
    ),
    "aws_iam_role_policy": _kind(
        "AWS::IAM::Policy", "name=PolicyName policy=PolicyDocument role=Roles"
    ),
    "aws_iot_topic_rule": _kind("AWS::IoT::TopicRule", "name=RuleName"),
    "aws_kinesis_firehose_delivery_stream": _kind(
        "AWS::KinesisFirehose::DeliveryStream", FIREHOSE, id="Arn"
    ),
    "aws_kinesis_stream": _kind("AWS::Kinesis::Stream", "name", id="Arn"),
    "aws_kinesis_stream_consumer": _kind(
        "AWS::Kinesis::StreamConsumer", "name=ConsumerName stream_arn=StreamARN", arn=""
    ),
    "aws_kms_alias": _kind("AWS::KMS::Alias", "name=AliasName target_key_id"),
    "aws_kms_key": _kind("AWS::KMS::Key", "policy=KeyPolicy"),
    "aws_lambda_alias": _kind(
        "AWS::Lambda::Alias", "name function_name function_version", arn="", name="Name"
    ),
    "aws_lambda_event_source_mapping": _kind(
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
    "aws_lambda_function": _kind(
        "AWS::Lambda::Function",
        "function_name role timeout runtime handler dead_letter_config durable_config "
        "reserved_concurrent_executions",
        qualified_arn="Arn",
    ),
    "aws_lambda_function_event_invoke_config": _kind(
        "AWS::Lambda::EventInvokeConfig",
        "function_name qualifier maximum_event_age_in_seconds maximum_retry_attempts "
        "destination_config",
    ),
    "aws_lambda_permission": _kind(
        "AWS::Lambda::Permission", "function_name action principal source_arn source_account"
    ),
    "aws_mq_broker": _kind("AWS::AmazonMQ::Broker", "broker_name engine_type"),
    "aws_msk_cluster": _kind("AWS::MSK::Cluster", "cluster_name", arn=""),
    "aws_msk_serverless_cluster": _kind("AWS::MSK::ServerlessCluster", "cluster_name", arn=""),
    "aws_pipes_pipe": _kind(
        "AWS::Pipes::Pipe",
        "name source target enrichment role_arn desired_state source_parameters target_parameters",
    ),
    "aws_s3_bucket": _kind("AWS::S3::Bucket", "bucket=BucketName"),
    "aws_s3_bucket_policy": _kind("AWS::S3::BucketPolicy", "bucket policy=PolicyDocument"),
    "aws_scheduler_schedule": _kind(
        "AWS::Scheduler::Schedule",
        "name group_name state schedule_expression schedule_expression_timezone "
        "flexible_time_window target",
    ),
    "aws_scheduler_schedule_group": _kind("AWS::Scheduler::ScheduleGroup", "name"),
    "aws_ses_receipt_rule": _kind("AWS::SES::ReceiptRule", "rule_set_name"),
    "aws_sfn_state_machine": _kind(
        "AWS::StepFunctions::StateMachine",
        "name=StateMachineName type=StateMachineType role_arn definition",
        arn="",
        name="Name",
    ),
    "aws_sns_topic": _kind(
        "AWS::SNS::Topic",
        "name=TopicName fifo_topic kms_master_key_id",
        arn="",
        name="TopicName",
    ),
    "aws_sns_topic_policy": _kind("AWS::SNS::TopicPolicy", "arn=Topics policy=PolicyDocument"),
    "aws_sns_topic_subscription": _kind(
        "AWS::SNS::Subscription",
        "topic_arn protocol endpoint redrive_policy filter_policy filter_policy_scope "
        "raw_message_delivery",
    ),
    "aws_sqs_queue": _kind(
        "AWS::SQS::Queue",
        "name=QueueName fifo_queue content_based_deduplication deduplication_scope delay_seconds "
        "visibility_timeout_seconds=VisibilityTimeout kms_master_key_id sqs_managed_sse_enabled "
        "message_retention_seconds=MessageRetentionPeriod redrive_policy redrive_allow_policy",
        name="QueueName",
    ),
    "aws_sqs_queue_policy": _kind(
        "AWS::SQS::QueuePolicy", "queue_url=Queues policy=PolicyDocument"
    ),
}
# What is a property of another resource in CloudFormation.
TARGET = _kind(
    "", "target_id=Id arn role_arn dead_letter_config retry_policy input sqs_target=SqsParameters"
)
METHOD = _kind(
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
INVOCATIONS = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
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
BY_ID = {"bucket", "event_bus_name", "function_name", "log_group_name", "queue_url", "role", "rule"}
# Documents of which a plan shows nothing as long as a part is unknown.
COMPOSED = {
    "alarm_rule",
    "body",
    "definition",
    "event_pattern",
    "filter_policy",
    "input",
    "pattern",
}
# The provider has empty text for what exists and is not configured.
UNSET = (None, "")
DOCUMENTS = {"policy", "assume_role_policy"}
ALWAYS_LISTS = {"AlarmActions", "OKActions", "Queues", "Roles", "Topics"}
# What a policy allows on these often stands behind their ARN, which a plan does not show.
INSIDE = {"aws_s3_bucket": "/*", "aws_lambda_function": ":*", "aws_cloudwatch_log_group": ":*"}


def is_plan(content: Any) -> bool:
    """Tell whether a JSON is a plan or a state as `terraform show -json` prints it."""
    return isinstance(content, dict) and (
        "planned_values" in content or {"terraform_version", "values"} <= content.keys()
    )


def problem(plan: Any) -> str | None:
    """Say what keeps a JSON from being read as a Terraform plan or state; None where nothing does.

    Versions of the format: https://developer.hashicorp.com/terraform/internals/json-format.
    """
    if not is_plan(plan):
        return "it is not what `terraform show -json` prints of a plan or a state"
    version = plan.get("format_version")
    if not isinstance(version, str) or version.split(".")[0] not in {"0", "1"}:
        return f"its format_version is {version!r:.20}; 0 and 1 can be read"
    values = plan.get("planned_values", plan.get("values"))
    if not isinstance(values, dict) or not isinstance(values.get("root_module", {}), dict):
        return "it has no values of a root module"
    if plan.get("errored") is True:
        return "Terraform could not finish it"
    return None


def template(plan: dict[str, Any]) -> Template:
    """Return what a plan or state deploys as a CloudFormation template.

    Addresses are the logical ids. What Terraform knows only after the apply, and the plan does not
    show where it comes from, is `{"Fn::Unknown": "<address>.<attribute>"}`; a data source is
    `{"Fn::ImportValue": "${data.<address>.<attribute>}"}`. Raises UserError for what is no plan.
    """
    if found := problem(plan):
        raise UserError(f"This is no Terraform plan: {found}.")
    try:
        return _Translation(planned(plan)).template()
    except RecursionError as error:
        raise UserError("The Terraform plan is nested too deep, or refers to itself.") from error


class _Translation:
    def __init__(self, resources: list[Planned]) -> None:
        self._planned = {each.address: each for each in resources}
        self._resources: dict[str, Any] = {}
        self._by_name: dict[tuple[str, str], list[str]] = {}
        for each in resources:
            name = self._name(each)
            if isinstance(name, str) and not each.is_data and each.type != ALIAS:
                self._by_name.setdefault((each.type, name), []).append(each.address)

    def template(self) -> Template:
        managed = [each for each in self._planned.values() if not each.is_data]
        described = [each for each in managed if each.type in KINDS]
        for each in described:
            self.add(each.address, KINDS[each.type].type)
        for each in described:
            self.of_own(each).update(self.properties(each, KINDS[each.type]))
        for each in managed:
            if each.type in SPECIAL:
                SPECIAL[each.type](self, each)
        return {"Resources": self._resources}

    @staticmethod
    def _name(resource: Planned) -> Any:
        kind = KINDS.get(resource.type)
        named = [key for key, value in (kind.properties if kind else {}).items() if "Name" in value]
        return resource.values.get(named[0]) if named else resource.values.get("name")

    def properties(self, resource: Planned, kind: Kind) -> Properties:
        """Return the properties of a kind, without those that have no value."""
        found = {
            name: self.attribute(resource, attribute) for attribute, name in kind.properties.items()
        }
        return {
            name: [value] if name in ALWAYS_LISTS and not isinstance(value, list) else value
            for name, value in found.items()
            if value is not None
        }

    def attribute(self, resource: Planned, name: str) -> Any:
        """Return an attribute of a resource as CloudFormation would have it; None without one."""
        value = resource.values.get(name)
        where = f"{resource.address}.{name}"
        if value in UNSET:
            return None
        if name in DOCUMENTS:
            return self.document(value, where)
        if name == "redrive_policy" and isinstance(value, Unknown):
            return {"deadLetterTargetArn": self.one(value, where)}
        return self.value(value, where)

    def value(self, value: Any, where: str) -> Any:
        """Return a value with its references; `where` ends with the name of its attribute.

        A list of mappings are blocks. A mapping has keys of its own, such as dimensions or JSON.
        """
        match value:
            case [dict(), *_]:
                blocks = [self.block(each, where) for each in value if isinstance(each, dict)]
                repeated = len(blocks) > 1 or where.rpartition(".")[2] in REPEATED
                return blocks if repeated else blocks[0]
            case []:
                return None
            case list():
                return self.many(value, where)
        return self.json(value, where)

    def block(self, values: Mapping[str, Any], where: str) -> Properties:
        found = {_camel(key): self.value(inner, f"{where}.{key}") for key, inner in values.items()}
        return {key: inner for key, inner in found.items() if inner not in UNSET}

    def json(self, value: Any, where: str) -> Any:
        """Return a value with its references and with its keys as they are."""
        match value:
            case dict() if where.endswith(".pattern"):  # of a filter, which has it as text
                return json.dumps(value)
            case dict():
                return {key: self.json(inner, f"{where}.{key}") for key, inner in value.items()}
            case list():
                return [self.json(inner, where) for inner in value]
        return self.scalar(value, where)

    def scalar(self, value: Any, where: str) -> Any:
        name = where.rpartition(".")[2]
        match value:
            case Attribute():
                return self.reference(value, name)
            case Joined(attribute, suffix):
                alias = self.alias(attribute.address, suffix.removeprefix(":"))
                return alias or {"Fn::Join": ["", [self.reference(attribute, name), suffix]]}
            case Unknown():
                return _block_of(name, self.one(value, where))
            case str() if name in NAMED:
                return self.named(value, where)
        return value

    def named(self, value: str, where: str) -> Any:
        """Return the resource with the name that an attribute has, where there is just one."""
        name = where.rpartition(".")[2]
        found = [
            Attribute(address, type_, "name")
            for type_ in NAMED[name]
            for address in self._by_name.get((type_, value), [])
        ]
        if len(found) != 1 or where == f"{found[0].address}.{name}":
            return value
        return self.reference(found[0], name)

    def one(self, value: Unknown, where: str) -> Any:
        """Return what an unknown value refers to, if that is just one resource."""
        name = where.rpartition(".")[2]
        if name in COMPOSED:
            return {"Fn::Unknown": where}
        expected = [each for each in value.sources if each.type in (*NAMED.get(name, ()), LOCAL)]
        sources = expected or value.sources
        # An alias is often told by its name behind the ARN of its function.
        if {each.type for each in sources} <= set(FUNCTIONS):
            aliases = [replace(each, name="arn") for each in sources if each.type == ALIAS]
            sources = aliases or sources
        if len({each.address for each in sources}) != 1 or sources[0].type == LOCAL:
            return {"Fn::Unknown": where}
        arns = [each for each in sources if each.name.endswith("arn")]
        return self.reference((arns or sources)[0], name)

    def many(self, values: list[Any], where: str, *, inside: bool = False) -> list[Any]:
        """Return a list; with `inside`, what an ARN holds may be meant as well as it itself."""
        known = [each for each in values if not isinstance(each, Unknown)]
        unknown = [each for each in values if isinstance(each, Unknown)]
        sources = {each.address: each for value in unknown for each in value.sources}
        result = [self.json(each, where) for each in known]
        is_hidden = any(each.type == LOCAL for each in sources.values())
        if len(sources) > len(unknown) or (unknown and not sources) or is_hidden:
            return [*result, {"Fn::Unknown": where}]
        for each in sources.values():
            reference = self.reference(each, where.rpartition(".")[2])
            result.append(reference)
            if inside and each.type in INSIDE:
                result.append({"Fn::Join": ["", [reference, INSIDE[each.type]]]})
        return result

    def reference(self, attribute: Attribute, name: str = "") -> Any:
        """Return the intrinsic function for an attribute; `name` is that of what it is given to."""
        of = attribute.name or ("id" if name in BY_ID else "arn")
        if attribute.is_data:
            return {"Fn::ImportValue": f"${{{attribute.address}.{of}}}"}
        if of.endswith("invoke_arn"):  # what an API calls
            function = self.reference(replace(attribute, name=of.replace("invoke_arn", "arn")))
            return {"Fn::Join": ["", [INVOCATIONS, function, "/invocations"]]}
        resource = self._planned[attribute.address]
        kind = KINDS.get(resource.type, Kind(f"Terraform::{resource.type}"))
        if resource.type == ALIAS and of == "name":
            return resource.values.get("name")
        if resource.values.get("publish") is True and of in {"qualified_arn", "version"}:
            version = f"{resource.address}.version"
            self.add(version, "AWS::Lambda::Version", FunctionName={"Ref": resource.address})
            return {"Ref": version} if of == "qualified_arn" else _attribute(version, "Version")
        # What is referred to is there, of whatever type.
        self._resources.setdefault(resource.address, {"Type": kind.type, "Properties": {}})
        made = kind.attributes.get(of, "Arn" if of == "arn" else "")
        return _attribute(resource.address, made) if made else {"Ref": resource.address}

    def document(self, value: Any, where: str) -> Any:
        """Return a policy, be it JSON or a data source that Terraform reads during the apply."""
        if not isinstance(value, Unknown):
            return self.json(value, where)
        documents = [each for each in value.sources if each.type == POLICY_DOCUMENT]
        is_hidden = any(each.type == LOCAL for each in value.sources)
        if len(documents) != 1 or documents[0].address not in self._planned or is_hidden:
            return {"Fn::Unknown": where}
        source = self._planned[documents[0].address]
        statements = list(self._statements(source, where))
        if any("Fn::Unknown" in each for each in statements):
            return {"Fn::Unknown": where}
        return {"Version": "2012-10-17", "Statement": statements}

    def _statements(self, source: Planned, where: str) -> Iterator[dict[str, Any]]:
        for name in ("source_policy_documents", "override_policy_documents"):
            given = source.values.get(name) or []
            for each in given if isinstance(given, list) else [given]:
                document = self.document(each, where)
                statements = document.get("Statement") if isinstance(document, dict) else None
                yield from statements if isinstance(statements, list) else [{"Fn::Unknown": where}]
        blocks = source.values.get("statement") or []
        if not isinstance(blocks, list):
            yield {"Fn::Unknown": where}
            return
        yield from (self._statement(each, where) for each in blocks if isinstance(each, dict))

    def _statement(self, block: Mapping[str, Any], where: str) -> dict[str, Any]:
        statement: dict[str, Any] = {"Effect": block.get("effect") or "Allow"}
        for name, key in (
            ("actions", "Action"),
            ("not_actions", "NotAction"),
            ("resources", "Resource"),
            ("not_resources", "NotResource"),
        ):
            if block.get(name):
                statement[key] = self._listed(block[name], f"{where}.{name}", inside=True)
        for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
            for each in _blocks(block.get(name)):
                identifiers = self._listed(each.get("identifiers"), f"{where}.identifiers")
                if each.get("type") == "*":
                    statement[key] = "*"
                else:
                    statement.setdefault(key, {})[str(each.get("type"))] = identifiers
        for each in _blocks(block.get("condition")):
            tests = statement.setdefault("Condition", {}).setdefault(str(each.get("test")), {})
            tests[str(each.get("variable"))] = self._listed(each.get("values"), f"{where}.values")
        return statement

    def _listed(self, values: Any, where: str, *, inside: bool = False) -> list[Any]:
        return self.many(values if isinstance(values, list) else [values], where, inside=inside)

    def add(self, address: str, type_: str, **properties: Any) -> None:
        self._resources[address] = {"Type": type_, "Properties": properties}

    def about(self, source: Attribute, rule: Planned) -> Any:
        """Return the pattern of a rule that names just one resource, as far as that shows it."""
        unknown = {"Fn::Unknown": f"{rule.address}.event_pattern"}
        match source.type:
            case "aws_s3_bucket":  # only S3's own events name a bucket
                name = {"name": [self.reference(source, "bucket")]}
                return {"source": ["aws.s3"], "detail": {"bucket": name}}
            case "aws_sfn_state_machine":
                detail = {"stateMachineArn": [self.reference(source)], "status": unknown}
                return {"source": ["aws.states"], "detail": detail}
        return unknown

    def of(self, reference: Any, type_: str) -> Properties | None:
        """Return the properties of the resource that is referred to, if it has this type."""
        resource = self._resources.get(_address(reference) or "", {})
        return resource["Properties"] if resource.get("Type") == type_ else None

    def alias(self, function: str, name: Any) -> dict[str, Any] | None:
        """Return a reference to the alias with this name of the function with this address."""
        for each in self._planned.values():
            if each.type == ALIAS and not each.is_data and each.values.get("name") == name:
                of = self.attribute(each, "function_name")
                if _address(of) == function:
                    return {"Ref": each.address}
        return None

    def of_own(self, resource: Planned) -> Properties:
        properties: Properties = self._resources[resource.address]["Properties"]
        return properties


def _attribute(address: str, name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [address, name]}


def _address(reference: Any) -> str | None:
    """Return the resource that Ref or GetAtt refers to."""
    match reference:
        case {"Ref": str() as address} | {"Fn::GetAtt": [str() as address, _]}:
            return address
    return None


def _block_of(name: str, unknown: Any) -> Any:
    """Return what an unknown block with this name holds, which is where something is sent."""
    match name:
        case "dead_letter_config":
            return {"Arn": unknown, "TargetArn": unknown}  # the latter is Lambda's word
        case "destination_config":
            return {"OnFailure": {"Destination": unknown}}
        case "on_failure" | "on_success":
            return {"Destination": unknown}
    return unknown


def _known(values: Any, default: list[Any]) -> list[Any]:
    return values if isinstance(values, list) else default


def _blocks(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _queue(translation: _Translation, queue: Planned) -> None:
    _own_policy(translation, queue, "AWS::SQS::QueuePolicy", "Queues")


def _topic(translation: _Translation, topic: Planned) -> None:
    _own_policy(translation, topic, "AWS::SNS::TopicPolicy", "Topics")


def _own_policy(translation: _Translation, owner: Planned, type_: str, owners: str) -> None:
    policy = translation.attribute(owner, "policy")
    if policy is not None:
        properties = {owners: [{"Ref": owner.address}], "PolicyDocument": policy}
        translation.add(f"{owner.address}.policy", type_, **properties)


def _redrive(attribute: str, name: str) -> Callable[[_Translation, Planned], None]:
    """What a resource of its own says of a queue."""

    def special(translation: _Translation, resource: Planned) -> None:
        queue = translation.of(translation.attribute(resource, "queue_url"), "AWS::SQS::Queue")
        if queue is not None:
            queue[name] = translation.attribute(resource, attribute)

    return special


def _function(translation: _Translation, function: Planned) -> None:
    properties = translation.of_own(function)
    if properties.get("ReservedConcurrentExecutions") == -1:  # the provider's word for none
        del properties["ReservedConcurrentExecutions"]


def _permission(translation: _Translation, permission: Planned) -> None:
    """A permission names the alias of a function beside the function."""
    properties = translation.of_own(permission)
    function = properties.get("FunctionName")
    qualifier = translation.attribute(permission, "qualifier")
    if qualifier is not None:
        alias = translation.alias(_address(function) or "", qualifier)
        properties["FunctionName"] = alias or {"Fn::Join": [":", [function, qualifier]]}


def _invoke_config(translation: _Translation, config: Planned) -> None:
    translation.of_own(config).setdefault("Qualifier", "$LATEST")


def _mapping(translation: _Translation, mapping: Planned) -> None:
    source = translation.of_own(mapping).get("SelfManagedEventSource")
    if isinstance(source, dict) and isinstance(source.get("Endpoints"), dict):
        servers = source["Endpoints"].get("KAFKA_BOOTSTRAP_SERVERS")
        listed = servers.split(",") if isinstance(servers, str) else [servers]
        source["Endpoints"] = {"KafkaBootstrapServers": listed}


def _rule(translation: _Translation, rule: Planned) -> None:
    properties = translation.of_own(rule)
    if rule.values.get("is_enabled") is False:
        properties["State"] = "DISABLED"
    pattern = rule.values.get("event_pattern")
    if isinstance(pattern, Unknown) and len(pattern.sources) == 1:
        properties["EventPattern"] = translation.about(pattern.sources[0], rule)
    match properties.get("EventPattern"):
        case {"detail": {"bucket": {"name": list() as names}}}:
            names[:] = [translation.json(each, f"{rule.address}.bucket") for each in names]


def _target(translation: _Translation, target: Planned) -> None:
    properties = translation.properties(target, TARGET)
    rule = translation.of(translation.attribute(target, "rule"), "AWS::Events::Rule")
    if rule is None:  # it is another configuration's, and this is all that is known of it
        bus = translation.attribute(target, "event_bus_name") or "default"
        translation.add(target.address, "AWS::Events::Rule", EventBusName=bus)
        rule = translation.of_own(target)
    rule.setdefault("Targets", []).append(properties)


def _table(translation: _Translation, table: Planned) -> None:
    if table.values.get("stream_enabled") is True:
        kind = translation.attribute(table, "stream_view_type")
        translation.of_own(table)["StreamSpecification"] = {"StreamViewType": kind}


def _delivery(translation: _Translation, delivery: Planned) -> None:
    """CloudFormation spells ARN in capitals here."""
    properties = translation.of_own(delivery)
    properties.update(_spelt(properties))


def _spelt(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelt(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    names = {"RoleArn": "RoleARN"}
    return {names.get(name, name): _spelt(inner) for name, inner in value.items()}


def _alarm(translation: _Translation, alarm: Planned) -> None:
    properties = translation.of_own(alarm)
    if "Dimensions" in properties:
        properties["Dimensions"] = _dimensions(properties["Dimensions"])
    for query in _blocks(properties.get("Metrics")):
        if isinstance(query.get("Metric"), dict):
            metric = query.pop("Metric")
            about = {name: metric.get(name) for name in ("Namespace", "MetricName")}
            about["Dimensions"] = _dimensions(metric.get("Dimensions") or {})
            statistic = {name: metric.get(name) for name in ("Period", "Stat")}
            query["MetricStat"] = {"Metric": about, **statistic}


def _dimensions(values: Any) -> Any:
    if not isinstance(values, dict) or "Fn::Unknown" in values:
        return values
    return [{"Name": name, "Value": value} for name, value in values.items()]


def _role(translation: _Translation, role: Planned) -> None:
    properties = translation.of_own(role)
    inline = [each for each in _blocks(role.values.get("inline_policy")) if each.get("policy")]
    properties.pop("Policies", None)
    if inline:
        properties["Policies"] = [
            {
                "PolicyName": each.get("name"),
                "PolicyDocument": translation.document(each["policy"], f"{role.address}.policy"),
            }
            for each in inline
        ]


def _attachment(translation: _Translation, attachment: Planned) -> None:
    policy = translation.attribute(attachment, "policy_arn")
    roles = attachment.values.get("roles")
    for given in roles if isinstance(roles, list) else [attachment.values.get("role")]:
        reference = translation.value(given, f"{attachment.address}.role")
        role = translation.of(reference, "AWS::IAM::Role")
        if role is not None:
            attached = _known(role.get("ManagedPolicyArns"), [])
            role["ManagedPolicyArns"] = attached if policy in attached else [*attached, policy]


def _notification(translation: _Translation, notification: Planned) -> None:
    unknown = {"Fn::Unknown": f"{notification.address}.bucket"}
    name = translation.attribute(notification, "bucket") or unknown
    bucket = translation.of(name, "AWS::S3::Bucket")
    configuration: Properties = {}
    if bucket is None:  # It is outside: what CDK has for that speaks S3's API.
        translation.add(notification.address, "Custom::S3BucketNotifications", BucketName=name)
        bucket = translation.of_own(notification)
        suffix, lambdas = "Arn", ("LambdaFunctionConfigurations", "LambdaFunction")
    else:
        suffix, lambdas = "", ("LambdaConfigurations", "Function")
    bucket["NotificationConfiguration"] = configuration
    for block, (kind, key) in (
        ("lambda_function", lambdas),
        ("queue", ("QueueConfigurations", "Queue")),
        ("topic", ("TopicConfigurations", "Topic")),
    ):
        arn = f"{block}_arn"
        given = notification.values.get(block)
        blocks = [{arn: given}] if isinstance(given, Unknown) else _blocks(given)
        configuration[kind] = [
            {
                "Event": event,
                f"{key}{suffix}": translation.json(each.get(arn), f"{notification.address}.{arn}"),
            }
            for each in blocks
            for event in _known(each.get("events"), ["s3:*"])
        ]
    if notification.values.get("eventbridge") is True:
        configuration["EventBridgeConfiguration"] = {"EventBridgeEnabled": True}


def _topic_rule(translation: _Translation, rule: Planned) -> None:
    errors = _blocks(rule.values.get("error_action"))
    payload: Properties = {
        "Sql": rule.values.get("sql"),
        "RuleDisabled": rule.values.get("enabled") is False,
        "Actions": _actions(translation, rule, rule.values),
    }
    for action in _actions(translation, rule, errors[0]) if errors else []:
        payload["ErrorAction"] = action
    translation.of_own(rule)["TopicRulePayload"] = payload


def _actions(
    translation: _Translation, rule: Planned, blocks: Mapping[str, Any]
) -> list[Properties]:
    return [
        {_camel(name): translation.block(each, f"{rule.address}.{name}")}
        for name, given in blocks.items()
        if name not in {"error_action", "timeouts"}
        for each in _blocks(given)
    ]


def _receipt(translation: _Translation, rule: Planned) -> None:
    actions = [
        {"LambdaAction": translation.block(each, f"{rule.address}.lambda_action")}
        for each in _blocks(rule.values.get("lambda_action"))
    ]
    translation.of_own(rule)["Rule"] = {"Actions": actions}


def _method(translation: _Translation, integration: Planned) -> None:
    translation.add(
        integration.address,
        "AWS::ApiGateway::Method",
        RestApiId=translation.attribute(integration, "rest_api_id"),
        ResourceId=translation.attribute(integration, "resource_id"),
        HttpMethod=translation.attribute(integration, "http_method"),
        Integration=translation.properties(integration, METHOD),
    )


# What is more than other names of properties.
SPECIAL: dict[str, Callable[[_Translation, Planned], None]] = {
    "aws_api_gateway_integration": _method,
    "aws_cloudwatch_event_rule": _rule,
    "aws_cloudwatch_event_target": _target,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_dynamodb_table": _table,
    "aws_iam_policy_attachment": _attachment,
    "aws_iam_role": _role,
    "aws_iam_role_policy_attachment": _attachment,
    "aws_iot_topic_rule": _topic_rule,
    "aws_kinesis_firehose_delivery_stream": _delivery,
    "aws_lambda_event_source_mapping": _mapping,
    "aws_lambda_function": _function,
    "aws_lambda_function_event_invoke_config": _invoke_config,
    "aws_lambda_permission": _permission,
    "aws_s3_bucket_notification": _notification,
    "aws_ses_receipt_rule": _receipt,
    "aws_sns_topic": _topic,
    "aws_sqs_queue": _queue,
    "aws_sqs_queue_redrive_allow_policy": _redrive("redrive_allow_policy", "RedriveAllowPolicy"),
    "aws_sqs_queue_redrive_policy": _redrive("redrive_policy", "RedrivePolicy"),
}
