"""Which instances a cluster lets in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.nodes.booted import Booted
from lowtide.local.nodes.joining import cluster_key, is_mapped, why_not
from tests.local.eks.eks_box import EC2_TRUST, REGION, Aws, open_aws, role

KEY = (REGION, "tide")


@pytest.fixture
def aws(tmp_path: Path) -> Aws:
    return open_aws(tmp_path)


def booted(aws: Aws, **changed: str) -> Booted:
    described = aws.cluster()
    told = {
        "cluster": "tide",
        "endpoint": described["endpoint"],
        "authority": described["certificateAuthority"]["data"],
        **changed,
    }
    return Booted(labels={}, **told)


def mapped(arn: str, user: str = "system:node:{{EC2PrivateDNSName}}", groups: str = "[system:bootstrappers, system:nodes]") -> dict[str, Any]:  # fmt: skip
    rows = f"- rolearn: {arn}\n  username: {user}\n  groups: {groups}\n"
    return {"data": {"mapRoles": rows}}


def test_an_access_entry_for_nodes_lets_the_role_in_whatever_its_path(aws: Aws) -> None:
    aws.active()
    assert "has no access entry of type EC2_LINUX" in why_not(
        aws.box, KEY, booted(aws), aws.node_role, lambda: None
    )
    arn = "arn:aws:iam::123456789012:role/eks/nodes/gpu"
    aws("CreateAccessEntry", clusterName="tide", principalArn=arn, type="EC2_LINUX")
    assert why_not(aws.box, KEY, booted(aws), arn, lambda: None) == ""


def test_an_entry_for_people_lets_no_node_in(aws: Aws) -> None:
    aws.active()
    aws("CreateAccessEntry", clusterName="tide", principalArn=aws.node_role)
    assert why_not(aws.box, KEY, booted(aws), aws.node_role, lambda: None)


@pytest.mark.parametrize(
    ("mode", "counts"), [("API", False), ("API_AND_CONFIG_MAP", True), ("CONFIG_MAP", True)]
)
def test_aws_auth_counts_where_the_authentication_mode_reads_it(
    aws: Aws, mode: str, counts: bool
) -> None:
    aws.active(accessConfig={"authenticationMode": mode})
    arn = role(aws, "gpu", EC2_TRUST)
    why = why_not(aws.box, KEY, booted(aws), arn, lambda: mapped(arn))
    assert (why == "") is counts
    assert ("aws-auth" in why_not(aws.box, KEY, booted(aws), arn, lambda: None)) is counts


def test_an_entry_counts_where_both_are_read_and_aws_auth_is_missing(aws: Aws) -> None:
    aws.active(accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    aws("CreateAccessEntry", clusterName="tide", principalArn=aws.node_role, type="EC2_LINUX")
    assert why_not(aws.box, KEY, booted(aws), aws.node_role, lambda: None) == ""


@pytest.mark.parametrize(
    ("config_map", "counts"),
    [
        (mapped("arn:aws:iam::123456789012:role/gpu"), True),
        (mapped("arn:aws:iam::123456789012:role/GPU"), True),
        (mapped("arn:aws:iam::123456789012:role/nodes/gpu"), False),
        (mapped("arn:aws:iam::123456789012:role/other"), False),
        (mapped("arn:aws:iam::123456789012:role/gpu", user="ana"), False),
        (mapped("arn:aws:iam::123456789012:role/gpu", groups="[system:masters]"), False),
        ({"data": {"mapRoles": "- [no yaml"}}, False),
        ({"data": {"mapRoles": "just words"}}, False),
        ({"data": {"mapRoles": "- word"}}, False),
        ({"data": {}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_line_of_aws_auth_must_name_the_role_without_its_path_and_make_it_a_node(
    config_map: dict[str, Any] | None, counts: bool
) -> None:
    assert is_mapped(config_map, "arn:aws:iam::123456789012:role/nodes/gpu") is counts


def test_a_kubelet_that_looks_elsewhere_or_has_no_role_is_not_let_in(aws: Aws) -> None:
    aws.active()
    aws("CreateAccessEntry", clusterName="tide", principalArn=aws.node_role, type="EC2_LINUX")
    for changed, why in (
        ({"endpoint": "https://other"}, "https://other is not the cluster's endpoint"),
        ({"authority": "QUJD"}, "certificate signed by unknown authority"),
    ):
        told = why_not(aws.box, KEY, booted(aws, **changed), aws.node_role, lambda: None)
        assert why in told
    assert "no role" in why_not(aws.box, KEY, booted(aws), "", lambda: None)
    asks = booted(aws, endpoint="", authority="")
    assert why_not(aws.box, KEY, asks, aws.node_role, lambda: None) == ""


def test_a_cluster_is_found_by_name_in_the_instances_own_region(aws: Aws) -> None:
    aws.active()
    assert cluster_key(aws.box, REGION, booted(aws)) == KEY
    assert cluster_key(aws.box, "eu-west-1", booted(aws)) is None
    other = Booted(cluster="ebb", labels={})
    assert cluster_key(aws.box, REGION, other) is None
    assert why_not(aws.box, (REGION, "ebb"), other, aws.node_role, lambda: None)
