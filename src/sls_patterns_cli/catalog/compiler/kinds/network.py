"""The VPC of a datastore: the stack's own, or one that exists."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import CompiledNode, Option, OptionalParameter

VPC = r"none|vpc-([0-9a-f]{8}|[0-9a-f]{17})"
"""The id of a VPC. A parameter of the type `AWS::EC2::VPC::Id` cannot be off (fact O15)."""

SUBNET = r"none|subnet-([0-9a-f]{8}|[0-9a-f]{17})"
"""The id of a subnet."""

SECURITY_GROUP = "sg-([0-9a-f]{8}|[0-9a-f]{17})"
"""The id of a security group."""

ZONES = {"redshift-serverless": "ABC"}
"""The Availability Zones of the subnets of a datastore, where it needs more than two (fact A15)."""


def parameters(node: CompiledNode) -> Iterator[OptionalParameter]:
    """The VPC and the subnets in which a datastore and its functions are, if they exist.

    A cache beside a datastore is in the VPC of that.
    """
    if node["kind"] != "datastore":
        return
    yield OptionalParameter(
        "VpcId",
        "vpc",
        "none",
        "The VPC in which the stack puts its network interfaces, by its id; with none, the stack "
        "creates a VPC",
        pattern=VPC,
    )
    public = node["resource"] == "redshift-serverless"
    what = f"A {'public' if public else 'private'} subnet of that VPC"
    yield from subnets("vpc", ZONES.get(node["resource"], "AB"), what)


def subnets(option: Option, zones: str, what: str) -> Iterator[OptionalParameter]:
    """A subnet for each zone, such as `A`, each in another Availability Zone."""
    for zone in zones:
        yield OptionalParameter(
            f"Subnet{zone}Id",
            option,
            "none",
            what + (", in another Availability Zone" if zone != "A" else ""),
            pattern=SUBNET,
        )
