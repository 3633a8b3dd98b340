"""NAT gateways: made where an internet gateway is attached, and nowhere else."""

import pytest
from local.support import Client, DeployStack

STACK = """
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/24}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/25}
  InternetGateway:
    Type: AWS::EC2::InternetGateway
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref InternetGateway}
  Address:
    Type: AWS::EC2::EIP
    DependsOn: Attachment
    Properties: {Domain: vpc}
  Gateway:
    Type: AWS::EC2::NatGateway
    Properties: {AllocationId: !GetAtt Address.AllocationId, SubnetId: !Ref Subnet}
Outputs:
  Gateway: {Value: !Ref Gateway}
  Vpc: {Value: !Ref Vpc}
"""
ATTACHMENT = """
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref InternetGateway}
"""


def test_a_nat_gateway_is_in_its_vpc(deploy_stack: DeployStack, client: Client) -> None:
    outputs = deploy_stack(STACK, "nat")

    answer = client("ec2").describe_nat_gateways(NatGatewayIds=[outputs["Gateway"]])

    ((found,),) = [answer["NatGateways"]]
    assert (found["VpcId"], found["State"]) == (outputs["Vpc"], "available")


def test_without_an_internet_gateway_it_is_refused(deploy_stack: DeployStack) -> None:
    without = STACK.replace(ATTACHMENT, "\n").replace("    DependsOn: Attachment\n", "")

    with pytest.raises(Exception, match="has no Internet gateway attached"):
        deploy_stack(without, "nat-alone")
