"""A NAT gateway and its address, which a VPC with a way to the Internet has.

AWS: a public NAT gateway needs an Elastic IP address, and a VPC that has an internet gateway
attached; else its creation fails.
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html

Emulator: it has both, but CloudFormation does not know the two types and refuses the template. No
network is emulated: functions reach whatever this machine reaches, with a NAT gateway and without.
The contract holds that there is a way.
"""

import uuid
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError

ADDRESS, GATEWAY = "AWS::EC2::EIP", "AWS::EC2::NatGateway"


def apply() -> None:
    for kind, create, state in (
        (ADDRESS, _create_address, ec2._addresses),
        (GATEWAY, _create_gateway, ec2._nat_gateways),
    ):
        if kind in provisioners._RESOURCE_HANDLERS:
            raise EmulatorChangedError(f"the emulator knows {kind}")
        provisioners._RESOURCE_HANDLERS[kind] = {
            "create": create,
            "update": _unchanged(kind),
            "delete": _delete_from(state),
        }


def _create_address(_logical_id: str, properties: dict[str, Any], _stack: str) -> Any:
    allocation = f"eipalloc-{uuid.uuid4().hex[:17]}"
    address = "192.0.2.1"  # of a network for documentation: nobody reaches anything there
    ec2._addresses[allocation] = {
        "AllocationId": allocation,
        "PublicIp": address,
        "Domain": properties.get("Domain", "vpc"),
    }
    return allocation, {"AllocationId": allocation, "PublicIp": address}


def _create_gateway(_logical_id: str, properties: dict[str, Any], _stack: str) -> Any:
    subnet = ec2._subnets[properties["SubnetId"]]
    if properties.get("AllocationId") not in ec2._addresses:
        raise ValueError("Elastic IP address could not be associated with this NAT gateway")
    attached = {
        attachment["VpcId"]
        for gateway in ec2._internet_gateways.values()
        for attachment in gateway["Attachments"]
    }
    if subnet["VpcId"] not in attached:
        raise ValueError(f"Network {subnet['VpcId']} has no Internet gateway attached")
    name = f"nat-{uuid.uuid4().hex[:17]}"
    ec2._nat_gateways[name] = {
        "NatGatewayId": name,
        "SubnetId": properties["SubnetId"],
        "VpcId": subnet["VpcId"],
        "AllocationId": properties["AllocationId"],
        "ConnectivityType": "public",
        "State": "available",
        "CreateTime": ec2._now_ts(),
        "Tags": [],
    }
    return name, {"NatGatewayId": name}


def _unchanged(kind: str) -> Any:
    def update(name: str, old: dict[str, Any], new: dict[str, Any], _stack: str) -> Any:
        if old != new:
            raise ValueError(f"the local stack does not change an {kind}")
        return name, {"AllocationId" if kind == ADDRESS else "NatGatewayId": name}

    return update


def _delete_from(state: Any) -> Any:
    def delete(name: str, _properties: dict[str, Any]) -> None:
        if name in state:
            del state[name]

    return delete
