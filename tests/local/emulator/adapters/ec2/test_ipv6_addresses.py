"""A VPC with IPv6: its subnets have parts of its block."""

from local.support import Client, DeployStack

STACK = """
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/24}
  Ipv6Cidr:
    Type: AWS::EC2::VPCCidrBlock
    Properties: {VpcId: !Ref Vpc, AmazonProvidedIpv6CidrBlock: true}
  Subnet:
    Type: AWS::EC2::Subnet
    DependsOn: Ipv6Cidr
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: 10.0.0.0/25
      Ipv6CidrBlock: !Select [1, !Cidr [!Select [0, !GetAtt Vpc.Ipv6CidrBlocks], 2, 64]]
  Gateway:
    Type: AWS::EC2::EgressOnlyInternetGateway
    Properties: {VpcId: !Ref Vpc}
  Table:
    Type: AWS::EC2::RouteTable
    Properties: {VpcId: !Ref Vpc}
  Route:
    Type: AWS::EC2::Route
    Properties:
      RouteTableId: !Ref Table
      DestinationIpv6CidrBlock: "::/0"
      EgressOnlyInternetGatewayId: !Ref Gateway
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: functions, VpcId: !Ref Vpc}
  Egress:
    Type: AWS::EC2::SecurityGroupEgress
    Properties: {GroupId: !Ref Group, IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIpv6: "::/0"}
Outputs:
  Block: {Value: !Select [1, !Cidr [!Select [0, !GetAtt Vpc.Ipv6CidrBlocks], 2, 64]]}
  Table: {Value: !Ref Table}
  Gateway: {Value: !Ref Gateway}
"""
ONLY_VPC = f"{STACK[: STACK.index('  Ipv6Cidr:')]}Outputs:\n  Vpc: {{Value: !Ref Vpc}}\n"


def test_a_subnet_has_its_part_and_a_route_out(deploy_stack: DeployStack, client: Client) -> None:
    outputs = deploy_stack(STACK, "ipv6")

    answer = client("ec2").describe_route_tables(RouteTableIds=[outputs["Table"]])

    assert outputs["Block"] == "2001:db8:0:1::/64"
    routes = [each for table in answer["RouteTables"] for each in table["Routes"]]
    assert ("::/0", outputs["Gateway"]) in [
        (each.get("DestinationIpv6CidrBlock"), each.get("EgressOnlyInternetGatewayId"))
        for each in routes
    ]


def test_a_vpc_gets_its_block_later(deploy_stack: DeployStack) -> None:
    deploy_stack(ONLY_VPC, "ipv6-later")

    assert deploy_stack(STACK, "ipv6-later")["Block"]
