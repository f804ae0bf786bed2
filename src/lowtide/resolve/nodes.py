"""The node that an instance becomes: capacity, and a lower bound of allocatable.

Real allocatable memory cannot be known from specifications (firmware, kernel and hypervisor take a share that differs by type and
kernel), so memory is a lower bound: a pod that fits here fits the real node. A value measured on a real node replaces it.

Sources: kube-reserved of EKS nodes, awslabs/amazon-eks-ami nodeadm/internal/kubelet/config.go; eviction thresholds of the same
file (100 MiB of memory, 10 % of the node's file system); Kubernetes "Reserve Compute Resources for System Daemons".
"""

from __future__ import annotations

from lowtide import catalog
from lowtide.model.catalog import InstanceType, Offering
from lowtide.model.cluster import Candidate
from lowtide.model.quantity import (
    CPU,
    EPHEMERAL_STORAGE,
    GIB,
    MEMORY,
    MIB,
    NVIDIA_GPU,
    PODS,
)

_EVICTION_MEMORY_MIB = 100
_RESERVED_STORAGE_GIB = 1
#: Partitions and the file system's own log: 12 MiB on AL2023's 80 GiB disk, 64 MiB more where XFS is young.
_UNUSABLE_DISK_MIB = 128


def candidate(
    offering: Offering,
    *,
    disk_gib: int,
    max_pods: int | None = None,
    measured_memory_mib: int | None = None,
) -> Candidate:
    """Return an instance type with the node it becomes.

    Args:
        offering: the type with its prices; its max_pods must be known.
        disk_gib: size of the root volume, which holds images and emptyDir.
        max_pods: the file's maxPodsPerNode, None for the VPC CNI's figure.
        measured_memory_mib: allocatable memory seen on a real node, None for the lower bound.
    """
    one = offering.instance_type
    if one.max_pods is None:
        msg = f"{one.name} has no known maximum of pods"
        raise ValueError(msg)
    pods = max_pods or one.max_pods
    # nodeadm reserves for the type's own figure, whatever the file says; the larger of both stays a lower bound.
    kept_back_mib = reserved_memory_mib(max(pods, one.max_pods)) + _EVICTION_MEMORY_MIB
    visible_mib = visible_memory_mib(one)
    free_mib = visible_mib - kept_back_mib if measured_memory_mib is None else measured_memory_mib
    disk = disk_gib * GIB - _UNUSABLE_DISK_MIB * MIB
    capacity = {
        CPU: one.vcpu * 1000,
        MEMORY: max(visible_mib, free_mib + kept_back_mib) * MIB,
        PODS: pods,
        EPHEMERAL_STORAGE: disk,
    }
    allocatable = {
        CPU: one.vcpu * 1000 - reserved_cpu_milli(one.vcpu),
        MEMORY: max(0, free_mib) * MIB,
        PODS: pods,
        EPHEMERAL_STORAGE: _usable_disk(disk),
    }
    if one.nvidia_gpus:
        capacity[NVIDIA_GPU] = allocatable[NVIDIA_GPU] = one.nvidia_gpus
    return Candidate(
        offering=offering,
        capacity=capacity,
        allocatable=allocatable,
        shape=catalog.described_shape(one.name),
    )


def _usable_disk(disk: int) -> int:
    """Return whole MiB (in bytes) of a disk below the eviction threshold of 10 % and kube-reserved's 1 GiB."""
    return max(0, disk * 9 // 10 - _RESERVED_STORAGE_GIB * GIB) // MIB * MIB


def visible_memory_mib(one: InstanceType) -> int:
    """Return the memory that a kubelet surely reports as capacity: 92.5 % of what the type has.

    The share is Karpenter's VM_MEMORY_OVERHEAD_PERCENT of 7.5 %, chosen to hold for every type.
    """
    return one.memory_mib * 925 // 1000


def reserved_memory_mib(max_pods: int) -> int:
    """Return what an EKS node reserves for kubelet and container runtime."""
    return 255 + 11 * max_pods


def reserved_cpu_milli(vcpu: int) -> int:
    """Return what an EKS node reserves: 6 % of the first core, 1 % of the second, 0.5 % of two more, 0.25 % of the rest."""
    tenths_of_milli = [600, 100, 50, 50][:vcpu] + [25] * max(0, vcpu - 4)
    return -(-sum(tenths_of_milli) // 10)
