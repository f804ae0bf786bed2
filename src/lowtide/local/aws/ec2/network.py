"""What EC2 refuses to delete, and the zones' further fields.

Why it exists: moto deletes a subnet, a security group or a VPC that is in use. `down` and CloudFormation are only right
when they survive AWS's DependencyViolation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import beneath
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call


def create_vpc_endpoint(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateVpcEndpoint. Without a type it is a gateway; moto leaves it without, and cannot delete it then."""
    return beneath(box, call, params={"VpcEndpointType": "Gateway", **call.params})


def delete_vpc(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteVpc; not while anything is in it but what AWS deletes with it (API reference, DeleteVpc)."""
    vpc = call.params["VpcId"]
    if any(_dependent(box, call, vpc)):
        raise AwsError(
            "DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted."
        )
    return beneath(box, call)


def delete_subnet(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteSubnet; not while a network interface is in it."""
    subnet = call.params["SubnetId"]
    if _interfaces(box, call, "subnet-id", subnet):
        raise AwsError(
            "DependencyViolation", f"The subnet '{subnet}' has dependencies and cannot be deleted."
        )
    return beneath(box, call)


def delete_nat_gateway(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteNatGateway; its network interface, which would keep the subnet in use, goes with it."""
    gateway = call.params["NatGatewayId"]
    named = {"NatGatewayIds": [gateway]}
    found = beneath(box, call, operation="DescribeNatGateways", params=named)["NatGateways"]
    if not found:
        raise AwsError("NatGatewayNotFound", f"The Nat Gateway {gateway} was not found")
    answer = beneath(box, call)
    for one in found[0]["NatGatewayAddresses"] if found[0]["State"] != "deleted" else ():
        if "AssociationId" in one:
            params = {"AssociationId": one["AssociationId"]}
            beneath(box, call, operation="DisassociateAddress", params=params)
        params = {"NetworkInterfaceId": one["NetworkInterfaceId"]}
        beneath(box, call, operation="DeleteNetworkInterface", params=params)
    return answer


def delete_security_group(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteSecurityGroup; not while a network interface has it, or a rule of another group names it."""
    group = call.params.get("GroupId")
    if group and (_interfaces(box, call, "group-id", group) or _is_named(box, call, group)):
        raise AwsError("DependencyViolation", f"resource {group} has a dependent object")
    return beneath(box, call)


def describe_zones(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeAvailabilityZones."""
    answer = beneath(box, call)
    everywhere = beneath(box, call, params={})
    known = {str(one["ZoneName"]) for one in everywhere["AvailabilityZones"]}
    for name in call.params.get("ZoneNames", []):
        if name not in known:
            raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{name}]")
    zones = [
        {
            **one,
            "OptInStatus": "opt-in-not-required",
            "GroupName": f"{call.region}-zg-1",
            "NetworkBorderGroup": call.region,
        }
        for one in answer["AvailabilityZones"]
    ]
    return {**answer, "AvailabilityZones": zones}


def _dependent(box: Box, call: Call, vpc: str) -> Iterator[Mapping[str, Any]]:
    """Yield what a VPC is not deleted for: everything in it, but for its own group, access list and route table."""

    def found(operation: str, key: str, by: str = "vpc-id") -> list[Mapping[str, Any]]:
        params = {"Filters": [{"Name": by, "Values": [vpc]}]}
        return list(beneath(box, call, operation=operation, params=params).get(key, []))

    yield from found("DescribeSubnets", "Subnets")
    yield from found("DescribeNetworkInterfaces", "NetworkInterfaces")
    yield from found("DescribeInternetGateways", "InternetGateways", "attachment.vpc-id")
    groups = found("DescribeSecurityGroups", "SecurityGroups")
    yield from (one for one in groups if one["GroupName"] != "default")
    yield from (one for one in found("DescribeNetworkAcls", "NetworkAcls") if not one["IsDefault"])
    for one in found("DescribeRouteTables", "RouteTables"):
        if not any(each.get("Main") for each in one.get("Associations", [])):
            yield one
    endpoints = found("DescribeVpcEndpoints", "VpcEndpoints")
    yield from (one for one in endpoints if one["State"] not in {"deleting", "deleted"})
    # moto reads no filter here.
    egress = beneath(box, call, operation="DescribeEgressOnlyInternetGateways", params={})
    for one in egress.get("EgressOnlyInternetGateways", []):
        if any(each["VpcId"] == vpc for each in one.get("Attachments", [])):
            yield one


def _interfaces(box: Box, call: Call, name: str, value: str) -> list[Any]:
    params = {"Filters": [{"Name": name, "Values": [value]}]}
    answer = beneath(box, call, operation="DescribeNetworkInterfaces", params=params)
    return list(answer.get("NetworkInterfaces", []))


def _is_named(box: Box, call: Call, group: str) -> bool:
    answer = beneath(box, call, operation="DescribeSecurityGroups", params={})
    return any(
        pair.get("GroupId") == group
        for one in answer.get("SecurityGroups", [])
        if one["GroupId"] != group
        for rule in (*one.get("IpPermissions", []), *one.get("IpPermissionsEgress", []))
        for pair in rule.get("UserIdGroupPairs", [])
    )
