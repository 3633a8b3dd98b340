"""The contract can fail: its rules for caches, on the least stack that keeps them."""

from typing import Any

import pytest
from contract.changes import REMOVE, changed
from contract.check import violations
from contract.examples import allow, get, ref, resource
from contract.test_database_rules import database

ADDRESS = "${Pages}@${Pages.Endpoint.Address}:${Pages.Endpoint.Port}"
NAME = {
    "Fn::Sub": [
        "pages-${Unique}",
        {"Unique": {"Fn::Select": [2, {"Fn::Split": ["/", ref("AWS::StackId")]}]}},
    ]
}
CONNECT = "elasticache:Connect"


def cache() -> dict[str, Any]:
    """Return the stack of a database whose function Ask has a cache as well."""
    template = database()
    template["Resources"] |= {
        "Clients": resource("AWS::EC2::SecurityGroup", VpcId="vpc-1"),
        "Admits": resource(
            "AWS::EC2::SecurityGroup",
            VpcId="vpc-1",
            SecurityGroupIngress=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 6379,
                    "ToPort": 6380,
                    "SourceSecurityGroupId": get("Clients", "GroupId"),
                }
            ],
        ),
        "Pages": resource(
            "AWS::ElastiCache::ServerlessCache",
            ServerlessCacheName=NAME,
            Engine="valkey",
            CacheUsageLimits={
                "DataStorage": {"Maximum": 1, "Unit": "GB"},
                "ECPUPerSecond": {"Maximum": 10000},
            },
            SubnetIds=["subnet-1", "subnet-2"],
            SecurityGroupIds=[get("Admits", "GroupId")],
            UserGroupId=ref("Readers"),
        ),
        "Readers": resource(
            "AWS::ElastiCache::UserGroup",
            Engine="valkey",
            UserGroupId=ref("Reader"),
            UserIds=[ref("Reader")],
        ),
        "Reader": resource(
            "AWS::ElastiCache::User",
            Engine="valkey",
            UserId=NAME,
            UserName=NAME,
            AuthenticationMode={"Type": "iam"},
            AccessString="on ~page:* -@all +get +cluster|slots",
        ),
    }
    template["Resources"]["AskRole"]["Properties"]["Policies"][0]["PolicyDocument"][
        "Statement"
    ] += [allow(CONNECT, get("Pages", "ARN")), allow(CONNECT, get("Reader"))]
    alarm = changed(template, "AskErrors.EvaluationPeriods", 5)["Resources"]["AskErrors"]
    alarm["Properties"] |= {
        "Namespace": "AWS/ElastiCache",
        "MetricName": "ThrottledCmds",
        "Dimensions": [{"Name": "clusterId", "Value": ref("Pages")}],
    }
    template["Resources"]["PagesThrottles"] = alarm
    variables = template["Resources"]["Ask"]["Properties"]["Environment"]["Variables"]
    variables["PAGES_URL"] = {"Fn::Sub": f"rediss://{ADDRESS}"}
    return changed(template, "Ask.VpcConfig.SecurityGroupIds", [get("Clients", "GroupId")])


def says(path: str, value: object) -> list[str]:
    return list(map(str, violations(changed(cache(), path, value))))


def test_a_cache_that_has_all_it_needs_keeps_the_contract() -> None:
    assert list(violations(cache())) == []


@pytest.mark.parametrize("scheme", ["redis://", ""])
def test_a_client_speaks_tls_from_inside_the_vpc(scheme: str) -> None:
    """B21."""
    assert says("Ask.Environment.Variables.PAGES_URL", {"Fn::Sub": f"{scheme}{ADDRESS}"}) == [
        (
            f"transport Ask: PAGES_URL is {scheme}{ADDRESS}, "
            "but must be rediss://…: the cache answers nothing without TLS"
        )
    ]
    outside = says("Ask.VpcConfig", REMOVE)
    assert "vpc Ask: must be inside the VPC, where Pages is" in outside


def test_clients_reach_writers_and_readers() -> None:
    """B21."""
    closed = "network Pages: no security group of it lets clients reach"
    assert says("Admits.SecurityGroupIngress.0.ToPort", 6379) == [f"{closed} 6380"]
    assert says("Pages.SecurityGroupIds", REMOVE) == [f"{closed} 6379, 6380"]
    assert says("Admits.SecurityGroupIngress.0.CidrIp", "0.0.0.0/0") == [
        "network Admits: admits 0.0.0.0/0 to Pages"
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Ask.VpcConfig.SecurityGroupIds", REMOVE),
        ("Ask.VpcConfig.SecurityGroupIds.0", get("Admits", "GroupId")),
        ("Admits.SecurityGroupIngress.0.SourceSecurityGroupId", REMOVE),
    ],
)
def test_a_function_has_a_security_group_that_the_cache_admits(path: str, value: object) -> None:
    """T7."""
    assert says(path, value) == [
        "vpc Ask: has no security group that Pages admits, and would wait for it (fact T7)"
    ]


@pytest.mark.parametrize(
    ("name", "must"),
    [
        (
            {"Fn::Sub": "${AWS::StackName}-pages"},
            "one without the stack's name, which may be longer",
        ),
        ("pages", "unique: a part of the stack's id is"),
    ],
)
def test_a_cache_has_a_name_that_is_short_and_its_own(name: object, must: str) -> None:
    """M1."""
    said, *_ = says("Pages.ServerlessCacheName", name)

    assert said.startswith("name Pages: ServerlessCacheName is ")
    assert said.endswith(f", but must be {must}")


@pytest.mark.parametrize("subnets", [["subnet-1"], REMOVE])
def test_a_cache_is_in_the_subnets_of_the_stack(subnets: object) -> None:
    """M2."""
    (said,) = says("Pages.SubnetIds", subnets)

    assert said.endswith("but must be 2 or 3, else those of the default VPC are taken")


@pytest.mark.parametrize("what", ["DataStorage", "ECPUPerSecond"])
def test_what_a_cache_may_cost_is_limited(what: str) -> None:
    """M3."""
    assert says(f"Pages.CacheUsageLimits.{what}", REMOVE) == [
        (
            f"limit Pages: CacheUsageLimits.{what}.Maximum is missing, "
            "but must be a number: nothing else bounds the bill"
        )
    ]


def test_throttling_is_watched_by_the_dimension_of_a_serverless_cache() -> None:
    """M6."""
    said = says("PagesThrottles.Dimensions.0.Name", "CacheClusterId")

    assert "alarm PagesThrottles: AWS/ElastiCache ThrottledCmds is published by clusterId" in said
    assert "alarm Pages: no alarm watches AWS/ElastiCache ThrottledCmds" in said


def test_a_client_names_its_user() -> None:
    """J8."""
    open_address = ADDRESS.removeprefix("${Pages}@")
    (said,) = says("Ask.Environment.Variables.PAGES_URL", {"Fn::Sub": f"rediss://{open_address}"})

    assert said.endswith(
        "but must be rediss://${Pages}@…: nobody connects without a user (fact J8)"
    )


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "Pages.UserGroupId",
            REMOVE,
            (
                "user Pages: has no user group of this stack, "
                "so anybody inside may do anything (fact J8)"
            ),
        ),
        (
            "Readers.Engine",
            "redis",
            (
                "user Readers: Engine is redis, but must be valkey: "
                "another group lets users in without a password (fact J8)"
            ),
        ),
        (
            "Reader.AuthenticationMode.Type",
            "no-password-required",
            "user Reader: AuthenticationMode.Type is no-password-required, but must be iam",
        ),
        (
            "Reader.UserName",
            "default",
            "user Reader: UserName is default, but must be the name of Pages (fact J6)",
        ),
        *(
            (
                "Reader.AccessString",
                given,
                (
                    f"user Reader: AccessString is {given}, "
                    "but must be on, prefixes of keys, -@all, and the commands of the code"
                ),
            )
            for given in ("on ~* +@all", "on ~page:* -@all +@read", "on ~page:* +get")
        ),
    ],
)
def test_a_cache_has_a_user_with_no_more_than_the_code_uses(
    path: str, value: object, said: str
) -> None:
    assert says(path, value) == [said]


@pytest.mark.parametrize(("statement", "of"), [(-2, "Pages"), (-1, "Reader")])
def test_a_function_may_connect_to_the_cache_and_as_the_user(statement: int, of: str) -> None:
    """J6."""
    template = cache()
    given = template["Resources"]["AskRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    del given["Statement"][statement]

    assert list(map(str, violations(template))) == [
        f"permission Ask: may not {CONNECT} as {of} says (fact J6)"
    ]


def test_nobody_else_reaches_the_cache_or_may_connect() -> None:
    """D9."""
    template = changed(cache(), "Store.VpcConfig.SecurityGroupIds", [get("Clients", "GroupId")])
    role = template["Resources"]["StoreRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    role["Statement"].append(allow(CONNECT, get("Pages", "ARN")))

    assert list(map(str, violations(template))) == [
        "vpc Store: reaches Pages, which it is not told of",
        f"permission Store: may {CONNECT} Pages, which it is not told of",
    ]


def test_nobody_else_reaches_the_database() -> None:
    """D9."""
    template = changed(cache(), "Books.VpcSecurityGroupIds", [get("Admits", "GroupId")])
    template = changed(template, "Ask.Environment.Variables.PGHOST", REMOVE)

    assert "vpc Ask: reaches Books, which it is not told of" in map(str, violations(template))
