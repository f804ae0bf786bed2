"""What one cluster file asks for is in what is rendered from it, from the first line to the last."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lowtide import catalog
from lowtide.app.files import Inputs
from lowtide.app.render import render
from lowtide.catalog import versions
from lowtide.model import names

EXAMPLE = Path("examples/noble-gpu/cluster.yaml")
KEY = "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"
BY_IRSA = {
    "withOIDC": True,
    "serviceAccounts": [
        {
            "metadata": {"name": "cluster-autoscaler", "namespace": "kube-system"},
            "wellKnownPolicies": {"autoScaler": True},
        }
    ],
}

Render = Callable[..., dict[str, str]]


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    """A function that renders the example with sections replaced; None leaves one out."""

    def render_with(**sections: Any) -> dict[str, str]:
        document = yaml.safe_load(EXAMPLE.read_text("utf-8")) | sections
        path = tmp_path / "cluster.yaml"
        path.write_text(
            yaml.safe_dump({key: one for key, one in document.items() if one is not None}), "utf-8"
        )
        return render(Inputs(cluster=str(path)))

    return render_with


def resources(files: dict[str, str], kind: str) -> list[dict[str, Any]]:
    return [
        one.get("Properties", {})
        for path, text in files.items()
        if path.startswith("cloudformation/")
        for one in yaml.safe_load(text)["Resources"].values()
        if one["Type"] == kind
    ]


def manifest(files: dict[str, str], kind: str, name: str) -> dict[str, Any]:
    (found,) = [
        one
        for path, text in files.items()
        if path.startswith("kubernetes/")
        for one in yaml.safe_load_all(text)
        if (one["kind"], one["metadata"]["name"]) == (kind, name)
    ]
    return dict(found)


ALL_LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


@pytest.mark.parametrize(
    ("asked", "types"),
    [
        ({"enableTypes": ["audit", "scheduler"], "logRetentionInDays": 30}, ["audit", "scheduler"]),
        ({"enableTypes": ["*"]}, ALL_LOGS),
        (None, []),
    ],
)
def test_control_plane_logs_are_those_that_the_file_says(
    rendered: Render, asked: dict[str, Any] | None, types: list[str]
) -> None:
    watch = None if asked is None else {"clusterLogging": asked}

    (cluster,) = resources(rendered(cloudWatch=watch), "AWS::EKS::Cluster")

    logging = cluster.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])
    assert sorted(one["Type"] for one in logging) == types


def test_secrets_are_encrypted_by_a_key_of_the_files_when_asked(rendered: Render) -> None:
    (plain,) = resources(rendered(), "AWS::EKS::Cluster")
    (keyed,) = resources(rendered(secretsEncryption={"keyARN": KEY}), "AWS::EKS::Cluster")

    assert "EncryptionConfig" not in plain
    assert keyed["EncryptionConfig"] == [{"Provider": {"KeyArn": KEY}, "Resources": ["secrets"]}]


def test_no_nat_is_made_when_every_node_is_public(rendered: Render) -> None:
    groups = yaml.safe_load(EXAMPLE.read_text("utf-8"))["nodeGroups"]
    public = [{**one, "privateNetworking": False} for one in groups]

    assert len(resources(rendered(), "AWS::EC2::NatGateway")) == 1
    assert resources(rendered(nodeGroups=public), "AWS::EC2::NatGateway") == []


@pytest.mark.parametrize("iam", [None, BY_IRSA], ids=["pod identity", "IRSA"])
def test_the_autoscalers_role_comes_either_way_and_writes_to_the_clusters_groups_alone(
    rendered: Render, iam: dict[str, Any] | None
) -> None:
    files = rendered(iam=iam)

    (role,) = [
        one
        for one in resources(files, "AWS::IAM::Role")
        if "autoscaling:SetDesiredCapacity" in json.dumps(one)
    ]
    trusted = json.dumps(role["AssumeRolePolicyDocument"])
    assert ("sts:AssumeRoleWithWebIdentity" in trusted) == (iam is BY_IRSA)
    assert ("pods.eks.amazonaws.com" in trusted) == (iam is None)
    writes = [
        one
        for policy in role["Policies"]
        for one in policy["PolicyDocument"]["Statement"]
        if not all(":Describe" in action or ":Get" in action for action in one["Action"])
    ]
    owned = {"autoscaling:ResourceTag/k8s.io/cluster-autoscaler/noble-gpu-example": "owned"}
    assert [one["Condition"] for one in writes] == [{"StringEquals": owned}]
    for group in resources(files, "AWS::AutoScaling::AutoScalingGroup"):
        tags = {one["Key"]: one["Value"] for one in group["Tags"]}
        assert tags["k8s.io/cluster-autoscaler/noble-gpu-example"] == "owned"


def test_the_autoscaler_survives_by_budget_priority_and_annotation(rendered: Render) -> None:
    files = rendered()
    template = manifest(files, "Deployment", "cluster-autoscaler")["spec"]["template"]
    budget = manifest(files, "PodDisruptionBudget", "cluster-autoscaler")["spec"]

    assert template["spec"]["priorityClassName"] == "system-cluster-critical"
    assert template["metadata"]["annotations"][names.SAFE_TO_EVICT] == "false"
    assert budget["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize("minor", ["1.33", "1.34", "1.35", "1.36"])
def test_the_autoscalers_image_has_the_minor_of_the_cluster(rendered: Render, minor: str) -> None:
    metadata = yaml.safe_load(EXAMPLE.read_text("utf-8"))["metadata"]

    files = rendered(metadata={**metadata, "version": minor})

    spec = manifest(files, "Deployment", "cluster-autoscaler")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert f":v{minor}." in container["image"]
    assert catalog.kubernetes_version(minor).autoscaler_image == container["image"]


def test_versions_come_from_a_table_with_its_day() -> None:
    support = [one.standard_support_until for one in versions.VERSIONS]

    assert dt.date.fromisoformat(versions.AS_OF) <= dt.datetime.now(tz=dt.UTC).date()
    assert [day for day in support if day and dt.date.fromisoformat(day).isoformat() != day] == []


def test_a_group_at_zero_tells_the_autoscaler_all_that_its_nodes_will_be(rendered: Render) -> None:
    template = yaml.safe_load(rendered()["cloudformation/2-nodegroup-gpu-spot-a.yaml"])
    group = template["Resources"]["AutoScalingGroup"]["Properties"]
    tags = {one["Key"]: one["Value"] for one in group["Tags"]}

    about = "k8s.io/cluster-autoscaler/node-template/"
    assert (group["MinSize"], tags["k8s.io/cluster-autoscaler/enabled"]) == ("0", "true")
    assert tags[f"{about}taint/nvidia.com/gpu"] == "true:NoSchedule"
    assert tags[f"{about}label/k8s.amazonaws.com/accelerator"] == "nvidia-tesla-t4"
    assert tags[f"{about}label/lowtide.dev/pool"] == "gpu-spot"
    assert {key.removeprefix(about) for key in tags if "/resources/" in key} == {
        f"resources/{one}" for one in ("memory", "pods", "ephemeral-storage")
    }
    assert any(key.startswith(f"{about}autoscaling-options/") for key in tags)
    assert len(tags) <= 50
