"""Every variant keeps the contract, and its asynchronous edges are those of its graph."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from itertools import product

import pytest
from _pytest.mark import ParameterSet
from contract.alarms import CIRCUIT, COMPARED, SIGN_INS
from contract.changes import WITHOUT_MEANING, removals
from contract.check import asynchronous_edges, keeps, violations
from contract.graph import differences, pascal
from contract.least_privilege import complaints
from contract.made import Made
from contract.stack import default_stack, stacks_like, without_code
from kept import kept
from rendering import kept_from
from rendering import template as origin
from synthesis import template_files, with_templates_of
from variants import Variant, all_variants, authorized_variants_of, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Topology
from sls_patterns_cli.check.report import reports
from sls_patterns_cli.cloudformation.document import Template, read
from sls_patterns_cli.wiring.alarms import queries

# What handles no failure of an asynchronous edge; the pattern's proofs and cfn-lint notice it.
NOT_THE_CONTRACTS = (
    # What a table holds, and who queries it by what, which proofs show.
    r"AWS::Athena::WorkGroup(\..*)?",
    r"AWS::Glue::Database(\..*)?",
    r"AWS::Glue::Table(\.(?!OpenTableFormatInput).*)?",
    # An API's routes, in whose name it calls a service, its log and its limits.
    *(r"AWS::ApiGateway(V2)?::\w+(\..*)?", r"ApiRole\w*(\..*)?", r"Api\w*LogGroup\w*"),
    # What a function runs and is told, and one that nothing asynchronous reaches.
    r"AWS::Lambda::Function(\.(Code|Environment)\b.*)?",
    # They tell of answers, which are no failures of an asynchronous edge: tests/alarms has them.
    r"Api(Errors|Latency|Refusals|RefusedData)Alarm\w*(\.(?!AlarmActions).*)?",
    r"\w+(QuietErrors|Function(Signed)?Refusals|FunctionDuration)Alarm\w*(\.(?!AlarmActions).*)?",
    # That a circuit, a token, a part and compared reads have their alarms, the graph says below.
    r"\w+(Circuit(Open|Unguarded)|SignIn|MissingParts|Shadow(Difference|Failure))Alarm\w*",
    # A call is answered without the cache, by the database.
    r"\w+WithoutCacheAlarm\w*(\.(?!AlarmActions).*)?",
    # A user or a group without them is not deployed.
    r"AWS::ElastiCache::(User\.Engine|UserGroup\.UserGroupId)",
    # What the cache is, and how large; its network and its client are the contract's.
    r"AWS::ElastiCache::ServerlessCache(\.(Description|Engine|MajorEngineVersion|ServerlessCacheName|CacheUsageLimits\.DataStorage\.Unit).*)?",
    # A machine whose callers wait, and what its log tells beside the error.
    r"AWS::StepFunctions::StateMachine(\.LoggingConfiguration\.IncludeExecutionData)?",
    # How often a schedule starts, which no validator would let pass without.
    r"AWS::Scheduler::Schedule\.(ScheduleExpression|FlexibleTimeWindow.*)",
    # Where events are put, and routed from; cfn-lint misses a bus that rules name.
    r"AWS::Events::EventBus(\.Name)?",
    # Where other stacks find a topic or a bus, and which messages a subscriber gets, in which form.
    r"AWS::SSM::Parameter(\..*)?",
    r"AWS::SNS::Subscription\.(Protocol|RawMessageDelivery|FilterPolicy.*)",
    r"AWS::Logs::SubscriptionFilter\.FilterPattern",
    r"AWS::Logs::MetricFilter(\..*)?",
    # Checkov asks for the key of a topic, and for a bucket that is not public.
    r"AWS::SNS::Topic\.KmsMasterKeyId",
    r"AWS::S3::Bucket\.(PublicAccessBlock|Lifecycle)Configuration.*",
    # How much a stream takes and keeps, and from where and of what a function reads it.
    r"AWS::Kinesis::Stream\.(StreamModeDetails.*|RetentionPeriodHours)",
    r"AWS::Lambda::EventSourceMapping\.(StartingPosition|FilterCriteria.*)",
    # Where and in which batches Firehose keeps what has not failed, and the log of its errors.
    r"AWS::KinesisFirehose::DeliveryStream\.\w+\.(Prefix|CompressionFormat)",
    r"AWS::KinesisFirehose::DeliveryStream\.\w+\.(BufferingHints|CloudWatchLoggingOptions).*",
    r"AWS::KinesisFirehose::DeliveryStream\.\w+\.ProcessingConfiguration\.Processors\.0\.Type",
    r"\w+DeliveryStreamLog(Group|Stream)\w*(\.LogStreamName)?",
    # What the service keeps.
    r"AWS::SecretsManager::Secret(\.GenerateSecretString.*)?",
    r"AWS::DynamoDB::Table(\.(AttributeDefinitions|KeySchema|TimeToLiveSpecification).*)?",
    # They warn before there is a failure, and so are no end of one.
    r"\w+(QueueAge|ClusterCapacity)Alarm\w*(\.(?!AlarmActions).*)?",
    # How many of a function run at a time, which the proofs count.
    r"\w+Function\w*\.ReservedConcurrentExecutions",
    # It keeps out what other accounts have.
    r"\w+Role\w*\.AssumeRolePolicyDocument\.Statement\.0\.Condition.*",
    # What a definition does but for its failures, and what no validator would let pass.
    (
        r"AWS::StepFunctions::StateMachine\.Definition\.(?!(.*\.)?"
        r"(TimeoutSeconds|Retry|JitterStrategy|Catch|Catch\.1|FunctionName|Resource)$).*"
    ),
    # SAM's list of them is empty.
    r"\w+StateMachineRole\.ManagedPolicyArns",
    # What callers invoke, and who may: without it they get an error, which the proofs notice.
    r"AWS::Lambda::(Alias|Version)(\..*)?",
    r"\w+CallerPermission(\..*)?",
    # The default, 4 days, is what is set.
    r"(?!\w*DeadLetter)\w+\.MessageRetentionPeriod",
)


# The same of what a datastore brings: the network of its functions, and the database itself.
NOT_THE_CONTRACTS_WITH = {
    "aurora-postgresql": (
        r"AWS::(EC2|RDS)::(?!VPCEndpoint)\w+(\.(?!EnableIAM|AutoMinor|DeletionProtection).*)?",
        r"\w*DynamoDBEndpoint\w*(\..*)?",
        r"\w+Endpoint\w*\.(VpcId|VpcEndpointType|RouteTableIds\.\d)",
        r"AWS::Lambda::Function\.VpcConfig\.(SubnetIds\.\d|SecurityGroupIds.*)",
        # It tells people which files there are; the digest tells CloudFormation.
        r"Custom::Schema\.Migrations(\.\d)?",
    ),
    "elasticache-valkey": (
        r"AWS::EC2::(VPC|VPCEndpoint|Subnet)(\..*)?",
        r"AWS::EC2::RouteTable",
        r"AWS::EC2::\w+\.(VpcId|InternetGatewayId|Domain|SecurityGroupEgress.*)",
        r"AWS::EC2::SecurityGroup\w*\..*(IpProtocol|FromPort)",
        r"AWS::Lambda::Function\.VpcConfig\.SubnetIds\.\d",
        # CDK has one for each zone, and one NAT gateway.
        r"VpcPublicSubnet2\w+(\..*)?",
    ),
    # How the objects of what a table has refused are packed.
    "iceberg": (r"AWS::KinesisFirehose::DeliveryStream\.\w+\.S3Configuration\.CompressionFormat",),
    "redshift-serverless": (
        r"AWS::EC2::(VPC(\..*)?|RouteTable)",
        r"AWS::EC2::\w+\.(VpcId|InternetGatewayId|MapPublicIpOnLaunch|SecurityGroupEgress.*)",
        # Which name it has, the port by default, and what it logs of itself.
        r"AWS::RedshiftServerless::\w+\.((Namespace|Workgroup)Name|Port|LogExports.*)",
        r"AWS::KinesisFirehose::DeliveryStream\..*\.(DataTableName|SizeInMBs)",
    ),
}


def parameters(
    variants: Iterable[Variant], exhaustive_in: Collection[str] = ()
) -> list[ParameterSet]:
    """Return variants as parameters; `make test` leaves out those of some flavours and runtimes."""
    found = []
    for variant in variants:
        marks = [with_templates_of(variant.pattern)]
        if not {variant.iac, variant.runtime}.isdisjoint(exhaustive_in):
            marks.append(pytest.mark.exhaustive)
        found.append(pytest.param(variant, id=str(variant), marks=marks))
    return found


AUTHORIZED = [each for pattern in catalog.patterns() for each in authorized_variants_of(pattern)]


@pytest.fixture(scope="session")
def made() -> Callable[[Variant], Made]:
    """Return what makes a variant, synthesised together with the others of its pattern."""

    @cache
    def of(pattern: str) -> dict[Variant, Made]:
        declaration = catalog.pattern(pattern)
        variants = [*variants_of(declaration), *authorized_variants_of(declaration)]
        projects = {each: kept_from(origin(), **each.answers) for each in variants}
        files = template_files(projects.values())
        return {each: Made(each, folder, files[folder]) for each, folder in projects.items()}

    return lambda variant: of(variant.pattern)[variant]


def polling(topology: Topology) -> Iterator[str]:
    """Yield what tells of a message that kills the function which reads its queue by itself.

    No template has an edge from that queue, and tests/alarms shows who is told.
    """
    if any(edge.attributes.get("by") == "poll" for edge in topology.edges):
        yield "FunctionErrorsAlarm"


def answering(topology: Topology) -> Iterator[str]:
    """What functions may do at nobody's request but a caller's; the pattern's proofs notice it."""
    asked = {edge.target for edge in topology.edges if edge.call == "async"}
    for node in topology.nodes:
        if node.kind == "function" and node.name not in asked:
            yield rf"{pascal(node.name)}Function\w*Role\w*\..*\.Action\.\d+"


def using_stores(template: Template) -> Iterator[str]:
    """One of several actions of a function on a table or bucket: the pattern's proofs miss it."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        documents = {
            f"Policies.{n}.": each for n, each in enumerate(properties.get("Policies", []))
        }
        for path, holder in {"": properties, **documents}.items():
            for number, each in enumerate(holder.get("PolicyDocument", {}).get("Statement", [])):
                actions = each.get("Action", [])
                on_table = all(str(action).startswith("dynamodb:") for action in actions)
                on_bucket = len(actions) > 1 and set(actions) <= {"s3:GetObject", "s3:PutObject"}
                if "StateMachine" not in name and (on_table or on_bucket):
                    yield rf"{name}\.{path}PolicyDocument\.Statement\.{number}\.Action\.\d+"


def describing(template: Template) -> Iterator[str]:
    """What lets a function look at executions, without which the pattern's proofs fail."""
    for name, resource in template["Resources"].items():
        for number, policy in enumerate(resource.get("Properties", {}).get("Policies", [])):
            for place, each in enumerate(policy["PolicyDocument"]["Statement"]):
                actions = each.get("Action", [])
                listed = actions if isinstance(actions, list) else [actions]
                looks = all(
                    str(act).startswith(("states:Describe", "states:List")) for act in listed
                )
                if looks and "StateMachine" not in name:
                    path = rf"{name}\.Policies\.{number}\.PolicyDocument\.Statement\.{place}"
                    yield rf"{path}(\..*)?"


def unprotected(template: Template) -> Iterator[str]:
    """What says of a cache that it is not protected, as a table without these properties is."""
    for name, resource in template["Resources"].items():
        if resource.get("Properties", {}).get("DeletionProtectionEnabled") is False:
            yield rf"{name}\.(DeletionProtectionEnabled|PointInTimeRecoverySpecification\b.*)"


def logging(template: Template) -> Iterator[str]:
    """What lets Firehose log its errors, of which each record is kept as well."""
    for name, resource in template["Resources"].items():
        for number, policy in enumerate(resource.get("Properties", {}).get("Policies", [])):
            for place, each in enumerate(policy["PolicyDocument"]["Statement"]):
                if each.get("Action") == "logs:PutLogEvents":
                    path = rf"{name}\.Policies\.{number}\.PolicyDocument\.Statement\.{place}"
                    yield rf"{path}(\..*)?"


def repeated(template: Template) -> Iterator[str]:
    """What is there twice: CDK permits a path once for each of its methods, in the same words."""
    resources = template["Resources"]
    for name, resource in resources.items():
        if list(resources.values()).count(resource) > 1:
            yield rf"{name}(\..*)?"


def routes(template: Template) -> Iterator[str]:
    """What a rule on a bus of its own lets through; the pattern's proofs notice it."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Events::Rule" and "EventBusName" in resource["Properties"]:
            yield rf"{name}\.EventPattern.*"
        elif resource["Type"] == "AWS::Events::Rule" and any(
            "DeadLetterConfig" in each for each in resource["Properties"]["Targets"]
        ):
            # Which objects of a bucket; that of one with records that failed has no such queue.
            yield rf"{name}\.EventPattern\.(detail-type|detail\.object).*"


def empty(template: Template) -> Iterator[str]:
    """What says nothing: SAM's destinations of a function that has a dead-letter queue instead."""
    for name, resource in template["Resources"].items():
        if resource.get("Properties", {}).get("DestinationConfig") == {}:
            yield rf"{name}\.DestinationConfig"


def returning(template: Template) -> Iterator[str]:
    """What is so by default: CDK says of the expression of an alarm that it returns data."""
    for name, resource in template["Resources"].items():
        for index, metric in enumerate(resource.get("Properties", {}).get("Metrics") or []):
            if isinstance(metric, dict) and metric.get("ReturnData") is True:
                yield rf"{name}\.Metrics\.{index}\.ReturnData"


def included(template: Template) -> Iterator[str]:
    """What another policy of the role lets do as well: that for a VPC lets write the log."""
    for name, resource in template["Resources"].items():
        arns = list(map(json.dumps, resource.get("Properties", {}).get("ManagedPolicyArns") or []))
        if any("AWSLambdaVPCAccessExecutionRole" in arn for arn in arns):
            for index, arn in enumerate(arns):
                if "AWSLambdaBasicExecutionRole" in arn:
                    yield rf"{name}\.ManagedPolicyArns\.{index}"


def nothing_that_check_finds(made: Made) -> None:
    """Anybody's rules hold for what is generated: `make lint` of a project is strict about them."""
    (report,) = reports(made.file if made.variant.iac == "sam" else made.file.parent)

    assert [each for each in report.findings if each.severity != "note"] == []
    assert report.unread == []


def no_broken_rule(made: Made) -> None:
    assert list(map(str, violations(made.template))) == []


def roles_that_may_do_what_the_graph_needs_and_nothing_else(made: Made) -> None:
    assert complaints(made.template, made.variant) == []


# What a stack that others copy leaves to them: a consumer, and the topic is another stack's.
LEFT_TO_OTHERS = (
    "E4 OrdersSubscription: TopicArn OrdersTopicArn must be a topic of this stack",
    "E4 UploadsSubscription: TopicArn UploadsTopicArn must be a topic of this stack",
    (
        "alarm LostUploadsAlarm: TopicName is ${UploadsTopicArn} split at :, part 5, "
        "but must be that of a resource AWS::SNS::Topic of this stack"
    ),
    "alarm OrdersQueue: no alarm watches AWS/SQS ApproximateNumberOfMessagesVisible",
)


def no_broken_rule_in_a_stack_that_others_copy(made: Made) -> None:
    for file in made.project.glob("stacks/*.yaml"):
        broken = set(map(str, violations(read(file))))
        assert broken <= set(LEFT_TO_OTHERS)
        assert asynchronous_edges(read(file))


def the_asynchronous_edges_and_ends_of_the_graph(made: Made) -> None:
    assert differences(asynchronous_edges(made.template), made.topology) == []


def alarms_by(template: Template, dimension: str) -> list[tuple[str, str]]:
    """Return the metrics that alarms watch by a dimension, each with its value."""
    return sorted(
        (query.name, str(query.dimensions[dimension]))
        for alarm in default_stack(template).of_type("AWS::CloudWatch::Alarm")
        for query in queries(alarm)
        if dimension in query.dimensions
    )


def alarms_of_each_circuit(made: Made) -> None:
    guarded = {edge.target for edge in made.topology.edges if edge.attributes.get("circuit")}

    assert alarms_by(made.template, "circuit") == sorted(product(CIRCUIT, guarded))


def alarms_of_each_system_that_a_function_takes_over_from(made: Made) -> None:
    shadowed = [edge for edge in made.topology.edges if edge.attributes.get("by") == "shadow"]

    watched = [
        resource["Properties"]["MetricName"]
        for resource in made.template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
        and resource["Properties"].get("MetricName") in {each.name for each in COMPARED}
    ]
    assert sorted(watched) == sorted(each.name for each in COMPARED for _ in shadowed)


def an_alarm_of_each_part_that_a_page_may_lack(made: Made) -> None:
    """One for all parts of a function; the contract says that it watches whatever it names.

    Those of an express machine have one that watches its log.
    """
    parts = [edge for edge in made.topology.edges if edge.attributes.get("part")]
    machines = {each.name for each in made.topology.nodes if each.kind == "state-machine"}
    by_log = {edge.source for edge in parts} & machines
    watched = [
        query.name
        for alarm in default_stack(made.template).of_type("AWS::CloudWatch::Alarm")
        for query in queries(alarm)
    ]

    assert watched.count("IncomingLogEvents") == len(by_log)
    assert {edge.target for edge in parts if edge.source not in by_log} == {
        each["Value"]
        for resource in made.template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
        for query in resource["Properties"].get("Metrics", [])
        for each in query.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
        if each["Name"] == "part"
    }


def an_alarm_of_each_token(made: Made) -> None:
    systems = (edge.attributes.get("signs_in_to") for edge in made.topology.edges)
    watched = [
        (query.name, query.dimensions.get("system"))
        for alarm in default_stack(made.template).of_type("AWS::CloudWatch::Alarm")
        if "SignInAlarm" in alarm.name
        for query in queries(alarm)
        if query.name == SIGN_INS.name
    ]

    assert sorted(watched) == sorted((SIGN_INS.name, system) for system in systems if system)


def an_end_of_what_is_kept_for_a_number_of_days(made: Made) -> None:
    resources = [
        (each["Type"], each["Properties"])
        for each in made.template["Resources"].values()
        if "Properties" in each
    ]
    expiring = [
        properties["TimeToLiveSpecification"]
        for kind, properties in resources
        if kind == "AWS::DynamoDB::Table" and "TimeToLiveSpecification" in properties
    ]

    # A bucket has no rule: it would delete the objects of released projects.
    in_bucket = any(kind == "AWS::S3::Bucket" for kind, _ in resources)
    for node in made.topology.nodes:
        if "days" in node.attributes and not (in_bucket and node.kind == "datastore"):
            assert {"AttributeName": node.attributes["expires"], "Enabled": True} in expiring


PARTS: tuple[Callable[[Made], None], ...] = (
    no_broken_rule,
    no_broken_rule_in_a_stack_that_others_copy,
    nothing_that_check_finds,
    roles_that_may_do_what_the_graph_needs_and_nothing_else,
    the_asynchronous_edges_and_ends_of_the_graph,
    alarms_of_each_circuit,
    alarms_of_each_system_that_a_function_takes_over_from,
    an_alarm_of_each_part_that_a_page_may_lack,
    an_alarm_of_each_token,
    an_end_of_what_is_kept_for_a_number_of_days,
)


@pytest.mark.parametrize("variant", parameters([*all_variants(), *AUTHORIZED]))
def test_the_variant_keeps_the_contract(variant: Variant, made: Callable[[Variant], Made]) -> None:
    """One test, since a variant is loaded once for all parts; each part that fails is shown."""
    one = made(variant)
    with kept("contract", *one.looked_at()) as is_new:
        failures = [*failed(one)] if is_new else []
        if failures:
            raise ExceptionGroup(str(variant), failures)


def failed(made: Made) -> Iterator[Exception]:
    for part in PARTS:
        try:
            part(made)
        except Exception as failure:  # noqa: BLE001 (raised with those of the other parts)
            yield failure


@pytest.fixture(scope="session")
def shown() -> set[tuple[str, str]]:
    """Return for what it has been shown that no removal goes unnoticed: once by content."""
    return set()


# CDK's templates hold what SAM's do, and one runtime's what the other's do: tests/parity compares.
@pytest.mark.parametrize("variant", parameters(all_variants(), exhaustive_in={"cdk", "typescript"}))
def test_no_property_that_handles_failures_can_be_removed_unnoticed(
    variant: Variant, made: Callable[[Variant], Made], shown: set[tuple[str, str]]
) -> None:
    one = made(variant)
    with kept("removals", *one.looked_at()) as is_new:
        content = (without_code(one.template), repr(one.topology)) if is_new else ("", "")
        if is_new and content not in shown:
            assert unnoticed(one) == []
            shown.add(content)


def unnoticed(made: Made) -> list[str]:
    """Return what can be removed from a template without breaking a rule or changing an edge."""
    variant, template, topology = made.variant, made.template, made.topology
    ignore = (
        *WITHOUT_MEANING,
        *NOT_THE_CONTRACTS,
        *NOT_THE_CONTRACTS_WITH.get(variant.datastore, ()),
        *answering(topology),
        *polling(topology),
        *using_stores(template),
        *describing(template),
        *unprotected(template),
        *logging(template),
        *repeated(template),
        *routes(template),
        *empty(template),
        *returning(template),
        *included(template),
    )
    stacks_of = stacks_like(template)
    return [
        what
        for what, without in removals(template, ignore)
        if keeps(without, stacks_of)
        and not differences(asynchronous_edges(without), topology)
        and not complaints(without, variant)
    ]
