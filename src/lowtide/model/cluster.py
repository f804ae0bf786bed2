"""The resolved cluster: every fact that templates, manifests, twin, checks and cost read.

Made once by ``resolve`` from the file, the catalog and the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.model.catalog import Ami, InstanceShape, Offering, PriceDates
from lowtide.model.findings import Finding, Mark
from lowtide.model.names import ON_DEMAND, SPOT
from lowtide.model.quantity import NVIDIA_GPU, Resources
from lowtide.model.taints import Taint


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardening:
    """One value that differs from eksctl's default, and why."""

    key: str
    eksctl_value: str
    our_value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A root volume.

    ``usd_per_month`` is for whole volumes, as AWS bills EBS, and includes the group's additional volumes.
    """

    gib: int
    type: str
    encrypted: bool
    usd_per_month: float
    iops: int | None = None
    throughput_mib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An instance type a group may launch, with the node it becomes.

    ``shape`` is what the autoscaler's own instance list knows of the type, None when it is not in that list.
    """

    offering: Offering
    capacity: Resources
    allocatable: Resources
    shape: InstanceShape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """One node group, resolved.

    ``candidates`` keep the file's order; the first one is what the autoscaler sees at size zero.
    ``labels`` and ``taints`` are on the node from kubelet start; ``asg_tags`` on the Auto Scaling group.
    ``on_demand_base`` and ``on_demand_percent`` decide the share of spot as EC2 Auto Scaling does.
    ``pool`` is the value of the shared lowtide.dev/pool label, empty without one.
    """

    name: str
    managed: bool
    candidates: tuple[Candidate, ...]
    zones: tuple[str, ...]
    min_size: int
    max_size: int
    desired: int
    on_demand_base: int
    on_demand_percent: int
    allocation_strategy: str
    capacity_rebalance: bool
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    asg_tags: Mapping[str, str]
    ami: Ami
    volume: Volume
    private_networking: bool
    pool: str
    max_spot_usd_per_hour: float | None = None
    suspended_processes: tuple[str, ...] = ()
    mark: Mark = field(default_factory=Mark)

    @property
    def gpus(self) -> int:
        """NVIDIA GPUs of a node of the first candidate."""
        return self.candidates[0].capacity.get(NVIDIA_GPU, 0)

    @property
    def is_gpu(self) -> bool:
        """Whether any candidate brings NVIDIA GPUs."""
        return any(one.capacity.get(NVIDIA_GPU, 0) for one in self.candidates)

    @property
    def brings_device_plugin(self) -> bool:
        """Whether its image offers the GPUs by itself.

        Bottlerocket's NVIDIA variants run the device plugin as a service of the host (EKS user guide, "Install Kubernetes device plugin
        for GPUs"). A second one in a pod gets in its way: GPUs become unusable (bottlerocket#4309).
        """
        return self.is_gpu and self.ami.family.startswith("Bottlerocket")

    def bought(self, nodes: int) -> tuple[int, int]:
        """Return how many of that many nodes are on-demand and how many are spot."""
        return bought(nodes, base=self.on_demand_base, percent=self.on_demand_percent)

    @property
    def capacity_type(self) -> str:
        """``spot``, ``on-demand`` or ``mixed``."""
        if self.on_demand_percent >= 100:
            return ON_DEMAND
        return SPOT if self.on_demand_base == 0 and self.on_demand_percent == 0 else "mixed"


def bought(nodes: int, *, base: int, percent: int) -> tuple[int, int]:
    """Return how many of that many nodes are on-demand and how many are spot.

    The base first; of what is above it the percentage, rounded up in favour of on-demand (EC2 Auto Scaling user guide,
    "Instances distribution").
    """
    first = min(nodes, base)
    on_demand = first + -(-(nodes - first) * percent // 100)
    return on_demand, nodes - on_demand


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPrices:
    """What the network costs: NAT gateways, data through them, across zones, public addresses."""

    nat_gateways: int
    nat_usd_per_hour: float
    nat_usd_per_gib: float
    cross_zone_usd_per_gib: float
    public_ipv4_usd_per_hour: float
    s3_gateway_endpoint: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonVersions:
    """Pinned images and versions of what is installed into the cluster."""

    autoscaler_image: str
    device_plugin_image: str
    termination_handler_image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCluster:
    """The whole cluster, resolved.

    ``autoscaler_flags`` are the flags of the autoscaler's Deployment without leading dashes.
    ``autoscaler_tags`` is ``full`` or ``asFile``. ``notices`` are things to be said loudly, such as prices
    taken from another region. ``regional_offerings`` is every NVIDIA type on sale, for the baseline.
    """

    name: str
    region: str
    version: str
    zones: tuple[str, ...]
    node_groups: tuple[NodeGroup, ...]
    hardening: tuple[Hardening, ...]
    control_plane_usd_per_hour: float
    network: NetworkPrices
    autoscaler_tags: str
    autoscaler_flags: Mapping[str, str]
    addons: AddonVersions
    regional_offerings: tuple[Offering, ...]
    notices: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()
    price_dates: PriceDates = field(default_factory=PriceDates)

    @property
    def needs_device_plugin(self) -> bool:
        """Whether a group has GPUs that its image does not offer by itself."""
        return any(one.is_gpu and not one.brings_device_plugin for one in self.node_groups)

    @property
    def uses_spot(self) -> bool:
        """Whether any group may launch spot instances, so that interruptions are handled."""
        return any(one.capacity_type != ON_DEMAND for one in self.node_groups)

    def group(self, name: str) -> NodeGroup:
        """Return the group of that name.

        Raises:
            KeyError: there is none.
        """
        for one in self.node_groups:
            if one.name == name:
                return one
        raise KeyError(name)
