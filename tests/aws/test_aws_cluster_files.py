"""Generated cluster files, from their text to their templates: no crash, and what must hold for every one of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide import catalog
from lowtide.aws.templates.cfn import Stack
from lowtide.aws.templates.stacks import stacks
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.policy import Policy
from lowtide.resolve import resolve_cluster
from lowtide.resolve.blueprint import resolve_blueprint
from lowtide.spec.clusterfile import read_cluster

REGION = "us-east-1"
OFFERINGS = {
    one.instance_type.name: one
    for one in catalog.offerings(REGION)
    if one.instance_type.nvidia_gpus and not one.instance_type.retired_on
}
READS = ("Describe", "Get", "List")
ROLE = "arn:aws:iam::123456789012:role/mine"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A sound cluster file with up to two groups."""
    zones = [REGION + letter for letter in "abcdef"[: draw(st.integers(2, 6))]]
    with_oidc = draw(st.booleans())
    file: dict[str, Any] = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {
            "name": draw(st.sampled_from(["tide", "a-cluster-with-a-long-name-2"])),
            "region": REGION,
            "version": draw(st.sampled_from(["1.33", "1.34", "1.35", "1.36"])),
            "tags": draw(st.sampled_from([{}, {"team": "vision"}])),
        },
        "vpc": draw(_vpc(zones)),
        "iam": _iam(draw, with_oidc=with_oidc),
        "addons": [{"name": name} for name in draw(_ADDONS)],
        "cloudWatch": draw(st.sampled_from([{}, _LOGS])),
        "accessConfig": draw(st.sampled_from([{}, _ENTRIES])),
        "nodeGroups": [_group(draw, f"own-{n}", zones) for n in range(draw(st.integers(0, 2)))],
        "managedNodeGroups": draw(st.sampled_from([[], [_MANAGED]])),
    }
    if "podIdentityAssociations" in file["iam"]:
        # The file's own associations ask for the file's own agent, as in eksctl.
        file["addons"] = [
            *(one for one in file["addons"] if one["name"] != _AGENT),
            {"name": _AGENT},
        ]
    if "id" not in file["vpc"]:
        file["availabilityZones"] = zones
    if draw(st.booleans()):
        file["secretsEncryption"] = {"keyARN": KEY}
    return file


_AGENT = "eks-pod-identity-agent"
_ADDONS = st.lists(st.sampled_from(["vpc-cni", "aws-ebs-csi-driver", _AGENT, "other"]), unique=True)
_LOGS = {"clusterLogging": {"enableTypes": ["api", "audit"], "logRetentionInDays": 30}}
_ENTRIES = {"accessEntries": [{"principalARN": ROLE, "kubernetesGroups": ["ops"]}]}
_MANAGED = {"name": "managed", "instanceType": "g5.xlarge", "spot": True, "minSize": 0}


def _iam(draw: st.DrawFn, *, with_oidc: bool) -> dict[str, Any]:
    account = {"namespace": "team", "serviceAccountName": "trainer"}
    policies = {"wellKnownPolicies": {"externalDNS": True}}
    iam: dict[str, Any] = {"withOIDC": with_oidc}
    if draw(st.booleans()):
        iam["podIdentityAssociations"] = [{**account, **policies}]
    if with_oidc and draw(st.booleans()):
        irsa = {"metadata": {"namespace": "team", "name": "reader"}, **policies}
        iam["serviceAccounts"] = [irsa]
    return iam


@st.composite
def _vpc(draw: st.DrawFn, zones: list[str]) -> dict[str, Any]:
    endpoints = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    vpc: dict[str, Any] = {
        "clusterEndpoints": {"publicAccess": endpoints[0], "privateAccess": endpoints[1]}
    }
    if draw(st.booleans()):
        nat = st.sampled_from(["Single", "HighlyAvailable", "Disable"])
        cidr = st.sampled_from(["192.168.0.0/16", "10.7.0.0/20", "172.20.0.0/18"])
        return {**vpc, "cidr": draw(cidr), "nat": {"gateway": draw(nat)}}
    subnets = {
        kind: {
            zone: {"id": f"subnet-0123456789abcde{index}{kind_index}"}
            for index, zone in enumerate(zones)
        }
        for kind_index, kind in enumerate(("public", "private"))
    }
    return {**vpc, "id": "vpc-0123456789abcdef0", "subnets": subnets}


def _group(draw: st.DrawFn, name: str, zones: list[str]) -> dict[str, Any]:
    offering = OFFERINGS[draw(st.sampled_from(sorted(OFFERINGS)))]
    # Without a spot price there is nothing to bid with, and the file is refused.
    shares = [0, 50, 100] if offering.spot_usd_per_hour else [100]
    group: dict[str, Any] = {
        "name": name,
        "amiFamily": draw(st.sampled_from(sorted(offering.instance_type.ami_families))),
        "privateNetworking": draw(st.booleans()),
        "availabilityZones": draw(st.lists(st.sampled_from(zones), min_size=1, unique=True)),
        "instancesDistribution": {
            "instanceTypes": [offering.instance_type.name],
            "onDemandPercentageAboveBaseCapacity": draw(st.sampled_from(shares)),
        },
        "minSize": 0,
        "maxSize": 4,
    }
    taints = draw(st.sampled_from([None, *_TAINTS]))
    return {**group, "taints": taints} if taints else group


_TAINTS: list[Any] = [
    {"nvidia.com/gpu": "true:NoSchedule"},
    [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
]


def rendered(file: dict[str, Any]) -> tuple[ResolvedCluster, tuple[Stack, ...]]:
    parsed = read_cluster(json.dumps(file), "cluster.yaml")
    cluster = resolve_cluster(parsed, Policy())
    return cluster, stacks(cluster, resolve_blueprint(parsed, cluster))


def parts(whole: Any, key: str) -> Iterator[Any]:
    """Every value that stands under a key, wherever it is."""
    if isinstance(whole, list):
        for one in whole:
            yield from parts(one, key)
    elif isinstance(whole, dict):
        if key in whole:
            yield whole[key]
        for one in whole.values():
            yield from parts(one, key)


def check(made: tuple[Stack, ...]) -> None:
    """What must hold: imports are exported before, no write on everything, unique names."""
    exported: set[str] = set()
    for stack in made:
        assert set(parts(stack.template["Resources"], "Fn::ImportValue")) <= exported
        exports = list(parts(stack.template.get("Outputs", {}), "Export"))
        assert not exported & {one["Name"] for one in exports}
        exported |= {one["Name"] for one in exports}
        for statement in (one for found in parts(stack.template, "Statement") for one in found):
            if statement["Effect"] == "Allow" and statement.get("Resource") == "*":
                actions = statement["Action"]
                verbs = [one.partition(":")[2] for one in actions]
                assert [verb for verb in verbs if not verb.startswith(READS)] == []
    assert len({one.name for one in made}) == len({one.file for one in made}) == len(made)


def check_groups(cluster: ResolvedCluster, made: tuple[Stack, ...]) -> None:
    """Private nodes have no public address, and tags say the taints that nodes have."""
    by_name = {one.name: one.template for one in made}
    for group in cluster.node_groups:
        template = by_name[f"lowtide-{cluster.name}-nodegroup-{group.name}"]
        if group.private_networking:
            assert True not in set(parts(template, "AssociatePublicIpAddress"))
        if not group.managed and group.taints:
            text = json.dumps(template)
            tagged = {
                one["Key"].rpartition("/taint/")[2]: one["Value"]
                for tags in parts(template["Resources"], "Tags")
                for one in tags
                if "/node-template/taint/" in one["Key"]
            }
            assert tagged == {taint.key: f"{taint.value}:{taint.effect}" for taint in group.taints}
            assert all(taint.key in text for taint in group.taints)


def prove(file: dict[str, Any], lint: Callable[..., list[str]]) -> None:
    cluster, made = rendered(file)
    check(made)
    check_groups(cluster, made)
    found = {one.name: lint(one.template, REGION) for one in made}
    assert {name: lines for name, lines in found.items() if lines} == {}


# The fixture is a pure function, the same for every example.
_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=100, deadline=None, suppress_health_check=_FIXTURE)
@given(file=files())
def test_every_sound_file_becomes_templates_that_hold_together(file: dict[str, Any]) -> None:
    cluster, made = rendered(file)
    check(made)
    check_groups(cluster, made)


@settings(max_examples=10, deadline=None, suppress_health_check=_FIXTURE)
@given(file=files())
def test_cfn_lint_finds_nothing_in_the_templates_of_any_sound_file(
    file: dict[str, Any], lint: Callable[..., list[str]]
) -> None:
    prove(file, lint)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=_FIXTURE)
@given(file=files())
def test_cfn_lint_finds_nothing_in_the_templates_of_two_hundred_sound_files(
    file: dict[str, Any], lint: Callable[..., list[str]]
) -> None:
    prove(file, lint)
