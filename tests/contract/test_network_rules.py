"""The contract can fail: its rules for functions that call the Internet from inside a VPC."""

from typing import Any

import pytest
from contract.changes import REMOVE, changed
from contract.check import violations
from contract.examples import circuit, get, poison, ref, resource, vpc_with_internet

MANAGED = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"


def network() -> dict[str, Any]:
    """Return the stack of a function that calls a carrier from inside a VPC."""
    template = changed(circuit(), "Track.VpcConfig", {"SubnetIds": [ref("Private")]})
    template = changed(template, "TrackRole.ManagedPolicyArns", [MANAGED])
    template = changed(template, "Track.Environment.Variables.CARRIER_URL", ref("CarrierUrl"))
    address = {"Type": "String", "AllowedPattern": "https?://.*[^/]"}
    return template | {
        "Parameters": {"CarrierUrl": address},
        "Resources": template["Resources"]
        | {
            **vpc_with_internet(),
            "Address": resource("AWS::EC2::EIP", Domain="vpc"),
            "Nat": {
                **resource(
                    "AWS::EC2::NatGateway",
                    AllocationId=get("Address", "AllocationId"),
                    SubnetId=ref("Public"),
                ),
                "DependsOn": ["PublicRoute"],
            },
            **subnet("Private", "NatGatewayId", "Nat"),
            **subnet("Public", "GatewayId", "Internet", after="Attachment"),
        },
    }


def test_nothing_depends_on_what_a_condition_leaves_out() -> None:
    """O16: DependsOn takes no condition; a reference in the metadata does."""
    template = changed(network(), "Track.Environment.Variables.CARRIER_URL", REMOVE)
    template["Parameters"]["NatFor"] = {"Type": "String", "Default": "none"}
    template["Conditions"] = {"HasNat": {"Fn::Not": [{"Fn::Equals": [ref("NatFor"), "none"]}]}}
    resources = template["Resources"]
    resources["Late"] = resource("AWS::SSM::Parameter", Type="String", Value="x")
    for name in ("Nat", "Address", "PrivateRoute"):
        resources[name] = {**resources[name], "Condition": "HasNat"}
    kept = {"Fn::If": ["HasNat", [ref("Nat")], "none"]}

    resources["Late"] = {**resources["Late"], "Metadata": {"ComesAfter": kept}}
    assert says(template) == []
    resources["Late"] = {**resources["Late"], "DependsOn": ["Nat"]}
    assert says(template) == [
        "condition Late: depends on Nat, which a condition leaves out (fact O16)"
    ]


def test_of_an_existing_network_no_template_says_where_it_leads() -> None:
    template = changed(network(), "Track.VpcConfig.SubnetIds.0", "subnet-0123456789abcdef0")

    assert says(template) == []


def subnet(name: str, gateway: str, leads_to: str, after: str = "Vpc") -> dict[str, Any]:
    route = resource(
        "AWS::EC2::Route",
        RouteTableId=ref(f"{name}Table"),
        DestinationCidrBlock="0.0.0.0/0",
        **{gateway: ref(leads_to)},
    )
    return {
        name: resource("AWS::EC2::Subnet", VpcId=ref("Vpc")),
        f"{name}Table": resource("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
        f"{name}Association": resource(
            "AWS::EC2::SubnetRouteTableAssociation",
            SubnetId=ref(name),
            RouteTableId=ref(f"{name}Table"),
        ),
        f"{name}Route": {**route, "DependsOn": [after]},
    }


def says(template: dict[str, Any]) -> list[str]:
    return list(map(str, violations(template)))


NO_WAY = "vpc Track: is told of CARRIER_URL, and no NAT gateway leads from ${Private} there"
CLOSED = "vpc Nat: is in a subnet from which no internet gateway leads to the Internet"


def test_a_network_with_a_nat_gateway_keeps_the_contract() -> None:
    assert says(network()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("PrivateRoute", REMOVE),
        ("PrivateRoute.DestinationCidrBlock", "10.0.0.0/8"),
        ("PrivateAssociation", REMOVE),
        ("Track.VpcConfig.SubnetIds.0", ref("Public")),
    ],
)
def test_a_function_reaches_what_it_is_told_of(path: str, value: object) -> None:
    """T1: in a public subnet as well, since it has no public address."""
    subnet = "Public" if value == ref("Public") else "Private"
    said = NO_WAY.replace("${Private}", f"${{{subnet}}}")

    assert says(changed(network(), path, value)) == [f"{said} (fact T1)"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("PublicRoute.GatewayId", REMOVE),
        ("PublicAssociation", REMOVE),
        ("Nat.SubnetId", ref("Private")),
    ],
)
def test_a_nat_gateway_is_in_a_public_subnet(path: str, value: object) -> None:
    """T2."""
    assert f"{CLOSED} (fact T2)" in says(changed(network(), path, value))


def test_a_nat_gateway_has_an_address() -> None:
    """T2."""
    assert says(changed(network(), "Nat.AllocationId", REMOVE)) == [
        "vpc Nat: has no address of this stack (fact T2)"
    ]


def test_a_nat_gateway_is_made_after_the_internet_gateway_is_attached() -> None:
    """T2."""
    template = network()
    del template["Resources"]["PublicRoute"]["DependsOn"]

    assert says(template) == [
        (
            "vpc Nat: must depend on the attachment of the internet gateway: "
            "else it is made before, or deleted after (fact T2)"
        )
    ]


def dual_stack() -> dict[str, Any]:
    """Return the stack of a function that sends poison to SQS from inside a VPC, over IPv6."""
    inside = {
        "SubnetIds": [ref("Private")],
        "SecurityGroupIds": [get("Group", "GroupId")],
        "Ipv6AllowedForDualStack": True,
    }
    template = changed(poison(), "Store.VpcConfig", inside)
    template = changed(template, "StoreRole.ManagedPolicyArns", [MANAGED])
    template = changed(template, "Store.Environment.Variables.AWS_USE_DUALSTACK_ENDPOINT", "true")
    private = subnet("Private", "EgressOnlyInternetGatewayId", "Out")
    route = private["PrivateRoute"]["Properties"]
    route["DestinationIpv6CidrBlock"] = "::/0"
    del route["DestinationCidrBlock"]
    private["Private"] = {
        **resource("AWS::EC2::Subnet", VpcId=ref("Vpc"), Ipv6CidrBlock="2001:db8::/64"),
        "DependsOn": ["Block"],
    }
    return template | {
        "Resources": template["Resources"]
        | {
            "Vpc": resource("AWS::EC2::VPC"),
            "Block": resource(
                "AWS::EC2::VPCCidrBlock", VpcId=ref("Vpc"), AmazonProvidedIpv6CidrBlock=True
            ),
            "Out": resource("AWS::EC2::EgressOnlyInternetGateway", VpcId=ref("Vpc")),
            "Group": resource("AWS::EC2::SecurityGroup", VpcId=ref("Vpc")),
            "LetsOut": resource(
                "AWS::EC2::SecurityGroupEgress",
                GroupId=get("Group", "GroupId"),
                IpProtocol="tcp",
                FromPort=443,
                ToPort=443,
                CidrIpv6="::/0",
            ),
            **private,
        }
    }


def test_a_function_that_sends_over_ipv6_keeps_the_contract() -> None:
    assert says(dual_stack()) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "Store.Environment.Variables.AWS_USE_DUALSTACK_ENDPOINT",
            REMOVE,
            "Store: is inside the VPC, where nothing answers sqs:SendMessage",
        ),
        (
            "Store.VpcConfig.Ipv6AllowedForDualStack",
            REMOVE,
            "Store: has no address of IPv6 in its VPC (fact T8)",
        ),
        (
            "Private.Ipv6CidrBlock",
            REMOVE,
            "Store: ${Private} has no addresses of IPv6 (fact T8)",
        ),
        (
            "PrivateRoute",
            REMOVE,
            "Store: no egress-only internet gateway leads from ${Private} (fact T8)",
        ),
        (
            "PrivateRoute.DestinationIpv6CidrBlock",
            "2001:db8::/32",
            "Store: no egress-only internet gateway leads from ${Private} (fact T8)",
        ),
        (
            "LetsOut",
            REMOVE,
            "Store: no rule of its security groups lets HTTPS out over IPv6 (fact T9)",
        ),
        (
            "LetsOut.CidrIpv6",
            "2001:db8::/32",
            "Store: no rule of its security groups lets HTTPS out over IPv6 (fact T9)",
        ),
        (
            "LetsOut.ToPort",
            80,
            "Store: no rule of its security groups lets HTTPS out over IPv6 (fact T9)",
        ),
    ],
)
def test_what_a_function_sends_over_ipv6_leaves_the_vpc(
    path: str, value: object, said: str
) -> None:
    """T8, T9."""
    assert says(changed(dual_stack(), path, value)) == [f"vpc {said}"]


def test_a_subnet_gets_addresses_when_its_vpc_has_them() -> None:
    """T8."""
    template = dual_stack()
    del template["Resources"]["Private"]["DependsOn"]

    said = "must depend on the block of its VPC: before, that has no addresses (fact T8)"
    assert says(template) == [f"vpc Private: {said}"]
