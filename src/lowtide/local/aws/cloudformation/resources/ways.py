"""The ways out of a VPC: gateways, addresses, routes, endpoints.

Source of Ref and attributes: CloudFormation template reference, AWS::EC2::*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.ec2_calls import (
    deleter,
    first_of,
    id_only,
    retag,
    retag_id,
    step,
    tagged,
)
from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work
from lowtide.local.aws.errors import AwsError

# AWS::EC2::InternetGateway and its attachment


def _create_gateway(work: Work) -> str:
    answer = work.call("ec2", "CreateInternetGateway", **tagged(work, "internet-gateway"))
    return str(answer["InternetGateway"]["InternetGatewayId"])


INTERNET_GATEWAY = Kind(
    create=_create_gateway,
    retag=retag,
    read=id_only("InternetGatewayId"),
    delete=deleter("DeleteInternetGateway", "InternetGatewayId"),
)


def _attach(work: Work) -> str:
    work.call("ec2", "AttachInternetGateway", **work.given("InternetGatewayId", "VpcId"))
    return f"IGW|{work.properties['VpcId']}"


def _detach(work: Work) -> None:
    work.call("ec2", "DetachInternetGateway", **work.given("InternetGatewayId", "VpcId"))


def _reattach(work: Work, old: Mapping[str, Any]) -> list[Step]:
    vpc = work.properties["VpcId"]
    return [
        step("DetachInternetGateway", InternetGatewayId=old["InternetGatewayId"], VpcId=vpc),
        step("AttachInternetGateway", **work.given("InternetGatewayId", "VpcId")),
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
    found = first_of(work, "DescribeAddresses", "Addresses", PublicIps=[work.physical_id])
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
    return first_of(work, "DescribeNatGateways", "NatGateways", NatGatewayIds=[work.physical_id])


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
    read=id_only("NatGatewayId"),
    delete=deleter("DeleteNatGateway", "NatGatewayId"),
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
    read=id_only("RouteTableId"),
    delete=deleter("DeleteRouteTable", "RouteTableId"),
)


def _create_route(work: Work) -> str:
    wanted = work.given("RouteTableId", *_DESTINATIONS, *_TARGETS)
    work.call("ec2", "CreateRoute", **wanted)
    return f"{work.properties['RouteTableId']}|{_destination(work)}"


def _destination(work: Work) -> str:
    return str(next(iter(work.given(*_DESTINATIONS).values())))


def _replace_route(work: Work, _old: Mapping[str, Any]) -> list[Step]:
    return [step("ReplaceRoute", **work.given("RouteTableId", *_DESTINATIONS, *_TARGETS))]


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
    read=id_only("Id"),
    delete=deleter("DisassociateRouteTable", "AssociationId"),
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
    return [step("ModifyVpcEndpoint", **{key: one for key, one in params.items() if one != []})]


def _delete_endpoint(work: Work) -> None:
    work.call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[work.physical_id])


VPC_ENDPOINT = Kind(
    create=_create_endpoint,
    update=_update_endpoint,
    retag=retag,
    read=id_only("Id"),
    delete=_delete_endpoint,
)

KINDS: Mapping[str, Kind] = {
    "AWS::EC2::EIP": ADDRESS,
    "AWS::EC2::InternetGateway": INTERNET_GATEWAY,
    "AWS::EC2::NatGateway": NAT_GATEWAY,
    "AWS::EC2::Route": ROUTE,
    "AWS::EC2::RouteTable": ROUTE_TABLE,
    "AWS::EC2::SubnetRouteTableAssociation": ROUTE_TABLE_ASSOCIATION,
    "AWS::EC2::VPCEndpoint": VPC_ENDPOINT,
    "AWS::EC2::VPCGatewayAttachment": GATEWAY_ATTACHMENT,
}
