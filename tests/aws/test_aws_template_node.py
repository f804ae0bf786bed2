"""The node that the autoscaler expects of an empty group, and the node that starts there, are the same node."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lowtide import catalog
from lowtide.aws.templates.cfn import Stack
from lowtide.aws.templates.nodes import node_stacks
from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.provider import ask
from lowtide.engine.template import TEMPLATE_LABEL, from_group
from lowtide.kube.addons import device_plugin
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup
from lowtide.model.catalog import InstanceType
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.kube import Node, Taint
from lowtide.model.policy import Policy
from lowtide.model.quantity import EPHEMERAL_STORAGE, MEMORY, NVIDIA_GPU, PODS, amount_of
from lowtide.model.workload import DaemonSet
from lowtide.resolve import resolve_cluster
from lowtide.resolve.nodes import candidate
from lowtide.resolve.tags import full_tags
from lowtide.spec.clusterfile import read_cluster
from lowtide.spec.manifests import objects_from
from tests.aws.booted_node import BootedNode, al2023_node, bottlerocket_node, received
from tests.aws.example_cluster import make_blueprint

_HEAD = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: tide, region: us-east-1, version: "1.36", tags: {team: vision}}
availabilityZones: [us-east-1a, us-east-1b]
nodeGroups:
"""
# On demand, so that types without a bundled spot price are there too; the price changes no node.
_GROUP = """\
- name: NAME
  instanceType: TYPE
  amiFamily: FAMILY
  availabilityZones: [us-east-1a]
  minSize: 0
  maxSize: 4
  privateNetworking: true
  labels: {team: vision}
  taints:
  - {key: nvidia.com/gpu, value: "true", effect: NoSchedule}
  - {key: dedicated, effect: NoExecute}
"""
#: What the kubelet, the cloud provider and the autoscaler put on every node, whatever its group says.
_GENERIC = {
    names.ARCH,
    names.OS,
    names.INSTANCE_TYPE,
    names.REGION,
    names.ZONE,
    names.EBS_CSI_ZONE,
    names.HOSTNAME,
    TEMPLATE_LABEL,
}
_FAMILIES = ("AmazonLinux2023", "Bottlerocket")
_READERS = {"AmazonLinux2023": al2023_node, "Bottlerocket": bottlerocket_node}


@functools.cache
def _cluster(family: str) -> ResolvedCluster:
    """A cluster with a group of every NVIDIA type of which the family has an image."""
    types = [one for one in catalog.nvidia_types() if family in one.ami_families]
    text = "".join(_group_text(one, family) for one in types if _is_priced(one))
    cluster = resolve_cluster(read_cluster(_HEAD + text, "cluster.yaml"), Policy())
    base = cluster.node_groups[0]
    others = [_like(base, one) for one in types if not _is_priced(one)]
    return replace(cluster, node_groups=(*cluster.node_groups, *others))


def _group_text(one: InstanceType, family: str) -> str:
    name = one.name.replace(".", "-")
    return _GROUP.replace("NAME", name).replace("TYPE", one.name).replace("FAMILY", family)


def _is_priced(one: InstanceType) -> bool:
    return any(one == offer.instance_type for offer in catalog.offerings("us-east-1"))


def _like(base: NodeGroup, one: InstanceType) -> NodeGroup:
    """A group of a type that no file can ask for yet, because its price is not known."""
    offering = replace(base.candidates[0].offering, instance_type=one)
    name = one.name.replace(".", "-")
    labels = {**base.labels, names.ACCELERATOR: one.accelerator, names.EKSCTL_NODEGROUP: name}
    node = candidate(offering, disk_gib=base.volume.gib)
    group = replace(base, name=name, candidates=(node,), labels=labels)
    return replace(group, asg_tags=full_tags(group, "tide", unneeded_time="2m"))


@functools.cache
def _stacks(family: str) -> dict[str, Stack]:
    cluster = _cluster(family)
    stacks = node_stacks(cluster, make_blueprint(cluster))
    return {
        stack.file.removeprefix("2-nodegroup-").removesuffix(".yaml"): stack for stack in stacks
    }


_CASES = [
    pytest.param(family, group.name, id=f"{family}-{group.name}")
    for family in _FAMILIES
    for group in _cluster(family).node_groups
]


def _expected_node(stack: Stack, group: NodeGroup) -> Node:
    """The autoscaler's template node of the rendered Auto Scaling group, which has no instance."""
    properties = stack.template["Resources"]["AutoScalingGroup"]["Properties"]
    shape = catalog.described_shape(_instance_type(properties, stack.template))
    seen = AutoScalingGroup(
        name=properties["AutoScalingGroupName"],
        min_size=int(properties["MinSize"]),
        max_size=int(properties["MaxSize"]),
        desired=int(properties["DesiredCapacity"]),
        zones=group.zones,
        tags={one["Key"]: one["Value"] for one in properties["Tags"]},
        shapes=(shape,),
    )
    discovery = ((names.TAG_ENABLED, ""), (names.TAG_CLUSTER_PREFIX + "tide", ""))
    known = ask([seen], {}, AutoscalerOptions(discovery_tags=discovery))
    template = from_group(known[seen.name], ())
    assert template is not None
    return template.node


def _instance_type(properties: dict[str, Any], template: dict[str, Any]) -> str:
    if "MixedInstancesPolicy" in properties:
        first = properties["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][0]
        return str(first["InstanceType"])
    return str(_launch_data(template)["InstanceType"])


def _launch_data(template: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = template["Resources"]["LaunchTemplate"]["Properties"][
        "LaunchTemplateData"
    ]
    return data


def _booted_node(stack: Stack, family: str) -> BootedNode:
    return _READERS[family](received(_launch_data(stack.template)["UserData"]))


def test_no_nvidia_type_of_the_catalog_is_left_out() -> None:
    tested = {
        group.candidates[0].offering.instance_type.name
        for group in _cluster("AmazonLinux2023").node_groups
    }
    assert tested == {one.name for one in catalog.nvidia_types()}


@pytest.mark.parametrize(("family", "name"), _CASES)
def test_the_expected_node_has_the_labels_of_the_node_that_starts(family: str, name: str) -> None:
    stack, group = _stacks(family)[name], _cluster(family).group(name)
    old = {
        key for key in _expected_node(stack, group).labels if key.startswith("beta.kubernetes.io/")
    }
    old |= {"failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"}
    expected = {
        key: value
        for key, value in _expected_node(stack, group).labels.items()
        if key not in _GENERIC | old
    }
    booted = _booted_node(stack, family)
    assert booted.labels == expected
    assert (
        booted.labels[names.ACCELERATOR] == group.candidates[0].offering.instance_type.accelerator
    )
    assert booted.labels[names.POOL] == group.pool
    assert booted.labels["team"] == "vision"


@pytest.mark.parametrize(("family", "name"), _CASES)
def test_the_expected_node_has_the_taints_of_the_node_that_starts(family: str, name: str) -> None:
    stack, group = _stacks(family)[name], _cluster(family).group(name)
    booted = _booted_node(stack, family)
    assert booted.taints == frozenset(_expected_node(stack, group).taints)
    assert booted.taints == frozenset(group.taints)
    assert len(booted.taints) == 2


@pytest.mark.parametrize(("family", "name"), _CASES)
def test_the_expected_node_offers_no_more_than_the_node_that_starts(family: str, name: str) -> None:
    stack, group = _stacks(family)[name], _cluster(family).group(name)
    one = group.candidates[0]
    offered = _expected_node(stack, group).allocatable
    assert offered[NVIDIA_GPU] == one.offering.instance_type.nvidia_gpus
    for resource in (MEMORY, PODS, EPHEMERAL_STORAGE):
        assert offered[resource] == one.allocatable[resource], resource


@pytest.mark.parametrize(("family", "name"), _CASES)
def test_the_expected_node_takes_as_many_pods_as_the_kubelet(family: str, name: str) -> None:
    stack, group = _stacks(family)[name], _cluster(family).group(name)
    # Without a value in user data the image computes the VPC CNI's figure, which the catalog has.
    kubelet = _booted_node(stack, family).max_pods
    pods = group.candidates[0].offering.instance_type.max_pods if kubelet is None else kubelet
    assert _expected_node(stack, group).allocatable[PODS] == pods


@pytest.mark.parametrize(("family", "name"), _CASES)
def test_the_rendered_image_is_the_accelerated_one_of_the_architecture(
    family: str, name: str
) -> None:
    stack, group = _stacks(family)[name], _cluster(family).group(name)
    path = stack.template["Parameters"]["ImageId"]["Default"]
    machine = (
        "/arm64/" if group.candidates[0].offering.instance_type.arch == "arm64" else "/x86_64/"
    )
    assert machine in path
    assert "nvidia" in path


@pytest.mark.parametrize("kind", ["nodeGroups", "managedNodeGroups"])
def test_the_device_plugin_keeps_off_bottlerocket_nodes_expected_and_started_alike(
    kind: str,
) -> None:
    one = catalog.instance_type("g4dn.xlarge")
    texts = (_group_text(one, family).replace("g4dn-xlarge", family) for family in _FAMILIES)
    head = _HEAD.replace("nodeGroups", kind)
    cluster = resolve_cluster(read_cluster(head + "".join(texts), "cluster.yaml"), Policy())
    stacks = node_stacks(cluster, make_blueprint(cluster))
    for family, stack, group in zip(_FAMILIES, stacks, cluster.node_groups, strict=True):
        wanted = family == "AmazonLinux2023"
        if kind == "nodeGroups":
            assert _takes_plugin(cluster, _booted_node(stack, family).labels) is wanted
            assert _takes_plugin(cluster, _expected_node(stack, group).labels) is wanted
        else:
            asked = stack.template["Resources"]["NodeGroup"]["Properties"]
            assert _takes_plugin(cluster, asked["Labels"]) is wanted


def _takes_plugin(cluster: ResolvedCluster, labels: Mapping[str, str]) -> bool:
    (plugin,) = objects_from(device_plugin(cluster))
    assert isinstance(plugin, DaemonSet)
    (term,) = plugin.template.affinity.node_required
    return all(one.matches(labels) for one in term.expressions)


def test_a_managed_group_tells_eks_what_the_autoscaler_asks_eks_for() -> None:
    text = (_HEAD + "".join(_group_text(one, _FAMILIES[0]) for one in _sold())).replace(
        "\nnodeGroups:", "\nmanagedNodeGroups:"
    )
    cluster = resolve_cluster(read_cluster(text, "cluster.yaml"), Policy())
    stacks = node_stacks(cluster, make_blueprint(cluster))
    effects = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute"}
    assert len(stacks) == len(_sold())
    for stack, group in zip(stacks, cluster.node_groups, strict=True):
        asked = stack.template["Resources"]["NodeGroup"]["Properties"]
        own = {key for key in group.labels if key.startswith("eks.amazonaws.com/")}
        assert asked["Labels"] == {key: group.labels[key] for key in set(group.labels) - own}
        taints = {
            Taint(key=one["Key"], value=one.get("Value", ""), effect=effects[one["Effect"]])
            for one in asked["Taints"]
        }
        assert taints == set(group.taints)
        for resource in (MEMORY, PODS, EPHEMERAL_STORAGE):
            tag = asked["Tags"][names.TAG_RESOURCE_PREFIX + resource]
            assert amount_of(resource, tag) == group.candidates[0].allocatable[resource]


def _sold() -> list[InstanceType]:
    return [one for one in catalog.nvidia_types() if _is_priced(one)]
