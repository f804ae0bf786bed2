"""What a node group's instances become: the resolved group with its delays, ready for the world.

Why it exists: the world knows no file, catalog or policy; it is built from these values, here from a resolved
cluster, in the conformance tests from a recorded scenario.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lowtide.cloud.groups import GroupConfig, Offer
from lowtide.model import names
from lowtide.model.asg import InstanceShape
from lowtide.model.cluster import Candidate, NodeGroup, ResolvedCluster
from lowtide.model.kube import Taint
from lowtide.model.policy import Timings
from lowtide.model.quantity import NVIDIA_GPU, Resources
from lowtide.twin.kernel import whole_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProfile:
    """The node that one instance type becomes, its GPUs included; ``arch`` is the label's value."""

    capacity: Resources
    allocatable: Resources
    arch: str = "amd64"

    @property
    def gpus(self) -> int:
        """NVIDIA GPUs of the instance."""
        return self.capacity.get(NVIDIA_GPU, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProfile:
    """A node group of the world.

    ``nodes`` maps an instance type to its node. ``labels`` and ``taints`` are there from kubelet start. Delays are whole
    milliseconds: ``register_ms`` from InService, ``ready_ms`` from registration, ``gpu_ms`` from Ready (used where no
    device plugin's pod is needed). ``own_plugin``: the image itself offers the GPUs. ``private`` nodes pull images through NAT.
    """

    config: GroupConfig
    nodes: Mapping[str, NodeProfile]
    region: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    register_ms: int
    ready_ms: int
    gpu_ms: int = 0
    own_plugin: bool = False
    private: bool = True

    @property
    def name(self) -> str:
        """The group's name."""
        return self.config.name

    @property
    def is_gpu(self) -> bool:
        """Whether any of its types brings NVIDIA GPUs."""
        return any(one.gpus for one in self.nodes.values())


def profiles_of(cluster: ResolvedCluster, timings: Timings) -> tuple[GroupProfile, ...]:
    """Return the world's node groups for a resolved cluster, in its order."""
    return tuple(_profile(group, cluster.region, timings) for group in cluster.node_groups)


def _profile(group: NodeGroup, region: str, timings: Timings) -> GroupProfile:
    return GroupProfile(
        config=_config(group, timings),
        nodes={
            one.offering.instance_type.name: NodeProfile(
                capacity=one.capacity,
                allocatable=one.allocatable,
                arch=one.offering.instance_type.arch,
            )
            for one in group.candidates
        },
        region=region,
        labels=group.labels,
        taints=group.taints,
        register_ms=whole_ms(timings.gpu_register_s if group.is_gpu else timings.register_s),
        ready_ms=whole_ms(timings.ready_s),
        # Only the plugin registers, and no image of it is pulled.
        gpu_ms=whole_ms(timings.plugin_register_s) if group.brings_device_plugin else 0,
        own_plugin=group.brings_device_plugin,
        private=group.private_networking,
    )


def _config(group: NodeGroup, timings: Timings) -> GroupConfig:
    return GroupConfig(
        name=group.name,
        min_size=group.min_size,
        max_size=group.max_size,
        desired=group.desired,
        zones=group.zones,
        offers=tuple(
            Offer(
                instance_type=one.offering.instance_type.name,
                on_demand_usd_per_hour=one.offering.on_demand_usd_per_hour,
                spot_usd_per_hour=one.offering.spot_usd_per_hour,
            )
            for one in group.candidates
        ),
        tags=group.asg_tags,
        shapes=_shapes(group.candidates),
        on_demand_base=group.on_demand_base,
        on_demand_percent=group.on_demand_percent,
        allocation_strategy=group.allocation_strategy,
        max_spot_usd_per_hour=group.max_spot_usd_per_hour,
        suspended_processes=frozenset(group.suspended_processes),
        spot_launch_ms=whole_ms(timings.spot_launch_s),
        on_demand_launch_ms=whole_ms(timings.on_demand_launch_s),
        terminate_ms=whole_ms(timings.terminate_s),
        retry_ms=whole_ms(timings.launch_retry_s),
        notice_ms=whole_ms(timings.interruption_notice_s),
    )


def _shapes(candidates: Sequence[Candidate]) -> tuple[InstanceShape, ...]:
    """Return the types as the autoscaler knows them, none at all when it does not know the first."""
    known = [one.shape for one in candidates if one.shape is not None]
    return tuple(known) if candidates[0].shape is not None else ()


def node_labels(profile: GroupProfile, name: str, zone: str, instance_type: str) -> dict[str, str]:
    """Return the labels of a node: what kubelet and the cloud provider set, then the group's own."""
    return {
        names.HOSTNAME: name,
        names.ARCH: profile.nodes[instance_type].arch,
        names.OS: "linux",
        names.INSTANCE_TYPE: instance_type,
        names.ZONE: zone,
        names.REGION: profile.region,
        **profile.labels,
    }
