"""The contract can fail: each of its rules, on the least stack that keeps it."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract import examples
from contract.changes import REMOVE, WITHOUT_MEANING, changed, removals
from contract.check import asynchronous_edges, keeps, violations
from contract.examples import (
    EXAMPLES,
    admit,
    allow,
    as_definition_string,
    get,
    of_queue,
    ref,
    resource,
)
from contract.stack import expand, stacks


def says(name: str, *changes: tuple[str, Any]) -> list[str]:
    template = EXAMPLES[name]()
    for path, value in changes:
        template = changed(template, path, value)
    return list(map(str, violations(template)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_stack_with_an_end_for_each_failure_keeps_the_contract(name: str) -> None:
    assert says(name) == []


FOUND = {
    "E1": {("Orders", "Store", "E1", "Dead")},
    "E2": {("AppLog", "Work", "E2", "Failed")},
    "E3": {("Bus", "Inbox", "E3", "Dead")},
    "E4": {
        ("News", "Inbox", "E4", "Dead"),
        ("News", "Work", "E4", "Dead"),
        ("News", "Work", "E2", "Failed"),
    },
    "E5": {("Clicks", "Read", "E5", "Told")},
    "E6": {("Hourly", "Work", "E6", "Dead"), ("Hourly", "Work", "E2", "Failed")},
    "E7": {("Start", "Saga", "E7", "Broken")},
    "TRACED": {("Start", "Saga", "E7", "Broken")},
    "E7x": set(),
    "REST": set(),
    "SYNC": set(),
    "ANSWERS": set(),
    "PROXY": set(),
    "PRIVATE": set(),
    "JWT": set(),
    "JWT resources": set(),
    "FRONT": set(),
    "CORS": set(),
    "CORS resources": set(),
    "REST CORS": set(),
    "REST CORS resources": set(),
    "AUTHORIZER": set(),
    "SIGNED": set(),
    "SDK": set(),
    "CANARY": {("Orders", "Store", "E1", "Dead")},
    "EFFECT": {("Orders", "Store", "E1", "Dead")},
    "POISON": {("Orders", "Store", "E1", "Dead")},
    "CLUSTER": {("CloudFormation", "Migrate", "E2", "Failed")},
    "CIRCUIT": set(),
    "DASHBOARD": {("Orders", "Store", "E1", "Dead")},
    "HTTP": {("Start", "Saga", "E7", "Broken"), ("Api", "Saga", "E7", "Broken")},
    "E10": {("AppLog", "Work", "E2", "Failed"), ("AppLog", "Work", "E10", "Failed")},
    "KEPT": {("callers", "Work", "E2", "Told")},
    "E9": {("Start", "Saga", "E7", "Broken"), ("Saga", "Pay", "E9", "Unpaid")},
    "E11": {("Start", "Saga", "E7", "Broken"), ("Saga", "Pay", "E11", "Broken")},
    "E8": {
        ("Clicks", "Delivery", "E8", "Told"),
        ("Delivery", "Lake", "E8", "Told"),
        ("Delivery", "Change", "E8", "Told"),
    },
    "LOAD": {
        ("Clicks", "Delivery", "E8", "Told"),
        ("Delivery", "Lake", "E8", "Told"),
        ("Delivery", "Change", "E8", "Told"),
    },
    "ROWS": {
        ("Clicks", "Delivery", "E8", "Told"),
        ("Delivery", "Lake", "E8", "Told"),
        ("Delivery", "Change", "E8", "Told"),
    },
    "PUT": {("Delivery", "Lake", "E8", "Told"), ("Delivery", "Change", "E8", "Told")},
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_asynchronous_edges_are_found_with_their_ends(name: str) -> None:
    found = asynchronous_edges(EXAMPLES[name]())

    assert {(e.source, e.target, e.mechanism, e.end) for e in found} == FOUND[name]


# What a stack may lack and still keep the contract: cfn-lint, the pattern's proofs or nobody
# minds.
NOT_THE_CONTRACTS = {
    "E1": (r"Orders.MessageRetentionPeriod", r"Mapping.MaximumBatchingWindowInSeconds"),
    "E2": (r"AppLog", r"Filter.FilterPattern"),
    "E3": (r"Bus(\.Name)?", r"Rule.EventPattern.*"),
    "E4": (r"To\w+\.(Protocol|FilterPolicy(\.version)?)",),
    "E5": (),
    "KEPT": (),
    "E6": (r"Hourly.(ScheduleExpression|FlexibleTimeWindow.*)",),
    "E7": (
        r"Saga.Definition.(StartAt|States)",
        r"Saga.Definition.States.(Failed.*|Refund(\.Type)?|Charge(\.(Type|End|Retry\.1.*))?)",
        r".*\.(ErrorEquals.*|Next|BackoffRate)",
    ),
    "E8": (r".*\.Prefix", r".*\.Processors.0.Type"),
}
# Whom the function calls, and whether its records expire at all, is not said.
NOT_THE_CONTRACTS["POISON"] = (*NOT_THE_CONTRACTS["E1"], r"Store\.Environment.*")
NOT_THE_CONTRACTS["EFFECT"] = (
    *NOT_THE_CONTRACTS["E1"],
    r"Store\.Environment.*",
    r"Done.*",
)
NOT_THE_CONTRACTS["TRACED"] = NOT_THE_CONTRACTS["E7"]
# Which items there are, and what is sent of those that fail, the proofs say.
NOT_THE_CONTRACTS["E9"] = (
    r"Saga.Definition.(StartAt|States)",
    r".*\.(StartAt|Type|End|Next|ErrorEquals.*|BackoffRate|MessageBody\.\$)",
    r"Saga.Definition.States.Items(\.ItemReader.*|\.ResultWriter.(Resource|Parameters.Prefix))?",
    r".*\.ProcessorConfig(\..*)?|.*\.ItemProcessor",
    r"Items(\.NotificationConfiguration.*)?",
)
NOT_THE_CONTRACTS["E11"] = (
    *NOT_THE_CONTRACTS["E9"],
    r".*\.(MaxItemsPerBatch|WriterConfig\.Transformation)",
)
NOT_THE_CONTRACTS["DASHBOARD"] = (*NOT_THE_CONTRACTS["E1"], r"Dashboard(\.DashboardName)?")
# Without the variable it is E2, and so another graph.
NOT_THE_CONTRACTS["E10"] = (*NOT_THE_CONTRACTS["E2"], r"Work\.Environment.*")
# An express machine has no time for a certain number of attempts.
NOT_THE_CONTRACTS["E7x"] = (
    *NOT_THE_CONTRACTS["E7"],
    r"Saga(\.Definition\.States\.Refunded(\.Type)?)?",
    r"Saga\.Definition\.States\.Keep\.Type",
    r".*\.Retry\.1\.MaxAttempts",
)
# The routes, and in whose name a service is called, are the proofs'.
NOT_THE_CONTRACTS["REST"] = ("Inbox", r"Api(\..*)?", r"ApiRole(\..*)?")
NOT_THE_CONTRACTS["FRONT"] = (
    *NOT_THE_CONTRACTS["REST"],
    r"(Acl|Mapping)(\.(WebACLArn|ApiId|DomainName))?",
)
NOT_THE_CONTRACTS["PUT"] = (
    *NOT_THE_CONTRACTS["E8"],
    r"ApiRole\.AssumeRolePolicyDocument.*",
    r"Api(\.Body(\.paths(\./(\.post(\.x-amazon-apigateway-integration(\.(type|uri))?)?)?)?)?)?",
    r".*\.Click\.type|ApiRefusedDataFilter.*\.MetricValue",
)
# What no deployment would do without.
NOT_THE_CONTRACTS["LOAD"] = (
    *NOT_THE_CONTRACTS["E8"],
    r"Vpc|PublicTable|\w+\.(VpcId|InternetGatewayId)|.*\.DataTableName",
    r"Namespace\.NamespaceName",
)
# In which database the table is, CloudFormation needs to know.
NOT_THE_CONTRACTS["ROWS"] = (
    *NOT_THE_CONTRACTS["E8"],
    r"Lakes\.DatabaseInput.*|Rows\.DatabaseName",
)
# The routes are the proofs', and what Step Functions itself refuses.
NOT_THE_CONTRACTS["SYNC"] = (
    r"PageMissingParts",
    "Saga",
    r"Saga.Definition.(StartAt|States)",
    r"Saga.Definition.States.(Missing.*|Ask(\.(Type|End))?)",
    r".*\.(ErrorEquals.*|Next)",
    r"Api(\..*)?",
)
# The same, and what an integration is at all; no alarm needs the policy of the alarms' topic.
NOT_THE_CONTRACTS["PROXY"] = (r"Api", r"Api.Body(\.paths(\..*)?)?", r"AlarmsPolicy\..*")
NOT_THE_CONTRACTS["PRIVATE"] = (
    r"AlarmsPolicy\..*",
    r"Api(\.Name)?",
    r"ApiStage(\.(ApiId|StageName))?",
    r"Legacy(\.(ApiId|ConnectionType|IntegrationType))?",
    r"Link\..*",
)
# Whether a route is guarded at all, the proofs say.
NOT_THE_CONTRACTS["JWT"] = (
    r"AlarmsPolicy\..*",
    r"Api(\.Body(\.(components|paths)(\.securitySchemes|\./orders)?)?)?",
    r"Api\.Body\.paths\./orders\.get(\.security(\.0(\.Issuer)?)?)?",
    r"Api\.Body\.components\.securitySchemes\.Issuer(\.(type|\S+authorizer)(\.type)?)?",
)
NOT_THE_CONTRACTS["JWT resources"] = (
    r"AlarmsPolicy\..*",
    r"Api|Issuer|Orders",
    r"\w+\.(ApiId|AuthorizerType|AuthorizationType|AuthorizerId|RouteKey)",
)
# Without origins nothing is allowed to pages.
OFF = (
    r"Api\.CorsConfiguration(\.AllowOrigins.*)?",
    r".*\.x-amazon-apigateway-cors(\.allowOrigins.*)?",
)
NOT_THE_CONTRACTS["CORS"] = (*NOT_THE_CONTRACTS["JWT"], *OFF)
NOT_THE_CONTRACTS["CORS resources"] = (*NOT_THE_CONTRACTS["JWT resources"], *OFF)
# The same of a REST API; its function and the shape of its permission are the emulator's to refuse.
NOT_THE_CONTRACTS["AUTHORIZER"] = (
    r"AlarmsPolicy\..*",
    r"Authorize\w*(\..*)?",
    r"Api(\.Body(\.(components|paths)(\.securitySchemes(\.Authorize)?|\./orders)?)?)?",
    r"Api\.Body\.components\.securitySchemes\.Authorize\.\S+authorizer(\.type)?",
    r"Api\.Body\.paths\./orders\.\w+(\.security(\.0(\.Authorize)?)?)?",
    r"Permit\.(Action|Principal)",
)
NOT_THE_CONTRACTS["SIGNED"] = (
    r"AlarmsPolicy\..*",
    r"Api|Get|Post|Unknown|Unknown\.\w+",
    r"(Get|Post)\.(RestApiId|HttpMethod|AuthorizationType|Integration(\.Type)?)",
)
# Without a preflight request that the API answers, pages of other origins call it in no way.
NOT_THE_CONTRACTS["REST CORS"] = (
    *NOT_THE_CONTRACTS["AUTHORIZER"],
    r"Api\.Body\.paths\./\{proxy\+\}.*",
)
NOT_THE_CONTRACTS["REST CORS resources"] = (*NOT_THE_CONTRACTS["SIGNED"], r"Options(\..*)?")
# Who calls, and by which name, is nobody's failure but the caller's.
NOT_THE_CONTRACTS["SDK"] = (r"QuoteLive(\.Name)?", r"QuoteVersion\.\w+", r"Permit(\.\w+)?")
# Without the alias's policy it is no gradual deployment.
NOT_THE_CONTRACTS["CANARY"] = (
    *NOT_THE_CONTRACTS["E1"],
    r"Application(\..*)?",
    r"StoreGroup\.ApplicationName",
    r"Store(Version|Live)\.\w+",
    # What CloudFormation itself asks for.
    r"StoreRecords\.(ComparisonOperator|EvaluationPeriods|Threshold|.*\.Stat)",
)
# That a circuit and a token have their alarms at all, the graph says (test_contract).
NOT_THE_CONTRACTS["CIRCUIT"] = (
    r"Carrier(Circuit|SignIn|MissingPart)\w*",
    r"Track\.Environment\.Variables\.AWS_MAX_ATTEMPTS",
)
# Without the table, or the way to the function, there is nothing to answer for.
NOT_THE_CONTRACTS["ANSWERS"] = (
    r"Items",
    r"Ask\.Environment(\.Variables(\.ITEMS)?)?",
    r"ApiIntegration(\.IntegrationUri)?",
)
# Without a host it uses no database.
NOT_THE_CONTRACTS["CLUSTER"] = (r"Migrate\.Environment(\.Variables(\.PGHOST)?)?",)
NOT_THE_CONTRACTS["HTTP"] = (
    *NOT_THE_CONTRACTS["E7"],
    "Api",
    r"ApiIntegration.RequestParameters.*",
)


# Of functions whose failures end in letters, also those of records, or are those of an execution.
TOLD_OTHERWISE = r"(Work|Pay|Migrate|Read)Errors"


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_else_can_be_removed_unnoticed(name: str) -> None:
    template = EXAMPLES[name]()

    unnoticed = [
        what
        for what, without in removals(
            template, (*WITHOUT_MEANING, TOLD_OTHERWISE, *NOT_THE_CONTRACTS[name])
        )
        if keeps(without) and asynchronous_edges(without) == asynchronous_edges(template)
    ]

    assert unnoticed == []


BROKEN = yaml.safe_load(Path(__file__).with_name("broken.yml").read_text("utf-8"))


@pytest.mark.parametrize(
    "broken",
    BROKEN,
    ids=[f"{b['in']} {b.get('set', b.get('remove'))} {b.get('to', '')}" for b in BROKEN],
)
def test_a_broken_rule_is_said_in_one_sentence(broken: dict[str, Any]) -> None:
    change = (broken["set"], broken["to"]) if "set" in broken else (broken["remove"], REMOVE)

    assert says(broken["in"], change) == broken["says"]


@pytest.mark.parametrize(("seconds", "fits"), [(35, False), (36, True), (120, True), (360, False)])
def test_a_queue_that_a_function_polls_hides_a_message_for_its_calls_but_no_run(
    seconds: int, *, fits: bool
) -> None:
    variables = {"ORDERS_QUEUE_URL": ref("Orders"), "AWS_MAX_ATTEMPTS": "2"}
    must = "from 36 (2 x 2 calls) to 120 (Timeout of Store)"

    assert says(
        "E1",
        ("Mapping", REMOVE),
        ("Store.Timeout", 120),
        ("Store.Environment", {"Variables": variables}),
        ("Orders.VisibilityTimeout", seconds),
    ) == ([] if fits else [f"E1 Orders: VisibilityTimeout is {seconds}, but must be {must}"])


@pytest.mark.parametrize(
    ("receives", "fits"), [(5, False), (719, False), (720, True), (1000, True), (1001, False)]
)
def test_a_message_of_a_fifo_queue_is_tried_for_a_day(receives: int, *, fits: bool) -> None:
    must = "from 86400 to 120000 s / 120 s of visibility"

    assert says(
        "POISON",
        ("Orders.FifoQueue", True),
        ("Orders.QueueName", {"Fn::Sub": "${AWS::StackName}-orders.fifo"}),
        ("Dead.FifoQueue", True),
        ("Dead.QueueName", {"Fn::Sub": "${AWS::StackName}-dead.fifo"}),
        ("Orders.VisibilityTimeout", 120),
        ("Orders.RedrivePolicy.maxReceiveCount", receives),
    ) == (
        []
        if fits
        else [f"E1 Orders: RedrivePolicy.maxReceiveCount is {receives}, but must be {must}"]
    )


def test_a_message_of_a_fifo_queue_is_tried_for_half_of_its_retention_at_most() -> None:
    assert says(
        "POISON",
        ("Orders.FifoQueue", True),
        ("Orders.QueueName", {"Fn::Sub": "${AWS::StackName}-orders.fifo"}),
        ("Dead.FifoQueue", True),
        ("Dead.QueueName", {"Fn::Sub": "${AWS::StackName}-dead.fifo"}),
        ("Orders.VisibilityTimeout", 200),
        ("Orders.RedrivePolicy.maxReceiveCount", 1000),
    ) == [
        (
            "E1 Orders: RedrivePolicy.maxReceiveCount is 1000, "
            "but must be from 86400 to 172800 s / 200 s of visibility"
        )
    ]


def test_inside_a_vpc_a_function_calls_only_what_answers_there() -> None:
    inside = ("Store.VpcConfig", {"SubnetIds": ["subnet-1"]})
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
    network = ("StoreRole.ManagedPolicyArns.0", managed)
    sends = ("StoreRole.Policies.0.PolicyDocument.Statement.0", None)
    polling = EXAMPLES["E1"]()["Resources"]["StoreRole"]["Properties"]["Policies"]
    statements = polling[0]["PolicyDocument"]["Statement"]
    writes = allow("dynamodb:PutItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders")
    both = (sends[0].rsplit(".", 1)[0], [*statements, writes])

    assert says("E1", inside, network) == []
    assert says("E1", inside, network, both) == [
        "vpc Store: is inside the VPC, where nothing answers dynamodb:PutItem"
    ]
    service = {"Fn::Sub": "com.amazonaws.${AWS::Region}.dynamodb"}
    reached = resource("AWS::EC2::VPCEndpoint", ServiceName=service, RouteTableIds=["rtb-1"])
    assert says("E1", inside, network, both, ("Endpoint", reached)) == []


def test_a_custom_resource_is_answered_also_from_inside_the_vpc() -> None:
    properties = {"ServiceToken": get("Work"), "ServiceTimeout": 300, "Parts": ["one"]}
    made = ("Made", resource("Custom::Made", **properties))
    inside = ("Work.VpcConfig", {"SubnetIds": ["subnet-1"]})
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
    network = ("WorkRole.ManagedPolicyArns.0", managed)
    service = {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"}
    reached = resource("AWS::EC2::VPCEndpoint", ServiceName=service, RouteTableIds=["rtb-1"])

    assert says("E2", made) == []
    assert says("E2", made, inside, network, ("Endpoint", reached)) == []
    assert says("E2", made, inside, network) == [
        "custom Work: answers Made through S3, which nothing in the VPC leads to"
    ]
    assert says("E2", made, ("Made.ServiceTimeout", REMOVE)) == [
        (
            "custom Made: ServiceTimeout is missing, but must be a number of seconds: "
            "the default is an hour"
        )
    ]
    assert says("E2", made, ("Made.Parts", REMOVE)) == [
        "custom Made: has no property of its own, so no deployment but the first calls its function"
    ]


def test_a_bucket_that_invokes_a_function_is_an_asynchronous_edge() -> None:
    told = {"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": get("Work")}]}
    photos = resource("AWS::S3::Bucket", NotificationConfiguration=told)
    template = changed(EXAMPLES["E2"](), "Photos", photos)

    edges = {(e.source, e.target, e.end) for e in asynchronous_edges(template)}

    assert ("Photos", "Work", "Failed") in edges
    assert "permission Work: must permit s3.amazonaws.com to invoke it for Photos alone" in map(
        str, violations(template)
    )


def test_a_bucket_that_would_be_deleted_with_its_stack_is_refused() -> None:
    template = EXAMPLES["E5"]()
    template["Resources"]["Bad"]["DeletionPolicy"] = "Delete"

    assert list(map(str, violations(template))) == [
        (
            "A27 Bad: DeletionPolicy is Delete, but must be Retain: "
            "a bucket that has objects cannot be deleted, nor can its stack"
        )
    ]


def test_a_custom_resource_invokes_its_function_asynchronously() -> None:
    custom = resource("Custom::Schema", ServiceToken=get("Work"))
    template = changed(EXAMPLES["E2"](), "Schema", custom)

    assert ("CloudFormation", "Work", "E2", "Failed") in {
        (e.source, e.target, e.mechanism, e.end) for e in asynchronous_edges(template)
    }


def test_a_caller_that_may_invoke_a_function_with_an_end_is_an_edge() -> None:
    parts = examples.function("Ask", allow("lambda:InvokeFunction", get("Work")))
    template = examples.template(examples.asynchronous("Work"), parts)

    found = {(e.source, e.target, e.mechanism, e.end) for e in asynchronous_edges(template)}

    assert found == {("Ask", "Work", "E2", "Failed")}
    assert violations(template) == []


def test_a_schedules_role_may_demand_what_scheduler_sends() -> None:
    statement = "HourlyRole.AssumeRolePolicyDocument.Statement.0"
    account = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}

    assert says("E6", (f"{statement}.Condition", account)) == []


def test_a_function_that_may_invoke_itself_needs_leave_to_loop() -> None:
    itself = examples.template(
        examples.asynchronous("Work"),
        {
            "Itself": resource(
                "AWS::IAM::Policy",
                Roles=[ref("WorkRole")],
                PolicyName="itself",
                PolicyDocument={"Statement": [allow("lambda:InvokeFunction", get("Work"))]},
            )
        },
    )

    assert list(map(str, violations(itself))) == [
        (
            "loop Work: RecursiveLoop is missing, but must be Allow, since it may invoke itself: "
            "Lambda stops such a chain after 16 invocations"
        )
    ]
    assert violations(changed(itself, "Work.RecursiveLoop", "Allow")) == []


def test_what_invokes_an_alias_needs_the_ends_on_that_alias() -> None:
    alias = resource(
        "AWS::Lambda::Alias",
        FunctionName=ref("Work"),
        FunctionVersion=get("WorkVersion", "Version"),
        Name="live",
    )
    invokes_alias = (
        ("WorkVersion", resource("AWS::Lambda::Version", FunctionName=ref("Work"))),
        ("Live", alias),
        ("Filter.DestinationArn", ref("Live")),
        ("Permit.FunctionName", ref("Live")),
    )

    assert says("E2", *invokes_alias)[0] == (
        "E2 Work: no EventInvokeConfig for live, which AppLog invokes"
    )
    assert says("E2", *invokes_alias, ("WorkInvokes.Qualifier", "live")) == []


@pytest.mark.parametrize("kind", ["AWS::ApiGateway::Authorizer", "AWS::ApiGatewayV2::Authorizer"])
def test_an_authorizer_is_invoked_by_permission(kind: str) -> None:
    """Fact A24: https://github.com/aws/serverless-application-model/issues/2933."""
    arn = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions"
    uri = {"Fn::Sub": f"{arn}/${{Quote.Arn}}/invocations"}
    of_api = "RestApiId" if kind == "AWS::ApiGateway::Authorizer" else "ApiId"
    api = "AWS::ApiGateway::RestApi" if of_api == "RestApiId" else "AWS::ApiGatewayV2::Api"
    guarded = (
        ("Api", resource(api)),
        ("Judge", resource(kind, AuthorizerUri=uri, **{of_api: ref("Api")})),
    )
    source = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*"
    permit = resource(
        "AWS::Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName=ref("Quote"),
        Principal="apigateway.amazonaws.com",
        SourceArn={"Fn::Sub": source},
    )

    assert says("SDK", *guarded) == [
        "permission Quote: must permit apigateway.amazonaws.com to invoke it for Api alone"
    ]
    assert says("SDK", *guarded, ("PermitJudge", permit)) == []


def test_a_subscription_inside_a_topic_has_no_place_for_dead_letters() -> None:
    inline = ("News.Subscription", [{"Protocol": "sqs", "Endpoint": get("Inbox")}])

    assert says("E4", inline) == ["E4 News: RedrivePolicy must name a queue of this stack"]
    assert (
        says("E4", ("News.Subscription", [{"Protocol": "email", "Endpoint": "a@b.invalid"}])) == []
    )


def test_a_customer_key_of_the_alarm_topic_must_admit_cloudwatch() -> None:
    administrators: dict[str, Any] = {"KeyPolicy": {"Statement": []}}
    key = ("Key", resource("AWS::KMS::Key", **administrators))
    encrypted = ("Alarms.KmsMasterKeyId", ref("Key"))
    uses = admit("cloudwatch", "kms:*", "*", account=True) | {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"]
    }

    assert says("E3", key, encrypted) == [
        "alarm Key: the key's policy must let cloudwatch.amazonaws.com call kms:Decrypt",
        "alarm Key: the key's policy must let cloudwatch.amazonaws.com call kms:GenerateDataKey",
    ]
    assert says("E3", key, encrypted, ("Key.KeyPolicy.Statement", [uses])) == []


def test_a_definition_written_as_text_is_read_like_any_other() -> None:
    template = as_definition_string(EXAMPLES["E7"]())
    assert violations(template) == []

    text = template["Resources"]["Saga"]["Properties"]["DefinitionString"]["Fn::Join"][1]
    text[2] = text[2].replace('"TimeoutSeconds": 15', '"TimeoutSeconds": 9')

    assert list(map(str, violations(template))) == [
        "E7 Saga.Charge: TimeoutSeconds is 9, but must be more than the 10 of Pay"
    ]


def test_the_contract_holds_whatever_the_conditions_are() -> None:
    template = EXAMPLES["E1"]()
    template["Conditions"] = {"Loud": {"Fn::Equals": [{"Ref": "Stage"}, "production"]}}
    template["Resources"]["DeadAlarm"]["Condition"] = "Loud"

    assert list(map(str, violations(template))) == [
        "alarm Dead: no alarm watches AWS/SQS ApproximateNumberOfMessagesVisible"
    ]


def test_what_a_condition_leaves_out_is_missing() -> None:
    template = EXAMPLES["E1"]()
    template["Conditions"] = {"Loud": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "test"]}]}}
    actions = {"Fn::If": ["Loud", [ref("Alarms")], ref("AWS::NoValue")]}
    template = changed(template, "DeadAlarm.AlarmActions", actions)

    assert list(map(str, violations(template))) == [
        (
            "alarm DeadAlarm: AlarmActions is missing, "
            "but must be a topic of this stack or a parameter"
        ),
        "alarm OrdersAge: goes elsewhere than DeadAlarm, which is of the same tier",
    ]


def test_more_conditions_than_can_be_tried_are_refused() -> None:
    conditions = {f"C{n}": {"Fn::Equals": [ref(f"P{n}"), "on"]} for n in range(7)}

    with pytest.raises(ValueError, match="the conditions are too many to try all choices of"):
        stacks({"Resources": {}, "Conditions": conditions})


def test_what_cdk_writes_is_read_like_what_sam_writes() -> None:
    """CDK puts statements into policies of their own, joins ARNs, and writes "false" as text."""
    template = EXAMPLES["E1"]()
    store = template["Resources"]["StoreRole"]["Properties"]
    document = store.pop("Policies")[0]["PolicyDocument"]
    partition = ref("AWS::Partition")
    name = ":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    store["ManagedPolicyArns"] = [{"Fn::Join": ["", ["arn:", partition, name]]}]
    own = resource("AWS::IAM::Policy", Roles=[ref("StoreRole")], PolicyDocument=document)
    template["Resources"]["StoreRoleDefaultPolicy"] = own
    template["Resources"]["Store"]["DependsOn"] = ["StoreRoleDefaultPolicy", "StoreRole"]
    secure = "OrdersPolicy.PolicyDocument.Statement.0.Condition.Bool"
    template = changed(template, secure, {"aws:SecureTransport": "false"})
    assert violations(template) == []

    nobodys = changed(template, "StoreRoleDefaultPolicy.Roles", [])

    assert str(violations(nobodys)[0]) == (
        "E1 Store: its role must be allowed sqs:ReceiveMessage on Orders"
    )


def test_a_number_may_be_the_default_of_a_parameter() -> None:
    template = changed(EXAMPLES["E1"](), "Orders.VisibilityTimeout", ref("Wait"))
    template["Parameters"] = {"Wait": {"Type": "Number", "Default": 65}}
    assert violations(template) == []

    template["Parameters"]["Wait"]["Default"] = 64

    assert [violation.resource for violation in violations(template)] == ["Orders"]


def test_a_route_that_does_not_wait_is_an_asynchronous_edge() -> None:
    uri = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        "${Work.Arn}/invocations"
    )
    event = {"integration.request.header.X-Amz-Invocation-Type": "'Event'"}
    route = resource(
        "AWS::ApiGateway::Method",
        RestApiId=ref("Api"),
        HttpMethod="POST",
        Integration={"Uri": {"Fn::Sub": uri}, "RequestParameters": event},
    )
    template = changed(EXAMPLES["E2"](), "Api", resource("AWS::ApiGateway::RestApi"))
    template = changed(template, "Route", route)

    assert ("Api", "Work", "E2", "Failed") in {
        (e.source, e.target, e.mechanism, e.end) for e in asynchronous_edges(template)
    }
    assert list(map(str, violations(template))) == [
        "permission Work: must permit apigateway.amazonaws.com to invoke it for Api alone",
        "permission Work: Api may not invoke it: POST/",
    ]


def test_a_rest_api_in_front_of_a_system_is_one_definition() -> None:
    """Fact G7: what is removed of its resources and methods stays deployed."""
    integration = {"Type": "HTTP_PROXY", "Uri": "https://${stageVariables.LegacyHost}/"}
    method = resource(
        "AWS::ApiGateway::Method",
        RestApiId=ref("Api"),
        HttpMethod="ANY",
        Integration=integration,
    )
    api = resource("AWS::ApiGateway::RestApi", Name=ref("AWS::StackName"), BinaryMediaTypes=["*/*"])

    assert says("PROXY", ("Api", api), ("Root", method)) == [
        "proxy Api: must have a Body and the Mode overwrite, or removed paths stay (fact G7)"
    ]


def test_a_function_behind_an_api_answers_before_the_api_gives_up() -> None:
    uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${Work.Arn}/invocations"
    body = {"paths": {"/": {"get": {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": uri}}}}}}
    arn = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/"
    changes = (
        ("Api", resource("AWS::ApiGatewayV2::Api", Body=body)),
        ("Route", examples.permission("Work", "apigateway", {"Fn::Sub": arn})),
    )

    assert says("E2", *changes) == []
    of_another = {"Fn::Sub": arn.replace("GET", "POST")}
    assert says("E2", *changes, ("Route.SourceArn", of_another)) == [
        "permission Work: Api may not invoke it: GET/"
    ]
    assert says("E2", *changes, ("Work.Timeout", 30)) == [
        "timeout Work: Timeout is 30, but must be at most 29"
    ]


def test_a_rule_starts_a_state_machine_in_the_name_of_its_role() -> None:
    target = {
        "Id": "saga",
        "Arn": ref("Saga"),
        "RoleArn": get("OrderedRole"),
        "DeadLetterConfig": {"Arn": get("Dead")},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
    }
    ordered = resource("AWS::Events::Rule", EventPattern={"source": ["shop"]}, Targets=[target])
    sends = admit("events", "sqs:SendMessage", get("Dead"), get("Ordered"))
    template = EXAMPLES["E7"]()
    template["Resources"] |= examples.dead_letters("Dead", sends)
    metric = "InvocationsFailedToBeSentToDlq"
    template["Resources"] |= {
        "OrderedUnkept": examples.alarm("AWS/Events", metric, "RuleName", ref("Ordered"))
    }
    template = changed(template, "Ordered", ordered)
    starts = allow("states:StartExecution", ref("Saga"))

    allowed = changed(template, "OrderedRole", examples.role("events", starts))
    assert violations(allowed) == []
    assert ("default", "Saga", "E3", "Dead") in {
        (e.source, e.target, e.mechanism, e.end) for e in asynchronous_edges(allowed)
    }

    refused = changed(template, "OrderedRole", examples.role("events"))
    assert list(map(str, violations(refused))) == [
        "E3 Ordered: its role must be allowed states:StartExecution on Saga"
    ]


def test_only_a_task_on_the_way_forward_must_catch_its_failures() -> None:
    states = "Saga.Definition.States"
    charge = EXAMPLES["E7"]()["Resources"]["Saga"]["Properties"]["Definition"]["States"]["Charge"]
    refund = {**{k: v for k, v in charge.items() if k not in ("Catch", "End")}, "Next": "Failed"}
    caught = {**charge, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Refund"}]}

    refunding = (f"{states}.Refund", refund)
    assert says("E7", (f"{states}.Charge", caught), refunding) == []

    chosen = (
        f"{states}.Chosen",
        {"Type": "Choice", "Choices": [{"Next": "Refund"}], "Default": "Failed"},
    )
    answered = {**{k: v for k, v in caught.items() if k != "End"}, "Next": "Chosen"}
    assert says("E7", (f"{states}.Charge", answered), chosen, refunding) == []

    elsewhere = {**answered, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]}
    assert says("E7", (f"{states}.Charge", elsewhere), chosen, refunding) == [
        "E7 Saga.Refund: Catch is missing, but must be States.ALL"
    ]


def test_a_branch_that_may_fail_is_caught() -> None:
    branch = {"StartAt": "No", "States": {"No": {"Type": "Fail"}}}
    check = {"Type": "Parallel", "Branches": [branch], "Next": "Charge"}
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]
    place = "Saga.Definition.States.Check"

    assert says("E7", (place, {**check, "Catch": catch})) == []
    assert says("E7", (place, check)) == ["E7 Saga.Check: Catch is missing, but must be States.ALL"]


def test_a_task_that_invokes_names_a_function_of_the_stack() -> None:
    charge = EXAMPLES["E7"]()["Resources"]["Saga"]["Properties"]["Definition"]["States"]["Charge"]
    invoke = {"Resource": "arn:${Partition}:states:::lambda:invoke"}
    partition = ("Saga.DefinitionSubstitutions.Partition", ref("AWS::Partition"))
    states = "Saga.Definition.States.Charge"

    named = {**charge, **invoke, "Arguments": {"FunctionName": "${charge}"}}
    assert says("E7", (states, named), partition) == []

    unknown = {**charge, **invoke, "Arguments": {"FunctionName": "${refund}"}}
    assert says("E7", (states, unknown), partition) == [
        "E7 Saga.Charge: FunctionName must be a function of this stack, or a parameter"
    ]


def test_an_api_starts_a_state_machine_in_the_name_of_its_role() -> None:
    integration = {
        "type": "aws_proxy",
        "integrationSubtype": "StepFunctions-StartExecution",
        "credentials": get("ApiRole"),
        "requestParameters": {"StateMachineArn": ref("Saga")},
    }
    body = {"paths": {"/orders": {"post": {"x-amazon-apigateway-integration": integration}}}}
    described = (
        ("Api", resource("AWS::ApiGatewayV2::Api", Body=body)),
        ("ApiIntegration", resource("AWS::ApiGatewayV2::Integration", ApiId=ref("Api"))),
    )
    starts = allow("states:StartExecution", ref("Saga"))

    assert says("HTTP", *described) == []
    assert says("HTTP", *described, ("ApiRole", examples.role("apigateway"))) == [
        "E7 Api: its role must be allowed states:StartExecution on Saga"
    ]
    assert says("HTTP", *described, ("ApiRole", examples.role("lambda", starts))) == [
        "E7 Api: must start the machine in the name of a role that API Gateway may assume"
    ]


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("91", []),
        ("90", ["E7 Pay: EFFECTS_DAYS is 90, but must be more than the 90 of a name (fact R10)"]),
    ],
)
def test_what_an_execution_did_is_remembered_for_longer_than_its_name(
    days: str, found: list[str]
) -> None:
    assert says("HTTP", ("Pay.Environment", {"Variables": {"EFFECTS_DAYS": days}})) == found


def test_a_subscription_to_a_topic_of_another_stack_is_refused() -> None:
    theirs = "arn:aws:sns:eu-west-1:111122223333:theirs"

    assert says("E4", ("ToInbox.TopicArn", theirs)) == [
        f"E4 ToInbox: TopicArn {theirs} must be a topic of this stack"
    ]


def test_a_table_is_read_through_its_stream() -> None:
    polling = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    listing = [allow("dynamodb:ListStreams", "*")]
    document = "ReadRole.Policies.0.PolicyDocument.Statement"
    stream = get("Clicks", "StreamArn")
    (policy,) = EXAMPLES["E5"]()["Resources"]["ReadRole"]["Properties"]["Policies"]
    kept = policy["PolicyDocument"]["Statement"][1:]
    table = resource(
        "AWS::DynamoDB::Table",
        DeletionProtectionEnabled=True,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        StreamSpecification={"StreamViewType": "NEW_IMAGE"},
    )
    read = (
        ("Clicks", table),
        ("Mapping.EventSourceArn", stream),
        (document, [allow(polling, stream), *kept, *listing]),
    )

    assert says("E5", *read) == []
    assert says("E5", *read, (document, [allow(polling[1:], stream), *kept, *listing])) == [
        "E5 Read: its role must be allowed dynamodb:DescribeStream on ${Clicks.StreamArn}"
    ]
    assert says("E5", *read, (document, [allow(polling, stream), *kept])) == [
        "K1 Read: its role must be allowed dynamodb:ListStreams on *"
    ]
    assert says("E5", *read, ("Clicks.StreamSpecification.StreamViewType", "KEYS_ONLY")) == [
        (
            "K1 Clicks: StreamSpecification.StreamViewType is KEYS_ONLY, "
            "but must be one of NEW_IMAGE, NEW_AND_OLD_IMAGES"
        )
    ]
    assert says("E5", *read, ("Mapping.EventSourceArn", get("Clicks")))[0] == (
        "edge Mapping: EventSourceArn must be that of a queue, stream or table of this stack"
    )


def test_the_older_dead_letter_config_of_a_function_is_an_end_too() -> None:
    older = (
        ("WorkInvokes.DestinationConfig", REMOVE),
        ("Work.DeadLetterConfig", {"TargetArn": get("Failed")}),
        ("WorkUnkept.MetricName", "DeadLetterErrors"),
    )

    assert says("E2", *older) == []
    assert says("E2", *older, ("Work.DeadLetterConfig", REMOVE)) == [
        "E2 Work: OnFailure or DeadLetterConfig must name a queue or bucket of this stack"
    ]


def test_a_function_is_made_after_its_role_may_send_to_its_dead_letter_queue() -> None:
    """Fact A19: where the permission is in the role, it is there in time."""
    template = changed(EXAMPLES["E2"](), "WorkInvokes.DestinationConfig", REMOVE)
    template = changed(template, "Work.DeadLetterConfig", {"TargetArn": get("Failed")})
    template = changed(template, "WorkUnkept.MetricName", "DeadLetterErrors")
    (policy,) = template["Resources"]["WorkRole"]["Properties"].pop("Policies")
    template["Resources"]["WorkSends"] = resource(
        "AWS::IAM::Policy", Roles=[ref("WorkRole")], **policy
    )

    assert list(map(str, violations(template))) == [
        "A19 Work: must depend on the policy that allows sqs:SendMessage on Failed"
    ]
    template["Resources"]["Work"]["DependsOn"] = ["WorkSends"]
    assert violations(template) == []


@pytest.mark.parametrize(
    ("example", "function", "made", "action", "on"),
    [
        ("E2", "Work", "WorkInvokes", "sqs:SendMessage", "Failed"),
        ("E1", "Store", "Mapping", "sqs:ReceiveMessage", "Orders"),
    ],
)
def test_what_lambda_checks_the_permission_of_comes_after_the_policy(
    example: str, function: str, made: str, action: str, on: str
) -> None:
    """Fact A26: where the permission is in the role, it is there in time."""
    template = EXAMPLES[example]()
    (policy,) = template["Resources"][f"{function}Role"]["Properties"].pop("Policies")
    template["Resources"]["Permits"] = resource(
        "AWS::IAM::Policy", Roles=[ref(f"{function}Role")], **policy
    )

    assert f"A26 {made}: must depend on the policy that allows {action} on {on}" in map(
        str, violations(template)
    )
    template["Resources"][made]["DependsOn"] = ["Permits"]
    assert violations(template) == []


def test_a_function_that_only_callers_hand_events_to_is_an_asynchronous_edge() -> None:
    unfed = changed(EXAMPLES["E2"](), "Filter", REMOVE)

    (edge,) = asynchronous_edges(unfed)

    assert (edge.source, edge.target, edge.mechanism, edge.end) == (
        "callers",
        "Work",
        "E2",
        "Failed",
    )
    assert asynchronous_edges(changed(unfed, "WorkInvokes", REMOVE)) == set()


def test_firehose_is_made_after_what_its_role_may_do() -> None:
    template = EXAMPLES["E8"]()
    (policy,) = template["Resources"]["DeliveryRole"]["Properties"].pop("Policies")
    document = policy["PolicyDocument"]
    apart = resource("AWS::IAM::Policy", PolicyDocument=document, Roles=[ref("DeliveryRole")])
    template["Resources"]["Deliver"] = apart

    assert list(map(str, violations(template))) == [
        "delivery Delivery: may be created before Deliver, and is refused then"
    ]
    template["Resources"]["Delivery"]["DependsOn"] = ["Deliver"]
    assert keeps(template)


def test_nothing_is_put_into_firehose_that_reads_a_stream() -> None:
    template = EXAMPLES["PUT"]()
    reading = EXAMPLES["E8"]()["Resources"]
    template["Resources"] |= {
        name: reading[name]
        for name in ("Clicks", "Delivery", "DeliveryRole", "Throttled", "Behind")
    }

    assert list(map(str, violations(template))) == [
        "delivery Delivery: refuses what Api puts into it, since it reads a data stream"
    ]


def test_the_parts_of_a_distributed_map_are_executions_that_a_redrive_redrives() -> None:
    split = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Part",
            "States": {"Part": {"Type": "Pass", "End": True}},
        },
        "ResultWriter": {
            "Resource": "arn:${Partition}:states:::s3:putObject",
            "Parameters": {"Bucket": "${Results}", "Prefix": "results"},
        },
        "End": True,
    }
    place = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution"
    part = {"Fn::Sub": f"{place}:${{Saga.Name}}/*"}
    controls = ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"]
    objects = {"Fn::Sub": "${Results.Arn}/*"}
    writes = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    template = EXAMPLES["E7"]()
    parts = examples.bucket("Results", "Broken")
    template["Resources"] |= {name: parts[name] for name in ("Results", "ResultsPolicy")}

    def said(controls: list[str], writes: list[str]) -> list[str]:
        statements = "SagaRole.Policies.0.PolicyDocument.Statement"
        own = template["Resources"]["SagaRole"]["Properties"]["Policies"][0]
        granted = [
            *own["PolicyDocument"]["Statement"],
            allow("states:StartExecution", ref("Saga")),
            allow(controls, part),
            allow(writes, objects),
        ]
        charge = "Saga.Definition.States.Charge.Retry"
        retried = [examples.THROTTLED, {"ErrorEquals": ["States.ALL"], "JitterStrategy": "FULL"}]
        mapped = changed(changed(template, charge, retried), "Saga.Definition.States.Split", split)
        substitutions = {
            "charge": get("Pay"),
            "Results": ref("Results"),
            "Partition": ref("AWS::Partition"),
        }
        mapped = changed(mapped, "Saga.DefinitionSubstitutions", substitutions)
        return list(map(str, violations(changed(mapped, statements, granted))))

    assert said(controls, [*writes, "s3:ListMultipartUploadParts"]) == []
    assert said(controls[:2], [*writes, "s3:ListMultipartUploadParts"]) == [
        "E7 Saga: its role must be allowed states:RedriveExecution on its parts"
    ]
    assert said(controls, writes) == [
        "E7 Saga: its role must be allowed s3:ListMultipartUploadParts on objects of Results"
    ]


def test_sam_lets_its_queue_event_read_every_queue_of_the_account() -> None:
    """The reason why templates declare the event source mapping on its own."""
    consumer = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "CodeUri": "s3://code/app.zip",
            "Events": {"Orders": {"Type": "SQS", "Properties": {"Queue": get("Orders")}}},
        },
    }
    sam = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Store": consumer, "Orders": resource("AWS::SQS::Queue")},
    }

    assert "role StoreRole: AWSLambdaSQSQueueExecutionRole must give way to named actions" in map(
        str, violations(expand(sam))
    )


def summed(expression: str, count: int) -> tuple[str, Any]:
    """Return a change to E1: an alarm on the depth of its dead-letter queue, `count` times."""
    depth = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": get("Dead", "QueueName")}],
    }
    alarm = copy.deepcopy(EXAMPLES["E1"]()["Resources"]["DeadAlarm"])
    for name in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period"):
        del alarm["Properties"][name]
    stat = {"Metric": depth, "Stat": "Maximum", "Period": 60}
    alarm["Properties"]["Metrics"] = [
        {"Id": "total", "Expression": expression},
        *({"Id": f"m{n}", "MetricStat": stat, "ReturnData": False} for n in range(1, count + 1)),
    ]
    return "DeadAlarm", alarm


def test_one_alarm_may_sum_ten_metrics() -> None:
    """C16: AWS refuses an alarm on more."""
    ten, eleven = (" + ".join(f"m{n}" for n in range(1, most + 1)) for most in (10, 11))

    assert says("E1", summed(ten, 10)) == []
    assert says("E1", summed(eleven, 11)) == ["alarm DeadAlarm: watches 11 metrics, of at most 10"]


@pytest.mark.parametrize(
    "expression", ["SUM(METRICS())", "m1", "m1 - m2", "m1 + m2 + m3", "MAX([m1, m2])"]
)
def test_a_sum_adds_every_metric(expression: str) -> None:
    """C15."""
    must = (
        "a sum by + of all metrics, IF(total >= least, 100 * part / total, 0) or "
        "IF(total < most AND part >= least AND n * part >= total, 1, 0)"
    )

    assert says("E1", summed(expression, 2)) == [
        f"alarm DeadAlarm: Expression is {expression}, but must be {must}"
    ]


def growing(**changes: Any) -> tuple[str, Any]:
    """Return a change to E1: an alarm on what comes into its dead-letter queue."""

    given = {"w": "ApproximateNumberOfMessagesVisible", "of": "Dead", "value": GROWING} | changes
    alarm = copy.deepcopy(EXAMPLES["E1"]()["Resources"]["DeadAlarm"])
    for name in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "OKActions"):
        del alarm["Properties"][name]
    numbers = {"EvaluationPeriods": 20, "DatapointsToAlarm": 1}
    own = {name: value for name, value in given.items() if name[0].isupper()}
    alarm["Properties"] |= numbers | own
    alarm["Properties"]["Metrics"] = [
        {"Id": "value", "Expression": given["value"]},
        *(
            of_queue(metric_id, name, get(queue, "QueueName"), "Maximum")
            for metric_id, name, queue in (
                ("w", given["w"], "Dead"),
                ("h", "ApproximateNumberOfMessagesNotVisible", given["of"]),
            )
        ),
    ]
    return "DeadAlarm", alarm


GROWING = "IF(w + h > 0 AND FILL(DIFF(w + h), 1) > 0, 1, 0)"


def test_an_alarm_may_watch_what_comes_into_a_queue() -> None:
    assert says("E1", growing()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"EvaluationPeriods": 15}, "EvaluationPeriods is 15, but must be more than 15: "),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm is 2, but must be 1"),
        ({"OKActions": [ref("Alarms")]}, "OKActions is given, but must be missing: "),
        ({"of": "Orders"}, f"{GROWING} must be of ApproximateNumberOfMessagesVisible and "),
        ({"w": "NumberOfMessagesSent"}, f"{GROWING} must be of "),
        ({"value": "w + h"}, ""),
        ({"value": "FILL(DIFF(w + h), 1)"}, "Expression is FILL(DIFF(w + h), 1), but must be "),
    ],
)
def test_an_alarm_on_what_comes_must_see_all_of_it(changes: dict[str, Any], said: str) -> None:
    """C23."""
    found = says("E1", growing(**changes))

    assert any(each.startswith(f"alarm DeadAlarm: {said}") for each in found)


def test_what_stays_in_one_queue_must_not_hide_what_comes_into_another() -> None:
    """C23."""
    name, alarm = summed("m1 + m2", 2)
    other = copy.deepcopy(alarm["Properties"]["Metrics"][1]["MetricStat"])
    other["Metric"]["Dimensions"][0]["Value"] = get("Orders", "QueueName")
    alarm["Properties"]["Metrics"][2]["MetricStat"] = other

    assert says("E1", (name, alarm)) == [
        (
            "alarm DeadAlarm: sums queues: one message that stays in a queue hides those of others "
            "(fact C23)"
        )
    ]


def test_pages_and_tickets_each_go_to_one_topic() -> None:
    template = EXAMPLES["E1"]()
    template["Parameters"] = {"TicketTopicArn": {"Type": "String"}}
    tickets = [ref("TicketTopicArn")]
    for name in ("AlarmActions", "OKActions"):
        template["Resources"]["StoreErrors"]["Properties"][name] = tickets
    assert violations(template) == []

    for name in ("AlarmActions", "OKActions"):
        template["Resources"]["DeadAlarm"]["Properties"][name] = tickets
    assert list(map(str, violations(template))) == [
        "alarm DeadAlarm: pages somebody, but goes where nobody looks at night",
        "alarm OrdersAge: goes elsewhere than DeadAlarm, which is of the same tier",
    ]


def test_alarms_of_one_tier_do_not_go_to_two_topics() -> None:
    other = [{"Fn::Sub": "arn:aws:sns:eu-west-1:123456789012:other"}, ref("Alarms")]

    assert says("E4", ("NewsUnkept.AlarmActions", other), ("NewsUnkept.OKActions", other)) != []
