"""Generated cluster files: whatever a sound file holds, what is rendered from it is sound."""

from __future__ import annotations

import ipaddress
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.model.cluster import NodeGroup
from tests.rendered.cluster_files import Document, cluster_files

TEMPLATE = "k8s.io/cluster-autoscaler/node-template/"
READ_ONLY = ("Describe", "Get", "List")


def designed(document: Document) -> Design:
    """The design of a cluster file's document."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.yaml"
        path.write_text(json.dumps(document))
        return design(Inputs(cluster=str(path)))


def resources(design: Design, kind: str) -> Iterator[dict[str, Any]]:
    """The properties of every resource of a type, in all stacks."""
    for stack in design.stacks:
        for one in stack.template["Resources"].values():
            if one["Type"] == kind:
                yield one.get("Properties", {})


def check(document: Document) -> None:
    """Assert everything that must hold of what a file leads to."""
    made = designed(document)
    _subnets_are_inside_and_apart(made)
    _nothing_may_be_written_anywhere(made)
    for group in made.cluster.node_groups:
        _taints_and_labels_agree(made, group)
        _private_nodes_have_no_public_address(made, group)
    assert len({(one.kind, one.namespace, one.name) for one in made.objects}) == len(made.objects)


def _subnets_are_inside_and_apart(made: Design) -> None:
    vpcs = [ipaddress.ip_network(one["CidrBlock"]) for one in resources(made, "AWS::EC2::VPC")]
    blocks = [ipaddress.ip_network(one["CidrBlock"]) for one in resources(made, "AWS::EC2::Subnet")]
    assert bool(vpcs) == bool(blocks)
    for at, block in enumerate(blocks):
        assert all(block.subnet_of(vpc) for vpc in vpcs)  # type: ignore[arg-type] # one version
        assert not any(block.overlaps(other) for other in blocks[at + 1 :])


def _statements(made: Design) -> Iterator[dict[str, Any]]:
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        for one in resources(made, kind):
            documents = [policy["PolicyDocument"] for policy in one.get("Policies", [])]
            documents += [one["PolicyDocument"]] if "PolicyDocument" in one else []
            for document in documents:
                yield from document["Statement"]


def _nothing_may_be_written_anywhere(made: Design) -> None:
    for statement in _statements(made):
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        writes = [one for one in actions if not one.partition(":")[2].startswith(READ_ONLY)]
        anywhere = statement["Resource"] in ("*", ["*"])
        assert (
            not (statement["Effect"] == "Allow" and writes and anywhere) or "Condition" in statement
        )


def _node_stack(made: Design, group: NodeGroup) -> str:
    """The text of a group's template."""
    stack = made.stack(f"lowtide-{made.cluster.name}-nodegroup-{group.name}")
    assert stack is not None
    return json.dumps(stack.template)


def _taints_and_labels_agree(made: Design, group: NodeGroup) -> None:
    """What the autoscaler is told by tags is what the kubelet, or EKS for managed groups, registers."""
    text = _node_stack(made, group)
    accelerator = group.labels.get("k8s.amazonaws.com/accelerator")
    assert (accelerator is not None) == group.is_gpu
    for taint in group.taints:
        assert taint.key in text
        if not group.managed:
            tag = group.asg_tags[f"{TEMPLATE}taint/{taint.key}"]
            assert tag == f"{taint.value}:{taint.effect}"
            assert json.dumps(tag)[1:-1] in text
    for key, value in group.labels.items():
        if not group.managed:
            assert group.asg_tags[f"{TEMPLATE}label/{key}"] == value
            written = (f"{key}={value}", f'{key} = \\"{value}\\"', f'\\"{key}\\" = \\"{value}\\"')
            assert any(one in text for one in written), (key, value)


def _private_nodes_have_no_public_address(made: Design, group: NodeGroup) -> None:
    stack = made.stack(f"lowtide-{made.cluster.name}-nodegroup-{group.name}")
    assert stack is not None
    templates = [
        one["Properties"]["LaunchTemplateData"]
        for one in stack.template["Resources"].values()
        if one["Type"] == "AWS::EC2::LaunchTemplate"
    ]
    assert templates
    for data in templates:
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert all(one["Ebs"]["Encrypted"] for one in data.get("BlockDeviceMappings", []))
        for interface in data.get("NetworkInterfaces", []):
            assert interface.get("AssociatePublicIpAddress", False) == (
                not group.private_networking
            )


@settings(max_examples=10)
@given(document=cluster_files())
def test_what_ten_generated_cluster_files_lead_to_is_coherent(
    document: Document,
) -> None:
    check(document)


@pytest.mark.slow
@settings(max_examples=200)
@given(document=cluster_files())
def test_what_two_hundred_generated_cluster_files_lead_to_is_coherent(
    document: Document,
) -> None:
    check(document)
