"""A VPC with IPv6, and its way out: a block of addresses, an egress-only gateway, a rule for it.

AWS: the block that is associated with a VPC is the attribute `Ipv6CidrBlocks` of the VPC, of which
subnets have their parts; an egress-only internet gateway lets out what they send over IPv6.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpccidrblock.html
https://docs.aws.amazon.com/vpc/latest/userguide/egress-only-internet-gateway.html

Emulator: CloudFormation does not know these types and refuses the template. No network is
emulated, so they have names only. The contract holds that there is a way.
"""

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator import inert
from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError, replace

TYPES = {
    "AWS::EC2::VPCCidrBlock",
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::SecurityGroupEgress",
}

BLOCK = "2001:db8::/56"
"""Of a network for documentation: nobody reaches anything there."""

Handler = Callable[..., tuple[str, dict[str, Any]]]


def apply() -> None:
    if known := TYPES & {*provisioners._RESOURCE_HANDLERS}:
        raise EmulatorChangedError(f"the emulator knows {', '.join(sorted(known))}")
    inert.make_inert(TYPES)
    vpc = provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"]
    for action, fingerprint in (("create", "4920746a7825"), ("update", "4e762c188f54")):
        replace(vpc, action, fingerprint, _with_block)


def _with_block(handle: Handler) -> Handler:
    def handled(*arguments: Any, **options: Any) -> tuple[str, dict[str, Any]]:
        name, attributes = handle(*arguments, **options)
        return name, {**attributes, "Ipv6CidrBlocks": [BLOCK]}

    return handled
