"""VPCs, their blocks, and subnets.

Source of Ref and attributes: CloudFormation template reference, AWS::EC2::*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.cloudformation.resources.ec2_calls import (
    deleter,
    first_of,
    retag,
    step,
    tagged,
)
from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work
from lowtide.local.aws.errors import AwsError

# AWS::EC2::VPC


def _create_vpc(work: Work) -> str:
    wanted = work.given("CidrBlock", "InstanceTenancy", "Ipv4IpamPoolId", "Ipv4NetmaskLength")
    return str(work.call("ec2", "CreateVpc", **wanted, **tagged(work, "vpc"))["Vpc"]["VpcId"])


def _vpc_attributes(work: Work, *_old: Any) -> list[Step]:
    return [
        step("ModifyVpcAttribute", VpcId=work.physical_id, **{name: {"Value": value}})
        for name, value in work.given("EnableDnsSupport", "EnableDnsHostnames").items()
    ]


def _read_vpc(work: Work) -> dict[str, Any]:
    vpc = first_of(work, "DescribeVpcs", "Vpcs", VpcIds=[work.physical_id])
    here = [{"Name": "vpc-id", "Values": [work.physical_id]}]
    groups = work.call(
        "ec2",
        "DescribeSecurityGroups",
        Filters=[*here, {"Name": "group-name", "Values": ["default"]}],
    )["SecurityGroups"]
    acls = work.call("ec2", "DescribeNetworkAcls", Filters=here)["NetworkAcls"]
    v6 = vpc.get("Ipv6CidrBlockAssociationSet", [])
    return {
        "VpcId": work.physical_id,
        "CidrBlock": vpc["CidrBlock"],
        "CidrBlockAssociations": [
            one["AssociationId"] for one in vpc.get("CidrBlockAssociationSet", [])
        ],
        "Ipv6CidrBlocks": [one["Ipv6CidrBlock"] for one in v6],
        "DefaultSecurityGroup": groups[0]["GroupId"] if groups else "",
        "DefaultNetworkAcl": acls[0]["NetworkAclId"] if acls else "",
    }


VPC = Kind(
    create=_create_vpc,
    follow=_vpc_attributes,
    update=_vpc_attributes,
    retag=retag,
    read=_read_vpc,
    delete=deleter("DeleteVpc", "VpcId"),
)


# AWS::EC2::VPCCidrBlock


def _create_block(work: Work) -> str:
    answer = work.call("ec2", "AssociateVpcCidrBlock", **dict(work.properties))
    found = answer.get("CidrBlockAssociation") or answer["Ipv6CidrBlockAssociation"]
    return str(found["AssociationId"])


def _read_block(work: Work) -> dict[str, Any]:
    return {"Id": work.physical_id}


def _block_done(work: Work) -> bool:
    vpc = first_of(work, "DescribeVpcs", "Vpcs", VpcIds=[work.properties["VpcId"]])
    for one in vpc.get("CidrBlockAssociationSet", []):
        if one["AssociationId"] == work.physical_id:
            return bool(one["CidrBlockState"]["State"] == "associated")
    for one in vpc.get("Ipv6CidrBlockAssociationSet", []):
        if one["AssociationId"] == work.physical_id:
            return bool(one["Ipv6CidrBlockState"]["State"] == "associated")
    raise AwsError("NotFound", f"The association {work.physical_id} does not exist")


VPC_CIDR_BLOCK = Kind(
    create=_create_block,
    done=_block_done,
    read=_read_block,
    delete=deleter("DisassociateVpcCidrBlock", "AssociationId"),
)


# AWS::EC2::Subnet

_SUBNET_CREATE = ("VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId")
_SUBNET_SET = ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64")


def _create_subnet(work: Work) -> str:
    wanted = work.given(*_SUBNET_CREATE, "Ipv6CidrBlock", "Ipv6Native", "OutpostArn")
    answer = work.call("ec2", "CreateSubnet", **wanted, **tagged(work, "subnet"))
    return str(answer["Subnet"]["SubnetId"])


def _subnet_attributes(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    before = old or {}
    wanted = {name: bool(work.properties.get(name, False)) for name in _SUBNET_SET}
    return [
        step("ModifySubnetAttribute", SubnetId=work.physical_id, **{name: {"Value": value}})
        for name, value in wanted.items()
        if value != bool(before.get(name, False))
    ]


def _read_subnet(work: Work) -> dict[str, Any]:
    subnet = first_of(work, "DescribeSubnets", "Subnets", SubnetIds=[work.physical_id])
    v6 = subnet.get("Ipv6CidrBlockAssociationSet", [])
    return {
        "SubnetId": work.physical_id,
        "VpcId": subnet["VpcId"],
        "AvailabilityZone": subnet["AvailabilityZone"],
        "AvailabilityZoneId": subnet.get("AvailabilityZoneId", ""),
        "CidrBlock": subnet.get("CidrBlock", ""),
        "Ipv6CidrBlocks": [one["Ipv6CidrBlock"] for one in v6],
        "OutpostArn": subnet.get("OutpostArn", ""),
    }


SUBNET = Kind(
    create=_create_subnet,
    follow=_subnet_attributes,
    update=_subnet_attributes,
    retag=retag,
    read=_read_subnet,
    delete=deleter("DeleteSubnet", "SubnetId"),
)

KINDS: Mapping[str, Kind] = {
    "AWS::EC2::Subnet": SUBNET,
    "AWS::EC2::VPC": VPC,
    "AWS::EC2::VPCCidrBlock": VPC_CIDR_BLOCK,
}
