"""From a resolved group to the world's: nothing is decided anew, delays become whole milliseconds."""

from __future__ import annotations

import dataclasses

import pytest

from lowtide.model.asg import InstanceShape
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
from lowtide.model.policy import Policy, Timings
from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU, PODS
from lowtide.model.scenario import Apply, Scenario, Step
from lowtide.model.workload import DaemonSet, Replicated
from lowtide.twin.profiles import node_labels, profiles_of
from lowtide.twin.run import run

CAPACITY = {CPU: 4000, MEMORY: 16 * GIB, PODS: 29, NVIDIA_GPU: 1}


def candidate(name: str, *, arch: str = "amd64", gpus: int = 1) -> Candidate:
    gpu = Gpu(manufacturer="NVIDIA", model="T4", count=gpus, memory_mib=16384) if gpus else None
    capacity = CAPACITY if gpus else {key: CAPACITY[key] for key in (CPU, MEMORY, PODS)}
    return Candidate(
        offering=Offering(
            instance_type=InstanceType(name=name, vcpu=4, memory_mib=16384, arch=arch, gpu=gpu),
            region="us-east-1",
            on_demand_usd_per_hour=0.5,
            spot_usd_per_hour=0.2,
            interruption_band=1,
            priced_as="us-east-1",
        ),
        capacity=capacity,
        allocatable={**capacity, CPU: 3900},
        shape=InstanceShape(name=name, vcpu=4, memory_mib=16384, gpu=gpus, arch=arch),
    )


def group(name: str, *candidates: Candidate, desired: int = 0) -> NodeGroup:
    return NodeGroup(
        name=name,
        managed=False,
        candidates=candidates,
        zones=("us-east-1a",),
        min_size=0,
        max_size=5,
        desired=desired,
        on_demand_base=0,
        on_demand_percent=0,
        allocation_strategy="price-capacity-optimized",
        capacity_rebalance=False,
        labels={"team": "ml"},
        taints=(Taint(key="team", value="ml"),) if candidates[0].capacity.get(NVIDIA_GPU) else (),
        asg_tags={"a": "b"},
        ami=Ami(resolver="auto-ssm", family="AmazonLinux2023", kind="nvidia", arch="x86_64"),
        volume=Volume(gib=80, type="gp3", encrypted=True, usd_per_month=6.4),
        private_networking=True,
        pool="",
    )


@pytest.fixture
def cluster() -> ResolvedCluster:
    """A cluster of one general node and a GPU group at zero."""
    return ResolvedCluster(
        name="test",
        region="us-east-1",
        version="1.35",
        zones=("us-east-1a",),
        node_groups=(
            group("general", candidate("m5.xlarge", gpus=0), desired=1),
            group("gpu", candidate("g4dn.xlarge"), candidate("g5g.xlarge", arch="arm64")),
        ),
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
        autoscaler_flags={},
        addons=AddonVersions(
            autoscaler_image="", device_plugin_image="", termination_handler_image=""
        ),
        regional_offerings=(),
    )


def test_a_profile_carries_sizes_prices_labels_and_delays(cluster: ResolvedCluster) -> None:
    timings = Timings(spot_launch_s=14.2, gpu_register_s=61.5, ready_s=9)
    gpu = profiles_of(cluster, timings)[1]
    assert (gpu.name, gpu.config.max_size, gpu.config.zones) == ("gpu", 5, ("us-east-1a",))
    assert [one.spot_usd_per_hour for one in gpu.config.offers] == [0.2, 0.2]
    assert gpu.config.launch_ms("spot") == 15_000
    assert (gpu.register_ms, gpu.ready_ms) == (62_000, 9000)
    assert gpu.is_gpu
    assert gpu.config.tags == {"a": "b"}


def test_a_bottlerocket_group_offers_its_gpus_without_a_plugins_pod(
    cluster: ResolvedCluster,
) -> None:
    general, gpu = cluster.node_groups
    image = dataclasses.replace(gpu.ami, family="Bottlerocket")
    theirs = dataclasses.replace(gpu, ami=image)
    plain = dataclasses.replace(general, ami=image)
    shown = dataclasses.replace(cluster, node_groups=(plain, gpu, theirs))
    profiles = profiles_of(shown, Timings(plugin_register_s=5))
    assert [one.own_plugin for one in profiles] == [False, False, True]
    assert [one.gpu_ms for one in profiles] == [0, 0, 5000]


def test_general_nodes_register_sooner_than_gpu_nodes(cluster: ResolvedCluster) -> None:
    general, gpu = profiles_of(cluster, Timings())
    assert general.register_ms < gpu.register_ms


def test_the_autoscaler_is_shown_the_types_in_the_files_order(cluster: ResolvedCluster) -> None:
    gpu = profiles_of(cluster, Timings())[1]
    assert [(one.name, one.gpu, one.arch) for one in gpu.config.shapes] == [
        ("g4dn.xlarge", 1, "amd64"),
        ("g5g.xlarge", 1, "arm64"),
    ]


def test_what_the_autoscaler_knows_of_a_type_is_not_what_the_type_is(
    cluster: ResolvedCluster,
) -> None:
    # It counts no Neuron devices, though the type has an accelerator: its template has no GPU, and no node is bought.
    neuron = Gpu(manufacturer="AWS", model="Inferentia2", count=1, memory_mib=32768)
    plain = candidate("inf2.xlarge", gpus=0)
    kind = dataclasses.replace(plain.offering.instance_type, gpu=neuron)
    inf2 = dataclasses.replace(
        plain, offering=dataclasses.replace(plain.offering, instance_type=kind)
    )
    shown = dataclasses.replace(cluster, node_groups=(group("neuron", inf2),))
    assert [one.gpu for one in profiles_of(shown, Timings())[0].config.shapes] == [0]


def test_a_first_type_that_the_autoscaler_does_not_know_leaves_it_without_a_template(
    cluster: ResolvedCluster,
) -> None:
    unknown = dataclasses.replace(candidate("new.xlarge"), shape=None)
    shown = dataclasses.replace(
        cluster, node_groups=(group("gpu", unknown, candidate("g4dn.xlarge")),)
    )
    assert profiles_of(shown, Timings())[0].config.shapes == ()


def test_the_groups_own_labels_win_over_what_kubelet_sets(cluster: ResolvedCluster) -> None:
    gpu = dataclasses.replace(
        profiles_of(cluster, Timings())[1], labels={"kubernetes.io/os": "bottlerocket"}
    )
    labels = node_labels(gpu, "gpu-001", "us-east-1a", "g5g.xlarge")
    assert labels["kubernetes.io/os"] == "bottlerocket"
    assert labels["kubernetes.io/arch"] == "arm64"


def test_a_resolved_cluster_runs_and_reports_its_progress(
    cluster: ResolvedCluster, plugin: DaemonSet, make_deployment: object
) -> None:
    assert callable(make_deployment)
    deployment = make_deployment(2, gpus=0)
    assert isinstance(deployment, Replicated)
    seen: list[int] = []
    record = run(
        cluster,
        Scenario(steps=(Step(action=Apply(objects=(deployment,)), at_ms=0),), addons="none"),
        policy=Policy(),
        initial=(plugin,),
        addons=(),
        seed=3,
        progress=seen.append,
    )
    assert (record.cluster, record.seed, record.ended) == ("test", 3, "quiet")
    assert [one.outcome for one in record.pods] == ["running", "running"]
    assert seen == sorted(seen)
