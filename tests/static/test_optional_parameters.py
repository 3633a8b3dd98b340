"""What the optional parameters of a template change, and that their defaults change nothing."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.check import violations
from contract.existing_clusters import SIGN_IN
from contract.stack import default_stack, load
from deployed import deployed, of_type
from environments import fork_by
from golden import render_all
from parity.differences import unexplained
from parity.facts import Fact, facts
from rendering import ROOT, render_project
from synthesis import template_files, with_templates_of
from tools import BIN
from variants import Variant, further_variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler.kinds.api import (
    CERTIFICATE,
    DOMAIN,
    HOSTED_ZONE,
    NAMED_ORIGINS,
    ORIGINS,
    WEB_ACL,
)
from sls_patterns_cli.catalog.compiler.kinds.aurora import (
    DATABASE,
    RESOURCE_ID,
    USER,
    endpoint,
)
from sls_patterns_cli.catalog.compiler.kinds.log_group import RETENTION_DAYS, RETENTIONS
from sls_patterns_cli.catalog.compiler.kinds.network import SECURITY_GROUP, SUBNET, VPC
from sls_patterns_cli.catalog.compiler.optional_parameters import EMAIL
from sls_patterns_cli.cloudformation.conditions import Choice
from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.policies import role_of, role_statements

HERE = Path(__file__).parent

CHOSEN = {
    "read-heavy-reporting-engine": (
        "shared-database",
        "[cors, domain, concurrency, capacity, vpc, cluster, kms, retention, email, boundary]",
    ),
    "simple-web-service": (
        "rest-api",
        "[cors, domain, waf, concurrency, capacity, vpc, cluster, kms, retention, email, boundary]",
    ),
}
"""Of the patterns that stand for all: a topology, and all optional parameters that it can have."""

BOUNDED = {
    "read-heavy-reporting-engine": ["Record", "Report"],
    "simple-web-service": ["Catalog"],
}
"""The functions that use the database, and that nothing else bounds."""

STORES = {"read-heavy-reporting-engine": "Sales", "simple-web-service": "Products"}
"""The database."""

CERTIFICATE_ARN = "arn:aws:acm:us-east-1:123456789012:certificate/a1-b2"

WEB_ACL_ARN = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2"

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/a1-b2"

NETWORK = {
    "VpcId": "vpc-0123456789abcdef0",
    "SubnetAId": "subnet-0123456789abcdef0",
    "SubnetBId": "subnet-0123456789abcdef1",
}
"""An existing VPC."""

CLUSTER = {
    "ClusterEndpoint": "books.cluster-c0ffee.us-east-1.rds.amazonaws.com",
    "ClusterReaderEndpoint": "books.cluster-ro-c0ffee.us-east-1.rds.amazonaws.com",
    "ClusterResourceId": "cluster-ABCDEFGHIJKL",
    "ClusterSecurityGroupId": "sg-0123456789abcdef0",
    "ClusterDatabaseName": "shop",
    "ClusterUser": "shop",
    "ClusterMigrationUser": "shop_migrations",
}
"""An existing cluster, in the VPC above; only readers have an endpoint of their own."""

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"

Templates = dict[tuple[str, str], Template]
"""By runtime and flavour."""

each_pattern = pytest.mark.parametrize(
    "pattern", [pytest.param(each, marks=with_templates_of(each)) for each in CHOSEN]
)


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Templates]:
    """Return what makes the templates of a pattern, with optional parameters or without."""
    made: dict[tuple[str, bool], Templates] = {}

    def templates(pattern: str, *, optional: bool = True) -> Templates:
        if (pattern, optional) not in made:
            topology, answer = CHOSEN[pattern]
            further = (("parameters", answer),) if optional else ()
            variants = [
                Variant(pattern, topology, *each, "aurora-postgresql", further)
                for each in product(("python", "typescript"), ("sam", "cdk"))
            ]
            projects = render_all(variants, tmp_path_factory.mktemp("parameters"))
            template_files(projects.values())
            made[pattern, optional] = {
                (each.runtime, each.iac): load(project) for each, project in projects.items()
            }
        return made[pattern, optional]

    return templates


def reserved(stack: Stack) -> set[Any]:
    return {
        each["ReservedConcurrentExecutions"]
        for each in of_type(stack, "AWS::Lambda::Function")
        if "ReservedConcurrentExecutions" in each
    }


def limits(stack: Stack) -> Iterator[tuple[Any, Any]]:
    for each in of_type(stack, "AWS::ApiGatewayV2::Stage"):
        settings = each["DefaultRouteSettings"]
        yield settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]
    for each in of_type(stack, "AWS::ApiGateway::Stage"):
        (settings,) = each["MethodSettings"]
        yield settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]


@each_pattern
def test_every_stack_that_parameters_make_keeps_the_contract(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for each, template in of(pattern).items():
        for values in ({}, some_values(pattern)):
            assert violations(deployed(template, **values)) == [], each


@each_pattern
def test_cfn_lint_finds_nothing(pattern: str, of: Callable[..., Templates], tmp_path: Path) -> None:
    for (runtime, iac), template in of(pattern).items():
        file = tmp_path / f"{runtime}-{iac}.json"
        file.write_text(json.dumps(template))

    fork_by(
        BIN / "python",
        HERE,
        "cfn-lint",
        "--ignore-checks",
        "W3005",
        "--",
        *map(str, tmp_path.iterdir()),
    )


@each_pattern
def test_defaults_change_nothing(pattern: str, of: Callable[..., Templates]) -> None:
    optional, plain = of(pattern), of(pattern, optional=False)

    for each, template in optional.items():
        changed = facts(deployed(template), pattern) ^ facts(deployed(plain[each]), pattern)
        # A migration makes the user of the functions only where it is missing.
        changed = {fact for fact in changed if fact.what != "Digest" and not of_pages(fact)}
        assert {f"{fact.what} is {fact.value}" for fact in changed} == {
            # The default of RDS.
            "ServerlessV2ScalingConfiguration.SecondsUntilAutoPause is 300",
            # The default of API Gateway.
            "DisableExecuteApiEndpoint is False",
        }, each


def alone() -> Iterator[Any]:
    """Yield each value by itself, in the languages in turn."""
    topology, answer = CHOSEN["read-heavy-reporting-engine"]
    for option, runtime in zip(re.findall(r"\w+", answer), cycle(("python", "typescript"))):
        yield pytest.param(topology, runtime, option, id=f"{option}-{runtime}")


@with_templates_of("read-heavy-reporting-engine")
@pytest.mark.parametrize(("topology", "runtime", "option"), [*alone()])
def test_each_value_alone_makes_a_stack_that_both_flavours_deploy(
    topology: str, runtime: str, option: str, tmp_path: Path
) -> None:
    pattern = "read-heavy-reporting-engine"
    further = (("parameters", f"[{option}]"),)
    variants = [
        Variant(pattern, topology, runtime, iac, "aurora-postgresql", further)
        for iac in ("sam", "cdk")
    ]
    projects = render_all(variants, tmp_path)
    template_files(projects.values())
    made = {each.iac: load(project) for each, project in projects.items()}

    assert [violations(deployed(each)) for each in made.values()] == [[], []]
    found = {iac: facts(deployed(each), pattern) for iac, each in made.items()}
    assert list(unexplained(found)) == []


def of_pages(fact: Fact) -> bool:
    """Tell whether a fact is about preflight requests of a REST API, or its answers to pages."""
    answers = fact.subject.startswith("answer of Api to")
    return answers or "{proxy+}" in fact.subject or "AllowedOrigins" in fact.what


@each_pattern
def test_flavours_deploy_the_same_with_parameters_set(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for runtime in ("python", "typescript"):
        set_to: dict[str, set[Fact]] = {
            iac: facts(deployed(of(pattern)[runtime, iac], **some_values(pattern)), pattern)
            for iac in ("sam", "cdk")
        }
        assert list(unexplained(set_to)) == []


def some_values(pattern: str) -> dict[str, Any]:
    store, (_, options) = STORES[pattern], CHOSEN[pattern]
    return {
        **({"AllowedOrigins": "https://a.example,https://b.example"} if "cors" in options else {}),
        **({"WebAclArn": WEB_ACL_ARN} if "waf" in options else {}),
        "DomainName": "api.example.com",
        "CertificateArn": CERTIFICATE_ARN,
        "HostedZoneId": "Z123",
        **NETWORK,
        **cluster(pattern),
        "KmsKeyArn": KEY_ARN,
        "AlarmEmail": "on-call@example.com",
        **{f"{name}ReservedConcurrency": 20 for name in BOUNDED[pattern]},
        f"{store}MinCapacity": 0.5,
        f"{store}MaxCapacity": 16,
        "LogRetentionDays": 365,
    }


@each_pattern
def test_the_limits_of_an_api_rise_only_while_all_that_use_the_database_are_bounded(
    pattern: str, of: Callable[..., Templates]
) -> None:
    raised = {"read-heavy-reporting-engine": (500, 1000), "simple-web-service": (100, 200)}
    names = [f"{name}ReservedConcurrency" for name in BOUNDED[pattern]]

    for template in of(pattern).values():
        for some in (names[:1], names):
            stack = default_stack(deployed(template, **dict.fromkeys(some, 20)))
            assert reserved(stack) == {20}
            assert list(limits(stack)) == [raised[pattern] if some == names else (25, 50)]
        assert reserved(default_stack(deployed(template))) == set()
        assert list(limits(default_stack(deployed(template)))) == [(25, 50)]


@each_pattern
@pytest.mark.parametrize("least", [0, 0.5])
def test_a_database_with_a_minimum_is_told_no_time_until_it_pauses(
    pattern: str, least: float, of: Callable[..., Templates]
) -> None:
    """Fact O1: RDS refuses SecondsUntilAutoPause for a database that does not pause."""
    for template in of(pattern).values():
        stack = default_stack(deployed(template, **{f"{STORES[pattern]}MinCapacity": least}))
        (cluster,) = of_type(stack, "AWS::RDS::DBCluster")
        scaling = cluster["ServerlessV2ScalingConfiguration"]
        assert ("SecondsUntilAutoPause" in scaling) == (least == 0)
        assert scaling["MaxCapacity"] == 4


@each_pattern
def test_logs_are_kept_as_long_as_the_parameter_says(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for template in of(pattern).values():
        for values, days in (({}, 30), ({"LogRetentionDays": 365}, 365)):
            groups = of_type(default_stack(deployed(template, **values)), "AWS::Logs::LogGroup")
            assert {each["RetentionInDays"] for each in groups} == {days}


def test_pages_of_other_origins_may_call_an_api_only_while_it_says_which(
    of: Callable[..., Templates],
) -> None:
    for template in of("read-heavy-reporting-engine").values():
        assert allowed_origins(template) is None
        assert allowed_origins(template, AllowedOrigins="*") == ["*"]
        assert allowed_origins(
            template, AllowedOrigins="https://a.example,http://localhost:3000"
        ) == ["https://a.example", "http://localhost:3000"]


def allowed_origins(template: Template, **values: Any) -> Any:
    (api,) = of_type(default_stack(deployed(template, **values)), "AWS::ApiGatewayV2::Api")
    given = api.get("CorsConfiguration") or api.get("Body", {}).get("x-amazon-apigateway-cors")
    return given and {name.lower(): value for name, value in given.items()}["alloworigins"]


@each_pattern
def test_an_api_has_a_domain_name_only_while_a_parameter_says_it(
    pattern: str, of: Callable[..., Templates]
) -> None:
    named = {"DomainName": "api.example.com", "CertificateArn": CERTIFICATE_ARN}
    domain, mapping, record = DOMAIN_TYPES

    for template in of(pattern).values():
        assert in_front(template) == []
        assert in_front(template, HostedZoneId="Z123") == []
        assert in_front(template, **named) == [domain, mapping]
        assert in_front(template, **named, HostedZoneId="Z123") == [domain, mapping, record]
        (url,) = (
            output["Value"]["Fn::If"]
            for name, output in template["Outputs"].items()
            if name == "ApiUrl"
        )
        assert url[0] == "HasDomainName"
        assert default_stack(template).text(url[1]) == "https://${DomainName}"


DOMAIN_TYPES = [
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::Route53::RecordSet",
]


def in_front(template: Template, **values: Any) -> list[str]:
    stack = default_stack(deployed(template, **values))
    return [each for each in DOMAIN_TYPES if of_type(stack, each)]


@pytest.mark.parametrize(
    ("pattern", "given", "accepted"),
    [
        (DOMAIN, "none", True),
        (DOMAIN, "api.example.com", True),
        (DOMAIN, "API.example.com", False),
        (DOMAIN, "https://api.example.com", False),
        (DOMAIN, "api.example.com.", False),
        (DOMAIN, "-api.example.com", False),
        (DOMAIN, "example", False),
        (CERTIFICATE, "none", True),
        (CERTIFICATE, CERTIFICATE_ARN, True),
        (CERTIFICATE, CERTIFICATE_ARN.replace("acm", "iam"), False),
        (HOSTED_ZONE, "none", True),
        (HOSTED_ZONE, "Z" + "A" * 31, True),
        (HOSTED_ZONE, "Z" + "A" * 32, False),
        (HOSTED_ZONE, "/hostedzone/Z123", False),
    ],
)
def test_a_domain_is_given_as_aws_takes_it(pattern: str, given: str, *, accepted: bool) -> None:
    assert (re.fullmatch(pattern, given) is not None) == accepted


def test_a_stage_changes_with_the_domain_name_of_its_rest_api(of: Callable[..., Templates]) -> None:
    for template in of("simple-web-service").values():
        for values, variables in (
            ({}, {"AllowedOrigins": "none"}),
            (
                {"DomainName": "api.example.com"},
                {"AllowedOrigins": "none", "DomainName": "api.example.com"},
            ),
        ):
            stack = default_stack(deployed(template, **values))
            (stage,) = of_type(stack, "AWS::ApiGateway::Stage")
            assert stage["Variables"] == variables


def test_a_rest_api_takes_origins_and_no_wildcard(of: Callable[..., Templates]) -> None:
    """Facts O26 and O29: a variable of the stage has them, so no deployment keeps old ones."""
    origins = "https://a.example,http://localhost:3000"

    for template in of("simple-web-service").values():
        stack = default_stack(deployed(template, AllowedOrigins=origins))
        (stage,) = of_type(stack, "AWS::ApiGateway::Stage")
        assert stage["Variables"]["AllowedOrigins"] == origins
        assert template["Parameters"]["AllowedOrigins"]["AllowedPattern"] == NAMED_ORIGINS


def test_what_pages_may_call_is_a_new_deployment(tmp_path: Path) -> None:
    """Fact O29: without one, the methods and gateway responses would reach nobody."""
    answers = {"pattern": "simple-web-service", "topology": "rest-api", "datastore": "dynamodb"}
    for iac in ("sam", "cdk"):
        plain, readable = (
            render_project(tmp_path / f"{iac}{given}", **answers, iac=iac, parameters=given)
            for given in ("[]", "[cors]")
        )
        template_files([plain, readable])
        (before,), (after,) = (
            [
                name
                for name, each in load(project)["Resources"].items()
                if each["Type"] == "AWS::ApiGateway::Deployment"
            ]
            for project in (plain, readable)
        )
        assert before != after


def test_a_web_acl_is_in_front_of_the_stage_while_a_parameter_names_it(
    of: Callable[..., Templates],
) -> None:
    for template in of("simple-web-service").values():
        for values, acls in (({}, []), ({"WebAclArn": WEB_ACL_ARN}, [WEB_ACL_ARN])):
            found = of_type(
                default_stack(deployed(template, **values)), "AWS::WAFv2::WebACLAssociation"
            )
            assert [each["WebACLArn"] for each in found] == acls


@each_pattern
def test_a_stack_creates_no_vpc_where_parameters_name_one(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for template in of(pattern).values():
        own, given = (default_stack(deployed(template, **values)) for values in ({}, NETWORK))

        made = {each.split("::")[-1] for each in in_vpc(own)}
        assert made - BESIDE_A_GROUP == {*OF_A_VPC, *ways_out(own), "SecurityGroup"}
        assert in_vpc(given) == {"AWS::EC2::SecurityGroup"}
        subnets = [NETWORK["SubnetAId"], NETWORK["SubnetBId"]]
        assert {each["VpcId"] for each in of_type(given, "AWS::EC2::SecurityGroup")} == {
            NETWORK["VpcId"]
        }
        for group in of_type(given, "AWS::RDS::DBSubnetGroup"):
            assert group["SubnetIds"] == subnets
        configurations = [
            each["VpcConfig"]
            for each in of_type(given, "AWS::Lambda::Function")
            if "VpcConfig" in each
        ]
        assert configurations
        assert all(each["SubnetIds"] == subnets for each in configurations)


OF_A_VPC = {"RouteTable", "Subnet", "SubnetRouteTableAssociation", "VPC", "VPCEndpoint"}
# SAM has the rule for IPv6 beside the group, CDK in it.
BESIDE_A_GROUP = {"SecurityGroupEgress"}


def ways_out(stack: Stack) -> set[str]:
    """Return what a VPC has where functions send poison to SQS over IPv6."""
    functions = stack.of_type("AWS::Lambda::Function")
    if not any(each.get("VpcConfig", "Ipv6AllowedForDualStack") for each in functions):
        return set()
    return {"EgressOnlyInternetGateway", "Route", "VPCCidrBlock"}


def in_vpc(stack: Stack) -> set[str]:
    return {each.type for each in stack.resources.values() if each.type.startswith("AWS::EC2::")}


@each_pattern
@pytest.mark.parametrize("missing", NETWORK)
def test_a_vpc_is_named_with_its_subnets_or_the_deployment_is_refused(
    pattern: str, missing: str, of: Callable[..., Templates]
) -> None:
    """CloudFormation evaluates the rules of a template before it creates anything."""
    for template in of(pattern).values():
        rule = template["Rules"]["ExistingVpc"]
        (asserted,) = rule["Assertions"]

        def holds(values: dict[str, str], expression: Any) -> bool:
            return Choice({}, values).holds(expression)

        partly = NETWORK | {missing: "none"}
        assert holds(partly, rule["RuleCondition"])
        assert not holds(partly, asserted["Assert"])
        assert holds(NETWORK, asserted["Assert"])
        assert not holds(dict.fromkeys(NETWORK, "none"), rule["RuleCondition"])
        assert asserted["AssertDescription"] == "Set VpcId, SubnetAId and SubnetBId together."


@each_pattern
def test_what_needs_the_vpc_comes_after_it_without_depending_on_what_is_not_created(
    pattern: str, of: Callable[..., Templates]
) -> None:
    """Fact O16: the schema is applied through the endpoint of S3."""
    for template in of(pattern).values():
        for values, created in (({}, True), (NETWORK, False)):
            stack = default_stack(deployed(template, **values))
            (schema,) = stack.of_type("Custom::Schema")
            before = {stack.resources[name].type for name in stack.comes_after(schema)}
            assert ("AWS::EC2::VPCEndpoint" in before) == created


@pytest.mark.parametrize(
    ("pattern", "given", "accepted"),
    [
        (VPC, "none", True),
        (VPC, "vpc-01234567", True),
        (VPC, "vpc-0123456789abcdef0", True),
        (VPC, "vpc-0123456789", False),
        (VPC, "subnet-01234567", False),
        (SUBNET, "none", True),
        (SUBNET, "subnet-01234567", True),
        (SUBNET, "subnet-0123456789abcdef0", True),
        (SUBNET, "subnet-0123456789abcdef", False),
        (SUBNET, "subnet-01234567,subnet-01234568", False),
        (SUBNET, "", False),
    ],
)
def test_a_network_is_named_by_its_ids(pattern: str, given: str, *, accepted: bool) -> None:
    assert (re.fullmatch(pattern, given) is not None) == accepted


def cluster(pattern: str) -> dict[str, str]:
    """Return what names an existing cluster, with an endpoint of readers where there are any."""
    readers = pattern == "read-heavy-reporting-engine"
    return {key: value for key, value in CLUSTER.items() if readers or "Reader" not in key}


@each_pattern
def test_a_stack_creates_no_cluster_where_parameters_name_one(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for template in of(pattern).values():
        named = {**NETWORK, **cluster(pattern), "ClusterPort": 5433}
        own, given = (default_stack(deployed(template, **values)) for values in ({}, named))
        made = {"AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::RDS::DBSubnetGroup"}

        of_vpc = {f"AWS::EC2::{each}" for each in {*OF_A_VPC, *ways_out(own)}}
        beside = {f"AWS::EC2::{each}" for each in BESIDE_A_GROUP}
        assert types_of(own) - types_of(given) - beside == made | of_vpc
        assert types_of(given) - types_of(own) == {"AWS::EC2::SecurityGroupIngress"}
        assert not any("CapacityAlarm" in name for name in given.resources)
        (group,) = (each.name for each in given.of_type("AWS::EC2::SecurityGroup") if is_new(each))
        (ingress,) = of_type(given, "AWS::EC2::SecurityGroupIngress")
        assert (ingress["GroupId"], ingress["FromPort"], ingress["ToPort"]) == (
            CLUSTER["ClusterSecurityGroupId"],
            5433,
            5433,
        )
        assert given.named(ingress["SourceSecurityGroupId"]) == given.resources[group]


def types_of(stack: Stack) -> set[str]:
    return {each.type for each in stack.resources.values()}


def is_new(group: Resource) -> bool:
    return str(group.get("GroupDescription")) == "The functions that use the database"


@each_pattern
def test_functions_sign_in_to_the_existing_cluster_as_its_own_users(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for template in of(pattern).values():
        stack = default_stack(deployed(template, **NETWORK, **cluster(pattern)))
        told = {
            each.name: each.get("Environment", "Variables")
            for each in stack.functions
            if "PGHOST" in (each.get("Environment", "Variables") or {})
        }
        for name, variables in told.items():
            reads, migrates = (name.startswith(each) for each in ("Report", "Migrate"))
            host = CLUSTER["ClusterReaderEndpoint" if reads else "ClusterEndpoint"]
            user = CLUSTER["ClusterMigrationUser" if migrates else "ClusterUser"]
            assert (variables["PGHOST"], variables["PGUSER"]) == (host, user)
            assert (variables["PGDATABASE"], str(variables["PGPORT"])) == ("shop", "5432")
        assert {
            (name, statement.resources)
            for name in told
            if (role := role_of(stack, stack.resources[name]))
            for statement in role_statements(stack, role)
            if "rds-db:connect" in statement.actions
        } == {
            (name, (f"{SIGN_IN}:{CLUSTER['ClusterResourceId']}/{variables['PGUSER']}",))
            for name, variables in told.items()
        }


@each_pattern
def test_the_outputs_name_the_cluster_that_there_is(
    pattern: str, of: Callable[..., Templates]
) -> None:
    """The endpoint of a cluster begins with its name."""
    name = f"{STORES[pattern]}Cluster"
    own = [f"${{{name}}}", f"${{{name}.Endpoint.Address}}", f"${{{name}.Endpoint.Port}}"]
    given = ["${ClusterEndpoint} split at ., part 0", "${ClusterEndpoint}", "${ClusterPort}"]

    for template in of(pattern).values():
        text = default_stack(template).text
        for values, said in (({}, own), (NETWORK | cluster(pattern), given)):
            outputs = deployed(template, **values)["Outputs"]
            found = [outputs[f"{name}{each}"]["Value"] for each in ("Id", "Endpoint", "Port")]
            assert list(map(text, found)) == said


@each_pattern
@pytest.mark.parametrize("missing", [*NETWORK, *CLUSTER])
def test_a_cluster_is_named_with_its_vpc_or_the_deployment_is_refused(
    pattern: str, missing: str, of: Callable[..., Templates]
) -> None:
    """CloudFormation evaluates the rules of a template before it creates anything."""
    for template in of(pattern).values():
        rule = template["Rules"]["ExistingCluster"]
        (asserted,) = rule["Assertions"]
        named = NETWORK | cluster(pattern)
        if missing not in named:
            continue

        def holds(values: dict[str, str], expression: Any) -> bool:
            return Choice({}, values).holds(expression)

        assert holds(named | {missing: "none"}, rule["RuleCondition"])
        assert not holds(named | {missing: "none"}, asserted["Assert"])
        assert holds(named, asserted["Assert"])
        # A VPC may be given without a cluster.
        only_vpc = NETWORK | dict.fromkeys(cluster(pattern), "none")
        assert not holds(only_vpc, rule["RuleCondition"])
        assert missing in asserted["AssertDescription"]


@each_pattern
def test_migrations_wait_until_the_cluster_can_be_reached(
    pattern: str, of: Callable[..., Templates]
) -> None:
    """Facts O16 and O33: what may not exist is no dependency by DependsOn."""
    for template in of(pattern).values():
        for values, needed in (
            ({}, "AWS::RDS::DBInstance"),
            ({**NETWORK, **cluster(pattern)}, "AWS::EC2::SecurityGroupIngress"),
        ):
            stack = default_stack(deployed(template, **values))
            (schema,) = stack.of_type("Custom::Schema")
            assert needed in {stack.resources[name].type for name in stack.comes_after(schema)}
            assert ("Database" in schema.properties) == bool(values)


@pytest.mark.parametrize(
    ("pattern", "given", "accepted"),
    [
        (endpoint("cluster"), CLUSTER["ClusterEndpoint"], True),
        (endpoint("cluster"), "books.cluster-c0ffee.cn-north-1.rds.amazonaws.com.cn", True),
        (endpoint("cluster"), CLUSTER["ClusterReaderEndpoint"], False),
        (endpoint("cluster"), "books.cluster-custom-c0ffee.us-east-1.rds.amazonaws.com", False),
        (endpoint("cluster"), "books.proxy-c0ffee.us-east-1.rds.amazonaws.com", False),
        (endpoint("cluster"), "books.c0ffee.us-east-1.rds.amazonaws.com", False),
        (endpoint("cluster"), "books.example.com", False),
        (endpoint("cluster"), f"{CLUSTER['ClusterEndpoint']}:5432", False),
        (endpoint("cluster-ro"), CLUSTER["ClusterReaderEndpoint"], True),
        (endpoint("cluster-ro"), CLUSTER["ClusterEndpoint"], False),
        (RESOURCE_ID, "cluster-ABC123", True),
        (RESOURCE_ID, "db-ABC123", False),
        (RESOURCE_ID, "prx-ABC123", False),
        (RESOURCE_ID, "books", False),
        (SECURITY_GROUP, "sg-01234567", True),
        (SECURITY_GROUP, "sg-0123456789abcdef0", True),
        (SECURITY_GROUP, "sg-0123456789abcdef", False),
        (DATABASE, "a" * 63, True),
        (DATABASE, "a" * 64, False),
        (DATABASE, "shop-1", True),
        (DATABASE, "1shop", False),
        (USER, "a" * 63, True),
        (USER, "a" * 64, False),
        (USER, "shop-1", False),
        (USER, "Shop", False),
    ],
)
def test_a_cluster_is_named_as_permissions_and_tokens_name_it(
    pattern: str, given: str, *, accepted: bool
) -> None:
    """Facts O32 and O36."""
    assert (re.fullmatch(pattern, given) is not None) == accepted


@each_pattern
def test_an_address_gets_the_alarms_while_a_parameter_names_it(
    pattern: str, of: Callable[..., Templates]
) -> None:
    for template in of(pattern).values():
        assert by_email(default_stack(deployed(template))) == []
        stack = default_stack(deployed(template, AlarmEmail="on-call@example.com"))
        (subscription,) = by_email(stack)
        assert subscription["Endpoint"] == "on-call@example.com"
        topic = stack.found(subscription["TopicArn"])
        assert topic is not None
        assert topic.type == "AWS::SNS::Topic"


def by_email(stack: Stack) -> list[Any]:
    subscriptions = of_type(stack, "AWS::SNS::Subscription")
    return [each for each in subscriptions if each["Protocol"] == "email"]


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        ("none", True),
        ("on-call+orders@example.co.uk", True),
        ("on-call@localhost", False),
        ("on call@example.com", False),
        ("a@b@example.com", False),
        ("on-call", False),
        ("", False),
    ],
)
def test_alarms_go_to_an_address(address: str, *, accepted: bool) -> None:
    assert (re.fullmatch(EMAIL, address) is not None) == accepted


@pytest.mark.parametrize(
    ("arn", "accepted"),
    [
        ("none", True),
        (WEB_ACL_ARN, True),
        (WEB_ACL_ARN.replace("arn:aws:", "arn:aws-cn:"), True),
        (WEB_ACL_ARN.replace("regional", "global"), False),
        (WEB_ACL_ARN.replace("123456789012", "12345678901"), False),
        ("shop", False),
        ("", False),
    ],
)
def test_a_web_acl_is_one_of_a_region(arn: str, *, accepted: bool) -> None:
    assert (re.fullmatch(WEB_ACL, arn) is not None) == accepted


@pytest.mark.parametrize(
    ("origins", "accepted", "in_rest_api"),
    [
        ("none", True, True),
        ("*", True, False),
        ("https://www.example.com", True, True),
        ("https://a.example,http://localhost:3000", True, True),
        ("https://*", True, False),
        ("https://www.example.com/", False, False),
        ("https://www.example.com/page", False, False),
        ("www.example.com", False, False),
        ("https://a.example, https://b.example", False, False),
        ("https://a.example,*", False, False),
        ("", False, False),
    ],
)
def test_origins_are_as_browsers_send_them(
    origins: str, *, accepted: bool, in_rest_api: bool
) -> None:
    assert (re.fullmatch(ORIGINS, origins) is not None) == accepted
    assert (re.fullmatch(NAMED_ORIGINS, origins) is not None) == in_rest_api


@each_pattern
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_every_role_of_a_cdk_stack_has_the_boundary_of_the_context(
    pattern: str, runtime: str, of: Callable[..., Templates], tmp_path: Path
) -> None:
    topology, answer = CHOSEN[pattern]
    further = (("parameters", answer),)
    variant = Variant(pattern, topology, runtime, "cdk", "aurora-postgresql", further)
    project = render_project(tmp_path / "project", **variant.answers)
    settings = json.loads((project / "cdk.json").read_text())
    settings["context"]["permissions_boundary_arn"] = BOUNDARY
    (project / "cdk.json").write_text(json.dumps(settings))

    assert boundaries(load(project)) == {BOUNDARY}
    assert boundaries(of(pattern)[runtime, "cdk"]) == {None}


@pytest.mark.parametrize("slug", catalog.slugs())
def test_no_role_that_sam_makes_is_without_the_boundary(slug: str, tmp_path: Path) -> None:
    """Fact O4: Globals know it for functions only."""
    for variant in further_variants_of(catalog.pattern(slug)):
        if variant.iac == "sam" and "parameters" in dict(variant.further):
            template = load(render_project(tmp_path / str(variant), **variant.answers))
            assert boundaries(template, PermissionsBoundaryArn=BOUNDARY) == {BOUNDARY}, variant
            assert boundaries(template) == {None}, variant


def boundaries(template: Template, **values: Any) -> set[Any]:
    roles = of_type(default_stack(deployed(template, **values)), "AWS::IAM::Role")
    return {each.get("PermissionsBoundary") for each in roles}


def test_the_days_that_logs_may_be_kept_are_those_that_cdk_has_names_for() -> None:
    names = yaml.safe_load((ROOT / "templates/log-retention.yml").read_text())

    assert [*names] == [*RETENTIONS]
    assert RETENTION_DAYS in RETENTIONS
