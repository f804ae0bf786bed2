"""The public parameters of node images: of every family and minor, and known to EC2."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide import catalog
from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import NVIDIA, REGION, Aws

EKS = "/aws/service/eks/optimized-ami/{minor}/amazon-linux-2023/{arch}/{kind}/recommended/image_id"
MINORS = [one.minor for one in catalog.VERSIONS]
#: As eksctl asks for them (its AMI resolvers); the families that lowtide's files may name.
PATHS = [
    EKS.format(minor="{V}", arch="x86_64", kind="standard"),
    EKS.format(minor="{V}", arch="arm64", kind="standard"),
    EKS.format(minor="{V}", arch="x86_64", kind="nvidia"),
    EKS.format(minor="{V}", arch="arm64", kind="nvidia"),
    EKS.format(minor="{V}", arch="x86_64", kind="neuron"),
    "/aws/service/bottlerocket/aws-k8s-{V}/x86_64/latest/image_id",
    "/aws/service/bottlerocket/aws-k8s-{V}/arm64/latest/image_id",
    "/aws/service/bottlerocket/aws-k8s-{V}-nvidia/x86_64/latest/image_id",
    "/aws/service/bottlerocket/aws-k8s-{V}-nvidia/arm64/latest/image_id",
    "/aws/service/bottlerocket/aws-k8s-{V}-fips/x86_64/latest/image_id",
    "/aws/service/bottlerocket/aws-k8s-{V}-nvidia-fips/x86_64/latest/image_id",
    "/aws/service/canonical/ubuntu/eks/22.04/{V}/stable/current/amd64/hvm/ebs-gp2/ami-id",
    "/aws/service/canonical/ubuntu/eks-pro/22.04/{V}/stable/current/arm64/hvm/ebs-gp2/ami-id",
    "/aws/service/canonical/ubuntu/eks/24.04/{V}/stable/current/arm64/hvm/ebs-gp3/ami-id",
    "/aws/service/canonical/ubuntu/eks-pro/24.04/{V}/stable/current/amd64/hvm/ebs-gp3/ami-id",
]


def _get(aws: Aws, name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = aws("GetParameter", service="ssm", Name=name, **more)["Parameter"]
    return found


@pytest.mark.parametrize("path", PATHS)
def test_every_family_has_an_image_of_its_own_for_every_minor(aws: Aws, path: str) -> None:
    ids = [_get(aws, path.replace("{V}", minor))["Value"] for minor in MINORS]
    assert len(set(ids)) == len(MINORS)
    described = aws("DescribeImages", ImageIds=ids)["Images"]
    architecture = "arm64" if "arm64" in path else "x86_64"
    assert {one["Architecture"] for one in described} == {architecture}
    for minor, one in zip(MINORS, ids, strict=True):
        name = next(image["Name"] for image in described if image["ImageId"] == one)
        assert minor in name


def test_ubuntu_26_04_is_there_from_the_minor_on_that_canonical_builds_it_for(aws: Aws) -> None:
    path = "/aws/service/canonical/ubuntu/eks/26.04/{}/stable/current/amd64/hvm/ebs-gp3/ami-id"
    assert _get(aws, path.format("1.35"))["Value"].startswith("ami-")
    with pytest.raises(AwsError) as refused:
        _get(aws, path.format("1.34"))
    assert refused.value.code == "ParameterNotFound"


@pytest.mark.parametrize(
    "name",
    [
        "/aws/service/eks/optimized-ami/1.12/amazon-linux-2023/x86_64/nvidia/recommended/image_id",
        "/aws/service/eks/optimized-ami/1.36/amazon-linux-2-gpu/recommended/image_id",
        "/aws/service/bottlerocket/aws-k8s-1.36-neuron/x86_64/latest/image_id",
        "/aws/service/eks/",
    ],
)
def test_what_is_not_published_is_not_found(aws: Aws, name: str) -> None:
    with pytest.raises(AwsError) as refused:
        _get(aws, name)
    assert refused.value.code == "ParameterNotFound"


def test_the_recommendation_tells_id_name_and_release_together(aws: Aws) -> None:
    parent = NVIDIA.removesuffix("/image_id")
    whole = json.loads(_get(aws, parent)["Value"])
    for part in ("image_id", "image_name", "release_version"):
        assert whole[part] == _get(aws, f"{parent}/{part}")["Value"]
    assert whole["release_version"].startswith("1.36.")


def test_a_parameter_is_found_by_its_arn_too_and_says_what_it_is(aws: Aws) -> None:
    one = _get(aws, NVIDIA)
    assert one["ARN"] == f"arn:aws:ssm:{REGION}::parameter{NVIDIA}"
    assert one["DataType"] == "aws:ec2:image"
    assert _get(aws, one["ARN"]) == one


def test_a_path_lists_what_is_below_it_in_pages(aws: Aws) -> None:
    path = "/aws/service/eks/optimized-ami/1.36"
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = aws("GetParametersByPath", service="ssm", Path=path, Recursive=True, **token)
        assert len(answer["Parameters"]) <= 10
        names += [one["Name"] for one in answer["Parameters"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert len(names) == len(set(names)) == 20
    assert NVIDIA in names
    assert aws("GetParametersByPath", service="ssm", Path=path)["Parameters"] == []


@pytest.mark.parametrize("token", ["x", "\N{SUPERSCRIPT TWO}", "9" * 5000])
@pytest.mark.parametrize("path", ["/aws/service/eks/optimized-ami/1.36", "/mine"])
def test_a_token_of_nobodys_is_refused(aws: Aws, path: str, token: str) -> None:
    with pytest.raises(AwsError) as refused:
        aws("GetParametersByPath", service="ssm", Path=path, NextToken=token)
    assert refused.value.code == "InvalidNextToken"


def test_public_ordinary_and_unknown_names_are_answered_in_one_call(aws: Aws) -> None:
    aws("PutParameter", service="ssm", Name="/mine", Value="v", Type="String")
    answer = aws("GetParameters", service="ssm", Names=[NVIDIA, "/mine", "/other", f"{NVIDIA}x"])
    assert {one["Name"]: one["Value"] for one in answer["Parameters"]} == {
        NVIDIA: aws.image,
        "/mine": "v",
    }
    assert set(answer["InvalidParameters"]) == {"/other", f"{NVIDIA}x"}
    assert _get(aws, "/mine")["Value"] == "v"
