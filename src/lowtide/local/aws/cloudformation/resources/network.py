"""VPC, subnets and the ways out of them.

Source of Ref and attributes: CloudFormation template reference, AWS::EC2::*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work, tag_list
from lowtide.local.aws.errors import AwsError


def tagged(work: Work, resource_type: str) -> dict[str, Any]:
    """Return the TagSpecifications of an EC2 call."""
    if not work.tags:
        return {}
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": tag_list(work.tags)}]}


def retag(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    """Return the calls that change the tags of an EC2 resource whose Ref is its id."""
    return retag_id(work.physical_id, added, removed)


def retag_id(resource_id: str, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    """Return the calls that change the tags of any EC2 resource."""
    steps = []
    if added:
        steps.append(_step("CreateTags", Resources=[resource_id], Tags=tag_list(added)))
    if removed:
        keys = [{"Key": key} for key in removed]
        steps.append(_step("DeleteTags", Resources=[resource_id], Tags=keys))
    return steps


def _step(operation: str, **params: Any) -> Step:
    return Step(service="ec2", operation=operation, params=params)


def _first(work: Work, operation: str, answer: str, **params: Any) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = work.call("ec2", operation, **params)[answer]
    if not found:
        raise AwsError("NotFound", f"{work.physical_id} does not exist")
    return found[0]


def _deleter(operation: str, parameter: str) -> Any:
    def delete(work: Work) -> None:
        work.call("ec2", operation, **{parameter: work.physical_id})

    return delete


def _id_only(attribute: str) -> Any:
    return lambda work: {attribute: work.physical_id}


# AWS::EC2::VPC


def _create_vpc(work: Work) -> str:
    wanted = work.given("CidrBlock", "InstanceTenancy", "Ipv4IpamPoolId", "Ipv4NetmaskLength")
    return str(work.call("ec2", "CreateVpc", **wanted, **tagged(work, "vpc"))["Vpc"]["VpcId"])


def _vpc_attributes(work: Work, *_old: Any) -> list[Step]:
    return [
        _step("ModifyVpcAttribute", VpcId=work.physical_id, **{name: {"Value": value}})
        for name, value in work.given("EnableDnsSupport", "EnableDnsHostnames").items()
    ]


def _read_vpc(work: Work) -> dict[str, Any]:
    vpc = _first(work, "DescribeVpcs", "Vpcs", VpcIds=[work.physical_id])
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
    delete=_deleter("DeleteVpc", "VpcId"),
)


# AWS::EC2::VPCCidrBlock


def _create_block(work: Work) -> str:
    answer = work.call("ec2", "AssociateVpcCidrBlock", **dict(work.properties))
    found = answer.get("CidrBlockAssociation") or answer["Ipv6CidrBlockAssociation"]
    return str(found["AssociationId"])


def _read_block(work: Work) -> dict[str, Any]:
    return {"Id": work.physical_id}


def _block_done(work: Work) -> bool:
    vpc = _first(work, "DescribeVpcs", "Vpcs", VpcIds=[work.properties["VpcId"]])
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
    delete=_deleter("DisassociateVpcCidrBlock", "AssociationId"),
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
        _step("ModifySubnetAttribute", SubnetId=work.physical_id, **{name: {"Value": value}})
        for name, value in wanted.items()
        if value != bool(before.get(name, False))
    ]


def _read_subnet(work: Work) -> dict[str, Any]:
    subnet = _first(work, "DescribeSubnets", "Subnets", SubnetIds=[work.physical_id])
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
    delete=_deleter("DeleteSubnet", "SubnetId"),
)


# AWS::EC2::InternetGateway and its attachment


def _create_gateway(work: Work) -> str:
    answer = work.call("ec2", "CreateInternetGateway", **tagged(work, "internet-gateway"))
    return str(answer["InternetGateway"]["InternetGatewayId"])


INTERNET_GATEWAY = Kind(
    create=_create_gateway,
    retag=retag,
    read=_id_only("InternetGatewayId"),
    delete=_deleter("DeleteInternetGateway", "InternetGatewayId"),
)


def _attach(work: Work) -> str:
    work.call("ec2", "AttachInternetGateway", **work.given("InternetGatewayId", "VpcId"))
    return f"IGW|{work.properties['VpcId']}"


def _detach(work: Work) -> None:
    work.call("ec2", "DetachInternetGateway", **work.given("InternetGatewayId", "VpcId"))


def _reattach(work: Work, old: Mapping[str, Any]) -> list[Step]:
    vpc = work.properties["VpcId"]
    return [
        _step("DetachInternetGateway", InternetGatewayId=old["InternetGatewayId"], VpcId=vpc),
        _step("AttachInternetGateway", **work.given("InternetGatewayId", "VpcId")),
    ]


GATEWAY_ATTACHMENT = Kind(
    create=_attach, update=_reattach, delete=_detach, read=lambda _work: {"AttachmentType": "IGW"}
)


# AWS::EC2::EIP and AWS::EC2::NatGateway


def _create_address(work: Work) -> str:
    wanted = work.given("Domain", "PublicIpv4Pool", "NetworkBorderGroup", "Address")
    answer = work.call("ec2", "AllocateAddress", **wanted, **tagged(work, "elastic-ip"))
    return str(answer["PublicIp"])


def _read_address(work: Work) -> dict[str, Any]:
    found = _first(work, "DescribeAddresses", "Addresses", PublicIps=[work.physical_id])
    return {"AllocationId": found["AllocationId"], "PublicIp": work.physical_id}


def _release(work: Work) -> None:
    work.call("ec2", "ReleaseAddress", AllocationId=_read_address(work)["AllocationId"])


def _retag_address(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return retag_id(_read_address(work)["AllocationId"], added, removed)


ADDRESS = Kind(create=_create_address, retag=_retag_address, read=_read_address, delete=_release)


def _create_nat(work: Work) -> str:
    wanted = work.given("SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress")
    answer = work.call("ec2", "CreateNatGateway", **wanted, **tagged(work, "natgateway"))
    return str(answer["NatGateway"]["NatGatewayId"])


def _nat(work: Work) -> Mapping[str, Any]:
    return _first(work, "DescribeNatGateways", "NatGateways", NatGatewayIds=[work.physical_id])


def _nat_gone(work: Work) -> bool:
    return bool(_nat(work)["State"] == "deleted")


def _nat_done(work: Work) -> bool:
    nat = _nat(work)
    if nat["State"] == "failed":
        raise AwsError("NotStabilized", str(nat.get("FailureMessage", "NAT gateway failed")))
    return bool(nat["State"] == "available")


NAT_GATEWAY = Kind(
    create=_create_nat,
    retag=retag,
    done=_nat_done,
    gone=_nat_gone,
    read=_id_only("NatGatewayId"),
    delete=_deleter("DeleteNatGateway", "NatGatewayId"),
    delay="nat_gateway_s",
)


# AWS::EC2::RouteTable, AWS::EC2::Route, AWS::EC2::SubnetRouteTableAssociation

_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_TARGETS = (
    *("GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId", "TransitGatewayId"),
    *("InstanceId", "NetworkInterfaceId", "VpcEndpointId", "VpcPeeringConnectionId"),
)


def _create_table(work: Work) -> str:
    answer = work.call(
        "ec2", "CreateRouteTable", **work.given("VpcId"), **tagged(work, "route-table")
    )
    return str(answer["RouteTable"]["RouteTableId"])


ROUTE_TABLE = Kind(
    create=_create_table,
    retag=retag,
    read=_id_only("RouteTableId"),
    delete=_deleter("DeleteRouteTable", "RouteTableId"),
)


def _create_route(work: Work) -> str:
    wanted = work.given("RouteTableId", *_DESTINATIONS, *_TARGETS)
    work.call("ec2", "CreateRoute", **wanted)
    return f"{work.properties['RouteTableId']}|{_destination(work)}"


def _destination(work: Work) -> str:
    return str(next(iter(work.given(*_DESTINATIONS).values())))


def _replace_route(work: Work, _old: Mapping[str, Any]) -> list[Step]:
    return [_step("ReplaceRoute", **work.given("RouteTableId", *_DESTINATIONS, *_TARGETS))]


def _delete_route(work: Work) -> None:
    work.call("ec2", "DeleteRoute", **work.given("RouteTableId", *_DESTINATIONS))


ROUTE = Kind(
    create=_create_route,
    update=_replace_route,
    delete=_delete_route,
    read=lambda work: {"CidrBlock": _destination(work)},
)


def _associate(work: Work) -> str:
    answer = work.call("ec2", "AssociateRouteTable", **work.given("RouteTableId", "SubnetId"))
    return str(answer["AssociationId"])


ROUTE_TABLE_ASSOCIATION = Kind(
    create=_associate,
    read=_id_only("Id"),
    delete=_deleter("DisassociateRouteTable", "AssociationId"),
)


# AWS::EC2::VPCEndpoint

_ENDPOINT_SET = ("PolicyDocument", "PrivateDnsEnabled")


def _create_endpoint(work: Work) -> str:
    wanted = {"VpcEndpointType": "Gateway"} | work.given(
        *("VpcEndpointType", "VpcId", "ServiceName", "RouteTableIds", "SubnetIds"),
        *("SecurityGroupIds", *_ENDPOINT_SET),
    )
    answer = work.call("ec2", "CreateVpcEndpoint", **wanted, **tagged(work, "vpc-endpoint"))
    return str(answer["VpcEndpoint"]["VpcEndpointId"])


def _update_endpoint(work: Work, old: Mapping[str, Any]) -> list[Step]:
    params: dict[str, Any] = {"VpcEndpointId": work.physical_id, **work.given(*_ENDPOINT_SET)}
    for name in ("RouteTableIds", "SubnetIds", "SecurityGroupIds"):
        before, after = old.get(name, []), work.properties.get(name, [])
        params[f"Add{name}"] = [one for one in after if one not in before]
        params[f"Remove{name}"] = [one for one in before if one not in after]
    return [_step("ModifyVpcEndpoint", **{key: one for key, one in params.items() if one != []})]


def _delete_endpoint(work: Work) -> None:
    work.call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[work.physical_id])


VPC_ENDPOINT = Kind(
    create=_create_endpoint,
    update=_update_endpoint,
    retag=retag,
    read=_id_only("Id"),
    delete=_delete_endpoint,
)

KINDS: Mapping[str, Kind] = {
    "AWS::EC2::EIP": ADDRESS,
    "AWS::EC2::InternetGateway": INTERNET_GATEWAY,
    "AWS::EC2::NatGateway": NAT_GATEWAY,
    "AWS::EC2::Route": ROUTE,
    "AWS::EC2::RouteTable": ROUTE_TABLE,
    "AWS::EC2::Subnet": SUBNET,
    "AWS::EC2::SubnetRouteTableAssociation": ROUTE_TABLE_ASSOCIATION,
    "AWS::EC2::VPC": VPC,
    "AWS::EC2::VPCCidrBlock": VPC_CIDR_BLOCK,
    "AWS::EC2::VPCEndpoint": VPC_ENDPOINT,
    "AWS::EC2::VPCGatewayAttachment": GATEWAY_ATTACHMENT,
}
