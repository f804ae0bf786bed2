"""A resolved cluster of our own, so that these tests need neither files nor resolve."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lowtide.model import names
from lowtide.model.catalog import Ami, Gpu, InstanceType, Offering
from lowtide.model.cluster import (
    AddonVersions,
    Candidate,
    NetworkPrices,
    NodeGroup,
    ResolvedCluster,
    Volume,
)
from lowtide.model.kube import Taint
from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU, PODS

_T4 = Gpu(manufacturer="NVIDIA", model="T4", count=1, memory_mib=16384)


def _candidate(name: str, vcpu: int, gib: int, gpu: Gpu | None = None) -> Candidate:
    node = {CPU: vcpu * 1000, MEMORY: gib * GIB, PODS: 29}
    if gpu:
        node[NVIDIA_GPU] = gpu.count
    return Candidate(
        offering=Offering(
            instance_type=InstanceType(
                name=name, vcpu=vcpu, memory_mib=gib * 1024, arch="x86_64", gpu=gpu, max_pods=29
            ),
            region="us-east-1",
            on_demand_usd_per_hour=1.0,
            spot_usd_per_hour=0.3,
            interruption_band=0,
            priced_as="us-east-1",
        ),
        capacity=node,
        allocatable=node,
    )


def _node_group(name: str, zone: str, *, gpu: bool, taints: tuple[Taint, ...] = ()) -> NodeGroup:
    """A group of g4dn.xlarge, or of m5.large where ``gpu`` is False."""
    candidate = _candidate("g4dn.xlarge", 4, 16, _T4) if gpu else _candidate("m5.large", 2, 8)
    return NodeGroup(
        name=name,
        managed=False,
        candidates=(candidate,),
        zones=(zone,),
        min_size=0 if gpu else 1,
        max_size=10 if gpu else 3,
        desired=0 if gpu else 1,
        on_demand_base=0,
        on_demand_percent=0 if gpu else 100,
        allocation_strategy="price-capacity-optimized",
        capacity_rebalance=False,
        labels={names.ACCELERATOR: "nvidia-tesla-t4"} if gpu else {},
        taints=taints,
        asg_tags={},
        ami=Ami(resolver="auto-ssm", family="AmazonLinux2023", kind="nvidia", arch="x86_64"),
        volume=Volume(gib=80, type="gp3", encrypted=True, usd_per_month=6.4),
        private_networking=True,
        pool="gpu-spot" if gpu else "",
    )


def _resolved_cluster(*groups: NodeGroup, flags: dict[str, str] | None = None) -> ResolvedCluster:
    """A cluster of these groups with two flags, or the ones given."""
    return ResolvedCluster(
        name="example",
        region="us-east-1",
        version="1.36",
        zones=("us-east-1a", "us-east-1b"),
        node_groups=groups,
        hardening=(),
        control_plane_usd_per_hour=0.1,
        network=NetworkPrices(
            nat_gateways=1,
            nat_usd_per_hour=0.045,
            nat_usd_per_gib=0.045,
            cross_zone_usd_per_gib=0.01,
            public_ipv4_usd_per_hour=0.005,
            s3_gateway_endpoint=True,
        ),
        autoscaler_tags="full",
        autoscaler_flags={"cloud-provider": "aws", "expander": "least-waste"}
        if flags is None
        else flags,
        addons=AddonVersions(
            autoscaler_image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
            device_plugin_image="nvcr.io/nvidia/k8s-device-plugin:v0.20.0",
            termination_handler_image="public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.6",
        ),
        regional_offerings=(),
    )


@pytest.fixture
def node_group() -> Callable[..., NodeGroup]:
    """A function that builds a group from a name, a zone, ``gpu`` and ``taints``."""
    return _node_group


@pytest.fixture
def resolved_cluster() -> Callable[..., ResolvedCluster]:
    """A function that builds a cluster from groups and ``flags``."""
    return _resolved_cluster


@pytest.fixture
def cluster() -> ResolvedCluster:
    """One general group and one tainted GPU group."""
    return _resolved_cluster(
        _node_group("general", "us-east-1a", gpu=False),
        _node_group(
            "gpu-spot-a", "us-east-1a", gpu=True, taints=(Taint(key=NVIDIA_GPU, value="true"),)
        ),
    )
