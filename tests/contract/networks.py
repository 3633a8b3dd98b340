"""What functions in a VPC reach: what they are told of, and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

from contract.violations import Violation

from sls_patterns_cli.cloudformation.stack import Resource, Stack

NAT, INTERNET = "AWS::EC2::NatGateway", "AWS::EC2::InternetGateway"
GROUP, RULE = "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"
CLUSTER = "AWS::RDS::DBCluster"
SUBNET, TABLE = "AWS::EC2::Subnet", "AWS::EC2::RouteTable"
ADDRESS, ATTACHMENT = "AWS::EC2::EIP", "AWS::EC2::VPCGatewayAttachment"
EGRESS_ONLY, EGRESS = "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::SecurityGroupEgress"
VPC_BLOCK = "AWS::EC2::VPCCidrBlock"
ANYWHERE, ANYWHERE_IPV6 = "0.0.0.0/0", "::/0"
HTTPS = 443
# Has SDKs call endpoints that have addresses of both kinds.
DUAL_STACK = "AWS_USE_DUALSTACK_ENDPOINT"
# The properties of a route that say where it leads.
GATEWAYS = ("NatGatewayId", "GatewayId", "EgressOnlyInternetGatewayId")


def network_violations(stack: Stack) -> Iterator[Violation]:
    """Say which functions cannot reach what they are told of, and which gateways do not work."""
    for function in stack.functions:
        subnets = function.get("VpcConfig", "SubnetIds") or []
        if exist_already(stack, subnets):
            continue
        for variable in _addresses(stack, function) if subnets else ():
            for subnet in subnets:
                yield from _way_out(stack, function, variable, subnet)
        if subnets and sends_over_ipv6(function):
            yield from _ipv6(stack, function, subnets)
    for gateway in stack.of_type(NAT):
        yield from _nat_gateway(stack, gateway)
    for cluster in stack.of_type(CLUSTER):
        yield from _strangers(stack, cluster)


def exist_already(stack: Stack, subnets: list[Any]) -> bool:
    """Tell whether the subnets are of an existing VPC: no template says what they lead to."""
    return bool(subnets) and all(_is_given(stack, each) for each in subnets)


def _is_given(stack: Stack, subnet: Any) -> bool:
    """Tell whether it is one by its id, or by a parameter that takes such an id."""
    if isinstance(subnet, dict):
        declared = stack.parameters.get(str(subnet.get("Ref"))) or {}
        return "subnet-" in str(declared.get("AllowedPattern"))
    return re.fullmatch(r"subnet-[0-9a-f]{8,17}", str(subnet)) is not None


def _strangers(stack: Stack, cluster: Resource) -> Iterator[Violation]:
    inside = admitted(stack, cluster.get("VpcSecurityGroupIds"))
    for function in stack.functions:
        told = stack.named(function.get("Environment", "Variables", "PGHOST"), CLUSTER)
        if told != cluster and groups_of(stack, function) & inside:
            yield Violation(
                "vpc", function.name, f"reaches {cluster.name}, which it is not told of"
            )


def groups_of(stack: Stack, function: Resource) -> set[str]:
    """Return the security groups of a function."""
    return _groups(stack, function.get("VpcConfig", "SecurityGroupIds"))


def admitted(stack: Stack, named: list[object] | None) -> set[str]:
    """Return the security groups whose members these groups let in."""
    groups = map(stack.resources.__getitem__, _groups(stack, named))
    given = [rule for group in groups for rule in rules(stack, group)]
    return _groups(stack, [rule.get("SourceSecurityGroupId") for rule in given])


def _groups(stack: Stack, named: list[object] | None) -> set[str]:
    found = [stack.named(each, GROUP) for each in named or []]
    return {group.name for group in found if group}


def rules(stack: Stack, group: Resource) -> Iterator[dict[str, object]]:
    """Return what a security group lets in, by its own rules and by those that name it."""
    yield from group.get("SecurityGroupIngress") or []
    for rule in stack.of_type(RULE):
        if stack.named(rule.get("GroupId"), GROUP) == group:
            yield dict(rule.properties)


def _way_out(stack: Stack, function: Resource, variable: str, subnet: Any) -> Iterator[Violation]:
    """A function has no public address, so that an internet gateway does not do (fact T1).

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
    """
    leads_to = default_route(stack, subnet)
    if leads_to is None or leads_to.type != NAT:
        says = f"is told of {variable}, and no NAT gateway leads from {stack.text(subnet)} there"
        yield Violation("vpc", function.name, f"{says} (fact T1)")


def sends_over_ipv6(function: Resource) -> bool:
    """Tell whether a function calls services of AWS over IPv6: what it says of that is held to."""
    return str(function.get("Environment", "Variables", DUAL_STACK)).lower() == "true"


def _ipv6(stack: Stack, function: Resource, subnets: list[Any]) -> Iterator[Violation]:
    """What leaves a VPC over IPv6 needs an address, a rule that lets it out, and a route.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-ipv6
    https://docs.aws.amazon.com/vpc/latest/userguide/egress-only-internet-gateway.html
    """
    if function.get("VpcConfig", "Ipv6AllowedForDualStack") is not True:
        yield Violation("vpc", function.name, "has no address of IPv6 in its VPC (fact T8)")
    if not any(_lets_https_out(stack, name) for name in groups_of(stack, function)):
        says = "no rule of its security groups lets HTTPS out over IPv6 (fact T9)"
        yield Violation("vpc", function.name, says)
    for each in subnets:
        subnet = stack.named(each, SUBNET)
        if subnet is None or subnet.get("Ipv6CidrBlock") is None:
            says = f"{stack.text(each)} has no addresses of IPv6 (fact T8)"
            yield Violation("vpc", function.name, says)
        elif not any(stack.resources[name].type == VPC_BLOCK for name in stack.comes_after(subnet)):
            says = "must depend on the block of its VPC: before, that has no addresses (fact T8)"
            yield Violation("vpc", subnet.name, says)
        leads_to = default_route(stack, each, "DestinationIpv6CidrBlock", ANYWHERE_IPV6)
        if leads_to is None or leads_to.type != EGRESS_ONLY:
            says = f"no egress-only internet gateway leads from {stack.text(each)} (fact T8)"
            yield Violation("vpc", function.name, says)


def _lets_https_out(stack: Stack, group: str) -> bool:
    given = [dict(rule) for rule in stack.resources[group].get("SecurityGroupEgress") or []]
    for rule in stack.of_type(EGRESS):
        named = stack.named(rule.get("GroupId"), GROUP)
        if named is not None and named.name == group:
            given.append(dict(rule.properties))
    return any(
        rule.get("CidrIpv6") == ANYWHERE_IPV6
        and (
            str(rule.get("IpProtocol")) == "-1"
            or (rule.get("FromPort"), rule.get("ToPort")) == (HTTPS, HTTPS)
        )
        for rule in given
    )


def _nat_gateway(stack: Stack, gateway: Resource) -> Iterator[Violation]:
    """It has a public address, in a subnet that leads to the Internet; then it is made (fact T2).

    Deleted after its internet gateway is detached, it would stop the deletion of the stack.
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
    """
    public = default_route(stack, gateway.get("SubnetId"))
    if public is None or public.type != INTERNET:
        says = "is in a subnet from which no internet gateway leads to the Internet"
        yield Violation("vpc", gateway.name, f"{says} (fact T2)")
    if stack.named(gateway.get("AllocationId"), ADDRESS) is None:
        yield Violation("vpc", gateway.name, "has no address of this stack (fact T2)")
    made_before = {stack.resources[name].type for name in stack.comes_after(gateway)}
    if ATTACHMENT not in made_before:
        says = "must depend on the attachment of the internet gateway: else it is made before, or"
        yield Violation("vpc", gateway.name, f"{says} deleted after (fact T2)")


def default_route(
    stack: Stack, subnet: Any, property_: str = "DestinationCidrBlock", anywhere: str = ANYWHERE
) -> Resource | None:
    """Return the gateway to which what leaves the subnet goes."""
    tables = {
        stack.text(each.get("RouteTableId"))
        for each in stack.of_type("AWS::EC2::SubnetRouteTableAssociation")
        if stack.text(each.get("SubnetId")) == stack.text(subnet)
    }
    for route in stack.of_type("AWS::EC2::Route"):
        if stack.text(route.get("RouteTableId")) in tables and route.get(property_) == anywhere:
            gateways = map(route.get, GATEWAYS)
            found = [stack.named(gateway, NAT, INTERNET, EGRESS_ONLY) for gateway in gateways]
            return next(filter(None, found), None)
    return None


def _addresses(stack: Stack, function: Resource) -> Iterator[str]:
    """Return the variables that hold the address of an HTTP system outside the stack."""
    for name, value in (function.get("Environment", "Variables") or {}).items():
        referred = str(value.get("Ref")) if isinstance(value, dict) else ""
        parameter = stack.parameters.get(referred)
        if str((parameter or {}).get("AllowedPattern")).startswith("http"):
            yield name
