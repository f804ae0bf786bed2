"""Files in, invariants of the blueprint out: addresses, one launch per group, the agent where it is needed."""

from __future__ import annotations

import ipaddress
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.policy import Policy
from lowtide.resolve import resolve_cluster
from lowtide.resolve.blueprint import resolve_blueprint
from lowtide.spec.clusterfile import read_cluster

REGION = "us-east-1"
AGENT = "eks-pod-identity-agent"
_NATS = st.sampled_from(["Single", "HighlyAvailable", "Disable"])
_CIDRS = st.builds(
    lambda second, prefix: f"10.{second}.0.0/{prefix}", st.integers(0, 255), st.integers(16, 24)
)


@st.composite
def _files(draw: st.DrawFn) -> dict[str, Any]:
    zones = [REGION + letter for letter in "abcdef"[: draw(st.integers(2, 6))]]
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "tide", "region": REGION, "version": "1.36"},
        "availabilityZones": zones,
        "vpc": {"cidr": draw(_CIDRS), "nat": {"gateway": draw(_NATS)}},
        "iam": {"withOIDC": draw(st.booleans())},
        "addonsConfig": {"disableDefaultAddons": draw(st.booleans())},
        "addons": [
            {"name": name}
            for name in draw(
                st.lists(
                    st.sampled_from([AGENT, "vpc-cni", "aws-ebs-csi-driver", "other"]), unique=True
                )
            )
        ],
        "nodeGroups": [
            _group(draw, f"own-{index}", zones) for index in range(draw(st.integers(0, 3)))
        ],
        "managedNodeGroups": [
            {"name": f"managed-{index}", "spot": draw(st.booleans()), "instanceType": "g5.xlarge"}
            for index in range(draw(st.integers(0, 2)))
        ],
    }


def _group(draw: st.DrawFn, name: str, zones: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "privateNetworking": draw(st.booleans()),
        "availabilityZones": draw(st.lists(st.sampled_from(zones), min_size=1, unique=True)),
        "instancesDistribution": {
            "instanceTypes": ["g4dn.xlarge"],
            "onDemandPercentageAboveBaseCapacity": draw(st.sampled_from([0, 50, 100])),
        },
    }


def _resolved(file: dict[str, Any]) -> tuple[ResolvedCluster, Blueprint]:
    parsed = read_cluster(json.dumps(file), "cluster.yaml")
    cluster = resolve_cluster(parsed, Policy())
    return cluster, resolve_blueprint(parsed, cluster)


def _check_addresses(cluster: ResolvedCluster, blueprint: Blueprint) -> None:
    plan = blueprint.network
    vpc = ipaddress.IPv4Network(plan.cidr)
    subnets = [ipaddress.IPv4Network(one.cidr) for one in plan.subnets]
    assert all(one.subnet_of(vpc) for one in subnets)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(subnets, 2))
    # EC2 takes subnets of /16 to /28.
    assert all(16 <= one.prefixlen <= 28 for one in subnets)
    places = [(one.zone, one.public) for one in plan.subnets]
    assert places == [(zone, public) for public in (True, False) for zone in cluster.zones]


@pytest.mark.parametrize("prefix", range(16, 25))
@pytest.mark.parametrize("count", range(1, 7))
def test_every_subnet_is_inside_the_vpc_and_apart_from_all_others(count: int, prefix: int) -> None:
    zones = [REGION + letter for letter in "abcdef"[:count]]
    file: dict[str, Any] = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "tide", "region": REGION, "version": "1.36"},
        # EKS wants two zones; the same one twice passes eksctl's count.
        "availabilityZones": zones if count > 1 else zones * 2,
        "vpc": {"cidr": f"10.1.0.0/{prefix}"},
        "nodeGroups": [{"name": "one"}],
    }
    cluster, blueprint = _resolved(file)
    assert len(blueprint.network.subnets) == 2 * count
    _check_addresses(cluster, blueprint)


@settings(max_examples=15)
@given(file=_files())
def test_the_blueprint_of_every_sound_file_agrees_with_its_cluster(file: dict[str, Any]) -> None:
    cluster, blueprint = _resolved(file)
    _check_addresses(cluster, blueprint)
    assert [one.group for one in blueprint.launches] == [one.name for one in cluster.node_groups]
    assert len(blueprint.network.nat_zones) == cluster.network.nat_gateways
    assert set(blueprint.network.nat_zones) <= set(cluster.zones)
    is_private = any(one.private_networking for one in cluster.node_groups)
    asked = file["vpc"]["nat"]["gateway"] != "Disable"
    assert bool(blueprint.network.nat_zones) == (is_private and asked)
    rows = {row.key for row in cluster.hardening}
    assert ("vpc.nat.gateway" in rows) == (asked and not is_private)


@settings(max_examples=15)
@given(file=_files())
def test_the_agent_is_there_once_wherever_somebody_has_a_pod_identity(
    file: dict[str, Any],
) -> None:
    cluster, blueprint = _resolved(file)
    names = [one.name for one in blueprint.addons]
    assert len(names) == len(set(names))
    everybody = [*blueprint.identities, *(i for one in blueprint.addons for i in one.identities)]
    assert (AGENT in names) or not any(one.kind == "pod-identity" for one in everybody)
    accounts = [(one.namespace, one.name) for one in everybody]
    assert len(accounts) == len(set(accounts))
    in_file = AGENT in {one["name"] for one in file["addons"]}
    rows = {row.key for row in cluster.hardening}
    assert (f"addons {AGENT}" in rows) == (AGENT in names and not in_file)
    assert [one.needs_nodes for one in blueprint.addons] == sorted(
        one.needs_nodes for one in blueprint.addons
    )


@settings(max_examples=5)
@given(file=_files())
def test_a_file_gives_the_same_blueprint_every_time(file: dict[str, Any]) -> None:
    assert _resolved(file) == _resolved(file)
