"""What must hold of a warehouse, Redshift Serverless, and of the Firehose that loads it."""

import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any

from contract.alarms import LOAD, watched
from contract.edges import delivery_destination, error_prefix
from contract.networks import ATTACHMENT, INTERNET, SUBNET, default_route, exist_already
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.model import BUCKET, DELIVERY
from sls_patterns_cli.wiring.policies import may, trusts

WAREHOUSE = "AWS::RedshiftServerless::Workgroup"
NAMESPACE = "AWS::RedshiftServerless::Namespace"
SECRET, ROLE, GROUP = "AWS::SecretsManager::Secret", "AWS::IAM::Role", "AWS::EC2::SecurityGroup"
DESTINATION = "RedshiftDestinationConfiguration"

# https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
ZONES, FREE_ADDRESSES, KEPT_BY_AWS = 3, 37, 5
DEFAULT_PORT = 5439
MOST_UNITS, LEAST_SECONDS = 32, 600
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_RedshiftRetryOptions.html
LONGEST_RETRY = 7200
# https://docs.aws.amazon.com/firehose/latest/dev/retry.html#dd-retry-redshift
MANIFESTS = "errors/"
DATABASE = re.compile(
    r"jdbc:redshift://\$\{(?P<workgroup>\w+)\.Workgroup\.Endpoint\.Address\}"
    r":(?P<port>\d+)/(?P<database>\w+)"
)
# COPY reads none of these.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_RedshiftDestinationConfiguration.html
NOT_COPIED = ("SNAPPY", "Snappy", "ZIP", "HADOOP_SNAPPY")
LOADING_BY = ("redshift.amazonaws.com", "redshift-serverless.amazonaws.com")


def warehouse_violations(stack: Stack) -> Iterator[Violation]:
    """Say where the stack falls short of what its warehouses and their loads need."""
    for warehouse in stack.of_type(WAREHOUSE):
        yield from _network(stack, warehouse)
        yield from _admitted(stack, warehouse)
        yield from _requires_tls(warehouse)
        yield from _bill(stack, warehouse)
    for namespace in stack.of_type(NAMESPACE):
        yield from _namespace(stack, namespace)
    for delivery in stack.of_type(DELIVERY):
        if delivery.get(DESTINATION):
            yield from _database(stack, delivery)
            yield from _loader(stack, delivery)
            yield from _copy(delivery)
            yield from _seldom(stack, delivery)
            yield from _failures(delivery)
            yield from watched(stack, delivery, LOAD)


def _network(stack: Stack, warehouse: Resource) -> Iterator[Violation]:
    """Three public subnets in three zones, which lead to the Internet before it is made (A15, U5).

    https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
    """
    public = warehouse.get("PubliclyAccessible")
    if public not in (True, "true"):
        must = "true: Firehose has no other way (fact A15)"
        yield is_but("warehouse", warehouse.name, "PubliclyAccessible", public, must)
    if exist_already(stack, warehouse.get("SubnetIds") or []):
        return
    named = [stack.named(each, SUBNET) for each in warehouse.get("SubnetIds") or []]
    subnets = [subnet for subnet in named if subnet]
    found = [subnet.get("AvailabilityZone") for subnet in subnets]
    zones = {json.dumps(zone) for zone in found if zone}
    if len(zones) < ZONES:
        says = f"its subnets are in {len(zones)} zones, but must be in {ZONES} (fact A15)"
        yield Violation("warehouse", warehouse.name, says)
    before = {stack.resources[name].type for name in stack.comes_after(warehouse)}
    if "AWS::EC2::Route" not in before or ATTACHMENT not in before:
        says = "must depend on the route to the Internet: without one it cannot be public (fact U5)"
        yield Violation("warehouse", warehouse.name, says)
    for subnet in subnets:
        block = ipaddress.ip_network(str(subnet.get("CidrBlock") or "0.0.0.0/32"))
        if block.num_addresses - KEPT_BY_AWS < FREE_ADDRESSES:
            must = f"large enough for {FREE_ADDRESSES} free addresses (fact A15)"
            yield is_but("warehouse", subnet.name, "CidrBlock", str(block), must)
        gateway = default_route(stack, {"Ref": subnet.name})
        if gateway is None or gateway.type != INTERNET:
            says = "no internet gateway leads from it to the Internet (fact U5)"
            yield Violation("warehouse", subnet.name, says)


def _admitted(stack: Stack, warehouse: Resource) -> Iterator[Violation]:
    """Nobody but Firehose, by the block of addresses that it has in the region (fact A15).

    https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-rs-vpc
    """
    port = stack.number(warehouse.get("Port"), DEFAULT_PORT)
    groups = [stack.named(each, GROUP) for each in warehouse.get("SecurityGroupIds") or []]
    admitted: list[Any] = []
    for group in filter(None, groups):
        admitted += group.get("SecurityGroupIngress") or []
        admitted += [
            rule.properties
            for rule in stack.of_type("AWS::EC2::SecurityGroupIngress")
            if stack.named(rule.get("GroupId"), GROUP) == group
        ]
    if not admitted or not all(_is_of_firehose(rule, port) for rule in admitted):
        says = f"must admit Firehose's block of the region to port {port}, and nobody else"
        yield Violation("warehouse", warehouse.name, f"{says} (fact A15)")


def _is_of_firehose(rule: dict[str, Any], port: int | None) -> bool:
    """Tell whether a rule admits what a mapping has for the region; a deployment fails without."""
    block = rule.get("CidrIp")
    found = block.get("Fn::FindInMap") if isinstance(block, dict) else None
    return (
        isinstance(found, list)
        and found[:2] == ["FirehoseAddresses", {"Ref": "AWS::Region"}]
        and (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort"))
        == ("tcp", port, port)
    )


def _requires_tls(warehouse: Resource) -> Iterator[Violation]:
    """It cannot be created with require_ssl false, and anybody on the way could read else (U3).

    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2454
    """
    given = {
        each.get("ParameterKey"): each.get("ParameterValue")
        for each in warehouse.get("ConfigParameters") or []
    }
    if given.get("require_ssl") != "true":
        value = given.get("require_ssl")
        yield is_but("warehouse", warehouse.name, "require_ssl", value, "true (fact U3)")


def _bill(stack: Stack, warehouse: Resource) -> Iterator[Violation]:
    """Without a number it has 128 RPU, which cost $48 an hour, and as many more as it likes (U6).

    https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-billing.html
    """
    for name in ("BaseCapacity", "MaxCapacity"):
        given = stack.number(warehouse.get(name))
        if given is None or given > MOST_UNITS:
            yield is_but(
                "warehouse", warehouse.name, name, given, f"{MOST_UNITS} at most (fact U6)"
            )


def _seldom(stack: Stack, delivery: Resource) -> Iterator[Violation]:
    """Each load is billed for a minute at least (fact U6)."""
    seconds = stack.number(
        delivery.get(DESTINATION, "S3Configuration", "BufferingHints", "IntervalInSeconds")
    )
    if seconds is None or seconds < LEAST_SECONDS:
        name, must = "IntervalInSeconds", f"at least {LEAST_SECONDS} (fact U6)"
        yield is_but("warehouse", delivery.name, name, seconds, must)


def _namespace(stack: Stack, namespace: Resource) -> Iterator[Violation]:
    """What holds the data is never replaced, and nobody knows its password (facts U1, U2, U9)."""
    managed = namespace.get("ManageAdminPassword")
    if managed not in (True, "true") or namespace.get("AdminUserPassword"):
        must = "true, without AdminUserPassword (fact U1)"
        yield is_but("warehouse", namespace.name, "ManageAdminPassword", managed, must)
    if namespace.deletion_policy != "Retain":
        must = "Retain: a changed tag replaces it (fact U2)"
        yield is_but("warehouse", namespace.name, "DeletionPolicy", namespace.deletion_policy, must)
    default = stack.by_arn(namespace.get("DefaultIamRoleArn"), ROLE)
    roles = [stack.by_arn(each, ROLE) for each in namespace.get("IamRoles") or []]
    buckets = [
        stack.by_arn(delivery_destination(each).get("BucketARN"), BUCKET)
        for each in stack.of_type(DELIVERY)
        if each.get(DESTINATION)
    ]
    if default is None or default not in roles:
        says = "DefaultIamRoleArn must be one of its IamRoles: a batch is loaded again by it"
        yield Violation("warehouse", namespace.name, f"{says} (fact U9)")
        return
    for service in LOADING_BY:
        if not trusts(stack, default, service):
            yield Violation("warehouse", default.name, f"must trust {service} (fact U9)")
    for bucket in filter(None, buckets):
        reading: list[tuple[str, Resource | str]] = [
            ("s3:GetObject", f"${{{bucket.name}.Arn}}/*"),
            ("s3:GetBucketLocation", bucket),
            ("s3:ListBucket", bucket),
        ]
        for action, on in reading:
            if not may(stack, default, action, on):
                says = f"must be allowed {action} on {bucket.name} (fact U9)"
                yield Violation("warehouse", default.name, says)


def _database(stack: Stack, delivery: Resource) -> Iterator[Violation]:
    """It loads a database that is there, at the port on which it is admitted (fact A15).

    https://docs.aws.amazon.com/firehose/latest/APIReference/API_RedshiftDestinationConfiguration.html
    """
    url = stack.text(delivery.get(DESTINATION, "ClusterJDBCURL"))
    match = DATABASE.fullmatch(url)
    warehouse = stack.named(f"${{{match['workgroup']}}}", WAREHOUSE) if match else None
    namespace = stack.named(warehouse.get("NamespaceName"), NAMESPACE) if warehouse else None
    if match is None or warehouse is None or namespace is None:
        says = "ClusterJDBCURL must be that of a workgroup of this stack, which has a namespace"
        yield Violation("warehouse", delivery.name, f"{says} (fact A15)")
        return
    expected = (str(warehouse.get("Port") or DEFAULT_PORT), namespace.get("DbName"))
    if (match["port"], match["database"]) != expected:
        must = ":{}/{}, those of {}".format(*expected, warehouse.name)
        yield is_but("warehouse", delivery.name, "ClusterJDBCURL", url, f"{must} (fact A15)")


def _loader(stack: Stack, delivery: Resource) -> Iterator[Violation]:
    """Firehose reads the user from a secret of a form of its own (fact Q8).

    https://docs.aws.amazon.com/firehose/latest/dev/secrets-manager-whats-secret.html
    """
    reading = delivery.get(DESTINATION, "SecretsManagerConfiguration") or {}
    secret = stack.named(reading.get("SecretARN"), SECRET)
    in_template = [
        name for name in ("Username", "Password") if delivery.get(DESTINATION, name) is not None
    ]
    if reading.get("Enabled") not in (True, "true") or secret is None or in_template:
        says = "must read its user from a secret of this stack, without Username and Password"
        yield Violation("warehouse", delivery.name, f"{says} (fact Q8)")
        return
    generated = secret.get("GenerateSecretString") or {}
    try:
        given = json.loads(generated.get("SecretStringTemplate", "{}"))
    except ValueError:
        given = {}
    if set(given) != {"username"} or generated.get("GenerateStringKey") != "password":
        says = 'must be {"username": …, "password": …} (fact Q8)'
        yield Violation("warehouse", secret.name, says)
    role = stack.by_arn(delivery.get(DESTINATION, "RoleARN"), ROLE)
    if not may(stack, role, "secretsmanager:GetSecretValue", secret):
        says = f"its role must be allowed secretsmanager:GetSecretValue on {secret.name} (fact Q8)"
        yield Violation("warehouse", delivery.name, says)


def _copy(delivery: Resource) -> Iterator[Violation]:
    """COPY is told how the objects are compressed, and reads not every form (fact U4)."""
    compression = delivery_destination(delivery).get("CompressionFormat", "UNCOMPRESSED")
    if compression in NOT_COPIED:
        must = "a format that COPY reads (fact U4)"
        yield is_but("warehouse", delivery.name, "CompressionFormat", compression, must)
    options = str(delivery.get(DESTINATION, "CopyCommand", "CopyOptions") or "").upper().split()
    if ("GZIP" in options) != (compression == "GZIP"):
        says = f"CopyOptions must say GZIP where objects are GZIP: they are {compression} (fact U4)"
        yield Violation("warehouse", delivery.name, says)


def _failures(delivery: Resource) -> Iterator[Violation]:
    """Of a batch that is given up there is a manifest below errors/ (fact U7).

    https://docs.aws.amazon.com/firehose/latest/dev/retry.html#dd-retry-redshift
    """
    destination = delivery_destination(delivery)
    if destination.get("Prefix"):
        must = "left out: manifests would be below it (fact U7)"
        yield is_but("warehouse", delivery.name, "Prefix", destination["Prefix"], must)
    if error_prefix(destination) != MANIFESTS:
        must = f"below {MANIFESTS}, where manifests are (fact U7)"
        name = "ErrorOutputPrefix"
        yield is_but("warehouse", delivery.name, name, destination.get(name), must)
    retry = delivery.get(DESTINATION, "RetryOptions", "DurationInSeconds")
    if str(retry) != str(LONGEST_RETRY):
        must = f"{LONGEST_RETRY}, the most (fact U7)"
        yield is_but("warehouse", delivery.name, "DurationInSeconds", retry, must)
