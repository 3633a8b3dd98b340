"""What is more than other names of properties: resources that are part of another, and forms."""

from collections.abc import Callable, Mapping
from typing import Any

from sls_patterns_cli.cloudformation.terraform.kinds import METHOD, TARGET, camel
from sls_patterns_cli.cloudformation.terraform.plan import Planned, Unknown
from sls_patterns_cli.cloudformation.terraform.translation import (
    Properties,
    Translation,
    address_of,
    blocks_of,
    listed,
)


def _queue(translation: Translation, queue: Planned) -> None:
    _own_policy(translation, queue, "AWS::SQS::QueuePolicy", "Queues")


def _topic(translation: Translation, topic: Planned) -> None:
    _own_policy(translation, topic, "AWS::SNS::TopicPolicy", "Topics")


def _own_policy(translation: Translation, owner: Planned, type_: str, owners: str) -> None:
    policy = translation.attribute(owner, "policy")
    if policy is not None:
        properties = {owners: [{"Ref": owner.address}], "PolicyDocument": policy}
        translation.add(f"{owner.address}.policy", type_, **properties)


def _redrive(attribute: str, name: str) -> Callable[[Translation, Planned], None]:
    """What a resource of its own says of a queue."""

    def special(translation: Translation, resource: Planned) -> None:
        queue = translation.of(translation.attribute(resource, "queue_url"), "AWS::SQS::Queue")
        if queue is not None:
            queue[name] = translation.attribute(resource, attribute)

    return special


def _function(translation: Translation, function: Planned) -> None:
    properties = translation.of_own(function)
    if properties.get("ReservedConcurrentExecutions") == -1:  # the provider's word for none
        del properties["ReservedConcurrentExecutions"]


def _permission(translation: Translation, permission: Planned) -> None:
    """A permission names the alias of a function beside the function."""
    properties = translation.of_own(permission)
    function = properties.get("FunctionName")
    qualifier = translation.attribute(permission, "qualifier")
    if qualifier is not None:
        alias = translation.alias(address_of(function) or "", qualifier)
        properties["FunctionName"] = alias or {"Fn::Join": [":", [function, qualifier]]}


def _invoke_config(translation: Translation, config: Planned) -> None:
    translation.of_own(config).setdefault("Qualifier", "$LATEST")


def _mapping(translation: Translation, mapping: Planned) -> None:
    source = translation.of_own(mapping).get("SelfManagedEventSource")
    if isinstance(source, dict) and isinstance(source.get("Endpoints"), dict):
        servers = source["Endpoints"].get("KAFKA_BOOTSTRAP_SERVERS")
        given = servers.split(",") if isinstance(servers, str) else [servers]
        source["Endpoints"] = {"KafkaBootstrapServers": given}


def _rule(translation: Translation, rule: Planned) -> None:
    properties = translation.of_own(rule)
    if rule.values.get("is_enabled") is False:
        properties["State"] = "DISABLED"
    pattern = rule.values.get("event_pattern")
    if isinstance(pattern, Unknown) and len(pattern.sources) == 1:
        properties["EventPattern"] = translation.about(pattern.sources[0], rule)
    match properties.get("EventPattern"):
        case {"detail": {"bucket": {"name": list() as names}}}:
            names[:] = [translation.json(each, f"{rule.address}.bucket") for each in names]


def _target(translation: Translation, target: Planned) -> None:
    properties = translation.properties(target, TARGET)
    rule = translation.of(translation.attribute(target, "rule"), "AWS::Events::Rule")
    if rule is None:  # it is another configuration's, and this is all that is known of it
        bus = translation.attribute(target, "event_bus_name") or "default"
        translation.add(target.address, "AWS::Events::Rule", EventBusName=bus)
        rule = translation.of_own(target)
    rule.setdefault("Targets", []).append(properties)


def _table(translation: Translation, table: Planned) -> None:
    if table.values.get("stream_enabled") is True:
        kind = translation.attribute(table, "stream_view_type")
        translation.of_own(table)["StreamSpecification"] = {"StreamViewType": kind}


def _delivery(translation: Translation, delivery: Planned) -> None:
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


def _alarm(translation: Translation, alarm: Planned) -> None:
    properties = translation.of_own(alarm)
    if "Dimensions" in properties:
        properties["Dimensions"] = _dimensions(properties["Dimensions"])
    for query in blocks_of(properties.get("Metrics")):
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


def _role(translation: Translation, role: Planned) -> None:
    properties = translation.of_own(role)
    inline = [each for each in blocks_of(role.values.get("inline_policy")) if each.get("policy")]
    properties.pop("Policies", None)
    if inline:
        properties["Policies"] = [
            {
                "PolicyName": each.get("name"),
                "PolicyDocument": translation.document(each["policy"], f"{role.address}.policy"),
            }
            for each in inline
        ]


def _attachment(translation: Translation, attachment: Planned) -> None:
    policy = translation.attribute(attachment, "policy_arn")
    roles = attachment.values.get("roles")
    for given in roles if isinstance(roles, list) else [attachment.values.get("role")]:
        reference = translation.value(given, f"{attachment.address}.role")
        role = translation.of(reference, "AWS::IAM::Role")
        if role is not None:
            attached = listed(role.get("ManagedPolicyArns"), [])
            role["ManagedPolicyArns"] = attached if policy in attached else [*attached, policy]


def _notification(translation: Translation, notification: Planned) -> None:
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
        blocks = [{arn: given}] if isinstance(given, Unknown) else blocks_of(given)
        configuration[kind] = [
            {
                "Event": event,
                f"{key}{suffix}": translation.json(each.get(arn), f"{notification.address}.{arn}"),
            }
            for each in blocks
            for event in listed(each.get("events"), ["s3:*"])
        ]
    if notification.values.get("eventbridge") is True:
        configuration["EventBridgeConfiguration"] = {"EventBridgeEnabled": True}


def _topic_rule(translation: Translation, rule: Planned) -> None:
    errors = blocks_of(rule.values.get("error_action"))
    payload: Properties = {
        "Sql": rule.values.get("sql"),
        "RuleDisabled": rule.values.get("enabled") is False,
        "Actions": _actions(translation, rule, rule.values),
    }
    for action in _actions(translation, rule, errors[0]) if errors else []:
        payload["ErrorAction"] = action
    translation.of_own(rule)["TopicRulePayload"] = payload


def _actions(
    translation: Translation, rule: Planned, blocks: Mapping[str, Any]
) -> list[Properties]:
    return [
        {camel(name): translation.block(each, f"{rule.address}.{name}")}
        for name, given in blocks.items()
        if name not in {"error_action", "timeouts"}
        for each in blocks_of(given)
    ]


def _receipt(translation: Translation, rule: Planned) -> None:
    actions = [
        {"LambdaAction": translation.block(each, f"{rule.address}.lambda_action")}
        for each in blocks_of(rule.values.get("lambda_action"))
    ]
    translation.of_own(rule)["Rule"] = {"Actions": actions}


def _method(translation: Translation, integration: Planned) -> None:
    translation.add(
        integration.address,
        "AWS::ApiGateway::Method",
        RestApiId=translation.attribute(integration, "rest_api_id"),
        ResourceId=translation.attribute(integration, "resource_id"),
        HttpMethod=translation.attribute(integration, "http_method"),
        Integration=translation.properties(integration, METHOD),
    )


SPECIAL: dict[str, Callable[[Translation, Planned], None]] = {
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
