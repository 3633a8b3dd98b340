"""The contract can fail: its rules for databases, on the least stack that keeps them."""

from typing import Any

import pytest
from contract import examples
from contract.changes import REMOVE, changed
from contract.check import violations
from contract.examples import allow, get, ref, resource

VPC = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"


def inside(user: str, connect: int) -> dict[str, Any]:
    """Return what a function has that uses the database."""
    return {
        "VpcConfig": {"SubnetIds": ["subnet-1"]},
        "Environment": {
            "Variables": {
                "PGHOST": get("Books", "Endpoint.Address"),
                "PGUSER": user,
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": "/var/task/rds-ca.pem",
                "PGCONNECT_TIMEOUT": str(connect),
                "PGOPTIONS": "-c statement_timeout=5s -c lock_timeout=2s",
            }
        },
    }


def signs_in(user: str) -> Any:
    place = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser"
    return allow("rds-db:connect", {"Fn::Sub": f"{place}:${{Books.DBClusterResourceId}}/{user}"})


def database() -> dict[str, Any]:
    """Return a cluster, its schema, and who uses it: behind a queue (Store) and an API (Ask)."""
    uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${Ask.Arn}/invocations"
    body = {"paths": {"/": {"get": {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": uri}}}}}}
    arn = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/"
    polling = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    service = {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"}
    template = examples.template(
        examples.EXAMPLES["E1"]()["Resources"],
        examples.asynchronous("Migrate", signs_in("master")),
        examples.function("Store", allow(polling, get("Orders")), signs_in("service")),
        examples.function("Ask", signs_in("service")),
        {
            "Books": resource(
                "AWS::RDS::DBCluster",
                EnableIAMDatabaseAuthentication=True,
                EngineVersion="16.8",
                DeletionProtection=True,
                ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4},
            ),
            "BooksInstance": resource(
                "AWS::RDS::DBInstance",
                DBClusterIdentifier=ref("Books"),
                AutoMinorVersionUpgrade=False,
            ),
            "Schema": resource(
                "Custom::Schema",
                ServiceToken=get("Migrate"),
                ServiceTimeout=300,
                ClusterResourceId=get("Books", "DBClusterResourceId"),
                Digest="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            ),
            "Endpoint": resource(
                "AWS::EC2::VPCEndpoint", ServiceName=service, RouteTableIds=["rtb-1"]
            ),
            "Api": resource("AWS::ApiGatewayV2::Api", Body=body),
            "Stage": resource(
                "AWS::ApiGatewayV2::Stage",
                ApiId=ref("Api"),
                DefaultRouteSettings={"ThrottlingRateLimit": 25, "ThrottlingBurstLimit": 50},
                AccessLogSettings={
                    "DestinationArn": get("ApiLog"),
                    "Format": examples.ACCESS,
                },
            ),
            "ApiLog": examples.vended("apis", "api"),
            "Route": examples.permission("Ask", "apigateway", {"Fn::Sub": arn}),
        },
    )
    resources = template["Resources"]
    resources["Orders"]["Properties"]["VisibilityTimeout"] = 365
    resources["MigrateInvokes"]["Properties"]["MaximumRetryAttempts"] = 0
    for name, user, timeout, connect in (
        ("Migrate", "master", 240, 180),
        ("Store", "service", 60, 35),
        ("Ask", "service", 25, 22),
    ):
        resources[name]["Properties"] |= {"Timeout": timeout, **inside(user, connect)}
        resources[f"{name}Role"]["Properties"]["ManagedPolicyArns"] = [VPC]
    for name in ("Store", "Ask"):
        resources[name]["DependsOn"] = "Schema"
    return template


def says(*changes: tuple[str, Any]) -> list[str]:
    template = database()
    for path, value in changes:
        template = changed(template, path, value)
    return list(map(str, violations(template)))


def test_a_database_that_has_all_it_needs_keeps_the_contract() -> None:
    assert says() == []


def test_a_function_signs_in_to_its_database_from_inside_the_vpc_and_over_tls() -> None:
    asks = "role Ask: its role must be allowed rds-db:connect as ${Books.DBClusterResourceId}"

    assert says(("AskRole.Policies.0.PolicyDocument.Statement", [signs_in("other")])) == [
        f"{asks}/service"
    ]
    assert says(("Ask.Environment.Variables.PGUSER", "master")) == [f"{asks}/master"]
    assert says(("Ask.Environment.Variables.PGSSLMODE", "prefer")) == [
        "transport Ask: PGSSLMODE is prefer, but must be verify-full"
    ]
    must = "must be the file of the certificates that it trusts"
    assert says(("Ask.Environment.Variables.PGSSLROOTCERT", REMOVE)) == [
        f"transport Ask: PGSSLROOTCERT is missing, but {must}"
    ]
    assert says(("Ask.Runtime", "nodejs24.x")) == [
        f"transport Ask: NODE_EXTRA_CA_CERTS is missing, but {must}"
    ]
    assert says(("Ask.VpcConfig", REMOVE)) == ["vpc Ask: must be inside the VPC, where Books is"]
    assert says(("Books.EnableIAMDatabaseAuthentication", REMOVE)) == [
        "role Books: EnableIAMDatabaseAuthentication is missing, but must be true"
    ]


@pytest.mark.parametrize("upgraded", [True, REMOVE])
def test_a_pinned_minor_version_is_not_upgraded_automatically(upgraded: object) -> None:
    """A14."""
    is_ = "missing" if upgraded is REMOVE else upgraded
    change = ("BooksInstance.AutoMinorVersionUpgrade", upgraded)

    assert says(change) == [
        (
            f"version BooksInstance: AutoMinorVersionUpgrade is {is_}, but must be false, "
            "since Books pins version 16.8"
        )
    ]
    assert says(change, ("Books.EngineVersion", "16")) == []


@pytest.mark.parametrize(
    ("capacity", "says_then"),
    [
        ({"MinCapacity": 0, "MaxCapacity": 4, "SecondsUntilAutoPause": 300}, []),
        ({"MinCapacity": 4, "MaxCapacity": 4}, []),
        (
            {"MinCapacity": 1, "MaxCapacity": 4, "SecondsUntilAutoPause": 300},
            ["has SecondsUntilAutoPause, which RDS refuses unless MinCapacity is 0"],
        ),
        (
            {"MinCapacity": 8, "MaxCapacity": 4},
            ["has a MinCapacity of 8, more than its MaxCapacity of 4"],
        ),
    ],
)
def test_a_capacity_is_one_that_rds_accepts(capacity: dict[str, int], says_then: list[str]) -> None:
    change = ("Books.ServerlessV2ScalingConfiguration", capacity)

    assert says(change) == [f"O1 Books: {each}" for each in says_then]


CONNECT = "Environment.Variables.PGCONNECT_TIMEOUT"


@pytest.mark.parametrize(
    "options",
    [
        REMOVE,
        "-c lock_timeout=2s",
        pytest.param("-c statement_timeout=60s -c lock_timeout=2s", id="as long as the function"),
        pytest.param("-c statement_timeout=5s -c lock_timeout=6s", id="longer for a lock"),
    ],
)
def test_the_server_ends_a_statement_before_the_function_ends(options: Any) -> None:
    """B35."""
    changed_to = changed(database(), "Store.Environment.Variables.PGOPTIONS", options)
    shown = "missing" if options is REMOVE else options

    assert list(map(str, violations(changed_to))) == [
        (
            f"patience Store: PGOPTIONS is {shown}, but must be "
            "a statement_timeout below the 60 of Timeout, and a lock_timeout"
        )
    ]


@pytest.mark.parametrize(
    ("function", "least", "timeout"),
    [
        pytest.param("Ask", 20, 23, id="B5-caller"),
        pytest.param("Store", 30, 50, id="B5-consumer"),
        pytest.param("Migrate", 120, 165, id="A13-schema"),
    ],
)
def test_a_function_waits_for_its_database_and_has_time_left(
    function: str, least: int, timeout: int
) -> None:
    shortest = ((f"{function}.{CONNECT}", str(least)), (f"{function}.Timeout", timeout))

    assert says(*shortest) == []
    assert says(*shortest, (f"{function}.{CONNECT}", str(least - 1))) == [
        f"patience {function}: PGCONNECT_TIMEOUT is {least - 1}, but must be at least {least}"
    ]
    assert says(*shortest, (f"{function}.{CONNECT}", REMOVE)) == [
        f"patience {function}: PGCONNECT_TIMEOUT is missing, but must be at least {least}"
    ]
    assert says(*shortest, (f"{function}.Timeout", timeout - 1)) == [
        (
            f"patience {function}: Timeout is {timeout - 1}, but must be at least "
            f"{least} (PGCONNECT_TIMEOUT) + {timeout - least}"
        )
    ]


def test_cloudformation_waits_longer_than_the_function_that_brings_the_schema() -> None:
    """A13."""
    assert says(("Schema.ServiceTimeout", 240)) == [
        "patience Schema: ServiceTimeout is 240, but must be more than the 240 of Migrate"
    ]


def test_the_function_that_brings_the_schema_is_not_tried_again() -> None:
    """A13."""
    assert says(("MigrateInvokes.MaximumRetryAttempts", 2)) == [
        "patience MigrateInvokes: MaximumRetryAttempts is 2, but must be 0"
    ]


@pytest.mark.parametrize("user", ["Store", "Ask"])
def test_what_uses_a_schema_comes_after_it(user: str) -> None:
    """B2."""
    template = database()
    del template["Resources"][user]["DependsOn"]

    late = {"Store": ["Store", "Mapping"], "Ask": ["Ask"]}[user]
    assert list(map(str, violations(template))) == [
        f"schema {name}: must depend on Schema, or new code meets the old schema" for name in late
    ]


def test_a_mapping_may_depend_on_the_schema_by_itself() -> None:
    template = database()
    del template["Resources"]["Store"]["DependsOn"]
    template["Resources"]["Mapping"]["DependsOn"] = ["Schema"]

    assert [violation.resource for violation in violations(template)] == ["Store"]


def test_a_schema_is_brought_to_a_cluster_that_replaces_another() -> None:
    """B3."""
    assert says(("Schema.ClusterResourceId", REMOVE)) == [
        "schema Schema: must be told of Books.DBClusterResourceId: a new cluster is empty"
    ]


@pytest.mark.parametrize("digest", [REMOVE, "1"])
def test_a_schema_is_brought_when_a_file_was_edited(digest: object) -> None:
    """B3."""
    assert says(("Schema.Digest", digest)) == [
        "schema Schema: must be told of a digest of the migrations: an edited file has its old name"
    ]


def test_the_digest_of_the_migrations_may_be_a_parameter() -> None:
    template = changed(database(), "Schema.Digest", ref("Digest"))
    assert list(map(str, violations(template))) != []

    template["Parameters"] = {"Digest": {"Type": "String", "Default": "unknown"}}

    assert violations(template) == []


def test_a_database_has_a_schema() -> None:
    says_so = "has no custom resource, by whose function a deployment brings its schema"

    assert f"schema Books: {says_so}" in says(("Schema", REMOVE))


UNBOUNDED = (
    "nothing bounds how often it runs at a time: MaximumConcurrency of its mappings, "
    "throttling of its API, or ReservedConcurrentExecutions"
)


@pytest.mark.parametrize(
    ("function", "bound"),
    [
        ("Store", "Mapping.ScalingConfig"),
        ("Ask", "Stage.DefaultRouteSettings.ThrottlingRateLimit"),
        ("Ask", "Stage.DefaultRouteSettings.ThrottlingBurstLimit"),
        ("Ask", "Stage"),
    ],
)
def test_a_function_that_uses_a_database_is_bounded(function: str, bound: str) -> None:
    """B22."""
    assert says((bound, REMOVE)) == [f"bounded {function}: {UNBOUNDED}"]


def test_functions_run_no_more_often_than_their_database_has_connections() -> None:
    """B22: two consumers, one migration, and 25 requests a second for 25 seconds after 50."""
    rate = ("Stage.DefaultRouteSettings.ThrottlingRateLimit", 31)
    says_so = "connections, but its functions may run 828 times at a time"

    assert says(rate) == [f"bounded Books: has 823 {says_so}"]
    assert says(rate, ("Books.ServerlessV2ScalingConfiguration.MaxCapacity", 8)) == []
    assert says(rate, ("Books.ServerlessV2ScalingConfiguration.MaxCapacity", 2)) == [
        f"bounded Books: has 189 {says_so}"
    ]


def test_a_database_that_may_pause_has_2000_connections_at_most() -> None:
    rate = ("Stage.DefaultRouteSettings.ThrottlingRateLimit", 80)
    large = ("Books.ServerlessV2ScalingConfiguration", {"MinCapacity": 0, "MaxCapacity": 16})
    awake = ("Books.ServerlessV2ScalingConfiguration.MinCapacity", 1)

    assert says(rate, large) == [
        "bounded Books: has 2000 connections, but its functions may run 2053 times at a time"
    ]
    assert says(rate, large, awake) == []


def test_reserved_concurrency_bounds_a_function_too() -> None:
    unbounded = ("Stage.DefaultRouteSettings", REMOVE)

    reserved = ("Ask.ReservedConcurrentExecutions", 100)

    assert says(unbounded, reserved) == []


@pytest.mark.parametrize("protected", [False, REMOVE])
def test_what_holds_data_is_protected_from_deletion(protected: object) -> None:
    is_ = "missing" if protected is REMOVE else protected
    assert says(("Books.DeletionProtection", protected)) == [
        f"protection Books: DeletionProtection is {is_}, but must be true"
    ]
    recovery = {"PointInTimeRecoveryEnabled": True}
    table = resource("AWS::DynamoDB::Table", PointInTimeRecoverySpecification=recovery)
    assert says(("Table", table)) == [
        "protection Table: DeletionProtectionEnabled is missing, but must be true"
    ]


def test_a_cache_whose_items_expire_may_be_deleted_with_its_stack() -> None:
    expires = {"AttributeName": "expires_at", "Enabled": True}
    cache = resource("AWS::DynamoDB::Table", TimeToLiveSpecification=expires)
    cache["DeletionPolicy"] = "Delete"
    forever = {**cache, "Properties": {}}

    assert not [each for each in says(("Cache", cache)) if " Cache: " in each]
    assert {each.split(":")[0] for each in says(("Cache", forever)) if " Cache: " in each} == {
        "protection Cache",
        "recovery Cache",
    }


@pytest.mark.parametrize(("default", "kept"), [("true", True), ("false", False)])
def test_protection_may_be_a_parameter_that_is_on(default: str, *, kept: bool) -> None:
    template = changed(database(), "Books.DeletionProtection", ref("Protection"))
    template["Parameters"] = {"Protection": {"Type": "String", "Default": default}}

    assert (violations(template) == []) is kept


def test_readers_have_an_instance_of_their_own() -> None:
    """M5."""
    reading = ("Ask.Environment.Variables.PGHOST", get("Books", "ReadEndpoint.Address"))

    assert says(reading) == [
        "reader Books: has one instance, the writer: its ReadEndpoint is that of readers"
    ]


def says_of_existing(*changes: tuple[str, Any]) -> list[str]:
    template = examples.EXAMPLES["CLUSTER"]()
    for path, value in changes:
        template = changed(template, path, value)
    return list(map(str, violations(template)))


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("cluster-ABCDEFGHIJKL/${User}", True),
        ("cluster-ABCDEFGHIJKL/other", False),
        ("cluster-abc/${User}", False),
        ("books/${User}", False),
        ("db-ABCDEFGHIJKL/${User}", False),
        ("prx-ABCDEFGHIJKL/${User}", False),
        ("${Host}/${User}", False),
    ],
)
def test_permission_to_sign_in_names_the_resource_id_of_an_existing_cluster(
    named: str, *, kept: bool
) -> None:
    """O32."""
    place = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser"
    statement = "MigrateRole.Policies.0.PolicyDocument.Statement.0.Resource"
    must = "its role must be allowed rds-db:connect as ${User} on the resource id of a cluster"
    schema = ("Schema.ClusterResourceId", "cluster-ABCDEFGHIJKL")

    assert says_of_existing((statement, {"Fn::Sub": f"{place}:{named}"}), schema) == (
        [] if kept else [f"role Migrate: {must} (fact O32)"]
    )


def test_a_schema_is_brought_to_each_database_of_an_existing_cluster() -> None:
    """B3."""
    for name, what in (("ClusterResourceId", "${Cluster}"), ("Database", "${Database}")):
        assert says_of_existing((f"Schema.{name}", REMOVE)) == [
            f"schema Schema: must be told of {what}: another database has no schema yet"
        ]


def test_a_function_uses_an_existing_cluster_as_it_would_use_its_own() -> None:
    assert says_of_existing(("Migrate.Environment.Variables.PGSSLMODE", "prefer")) == [
        "transport Migrate: PGSSLMODE is prefer, but must be verify-full"
    ]
    assert says_of_existing(("Migrate.Environment.Variables.PGCONNECT_TIMEOUT", "119")) == [
        "patience Migrate: PGCONNECT_TIMEOUT is 119, but must be at least 120"
    ]
