"""The Node object of an instance, by its type, image and user data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lowtide import catalog
from lowtide.local.aws.ssm.images import images
from lowtide.local.nodes.booted import Booted
from lowtide.local.nodes.machines import Machine
from lowtide.local.nodes.node import brings_plugin, gpus_of, node_object
from lowtide.model.quantity import amount_of
from lowtide.model.taints import Taint
from lowtide.resolve.nodes import candidate


def image(word: str) -> Any:
    return next(one for one in images("eu-west-1").values() if word in one.name)


MACHINE = Machine(
    region="eu-west-1",
    id="i-0123456789abcdef0",
    instance_type="g5.2xlarge",
    zone="eu-west-1c",
    zone_id="euw1-az3",
    private_ip="10.0.3.77",
    image=image("al2023-x86_64-nvidia-580-1.35"),
    role_arn="arn:aws:iam::123456789012:role/node",
    disk_gib=100,
    user_data="",
)
BOOTED = Booted(
    cluster="tide",
    labels={"team": "vision", "topology.kubernetes.io/zone": "mars"},
    taints=(Taint(key="a", value="b"), Taint(key="c", effect="NoExecute")),
)


def test_a_node_is_named_and_labelled_as_the_kubelet_and_the_cloud_controller_do() -> None:
    node = node_object(MACHINE, BOOTED, "1.36")
    name = "ip-10-0-3-77.eu-west-1.compute.internal"
    assert node["metadata"]["name"] == name
    assert node["spec"]["providerID"] == "aws:///eu-west-1c/i-0123456789abcdef0"
    assert node["spec"]["taints"] == [
        {"key": "a", "value": "b", "effect": "NoSchedule"},
        {"key": "c", "effect": "NoExecute"},
    ]
    assert node["metadata"]["labels"] == {
        "team": "vision",
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": "g5.2xlarge",
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": "eu-west-1",
        "failure-domain.beta.kubernetes.io/zone": "eu-west-1c",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "g5.2xlarge",
        "topology.k8s.aws/zone-id": "euw1-az3",
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": "eu-west-1c",
    }
    assert replace(MACHINE, region="us-east-1").name == "ip-10-0-3-77.ec2.internal"


def test_what_a_node_can_hold_is_what_plan_and_twin_count_with() -> None:
    status = node_object(MACHINE, replace(BOOTED, max_pods=40), "1.36")["status"]
    wanted = candidate(catalog.offering("g5.2xlarge", "eu-west-1"), disk_gib=100, max_pods=40)
    for part, amounts in (("capacity", wanted.capacity), ("allocatable", wanted.allocatable)):
        read = {key: amount_of(key, text) for key, text in status[part].items()}
        assert read == {key: one for key, one in amounts.items() if key != "nvidia.com/gpu"}


def test_a_node_is_not_ready_at_first_and_its_kubelet_is_the_images() -> None:
    status = node_object(MACHINE, BOOTED, "1.36")["status"]
    ready = next(one for one in status["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
    assert status["nodeInfo"]["kubeletVersion"].startswith("v1.35.")
    own = node_object(replace(MACHINE, image=None), BOOTED, "1.36")["status"]
    assert own["nodeInfo"]["kubeletVersion"].startswith("v1.36.")
    arm = replace(MACHINE, instance_type="g5g.xlarge", image=image("arm64-nvidia"))
    info = node_object(arm, BOOTED, "1.36")["status"]["nodeInfo"]
    assert (info["architecture"], info["kernelVersion"][-7:]) == ("arm64", "aarch64")


@pytest.mark.parametrize(
    ("kind", "word", "gpus", "brings"),
    [
        ("g4dn.12xlarge", "al2023-x86_64-nvidia", 4, False),
        ("g4dn.12xlarge", "al2023-x86_64-standard", 0, False),
        ("m5.large", "al2023-x86_64-standard", 0, False),
        ("g4dn.xlarge", "bottlerocket-aws-k8s-1.36-nvidia-x86_64", 1, True),
        ("g4dn.xlarge", "bottlerocket-aws-k8s-1.36-x86_64", 0, True),
        ("g4dn.xlarge", "ubuntu-eks", 0, False),
        ("g4dn.xlarge", "", 1, False),
    ],
)
def test_gpus_are_found_where_type_and_image_have_what_it_takes(
    kind: str, word: str, gpus: int, brings: bool
) -> None:
    one = replace(MACHINE, instance_type=kind, image=image(word) if word else None)
    assert gpus_of(one) == gpus
    assert brings_plugin(one) is brings
