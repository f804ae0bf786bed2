"""Values of the instance catalog: what a type is, and what it costs where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """GPUs of an instance type; ``fractional`` types offer a slice and no ``nvidia.com/gpu``."""

    manufacturer: str
    model: str
    count: int
    memory_mib: int
    fractional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """One EC2 instance type. None means unknown (possible for retired types only).

    ``accelerator`` is the value of the label k8s.amazonaws.com/accelerator, empty without one.
    ``local_nvme_gib`` is the total of instance storage, 0 for none.
    """

    name: str
    vcpu: int
    memory_mib: int
    arch: str
    gpu: Gpu | None = None
    max_pods: int | None = None
    local_nvme_gib: int | None = None
    network: str | None = None
    ami_families: tuple[str, ...] = ()
    accelerator: str = ""
    retired_on: str | None = None
    retired_why: str = ""

    @property
    def nvidia_gpus(self) -> int:
        """Number of whole NVIDIA GPUs, which is what the device plugin offers as nvidia.com/gpu."""
        gpu = self.gpu
        if gpu is None or gpu.fractional or gpu.manufacturer != "NVIDIA":
            return 0
        return gpu.count


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceShape:
    """What the autoscaler's instance list knows of a type (cloudprovider/aws/ec2_instance_types.go)."""

    name: str
    vcpu: int
    memory_mib: int
    gpu: int
    arch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """An instance type in a region with its prices in USD per hour.

    ``spot_usd_per_hour`` None means no spot figure is known and spot cannot be priced.
    ``interruption_band`` is the Spot Advisor's band 0..4 (<5, 5-10, 10-15, 15-20, >20 % a month).
    ``priced_as`` names the region whose prices these really are.
    """

    instance_type: InstanceType
    region: str
    on_demand_usd_per_hour: float
    spot_usd_per_hour: float | None
    interruption_band: int | None
    priced_as: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ami:
    """The image a resolver chooses, before any call to AWS.

    ``kind`` is ``standard``, ``nvidia`` or ``neuron``. For ``auto-ssm`` ``ssm_parameter`` is the path; for
    ``auto`` ``name_pattern`` and ``owner`` are what DescribeImages is asked; for a given image ``image_id``.
    """

    resolver: str
    family: str
    kind: str
    arch: str
    ssm_parameter: str = ""
    name_pattern: str = ""
    owner: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One line of ``lowtide prices``; None is what is not known, or not meant (no GPU to divide by).

    The prices per GPU-hour divide by whole NVIDIA GPUs. ``priced_as`` is empty without a price.
    """

    instance_type: InstanceType
    on_demand_usd_per_hour: float | None
    spot_usd_per_hour: float | None
    on_demand_usd_per_gpu_hour: float | None
    spot_usd_per_gpu_hour: float | None
    interruption_band: int | None
    priced_as: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPrices:
    """Prices of a region as AWS told them, in USD per hour by instance type; they go before the bundled ones.

    ``on_demand_at`` and ``spot_at`` are when they were read (ISO 8601, UTC), empty where that part is not fresh. A spot price is the
    mean of the newest prices of the region's zones. ``trouble`` says why kept prices could not be read, if they could not.
    """

    region: str = ""
    on_demand: Mapping[str, float] = field(default_factory=dict)
    on_demand_at: str = ""
    spot: Mapping[str, float] = field(default_factory=dict)
    spot_at: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDates:
    """How old the instance prices of a cluster are: a day or a moment (ISO 8601), and whether AWS was asked for them.

    Empty where nobody knows, as for a cluster that was not made from a file. ``trouble`` says why prices that were kept are left out.
    """

    on_demand: str = ""
    on_demand_refreshed: bool = False
    spot: str = ""
    spot_refreshed: bool = False
    trouble: str = ""
