"""What must hold of every resource, whatever edges it has.

The local stack enforces none of it, so the contract checks it here.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from contract import traces, versions
from contract.alarms import API, ERRORS, LOG_SUBSCRIPTION, THROTTLES, heard, known, watched
from contract.aliases import invocable
from contract.edges import CUSTOM_RESOURCES, event_source, mappings_of, path_of
from contract.ends import POLLING
from contract.existing_clusters import SIGN_IN, existing_cluster_violations
from contract.names import name_violations
from contract.networks import exist_already, sends_over_ipv6
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack, find_all
from sls_patterns_cli.local.emulator.source_keys import SENT_KEYS, SOURCE_KEYS
from sls_patterns_cli.wiring.alarms import queries
from sls_patterns_cli.wiring.edges.apis import APIS, api_of, integrations
from sls_patterns_cli.wiring.edges.invocations import configurations
from sls_patterns_cli.wiring.model import (
    BUCKET,
    LOG_FILTER,
    MACHINE,
    MAPPING,
    QUEUE,
    RULE,
    STREAM,
    TABLE,
    TOPIC,
)
from sls_patterns_cli.wiring.policies import (
    Statement,
    admits,
    managed_policies,
    may,
    resource_policy,
    role_of,
    role_statements,
    statements,
    trusts,
)

# Types whose asynchronous edges edges.py finds, or that have none. Another type is refused until
# somebody has thought about how it fails.
KNOWN_TYPES = re.compile(
    r"AWS::(ApiGateway|ApiGatewayV2|CloudWatch|CodeDeploy|DynamoDB|EC2|ElastiCache|IAM|KMS|Logs|RDS)::\w+"
    r"|AWS::Lambda::(Function|Alias|Version|Permission|EventSourceMapping|EventInvokeConfig"
    r"|LayerVersion)"
    r"|AWS::Events::(Rule|EventBus)|AWS::Scheduler::(Schedule|ScheduleGroup)"
    r"|AWS::SQS::(Queue|QueuePolicy)|AWS::SNS::(Topic|TopicPolicy|Subscription)"
    r"|AWS::S3::(Bucket|BucketPolicy)|AWS::Kinesis::(Stream|StreamConsumer)"
    r"|AWS::KinesisFirehose::DeliveryStream|AWS::StepFunctions::StateMachine"
    r"|AWS::SecretsManager::(Secret|ResourcePolicy)|AWS::SSM::Parameter"
    r"|AWS::RedshiftServerless::\w+|AWS::CDK::Metadata|AWS::WAFv2::WebACLAssociation"
    r"|AWS::Route53::RecordSet|AWS::Glue::(Database|Table)|AWS::Athena::WorkGroup"
    r"|AWS::CloudFormation::CustomResource|Custom::\w+"
)

# AWS's own policies that a function may have: the one stated exception to naming every action.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
BASIC_EXECUTION = "AWSLambdaBasicExecutionRole"
VPC_EXECUTION = "AWSLambdaVPCAccessExecutionRole"
# SAM and CDK give it to a durable function (fact O71).
DURABLE_EXECUTION = "AWSLambdaBasicDurableExecutionRolePolicy"
# What CodeDeploy calls to shift traffic is not documented by action and resource (fact I6).
SHIFTING = "AWSCodeDeployRoleForLambdaLimited"

# Actions that know no resource, so that theirs is "*".
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = {
    "cloudwatch:putmetricdata",
    "dynamodb:liststreams",
    "ec2:assignprivateipaddresses",
    "ec2:createnetworkinterface",
    "ec2:deletenetworkinterface",
    "ec2:describenetworkinterfaces",
    "ec2:describesecuritygroups",
    "ec2:describesubnets",
    "ec2:describevpcs",
    "ec2:unassignprivateipaddresses",
    "kinesis:liststreams",
    "logs:createlogdelivery",
    "logs:deletelogdelivery",
    "logs:describeloggroups",
    "logs:describeresourcepolicies",
    "logs:getlogdelivery",
    "logs:listlogdeliveries",
    "logs:putresourcepolicy",
    "logs:updatelogdelivery",
    "xray:getsamplingrules",
    "xray:getsamplingstatisticsummaries",
    "xray:getsamplingtargets",
    "xray:puttelemetryrecords",
    "xray:puttracesegments",
}

# The attributes that a filter policy of SNS may name.
MOST_FILTERED = 5

# What a function reaches through its role.
USED_BY_ROLE = (
    *(QUEUE, TOPIC, TABLE, STREAM, BUCKET, MACHINE),
    *("AWS::SecretsManager::Secret", "AWS::Events::EventBus"),
)

# What goes over the network to these, and below which part of their ARN.
SENT_TO = {
    QUEUE: (("sqs:SendMessage", ""), ("sqs:ReceiveMessage", "")),
    TOPIC: (("sns:Publish", ""),),
    BUCKET: (("s3:PutObject", "/*"), ("s3:GetObject", "/*"), ("s3:ListBucket", "")),
}

# Which service acts in the name of the role that a resource names.
ACTING = {
    "AWS::Lambda::Function": "lambda.amazonaws.com",
    "AWS::Scheduler::Schedule": "scheduler.amazonaws.com",
    "AWS::StepFunctions::StateMachine": "states.amazonaws.com",
    "AWS::Events::Rule": "events.amazonaws.com",
    "AWS::KinesisFirehose::DeliveryStream": "firehose.amazonaws.com",
}

# API Gateway waits no longer: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
LONGEST_ANSWER = 29

# Signed on the function's own machine, or called by Lambda itself and not by the code.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
WITHOUT_NETWORK = {"rds-db", "elasticache", "logs", "xray", "ec2", "kms"}
# Their endpoints have addresses of IPv6: https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
OVER_IPV6 = {"sqs"}


PARTS_OF_APIS = (
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGatewayV2::Authorizer",
)

STAGES = ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage")

# What the services are sent that take JSON in the body and the action in a header.
JSON_TYPE = "'application/x-amz-json-1.1'"
JSON_ACTIONS = (":kinesis:action/", ":firehose:action/")

# What went wrong between API Gateway and the service: two names for one text.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
INTEGRATION_ERRORS = {"$context.integrationErrorMessage", "$context.integration.error"}
# Who called, in the words of both kinds of APIs.
CALLER = {"$context.identity.sourceIp", "$context.identity.userAgent"}
# The id that Lambda gave the invocation, which each line of the function's log has.
INVOCATION = "$context.awsEndpointRequestId"

# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
VERIFIED = "verify-full"

# What a filter of an event source mapping can ask of a record.
PARTS_OF_RECORDS = {
    TABLE: {"eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb"}
    | {"userIdentity"},
    STREAM: {"data", "partitionKey", "sequenceNumber", "approximateArrivalTimestamp"}
    | {"kinesisSchemaVersion", "eventSource", "eventID", "eventName", "awsRegion"},
    QUEUE: {"body", "messageId", "attributes", "messageAttributes", "md5OfBody"}
    | {"eventSource", "awsRegion"},
}

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
TRANSACTION = "dynamodb:Transact"


def _types(stack: Stack) -> Iterator[Violation]:
    for resource in stack.resources.values():
        if not KNOWN_TYPES.fullmatch(resource.type):
            says = f"{resource.type} is unknown to the contract, and so is how it fails"
            yield Violation("edge", resource.name, says)


def _ends_of_edges(stack: Stack) -> Iterator[Violation]:
    """What leads out of the stack, or nowhere, is an edge whose end nobody can check."""
    for mapping in stack.of_type(MAPPING):
        if event_source(stack, mapping) is None:
            says = "EventSourceArn must be that of a queue, stream or table of this stack"
            yield Violation("edge", mapping.name, says)
        if stack.function(mapping.get("FunctionName")) is None:
            yield Violation("edge", mapping.name, "FunctionName must be a function of this stack")
        yield from _filters(stack, mapping)
    for log_filter in stack.of_type(LOG_FILTER):
        if stack.function(log_filter.get("DestinationArn")) is None:
            says = "DestinationArn must be a function of this stack"
            yield Violation("edge", log_filter.name, says)
    for bucket in stack.of_type(BUCKET):
        yield from _told(stack, bucket)


def _filters(stack: Stack, mapping: Resource) -> Iterator[Violation]:
    """S1: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html."""
    source = event_source(stack, mapping)
    parts = PARTS_OF_RECORDS.get(source.type, set()) if source else set()
    filters = mapping.get("FilterCriteria", "Filters") or []
    if filters and "EventCount" not in (counted := mapping.get("MetricsConfig", "Metrics") or []):
        must = "EventCount: nothing else counts what the filter drops"
        yield is_but("Y1", mapping.name, "MetricsConfig.Metrics", counted or None, must)
    for each in filters:
        for part in sorted(json.loads(stack.text(each.get("Pattern", "{}"))).keys() - parts):
            says = f"no record has the {part} of its filter, so all would be dropped"
            yield Violation("S1", mapping.name, says)


def _told(stack: Stack, bucket: Resource) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html."""
    told = bucket.get("NotificationConfiguration") or {}
    for kind, action in (("Queue", "sqs:SendMessage"), ("Topic", "sns:Publish")):
        for notification in told.get(f"{kind}Configurations") or []:
            target = stack.by_arn(notification.get(kind), QUEUE, TOPIC)
            if target is None:
                says = f"must tell a {kind.lower()} of this stack"
                yield Violation("edge", bucket.name, says)
            elif not admits(stack, target, "s3.amazonaws.com", action, bucket):
                says = f"its policy must let s3.amazonaws.com in for {bucket.name} alone"
                yield Violation("policy", target.name, says)


def is_cache(table: Resource) -> bool:
    """Whether what a table has may be lost: its items expire, and the stack deletes it."""
    return table.deletion_policy == "Delete" and bool(table.get("TimeToLiveSpecification"))


def _stored_data(stack: Stack) -> Iterator[Violation]:
    for bucket in stack.of_type(BUCKET):
        if bucket.deletion_policy != "Retain":
            must = "Retain: a bucket that has objects cannot be deleted, nor can its stack"
            yield is_but("A27", bucket.name, "DeletionPolicy", bucket.deletion_policy, must)
    for table in stack.of_type(TABLE):
        recovery = table.get("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
        if recovery not in (True, "true") and not is_cache(table):
            name = "PointInTimeRecoveryEnabled"
            yield is_but("recovery", table.name, name, recovery, "true")


def _encryption(stack: Stack) -> Iterator[Violation]:
    for queue in stack.of_type(QUEUE):
        managed = queue.get("SqsManagedSseEnabled")
        if managed not in (True, "true") and not queue.get("KmsMasterKeyId"):
            yield is_but("encryption", queue.name, "SqsManagedSseEnabled", managed, "true")
    for bucket in stack.of_type(BUCKET):
        if not any(find_all(bucket.get("BucketEncryption"), "SSEAlgorithm")):
            yield is_but("encryption", bucket.name, "BucketEncryption", None, "set")
    for stream in stack.of_type(STREAM):
        encryption = stream.get("StreamEncryption") or {}
        if encryption.get("EncryptionType") != "KMS" or not encryption.get("KeyId"):
            yield is_but("encryption", stream.name, "StreamEncryption", None, "KMS with a key")


def _landing_zone(stack: Stack) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/controltower/latest/controlreference/sqs-rules.html"""
    for queue in stack.of_type(QUEUE):
        permission = queue.get("RedriveAllowPolicy", "redrivePermission")
        if not queue.get("RedrivePolicy") and permission not in ("allowAll", "byQueue"):
            yield is_but("A28", queue.name, "RedriveAllowPolicy", permission, "allowAll")


def _transport(stack: Stack) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html#enforce-encryption-data-in-transit
    and its like for topics and buckets."""
    for resource in stack.of_type(*SENT_TO):
        refused = [s for s in resource_policy(stack, resource) if _refuses_plain_text(s)]
        for action, below in SENT_TO[resource.type]:
            on = [f"{arn}{below}" for arn in stack.arns(resource)]
            if not any(s.covers(action, arn) for s in refused for arn in on):
                says = f"its policy must deny {action} without aws:SecureTransport"
                yield Violation("transport", resource.name, says)


def _refuses_plain_text(statement: Statement) -> bool:
    values = [value.lower() for value in statement.values("aws:SecureTransport")]
    return statement.deny and statement.anyone and values == ["false"]


def _is_step(stack: Stack, function: Resource) -> bool:
    """Tell whether its failures are told by an execution of which it is a step, or by letters."""
    has_letters = (
        function.get("DeadLetterConfig")
        or any(configurations(stack, function))
        or any(each.get("DestinationConfig") for each in mappings_of(stack, function))
    )
    return bool(has_letters) or any(
        may(stack, role_of(stack, machine), "lambda:InvokeFunction", each)
        for machine in stack.of_type(MACHINE)
        for each in invocable(stack, function)
    )


def _function(stack: Stack, function: Resource) -> Iterator[Violation]:
    complaints = list(watched(stack, function, ERRORS))
    if not (
        _is_step(stack, function) and any("no alarm watches" in each.says for each in complaints)
    ):
        yield from complaints
    yield from _throttles(stack, function)
    if stack.number(function.get("Timeout")) is None:
        yield is_but("timeout", function.name, "Timeout", function.get("Timeout"), "a number")
    role = role_of(stack, function)
    if role is None:
        yield Violation("role", function.name, "Role must be a role of this stack")
        return
    yield from _logs(stack, function, role)
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
    loop = function.get("RecursiveLoop")
    if loop != "Allow" and any(
        may(stack, role, "lambda:InvokeFunction", each) for each in invocable(stack, function)
    ):
        must = "Allow, since it may invoke itself: Lambda stops such a chain after 16 invocations"
        yield is_but("loop", function.name, "RecursiveLoop", loop, must)
    sharing = [other.name for other in stack.functions if role_of(stack, other) == role]
    if sharing != [function.name]:
        says = f"must have a role of its own, but {role.name} is that of {', '.join(sharing)}"
        yield Violation("role", function.name, says)
    for name in told_of(stack, function):
        if not _may_anything(stack, role, name):
            says = f"is told of {name} but its role is allowed nothing on it"
            yield Violation("role", function.name, says)
    yield from _database_user(stack, function, role)
    if function.get("VpcConfig", "SubnetIds"):
        yield from _inside_vpc(stack, function, role)


def _throttles(stack: Stack, function: Resource) -> Iterator[Violation]:
    """What waits behind reserved concurrency is tried again, and each attempt counts (fact C2).

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """
    for alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        for query in queries(alarm):
            named = map(stack.named, query.dimensions.values())
            if query.name == THROTTLES.name and function in named:
                says = f"rings whenever {function.name} is busy: each of its attempts counts"
                yield Violation("alarm", alarm.name, says)


def _database_user(stack: Stack, function: Resource, role: Resource) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html."""
    variables = function.get("Environment", "Variables") or {}
    if "PGHOST" not in variables:
        return
    if (mode := variables.get("PGSSLMODE")) != VERIFIED:
        yield is_but("transport", function.name, "PGSSLMODE", mode, VERIFIED)
    # node-postgres heeds what libpq does, but for this.
    node = str(function.get("Runtime")).startswith("nodejs")
    certificates = "NODE_EXTRA_CA_CERTS" if node else "PGSSLROOTCERT"
    if not variables.get(certificates):
        must = "the file of the certificates that it trusts"
        yield is_but("transport", function.name, certificates, None, must)
    cluster = stack.named(variables["PGHOST"], "AWS::RDS::DBCluster")
    if cluster is None:
        yield from existing_cluster_violations(stack, function, role)
        return
    user = f"${{{cluster.name}.DBClusterResourceId}}/{variables.get('PGUSER')}"
    if not may(stack, role, "rds-db:connect", f"{SIGN_IN}:{user}"):
        yield Violation("role", function.name, f"its role must be allowed rds-db:connect as {user}")
    if cluster.get("EnableIAMDatabaseAuthentication") not in (True, "true"):
        value = cluster.get("EnableIAMDatabaseAuthentication")
        yield is_but("role", cluster.name, "EnableIAMDatabaseAuthentication", value, "true")
    if not function.get("VpcConfig", "SubnetIds"):
        says = f"must be inside the VPC, where {cluster.name} is"
        yield Violation("vpc", function.name, says)


def _logs(stack: Stack, function: Resource, role: Resource) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html."""
    named = function.get("LoggingConfig", "LogGroup")
    own = f"/aws/lambda/${{{function.name}}}"
    group = next(
        (
            group
            for group in stack.of_type("AWS::Logs::LogGroup")
            if stack.named(named) == group
            or (not named and stack.text(group.get("LogGroupName")) == own)
        ),
        None,
    )
    if group is None:
        yield Violation("logs", function.name, "must log to a log group of this stack")
    elif not {BASIC_EXECUTION, DURABLE_EXECUTION, VPC_EXECUTION} & set(
        managed_policies(stack, role)
    ):
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            # The ARN of a log group ends in :*, which stands for its streams.
            if not may(stack, role, action, f"${{{group.name}.Arn}}"):
                says = f"its role must be allowed {action} on {group.name}"
                yield Violation("logs", function.name, says)


def _log_subscriptions(stack: Stack) -> Iterator[Violation]:
    """A subscription that meets an error is paused, and skips what is logged then (fact B9).

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Subscriptions.html
    """
    for log_filter in stack.of_type(LOG_FILTER):
        group = stack.named(log_filter.get("LogGroupName"), "AWS::Logs::LogGroup")
        if group is None:
            continue
        for metric in LOG_SUBSCRIPTION:
            yield from watched(stack, group, metric)
        consumer = stack.function(log_filter.get("DestinationArn"))
        if consumer and stack.named(consumer[0].get("LoggingConfig", "LogGroup")) == group:
            says = f"must not feed {consumer[0].name} with its own log: each line would make more"
            yield Violation("edge", log_filter.name, says)


def _filter_policies(stack: Stack) -> Iterator[Violation]:
    """A filter policy compares the text of an attribute with text (fact D3).

    https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
    """
    for subscription in stack.of_type("AWS::SNS::Subscription"):
        policy = subscription.get("FilterPolicy") or {}
        if len(policy) > MOST_FILTERED:
            must = f"at most {MOST_FILTERED}"
            yield is_but("filter", subscription.name, "FilterPolicy", len(policy), must)
        if subscription.get("FilterPolicyScope") == "MessageBody":
            continue
        for attribute, values in policy.items():
            if not values or any(not isinstance(value, str | dict) for value in values):
                says = f"{attribute} must list texts or operators: a bare number matches nothing"
                yield Violation("filter", subscription.name, says)


def told_of(stack: Stack, function: Resource) -> list[str]:
    """Return the resources of which the function's environment has the name or address."""
    variables = function.get("Environment", "Variables") or {}
    told = (stack.named(value, *USED_BY_ROLE) for value in variables.values())
    return sorted({resource.name for resource in told if resource})


def _may_anything(stack: Stack, role: Resource, name: str) -> bool:
    return any(
        statement.allow
        and statement.actions
        and any(f"${{{name}}}" in arn or f"${{{name}." in arn for arn in statement.resources)
        for statement in role_statements(stack, role)
    )


def _integrations(stack: Stack) -> Iterator[Violation]:
    """No function tells of a service that an API cannot call: only its answers and its log do."""
    for api in _apis_that_call_services(stack):
        yield from watched(stack, api, API[api.type])
        if not any(api_of(stack, stage) == api for stage in stack.of_type(*STAGES)):
            yield Violation("logs", api.name, "must have a stage of this stack, which logs")


def _answers_for_tables(stack: Stack) -> Iterator[Violation]:
    """A function that answers for a table that fails has no error: only the API shows it (C12)."""
    for target, _, api in routes(stack):
        invoked = stack.function(target)
        variables = (invoked and invoked[0].get("Environment", "Variables")) or {}
        if api.type in API and any(stack.named(value, TABLE) for value in variables.values()):
            yield from watched(stack, api, API[api.type])


def _content_types(stack: Stack) -> Iterator[Violation]:
    """Kinesis and Firehose are sent the type of their own protocol (fact A18).

    https://docs.aws.amazon.com/apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
    """
    for part, integration in integrations(stack):
        uri = stack.text(integration.get("uri"))
        if not any(action in uri for action in JSON_ACTIONS):
            continue
        parameters = integration.get("requestParameters") or {}
        sent = parameters.get("integration.request.header.Content-Type")
        if sent != JSON_TYPE:
            yield is_but("type", api_of(stack, part).name, "Content-Type", sent, JSON_TYPE)


def _metrics_of_methods(stack: Stack) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html"""
    for stage in stack.of_type("AWS::ApiGateway::Stage"):
        for enabled in find_all(stage.get("MethodSettings"), "MetricsEnabled"):
            if enabled in (True, "true"):
                must = "left out: its metrics are charged, and no alarm watches them"
                yield is_but("C10", stage.name, "MetricsEnabled", enabled, must)


def _apis_that_call_services(stack: Stack) -> list[Resource]:
    calling = {}
    for part, integration in integrations(stack):
        uri = stack.text(integration.get("uri"))
        called = ":apigateway:" in uri and "/functions/" not in uri
        if integration.get("integrationSubtype") or called:
            api = api_of(stack, part)
            calling[api.name] = api
    return [api for api in calling.values() if api.type in API]


def _access_log(stack: Stack, stage: Resource) -> Iterator[Violation]:
    name = "AccessLogSetting" if stage.type == "AWS::ApiGateway::Stage" else "AccessLogSettings"
    destination = stage.get(name, "DestinationArn")
    if destination is None or stack.named(destination, "AWS::Logs::LogGroup") is None:
        must = "that of a log group of this stack"
        yield is_but("logs", stage.name, f"{name}.DestinationArn", destination, must)
    logged = stack.text(stage.get(name, "Format"))
    if not any(variable in logged for variable in INTEGRATION_ERRORS):
        says = f"{name}.Format must hold one of {', '.join(sorted(INTEGRATION_ERRORS))}"
        yield Violation("logs", stage.name, says)
    for variable in sorted(CALLER):
        if variable not in logged:
            says = f"{name}.Format must hold {variable}, or nothing tells who called (fact C18)"
            yield Violation("logs", stage.name, says)
    if INVOCATION not in logged:
        must = "or nothing leads to the function's log"
        yield Violation("Y2", stage.name, f"{name}.Format must hold {INVOCATION}, {must}")


def _trust(stack: Stack) -> Iterator[Violation]:
    """A role acts for nobody whom its trust policy does not name.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html
    """
    for resource in stack.of_type(*ACTING):
        role, service = role_of(stack, resource), ACTING[resource.type]
        if role and not trusts(stack, role, service):
            yield Violation("role", role.name, f"must let {service} assume it")
    for role in stack.of_type("AWS::IAM::Role"):
        for statement in statements(stack, role.get("AssumeRolePolicyDocument")):
            yield from _demands(role, statement)


def _demands(role: Resource, statement: Statement) -> Iterator[Violation]:
    """A condition on a key that is not sent never holds: AssumeRole is denied.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IfExists
    """
    if not statement.allow:
        return
    for operator, key, _ in statement.conditions:
        for service in statement.services:
            unsent = SOURCE_KEYS - SENT_KEYS.get(service, frozenset())
            if key.lower() in unsent and not operator.endswith("IfExists"):
                says = f"must not demand {key}, which {service} does not send"
                yield Violation("role", role.name, says)


def _inside_vpc(stack: Stack, function: Resource, role: Resource) -> Iterator[Violation]:
    """A call that nothing answers hangs until the timeout.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
    """
    network = {VPC_EXECUTION} & set(managed_policies(stack, role))
    if not network and not may(stack, role, "ec2:CreateNetworkInterface", "*"):
        says = "its role must be allowed ec2:CreateNetworkInterface, since it is inside a VPC"
        yield Violation("vpc", function.name, says)
    given = exist_already(stack, function.get("VpcConfig", "SubnetIds"))
    if given or any(stack.of_type("AWS::EC2::NatGateway")):
        return
    called = {
        (action.split(":")[0], action)
        for statement in role_statements(stack, role)
        if statement.allow
        for action in statement.actions
        if not _is_lambdas_own(stack, function, statement, action)
    }
    answering = (
        _endpoints(stack) | WITHOUT_NETWORK | (OVER_IPV6 if sends_over_ipv6(function) else set())
    )
    for service, action in sorted(called):
        if service not in answering:
            says = f"is inside the VPC, where nothing answers {action}"
            yield Violation("vpc", function.name, says)


def _endpoints(stack: Stack) -> set[str]:
    """Return the services that answer inside the VPC."""
    return {
        stack.text(endpoint.get("ServiceName")).split(".")[-1]
        for endpoint in stack.of_type("AWS::EC2::VPCEndpoint")
        if endpoint.get("RouteTableIds") or endpoint.get("SubnetIds")
    }


def _custom_resources(stack: Stack) -> Iterator[Violation]:
    """Functions answer CloudFormation through S3; without an answer it waits for the timeout.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
    """
    for resource in stack.resources.values():
        if not resource.type.startswith(CUSTOM_RESOURCES):
            continue
        if resource.get("ServiceTimeout") is None:
            must = "a number of seconds: the default is an hour"
            yield is_but("custom", resource.name, "ServiceTimeout", None, must)
        if not resource.properties.keys() - {"ServiceToken", "ServiceTimeout"}:
            says = "has no property of its own, so no deployment but the first calls its function"
            yield Violation("custom", resource.name, says)
        invoked = stack.function(resource.get("ServiceToken"))
        if invoked is None:
            continue
        subnets = invoked[0].get("VpcConfig", "SubnetIds") or []
        if subnets and not exist_already(stack, subnets) and "s3" not in _endpoints(stack):
            says = f"answers {resource.name} through S3, which nothing in the VPC leads to"
            yield Violation("custom", invoked[0].name, says)


def _is_lambdas_own(stack: Stack, function: Resource, statement: Statement, action: str) -> bool:
    """Tell whether Lambda calls it for the function: polling, and what sends failures away."""
    if any(action in actions for actions in POLLING.values()):
        sources = [
            stack.by_arn(mapping.get("EventSourceArn"))
            for mapping in stack.of_type("AWS::Lambda::EventSourceMapping")
            if stack.means(mapping.get("FunctionName"), function)
        ]
        return any(statement.covers(action, arn) for s in sources if s for arn in stack.arns(s))
    destinations = [function.get("DeadLetterConfig", "TargetArn")]
    for config in stack.of_type(
        "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping"
    ):
        if stack.means(config.get("FunctionName"), function):
            destinations += [config.get("DestinationConfig", "OnFailure", "Destination")]
    texts = {stack.text(destination) for destination in destinations if destination}
    return action == "sqs:SendMessage" and set(statement.resources) <= texts


def _role(stack: Stack, role: Resource) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege."""
    for name in managed_policies(stack, role):
        if name not in {
            BASIC_EXECUTION,
            DURABLE_EXECUTION,
            VPC_EXECUTION,
            SHIFTING,
            *traces.MANAGED,
        }:
            yield Violation("role", role.name, f"{name} must give way to named actions")
    for statement in role_statements(stack, role):
        if not statement.allow:
            continue
        for action in statement.actions:
            if "*" in action or "?" in action:
                yield Violation("role", role.name, f"action {action} must be named in full")
            if action.startswith(TRANSACTION):
                says = f"IAM knows no {action}: a transaction needs the actions of its parts"
                yield Violation("S2", role.name, says)
        for arn in statement.resources:
            # What comes before the wildcard must already say whose resource it is.
            before = arn.split("*")[0]
            named = set(re.findall(r"\$\{([\w:]+)", before)) & {*stack.resources, *stack.parameters}
            unbound = [a for a in statement.actions if a.lower() not in WITHOUT_RESOURCE]
            if "*" in arn and not named and unbound:
                says = f"{', '.join(unbound)} on {arn} must be on resources of this stack"
                yield Violation("role", role.name, says)


def _dangling(stack: Stack) -> Iterator[Violation]:
    """Policies about nothing, which look as if they held something."""
    for type_, names in (("AWS::SQS::QueuePolicy", "Queues"), ("AWS::SNS::TopicPolicy", "Topics")):
        for policy in stack.of_type(type_):
            owners = [stack.named(owner, QUEUE, TOPIC) for owner in policy.get(names) or []]
            if not owners or not all(owners):
                must = "queues or topics of this stack"
                yield is_but("policy", policy.name, names, policy.get(names), must)


def _permissions(stack: Stack) -> Iterator[Violation]:
    """Every service that invokes a function needs the function's permission.

    https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
    """
    for target, service, source in _invocations(stack):
        invoked = stack.function(target)
        if invoked is None:
            continue
        granted = any(
            stack.function(permission.get("FunctionName")) == invoked
            and _is_from(stack, stack.text(permission.get("SourceArn")), source)
            for permission in _permissions_for(stack, service)
        )
        answers = service == "apigateway.amazonaws.com"
        if answers and (stack.number(invoked[0].get("Timeout"), 3) or 0) > LONGEST_ANSWER:
            timeout, must = invoked[0].get("Timeout"), f"at most {LONGEST_ANSWER}"
            yield is_but("timeout", invoked[0].name, "Timeout", timeout, must)
        if not granted:
            says = f"must permit {service} to invoke it for {source.name} alone"
            yield Violation("permission", invoked[0].name, says)


def _permissions_of_routes(stack: Stack) -> Iterator[Violation]:
    """A permission names the methods and paths by which an API may invoke the function.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
    """
    for api, route, target in _functions_by_route(stack):
        invoked = stack.function(target)
        if invoked and not any(
            stack.function(permission.get("FunctionName")) == invoked
            and fnmatchcase(f"${{{api.name}}}/{route}", _permitted_route(stack, permission))
            for permission in _permissions_for(stack, "apigateway.amazonaws.com")
        ):
            yield Violation("permission", invoked[0].name, f"{api.name} may not invoke it: {route}")


def _permissions_for(stack: Stack, service: str) -> Iterator[Resource]:
    for permission in stack.of_type("AWS::Lambda::Permission"):
        invokes = permission.get("Action") == "lambda:InvokeFunction"
        if invokes and stack.text(permission.get("Principal")) == service:
            yield permission


def _permitted_route(stack: Stack, permission: Resource) -> str:
    """Return the API, method and path of a permission, in which * is anything."""
    whole = stack.text(permission.get("SourceArn")).rpartition(":")[2]
    api, _, below = whole.partition("/")
    return f"{api}/{below.partition('/')[2]}"


def _functions_by_route(stack: Stack) -> Iterator[tuple[Resource, str, object]]:
    """Return the APIs' routes, `GET/items/{id}`, that are answered by a function, and its ARN."""
    for api in stack.of_type(*APIS):
        for path, operations in (api.get("Body", "paths") or {}).items():
            for method, operation in operations.items():
                for arn in _invoked_by_api(stack, operation):
                    verb = "*" if method == "x-amazon-apigateway-any-method" else method.upper()
                    yield api, f"{verb}{path}", arn
    for method in stack.of_type("AWS::ApiGateway::Method"):
        verb = str(method.get("HttpMethod")).replace("ANY", "*")
        path = path_of(stack, method.get("ResourceId")) or "/"
        for arn in _invoked_by_api(stack, method.get("Integration")):
            yield api_of(stack, method), f"{verb}{path}", arn
    for route in stack.of_type("AWS::ApiGatewayV2::Route"):
        integration = stack.named(stack.text(route.get("Target")).removeprefix("integrations/"))
        if integration:
            key = str(route.get("RouteKey")).replace(" ", "").replace("ANY", "*")
            for arn in _invoked_by_api(stack, integration.properties):
                yield api_of(stack, route), key, arn


def _is_from(stack: Stack, arn: str, source: Resource) -> bool:
    return (
        arn in stack.arns(source)
        or f":execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{source.name}}}/" in arn
        or arn.removesuffix(":*") in stack.arns(source)
        or arn.endswith(
            f":logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:${{{source.name}}}:*"
        )
    )


def _invocations(stack: Stack) -> Iterator[tuple[object, str, Resource]]:
    """Return what invokes a function by a permission: the function, the service, the source."""
    for subscription in stack.of_type("AWS::SNS::Subscription"):
        topic = stack.named(subscription.get("TopicArn"), TOPIC)
        if topic:
            yield subscription.get("Endpoint"), "sns.amazonaws.com", topic
    for rule in stack.of_type(RULE):
        for target in rule.get("Targets") or []:
            yield target.get("Arn"), "events.amazonaws.com", rule
    for bucket in stack.of_type(BUCKET):
        for notification in bucket.get("NotificationConfiguration", "LambdaConfigurations") or []:
            yield notification.get("Function"), "s3.amazonaws.com", bucket
    for log_filter in stack.of_type(LOG_FILTER):
        group = stack.named(log_filter.get("LogGroupName"))
        if group:
            yield log_filter.get("DestinationArn"), "logs.amazonaws.com", group
    yield from routes(stack)


def routes(stack: Stack) -> Iterator[tuple[object, str, Resource]]:
    """Return what an API invokes by a permission: the function, the service, the API."""
    for api in stack.of_type(*APIS, *PARTS_OF_APIS):
        for arn in sorted(set(_invoked_by_api(stack, api.properties))):
            yield arn, "apigateway.amazonaws.com", api_of(stack, api)


def _invoked_by_api(stack: Stack, value: object) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _invoked_by_api(stack, inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key.lower() in {"uri", "integrationuri", "authorizeruri"} and not value.get(
                "credentials", value.get("Credentials", value.get("CredentialsArn"))
            ):
                text = stack.text(inner)
                yield text.split("/functions/")[-1].removesuffix("/invocations")
            yield from _invoked_by_api(stack, inner)


def _retention(stack: Stack) -> Iterator[Violation]:
    for group in stack.of_type("AWS::Logs::LogGroup"):
        if group.get("RetentionInDays") is None:
            yield is_but("logs", group.name, "RetentionInDays", None, "a number of days")


def _alarms(stack: Stack) -> Iterator[Violation]:
    for alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        if not versions.is_of_version(alarm):
            yield from heard(stack, alarm)
            yield from known(stack, alarm)


def _functions(stack: Stack) -> Iterator[Violation]:
    for function in stack.functions:
        yield from _function(stack, function)


def _access_logs(stack: Stack) -> Iterator[Violation]:
    for stage in stack.of_type(*STAGES):
        yield from _access_log(stack, stage)


def _roles(stack: Stack) -> Iterator[Violation]:
    for role in stack.of_type("AWS::IAM::Role"):
        yield from _role(stack, role)


STANDARDS = (
    _types,
    _ends_of_edges,
    _encryption,
    _landing_zone,
    _transport,
    _stored_data,
    _retention,
    _alarms,
    _functions,
    name_violations,
    _log_subscriptions,
    _filter_policies,
    _custom_resources,
    _integrations,
    _access_logs,
    _answers_for_tables,
    _content_types,
    _metrics_of_methods,
    _trust,
    _roles,
    _dangling,
    _permissions,
    _permissions_of_routes,
)
"""Each says where a stack falls short of what every stack must have."""
