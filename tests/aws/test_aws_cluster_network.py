"""The network of the cluster's stack."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates.network import network, network_outputs
from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import ResolvedCluster
from tests.aws.example_cluster import (
    ZONES,
    existing_network,
    make_blueprint,
    make_cluster,
    make_group,
    make_network,
)

SIX = tuple(f"us-east-1{letter}" for letter in "abcdef")


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of all resources of a type."""
    return {
        name: one["Properties"]
        for name, one in resources.items()
        if one["Type"] == f"AWS::EC2::{kind}"
    }


def tags_of(properties: dict[str, Any]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in properties["Tags"]}


def built(zones: tuple[str, ...] = ZONES, **changes: Any) -> dict[str, Any]:
    cluster = make_cluster(make_group("general", *zones, gpu=False), zones=zones)
    return network(cluster, make_blueprint(cluster, make_network(zones, **changes)))


@pytest.mark.parametrize("zones", [ZONES[:1], ZONES[:2], ZONES, SIX], ids=len)
def test_each_zone_gets_a_public_and_a_private_subnet(zones: tuple[str, ...]) -> None:
    found = {one["AvailabilityZone"]["Fn::Sub"] for one in of_type(built(zones), "Subnet").values()}
    assert len(of_type(built(zones), "Subnet")) == 2 * len(zones)
    assert found == {zone.replace("us-east-1", "${AWS::Region}") for zone in zones}


@pytest.mark.parametrize("zones", [ZONES, SIX], ids=len)
def test_subnets_lie_inside_the_vpc_and_apart_from_each_other(zones: tuple[str, ...]) -> None:
    resources = built(zones)
    vpc = ipaddress.IPv4Network(of_type(resources, "VPC")["Vpc"]["CidrBlock"])
    blocks = [
        ipaddress.IPv4Network(one["CidrBlock"]) for one in of_type(resources, "Subnet").values()
    ]
    assert all(block.subnet_of(vpc) for block in blocks)
    pairs = [(a, b) for a in blocks for b in blocks if a is not b]
    assert not any(a.overlaps(b) for a, b in pairs)


def test_every_subnet_says_which_load_balancers_it_is_for() -> None:
    for name, subnet in of_type(built(), "Subnet").items():
        roles = {key for key in tags_of(subnet) if key.startswith("kubernetes.io/role/")}
        kind = "elb" if name.startswith("Public") else "internal-elb"
        assert roles == {f"kubernetes.io/role/{kind}"}


def test_everything_that_can_be_tagged_carries_the_cluster_and_the_files_tags() -> None:
    for name, one in built().items():
        if "Tags" in one["Properties"]:
            tags = tags_of(one["Properties"])
            assert (name, tags["lowtide.dev/cluster"]) == (name, "example")
            assert (name, tags["team"]) == (name, "vision")


def test_no_private_subnet_has_a_route_to_the_internet_gateway() -> None:
    resources = built()
    public_tables = {
        route["RouteTableId"]["Ref"]
        for route in of_type(resources, "Route").values()
        if "GatewayId" in route
    }
    tables = {
        one["SubnetId"]["Ref"]: one["RouteTableId"]["Ref"]
        for one in of_type(resources, "SubnetRouteTableAssociation").values()
    }
    assert public_tables == {"PublicRouteTable"}
    assert len(tables) == 6
    for subnet, table in tables.items():
        assert (subnet, table in public_tables) == (subnet, subnet.startswith("Public"))


def test_one_nat_gateway_serves_all_private_subnets() -> None:
    resources = built()
    routes = [one for one in of_type(resources, "Route").values() if "NatGatewayId" in one]
    assert len(of_type(resources, "NatGateway")) == 1
    assert len(routes) == 3
    assert {one["NatGatewayId"]["Ref"] for one in routes} == {"NatGatewayUsEast1a"}


def test_with_a_nat_gateway_in_each_zone_no_zone_depends_on_another() -> None:
    resources = built(nat="HighlyAvailable")
    routes = {
        one["RouteTableId"]["Ref"]: one["NatGatewayId"]["Ref"]
        for one in of_type(resources, "Route").values()
        if "NatGatewayId" in one
    }
    assert len(of_type(resources, "EIP")) == 3
    assert len(routes) == 3
    for table, gateway in routes.items():
        assert table.removeprefix("PrivateRouteTable") == gateway.removeprefix("NatGateway")


def test_without_nat_nothing_is_paid_for_and_private_subnets_have_no_way_out() -> None:
    resources = built(nat="Disable")
    assert not of_type(resources, "NatGateway")
    assert not of_type(resources, "EIP")
    assert list(of_type(resources, "Route")) == ["PublicRoute"]


@pytest.mark.parametrize("nat", ["Single", "HighlyAvailable", "Disable"])
def test_the_s3_endpoint_is_on_every_route_table(nat: str) -> None:
    resources = built(nat=nat)
    endpoint = of_type(resources, "VPCEndpoint")["S3Endpoint"]
    assert {one["Ref"] for one in endpoint["RouteTableIds"]} == set(
        of_type(resources, "RouteTable")
    )
    assert endpoint["VpcEndpointType"] == "Gateway"


def test_public_subnets_give_addresses_only_where_nodes_are_public(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    private = of_type(network(cluster, blueprint), "Subnet")
    assert not any(one["MapPublicIpOnLaunch"] for one in private.values())
    group = replace(cluster.node_groups[0], private_networking=False)
    open_cluster = replace(cluster, node_groups=(group, *cluster.node_groups[1:]))
    for name, one in of_type(network(open_cluster, blueprint), "Subnet").items():
        assert (name, one["MapPublicIpOnLaunch"]) == (name, name.startswith("Public"))


def test_an_existing_vpc_is_left_as_it_is_and_its_subnets_are_exported(
    cluster: ResolvedCluster,
) -> None:
    blueprint = make_blueprint(cluster, existing_network())
    outputs = network_outputs(cluster, blueprint)
    assert network(cluster, blueprint) == {}
    assert {key: one["Value"] for key, one in outputs.items()} == {
        "VpcId": "vpc-0123456789abcdef0",
        "PublicSubnetUsEast1a": "subnet-0123456789abcde01",
        "PrivateSubnetUsEast1a": "subnet-0123456789abcde00",
        "PublicSubnetUsEast1b": "subnet-0123456789abcde11",
        "PrivateSubnetUsEast1b": "subnet-0123456789abcde10",
    }


def test_further_address_ranges_of_the_file_are_added_to_the_vpc(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    plan = replace(blueprint.network, extra_cidrs=("100.64.0.0/16",))
    resources = network(cluster, replace(blueprint, network=plan))
    assert of_type(resources, "VPCCidrBlock") == {
        "VpcCidr1": {"CidrBlock": "100.64.0.0/16", "VpcId": {"Ref": "Vpc"}}
    }


def test_the_default_security_group_is_left_alone(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    kinds = {one["Type"] for one in network(cluster, blueprint).values()}
    assert not any("SecurityGroup" in kind for kind in kinds)
