"""What lowtide.yaml says, with every default: autoscaler, plugin, spot, timings, budget.

Each timing names its source; a value measured on the user's own cluster should replace it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Delays of the world in seconds, rounded up to whole seconds when used.

    The defaults are for a g4dn on AL2023. Sources: EKS AMI issue #1099 (registration of an optimised-AMI node at 39 s
    after launch, GPU types later), autoscaler#3464 and k8s-device-plugin#291 (GPU ready in 4 to 6 minutes with plugin pull),
    AWS EC2 documentation (spot notice of 120 s).
    """

    spot_launch_s: float = 15.0
    """Spot request to a running instance."""
    on_demand_launch_s: float = 10.0
    """On-demand request to a running instance."""
    register_s: float = 45.0
    """Running instance to a registered node, general AMI."""
    gpu_register_s: float = 60.0
    """The same for accelerated AMIs: the driver loads first."""
    ready_s: float = 10.0
    """Registered to Ready: the CNI starts."""
    plugin_register_s: float = 5.0
    """Device plugin container running to nvidia.com/gpu in allocatable."""
    container_start_s: float = 1.0
    """Image present to container running."""
    image_pull_mib_per_s: float = 60.0
    """Pull and unpack rate of one node."""
    image_mib: float = 2500.0
    """Compressed size of an image that has no entry in ``image_sizes_mib``."""
    terminate_s: float = 60.0
    """TerminateInstance to the instance being gone."""
    launch_retry_s: float = 60.0
    """Pause of an Auto Scaling group after a failed launch."""
    interruption_notice_s: float = 120.0
    """Spot notice to the end of the instance (EC2 documentation)."""
    pod_grace_s: float = 1.0
    """Deletion of a running pod to its end, for containers that stop on SIGTERM."""
    autoscaler_loop_s: float = 0.1
    """Time one autoscaler loop takes."""
    image_sizes_mib: Mapping[str, float] = field(default_factory=dict)
    """Compressed sizes by image name (with or without tag), MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerPolicy:
    """Version and flags of the Cluster Autoscaler; flags given here win over ours.

    A flag that is given several times (``--balancing-label``) has its values separated by line breaks.
    """

    image: str = ""
    tags: str = "full"
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """lowtide.yaml, resolved.

    ``spot_discount`` maps an instance type to the share of the on-demand price that spot saves (0.0-1.0) and wins over the
    catalog. ``measured_allocatable_mib`` replaces the computed lower bound for a type's memory.
    ``extended_resource_toleration`` is EKS's admission plugin.
    """

    autoscaler: AutoscalerPolicy = AutoscalerPolicy()
    device_plugin_image: str = ""
    timings: Timings = field(default_factory=Timings)
    spot_discount: Mapping[str, float] = field(default_factory=dict)
    measured_allocatable_mib: Mapping[str, int] = field(default_factory=dict)
    extended_resource_toleration: bool = True
    max_usd_per_hour: float | None = None
    seed: int = 0
