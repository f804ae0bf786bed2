"""The AMI resolvers' choice, as paths and name patterns."""

from __future__ import annotations

import pytest

from lowtide import catalog
from lowtide.model.catalog import Ami
from lowtide.model.errors import InputError


def _ami(
    resolver: str, family: str, *types: str, version: str = "1.36", region: str = "us-east-1"
) -> Ami:
    return catalog.resolve_ami(
        resolver,
        family,
        version=version,
        instance_types=[catalog.instance_type(name) for name in types],
        region=region,
    )


@pytest.mark.parametrize(
    ("family", "types", "parameter"),
    [
        (
            "AmazonLinux2023",
            ("m5.large",),
            "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id",
        ),
        (
            "AmazonLinux2023",
            ("g4dn.xlarge",),
            "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/nvidia/recommended/image_id",
        ),
        (
            "AmazonLinux2023",
            ("g5g.xlarge",),
            "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/arm64/nvidia/recommended/image_id",
        ),
        (
            "AmazonLinux2023",
            ("trn1.2xlarge",),
            "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/neuron/recommended/image_id",
        ),
        (
            "Bottlerocket",
            ("m5.large",),
            "/aws/service/bottlerocket/aws-k8s-1.36/x86_64/latest/image_id",
        ),
        (
            "Bottlerocket",
            ("g5g.xlarge",),
            "/aws/service/bottlerocket/aws-k8s-1.36-nvidia/arm64/latest/image_id",
        ),
        (
            "BottlerocketFips",
            ("g5.xlarge",),
            "/aws/service/bottlerocket/aws-k8s-1.36-nvidia-fips/x86_64/latest/image_id",
        ),
        (
            "Bottlerocket",
            ("inf2.xlarge",),
            "/aws/service/bottlerocket/aws-k8s-1.36/x86_64/latest/image_id",
        ),
        (
            "Ubuntu2404",
            ("m5.large",),
            "/aws/service/canonical/ubuntu/eks/24.04/1.36/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ),
        (
            "UbuntuPro2204",
            ("c6i.large",),
            "/aws/service/canonical/ubuntu/eks-pro/22.04/1.36/stable/current/amd64/hvm/ebs-gp2/ami-id",
        ),
    ],
)
@pytest.mark.parametrize("resolver", ["auto-ssm", ""])
def test_the_parameter_path_follows_family_architecture_and_accelerator(
    resolver: str, family: str, types: tuple[str, ...], parameter: str
) -> None:
    assert _ami(resolver, family, *types).ssm_parameter == parameter


@pytest.mark.parametrize(
    ("family", "types", "region", "pattern", "owner"),
    [
        (
            "AmazonLinux2023",
            ("m5.large",),
            "us-east-1",
            "amazon-eks-node-al2023-x86_64-standard-1.36-v*",
            "602401143452",
        ),
        (
            "AmazonLinux2023",
            ("g4dn.xlarge",),
            "us-west-2",
            "amazon-eks-node-al2023-x86_64-nvidia-*-1.36-v*",
            "602401143452",
        ),
        (
            "AmazonLinux2023",
            ("g5g.xlarge",),
            "us-east-1",
            "amazon-eks-node-al2023-arm64-nvidia-*-1.36-v*",
            "602401143452",
        ),
        # Opt-in regions have an account each.
        (
            "AmazonLinux2023",
            ("g4dn.xlarge",),
            "af-south-1",
            "amazon-eks-node-al2023-x86_64-nvidia-*-1.36-v*",
            "amazon",
        ),
        (
            "Bottlerocket",
            ("g5g.xlarge",),
            "us-east-1",
            "bottlerocket-aws-k8s-1.36-nvidia-aarch64-v*",
            "amazon",
        ),
        (
            "Bottlerocket",
            ("m5.large",),
            "us-east-1",
            "bottlerocket-aws-k8s-1.36-x86_64-v*",
            "amazon",
        ),
    ],
)
def test_auto_searches_by_name_and_owner(
    family: str, types: tuple[str, ...], region: str, pattern: str, owner: str
) -> None:
    found = _ami("auto", family, *types, region=region)
    assert (found.name_pattern, found.owner) == (pattern, owner)
    assert not found.ssm_parameter


def test_the_first_accelerated_type_decides() -> None:
    assert _ami("auto-ssm", "AmazonLinux2023", "m5.large", "g4dn.xlarge").kind == "nvidia"


def test_a_slice_of_a_gpu_needs_the_driver_too() -> None:
    assert _ami("auto-ssm", "AmazonLinux2023", "g6f.xlarge").kind == "nvidia"


def test_an_image_id_is_taken_as_it_is() -> None:
    found = _ami("ami-0123456789abcdef0", "AmazonLinux2023", "g4dn.xlarge")
    assert (found.image_id, found.kind, found.ssm_parameter) == (
        "ami-0123456789abcdef0",
        "nvidia",
        "",
    )


@pytest.mark.parametrize(
    ("resolver", "family", "types", "version", "said"),
    [
        (
            "auto-ssm",
            "Ubuntu2404",
            ("g4dn.xlarge",),
            "1.36",
            "Ubuntu2404 has no image for g4dn.xlarge",
        ),
        ("auto", "Ubuntu2404", ("m5.large",), "1.36", "auto cannot find Ubuntu2404"),
        ("auto-ssm", "Ubuntu2604", ("m5.large",), "1.34", "no image for Kubernetes 1.34"),
        ("auto-ssm", "WindowsServer2022CoreContainer", ("m5.large",), "1.36", "is not supported"),
        ("auto-ssm", "AmazonLinux2", ("g4dn.xlarge",), "1.36", "AmazonLinux2 has no image"),
        ("auto-ssm", "AmazonLinux2023", ("p2.xlarge",), "1.36", "no image for p2.xlarge"),
        ("auto-ssm", "Bottlerocket", ("g7.2xlarge",), "1.36", "no image for g7.2xlarge"),
        ("auto-ssm", "AmazonLinux2023", ("g4dn.xlarge", "g5g.xlarge"), "1.36", "cannot share"),
        ("auto-ssm", "AmazonLinux2023", ("g4dn.xlarge", "inf2.xlarge"), "1.36", "cannot share"),
        ("newest", "AmazonLinux2023", ("m5.large",), "1.36", "is no AMI"),
    ],
)
def test_what_has_no_image_is_refused_with_a_way_out(
    resolver: str, family: str, types: tuple[str, ...], version: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        _ami(resolver, family, *types, version=version)
    assert said in caught.value.what
    assert caught.value.why
    assert caught.value.fix


def test_every_nvidia_type_in_service_gets_an_nvidia_image() -> None:
    for one in catalog.nvidia_types():
        for resolver in ("auto", "auto-ssm"):
            found = _ami(resolver, "AmazonLinux2023", one.name)
            assert found.kind == "nvidia"
            assert "nvidia" in found.ssm_parameter + found.name_pattern


def test_the_default_minor_is_the_newest_with_an_autoscaler() -> None:
    assert catalog.default_version().minor == "1.36"
    assert catalog.kubernetes_version("1.34").standard_support_until == "2026-12-02"
    assert catalog.kubernetes_version("1.35").autoscaler_image.endswith(":v1.35.2")


def test_a_minor_outside_the_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"1\.32"):
        catalog.kubernetes_version("1.32")
