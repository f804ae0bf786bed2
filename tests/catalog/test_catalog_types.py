"""The catalog's facts: every NVIDIA type, its invariants, and agreement with the shared data."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lowtide import catalog
from lowtide.catalog.tables import DATA, rows, sources
from lowtide.model.catalog import InstanceType
from lowtide.model.errors import InputError

# eksctl v0.230.0's table of 2026-08-12 has 63 NVIDIA types: bare metal and p2, p3.2x/8x/16x, g3 are not in it.
EKSCTL_NVIDIA = {
    "g4dn": ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"),
    "g5": (
        "xlarge",
        "2xlarge",
        "4xlarge",
        "8xlarge",
        "12xlarge",
        "16xlarge",
        "24xlarge",
        "48xlarge",
    ),
    "g5g": ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"),
    "g6": (
        "xlarge",
        "2xlarge",
        "4xlarge",
        "8xlarge",
        "12xlarge",
        "16xlarge",
        "24xlarge",
        "48xlarge",
    ),
    "gr6": ("4xlarge", "8xlarge"),
    "g6f": ("large", "xlarge", "2xlarge", "4xlarge"),
    "gr6f": ("4xlarge",),
    "g6e": (
        "xlarge",
        "2xlarge",
        "4xlarge",
        "8xlarge",
        "12xlarge",
        "16xlarge",
        "24xlarge",
        "48xlarge",
    ),
    "g7": ("2xlarge", "4xlarge", "8xlarge", "12xlarge", "24xlarge", "48xlarge"),
    "g7e": ("2xlarge", "4xlarge", "8xlarge", "12xlarge", "24xlarge", "48xlarge"),
    "p3dn": ("24xlarge",),
    "p4d": ("24xlarge",),
    "p4de": ("24xlarge",),
    "p5": ("4xlarge", "48xlarge"),
    "p5e": ("48xlarge",),
    "p5en": ("48xlarge",),
    "p6-b200": ("48xlarge",),
    "p6-b300": ("48xlarge",),
}
NVIDIA_NAMES = sorted(
    f"{family}.{size}" for family, sizes in EKSCTL_NVIDIA.items() for size in sizes
)
IN_SERVICE = sorted(one.name for one in catalog.instance_types() if not one.retired_on)


def test_every_nvidia_type_that_eksctl_knows_is_known() -> None:
    known = {one.name for one in catalog.instance_types()}
    assert len(NVIDIA_NAMES) == 63
    assert set(NVIDIA_NAMES) <= known


#: vCPU, memory MiB, GPU model, GPUs, GPU memory MiB, most pods, NVMe GiB, network. Sources: the EC2 instance type pages
#: and the VPC CNI's list; for g7 and p6-b300 Karpenter's reference of instance types, v1.14.
PUBLISHED = {
    "g4dn.xlarge": (4, 16384, "T4", 1, 16384, 29, 116, "Up to 25 Gigabit"),
    "g5.48xlarge": (192, 786432, "A10G", 8, 22888, 345, 7078, "100 Gigabit"),
    "p4d.24xlarge": (96, 1179648, "A100", 8, 40960, 737, 7450, "4x 100 Gigabit"),
    "p5.48xlarge": (192, 2097152, "H100", 8, 81920, 100, 28312, "3200 Gigabit"),
    "g7.12xlarge": (48, 196608, "RTX PRO 4500", 2, 32768, 758, 1769, "175 Gigabit"),
    "p6-b300.48xlarge": (192, 4194304, "B300", 8, 275040, 198, 28312, "6400 Gigabit"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_type_has_its_published_figures(name: str) -> None:
    one = catalog.instance_type(name)
    assert one.gpu is not None
    gpu = (one.gpu.model, one.gpu.count, one.gpu.memory_mib)
    rest = (one.max_pods, one.local_nvme_gib, one.network)
    assert (one.vcpu, one.memory_mib, *gpu, *rest) == PUBLISHED[name]
    assert one.nvidia_gpus == one.gpu.count


@pytest.mark.parametrize("name", IN_SERVICE)
def test_a_type_in_service_has_every_figure(name: str) -> None:
    one = catalog.instance_type(name)
    assert one.vcpu > 0
    assert one.memory_mib > 0
    assert one.arch in {"amd64", "arm64"}
    assert one.max_pods is not None
    assert one.max_pods > 0
    assert one.local_nvme_gib is not None
    assert one.network
    assert one.ami_families


@pytest.mark.parametrize("one", catalog.nvidia_types(), ids=lambda one: str(one.name))
def test_a_whole_gpu_type_carries_label_image_and_plausible_memory(one: InstanceType) -> None:
    assert one.gpu is not None
    assert one.gpu.manufacturer == "NVIDIA"
    assert not one.gpu.fractional
    assert 1 <= one.nvidia_gpus <= 8
    assert re.fullmatch(r"nvidia-[a-z0-9-]+", one.accelerator)
    assert "AmazonLinux2023" in one.ami_families
    assert 8 * 1024 <= one.gpu.memory_mib < 512 * 1024


@pytest.mark.parametrize(
    "family", ["g6f", "gr6f", "g4ad", "dl1", "inf1", "inf2", "trn1", "trn1n", "trn2", "m5", "t3"]
)
def test_nothing_but_whole_nvidia_gpus_counts_as_nvidia_com_gpu(family: str) -> None:
    members = [one for one in catalog.instance_types() if one.name.split(".")[0] == family]
    assert members
    assert {one.nvidia_gpus for one in members} == {0}
    assert {one.accelerator for one in members} == {""}


def test_one_gpu_model_has_one_label_value() -> None:
    pairs = {
        (one.gpu.model, one.accelerator)
        for one in catalog.instance_types()
        if one.gpu and one.nvidia_gpus
    }
    assert len({model for model, _ in pairs}) == len({value for _, value in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("name", "retired_on"),
    [("p2.xlarge", "2024-05-31"), ("g3.4xlarge", "2025-10-31"), ("p3.2xlarge", "2025-12-20")],
)
def test_a_retired_type_says_since_when_and_why(name: str, retired_on: str) -> None:
    one = catalog.instance_type(name)
    assert one.retired_on == retired_on
    assert one.retired_why
    assert one not in catalog.nvidia_types()


def test_p3_stays_runnable_for_v100_traces() -> None:
    assert catalog.runnable_type("p3.2xlarge").max_pods == 58


@pytest.mark.parametrize("name", ["p2.xlarge", "g3.4xlarge"])
def test_running_a_retired_type_without_figures_names_the_way_out(name: str) -> None:
    with pytest.raises(InputError) as caught:
        catalog.runnable_type(name)
    assert name in caught.value.what
    assert "g4dn.xlarge" in caught.value.fix


def test_an_unknown_type_is_an_error_that_names_the_nearest_and_how_to_add_one() -> None:
    with pytest.raises(InputError) as caught:
        catalog.instance_type("g4dn.xlrge")
    assert "g4dn.xlrge" in caught.value.what
    assert "g4dn.xlarge" in caught.value.fix
    assert "lowtide prices" in caught.value.fix
    assert (DATA / "README.md").exists()


def test_the_autoscalers_static_list_counts_every_vendor_and_lacks_new_types() -> None:
    amd = catalog.shape("g4ad.16xlarge")
    assert amd is not None
    assert amd.gpu == 4
    fractional = catalog.shape("g6f.xlarge")
    assert fractional is not None
    assert fractional.gpu == 0
    assert [catalog.shape(name) for name in ("p5e.48xlarge", "p6-b300.48xlarge", "g7.2xlarge")] == [
        None
    ] * 3
    assert catalog.described_shape("p6-b300.48xlarge").gpu == 8
    assert catalog.described_shape("trn2.48xlarge").gpu == 0


def test_every_column_has_a_source_and_a_date() -> None:
    documented = {(one.file, one.column) for one in sources()}
    actual = {
        (path.name, column)
        for path in DATA.glob("*.csv")
        if path.name != "sources.csv"
        for column in next(iter(rows(path.name)))
    }
    assert documented == actual
    assert all(one.source and re.match(r"20\d\d-\d\d", one.dated) for one in sources())


def _table(path: Path) -> dict[str, dict[str, str]]:
    with path.open() as lines:
        return {row["instance_type"]: row for row in csv.DictReader(lines)}


def test_shapes_agree_with_the_autoscalers_list(shared_data: Callable[[str], Path]) -> None:
    listed = _table(shared_data("aws-ec2/cluster_autoscaler_instance_types.csv"))
    for one in catalog.instance_types():
        shape = catalog.shape(one.name)
        row = listed.get(one.name)
        assert (shape is None) == (row is None), one.name
        if shape is not None and row is not None:
            figures = (shape.vcpu, shape.memory_mib, shape.gpu, shape.arch)
            assert figures == (
                int(row["vcpu"]),
                int(row["memory_mib"]),
                int(row["gpu"]),
                row["arch"],
            )


def test_max_pods_are_the_vpc_cnis_list(shared_data: Callable[[str], Path]) -> None:
    text = shared_data("aws-ec2/eni-max-pods.txt").read_text()
    listed = {
        line.split()[0]: int(line.split()[1])
        for line in text.splitlines()
        if line and not line.startswith("#")
    }
    known = {one.name: one.max_pods for one in catalog.instance_types()}
    assert known == {name: listed.get(name) for name in known}
