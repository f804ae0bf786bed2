"""The network: VPC, subnets, routes, NAT gateways and the S3 endpoint, or the VPC that exists already.

Why it exists: nodes on private subnets must reach images and the Kubernetes API, and every gigabyte through a NAT gateway
costs money, so the free S3 gateway endpoint (which ECR layers come through) is on every route table. The default security
group is left alone: nothing of ours uses it. An existing VPC is used as it is; its routes are its owner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.model.blueprint import Blueprint, Network, Subnet
from lowtide.model.cluster import ResolvedCluster

VPC = "Vpc"
_INTERNET = "0.0.0.0/0"
#: Tags by which load balancers find their subnets (EKS user guide, "Network requirements").
_ROLE_TAGS = {True: "kubernetes.io/role/elb", False: "kubernetes.io/role/internal-elb"}


def network(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Resource]:
    """Return the resources of the network; none for a VPC that exists."""
    plan = blueprint.network
    if plan.vpc_id:
        return {}
    tagged = _Tagger(cluster.name, blueprint.control_plane.tags)
    public = tuple(one for one in plan.subnets if one.public)
    private = tuple(one for one in plan.subnets if not one.public)
    return cfn.joined(
        _vpc(plan, tagged),
        _public_routes(public, tagged),
        _nat_gateways(plan, tagged),
        _private_routes(plan, private, tagged),
        _subnets(cluster, plan, tagged),
        _s3_endpoint(public, private, tagged),
    )


def network_outputs(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Any]:
    """Return the exports of the network: the VPC, and the first subnet of each kind in each zone."""
    found: dict[str, Any] = {"VpcId": (vpc_id(blueprint), "The VPC of the cluster")}
    for one in blueprint.network.subnets:
        kind = "public" if one.public else "private"
        key = subnet_key(one.zone, public=one.public)
        found.setdefault(key, (subnet_ref(one), f"The {kind} subnet in {one.zone}"))
    return {
        key: cfn.output(value, text, cfn.export_name(cluster.name, key))
        for key, (value, text) in found.items()
    }


def subnet_key(zone: str, *, public: bool) -> str:
    """Return the logical id and export key of the subnet of a zone."""
    return f"{'Public' if public else 'Private'}Subnet{cfn.logical(zone)}"


def subnet_ref(subnet: Subnet) -> Any:
    """Return the id of a subnet inside the cluster's stack."""
    return subnet.id or cfn.ref(subnet_key(subnet.zone, public=subnet.public))


def vpc_id(blueprint: Blueprint) -> Any:
    """Return the id of the VPC inside the cluster's stack."""
    return blueprint.network.vpc_id or cfn.ref(VPC)


class _Tagger:
    """Tags with a name for the console."""

    def __init__(self, cluster: str, file_tags: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._file_tags = file_tags

    def __call__(self, part: str, **more: str) -> list[Resource]:
        name = {"Name": cfn.stack_name(self._cluster, part)}
        return cfn.tags(cfn.cluster_tags(self._cluster, name, self._file_tags, more))


def _vpc(plan: Network, tagged: _Tagger) -> dict[str, Resource]:
    resources: dict[str, Resource] = {
        VPC: {
            "Type": "AWS::EC2::VPC",
            "Properties": {
                "CidrBlock": plan.cidr,
                # A private API endpoint resolves only with both.
                "EnableDnsHostnames": True,
                "EnableDnsSupport": True,
                "Tags": tagged("vpc"),
            },
        }
    }
    for number, cidr in enumerate(plan.extra_cidrs, start=1):
        resources[f"VpcCidr{number}"] = {
            "Type": "AWS::EC2::VPCCidrBlock",
            "Properties": {"VpcId": cfn.ref(VPC), "CidrBlock": cidr},
        }
    return resources


def _public_routes(public: tuple[Subnet, ...], tagged: _Tagger) -> dict[str, Resource]:
    """One route table for all public subnets, out through an internet gateway."""
    if not public:
        return {}
    return {
        "InternetGateway": {
            "Type": "AWS::EC2::InternetGateway",
            "Properties": {"Tags": tagged("internet")},
        },
        "InternetGatewayAttachment": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {
                "InternetGatewayId": cfn.ref("InternetGateway"),
                "VpcId": cfn.ref(VPC),
            },
        },
        "PublicRouteTable": _route_table(tagged("public")),
        "PublicRoute": {
            "Type": "AWS::EC2::Route",
            "DependsOn": "InternetGatewayAttachment",
            "Properties": {
                "DestinationCidrBlock": _INTERNET,
                "GatewayId": cfn.ref("InternetGateway"),
                "RouteTableId": cfn.ref("PublicRouteTable"),
            },
        },
    }


def _route_table(tags: list[Resource]) -> Resource:
    return {
        "Type": "AWS::EC2::RouteTable",
        "Properties": {"Tags": tags, "VpcId": cfn.ref(VPC)},
    }


def _nat_gateways(plan: Network, tagged: _Tagger) -> dict[str, Resource]:
    resources: dict[str, Resource] = {}
    for zone in plan.nat_zones:
        address, gateway = f"NatAddress{cfn.logical(zone)}", _nat(zone)
        resources[address] = {
            "Type": "AWS::EC2::EIP",
            # An address of a VPC needs its way out first, and must be gone before it (EC2::EIP reference).
            "DependsOn": "InternetGatewayAttachment",
            "Properties": {"Domain": "vpc", "Tags": tagged(f"nat-{zone}")},
        }
        resources[gateway] = {
            "Type": "AWS::EC2::NatGateway",
            "DependsOn": "PublicRoute",
            "Properties": {
                "AllocationId": cfn.get_att(address, "AllocationId"),
                "SubnetId": cfn.ref(subnet_key(zone, public=True)),
                "Tags": tagged(f"nat-{zone}"),
            },
        }
    return resources


def _nat(zone: str) -> str:
    return f"NatGateway{cfn.logical(zone)}"


def _private_table(zone: str) -> str:
    return f"PrivateRouteTable{cfn.logical(zone)}"


def _private_routes(
    plan: Network, private: tuple[Subnet, ...], tagged: _Tagger
) -> dict[str, Resource]:
    """One route table for each private subnet: out through the NAT gateway of its zone, or through the only one."""
    resources: dict[str, Resource] = {}
    for one in private:
        table = _private_table(one.zone)
        resources[table] = _route_table(tagged(f"private-{one.zone}"))
        if plan.nat_zones:
            through = one.zone if one.zone in plan.nat_zones else plan.nat_zones[0]
            resources[f"PrivateRoute{cfn.logical(one.zone)}"] = {
                "Type": "AWS::EC2::Route",
                "Properties": {
                    "DestinationCidrBlock": _INTERNET,
                    "NatGatewayId": cfn.ref(_nat(through)),
                    "RouteTableId": cfn.ref(table),
                },
            }
    return resources


def _subnets(cluster: ResolvedCluster, plan: Network, tagged: _Tagger) -> dict[str, Resource]:
    public_nodes = any(not one.private_networking for one in cluster.node_groups)
    resources: dict[str, Resource] = {}
    for one in plan.subnets:
        key = subnet_key(one.zone, public=one.public)
        table = "PublicRouteTable" if one.public else _private_table(one.zone)
        resources[key] = {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "AvailabilityZone": _zone(cluster.region, one.zone),
                "CidrBlock": one.cidr,
                # A public address costs money and is a door: only where the file puts nodes on public subnets.
                "MapPublicIpOnLaunch": one.public and public_nodes,
                "Tags": tagged(
                    f"{'public' if one.public else 'private'}-{one.zone}",
                    **{_ROLE_TAGS[one.public]: "1"},
                ),
                "VpcId": cfn.ref(VPC),
            },
        }
        resources[f"{key}Routes"] = {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"RouteTableId": cfn.ref(table), "SubnetId": cfn.ref(key)},
        }
    return resources


def _zone(region: str, zone: str) -> Any:
    """Name a zone by the stack's region, as cfn-lint's W3010 asks: the letter is the file's choice."""
    if zone.startswith(region):
        return cfn.sub(f"${{AWS::Region}}{zone.removeprefix(region)}")
    return zone


def _s3_endpoint(
    public: Iterable[Subnet], private: Iterable[Subnet], tagged: _Tagger
) -> dict[str, Resource]:
    tables = [*dict.fromkeys("PublicRouteTable" for _ in public)]
    tables += [_private_table(one.zone) for one in private]
    return {
        "S3Endpoint": {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "RouteTableIds": [cfn.ref(table) for table in tables],
                "ServiceName": cfn.sub("com.amazonaws.${AWS::Region}.s3"),
                "Tags": tagged("s3"),
                "VpcEndpointType": "Gateway",
                "VpcId": cfn.ref(VPC),
            },
        }
    }
