"""Capacity and the lower bound of allocatable, from specifications."""

from __future__ import annotations

import pytest

from lowtide import catalog
from lowtide.model.catalog import InstanceType, Offering
from lowtide.model.quantity import CPU, EPHEMERAL_STORAGE, GIB, MEMORY, MIB, NVIDIA_GPU, PODS
from lowtide.resolve.nodes import candidate, reserved_cpu_milli, reserved_memory_mib

PRICED = [
    one
    for one in catalog.instance_types()
    if one.max_pods is not None
    and one.name not in {"p5e.48xlarge", "trn2.3xlarge", "trn2.48xlarge"}
]


def _offering(name: str) -> Offering:
    return catalog.offering(name, "us-east-1")


@pytest.mark.parametrize(
    ("vcpu", "milli"),
    # EKS AMI, nodeadm: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest.
    [(1, 60), (2, 70), (4, 80), (8, 90), (96, 310), (192, 550)],
)
def test_reserved_cpu_falls_with_each_core(vcpu: int, milli: int) -> None:
    assert reserved_cpu_milli(vcpu) == milli


def test_reserved_memory_grows_with_pods() -> None:
    assert [reserved_memory_mib(pods) for pods in (29, 737)] == [574, 8362]


def test_a_g4dn_becomes_this_node() -> None:
    node = candidate(_offering("g4dn.xlarge"), disk_gib=80)
    disk = 80 * GIB - 128 * MIB
    assert node.capacity == {
        CPU: 4000,
        MEMORY: 15155 * MIB,
        PODS: 29,
        EPHEMERAL_STORAGE: disk,
        NVIDIA_GPU: 1,
    }
    assert node.allocatable == {
        CPU: 3920,
        MEMORY: (15155 - 574 - 100) * MIB,
        PODS: 29,
        EPHEMERAL_STORAGE: 72588 * MIB,
        NVIDIA_GPU: 1,
    }


def test_the_files_maximum_of_pods_counts_and_never_raises_memory() -> None:
    usual = candidate(_offering("g4dn.xlarge"), disk_gib=80)
    few = candidate(_offering("g4dn.xlarge"), disk_gib=80, max_pods=10)
    many = candidate(_offering("g4dn.xlarge"), disk_gib=80, max_pods=110)
    assert [one.allocatable[PODS] for one in (few, many)] == [10, 110]
    assert few.allocatable[MEMORY] == usual.allocatable[MEMORY]
    assert many.allocatable[MEMORY] == usual.allocatable[MEMORY] - 11 * (110 - 29) * MIB


def test_a_measured_value_replaces_the_lower_bound() -> None:
    node = candidate(_offering("g4dn.xlarge"), disk_gib=80, measured_memory_mib=14900)
    assert node.allocatable[MEMORY] == 14900 * MIB
    assert node.capacity[MEMORY] == (14900 + 574 + 100) * MIB


@pytest.mark.parametrize("one", PRICED, ids=lambda one: str(one.name))
def test_every_type_becomes_a_node_with_less_than_it_has(one: InstanceType) -> None:
    node = candidate(_offering(one.name), disk_gib=20)
    assert node.capacity.keys() == node.allocatable.keys()
    assert all(0 < node.allocatable[name] <= node.capacity[name] for name in node.capacity)
    assert node.capacity[MEMORY] < one.memory_mib * MIB
    assert node.capacity.get(NVIDIA_GPU, 0) == one.nvidia_gpus
