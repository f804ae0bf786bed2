"""Instance types and where they are offered: moto's list, and from the catalog what is newer than that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide import catalog
from lowtide.catalog.offerings import is_sold
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, is_match
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.model.catalog import InstanceType
from lowtide.model.errors import InputError

_ARCHITECTURE = {"amd64": "x86_64", "arm64": "arm64"}


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstanceTypes."""
    names = list(call.params.get("InstanceTypes", []))
    newer = [one for name in names if (one := _only_in_catalog(box, call, name)) is not None]
    rest = [name for name in names if name not in {one.name for one in newer}]
    found = [_shown(one) for one in newer]
    if names and not rest:
        return {"InstanceTypes": found}
    params = {**call.params, "InstanceTypes": rest} if names else call.params
    answer = beneath(box, call, params=params)
    return {**answer, "InstanceTypes": [*found, *answer.get("InstanceTypes", [])]}


def offerings(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstanceTypeOfferings."""
    answer = beneath(box, call)
    filters = list(call.params.get("Filters", []))
    by = str(call.params.get("LocationType") or "region")
    if by not in {"region", "availability-zone"}:
        return answer
    places = catalog.chosen_zones(call.region) if by == "availability-zone" else (call.region,)
    further = [
        {"InstanceType": name, "LocationType": by, "Location": place}
        for name in asked(filters, "instance-type") or []
        if _only_in_catalog(box, call, name) and is_sold(name, call.region)
        for place in places
        if is_match(place, asked(filters, "location"))
    ]
    return {**answer, "InstanceTypeOfferings": [*answer.get("InstanceTypeOfferings", []), *further]}


def _only_in_catalog(box: Box, call: Call, name: str) -> InstanceType | None:
    try:
        one = catalog.instance_type(name)
    except InputError:
        return None
    try:
        beneath(box, call, operation="DescribeInstanceTypes", params={"InstanceTypes": [name]})
    except AwsError:
        return one
    return None


def _shown(one: InstanceType) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "InstanceType": one.name,
        "CurrentGeneration": one.retired_on is None,
        "FreeTierEligible": False,
        "SupportedUsageClasses": ["on-demand", "spot"],
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": ["hvm"],
        "BareMetal": one.name.endswith(".metal"),
        "Hypervisor": "nitro",
        "ProcessorInfo": {"SupportedArchitectures": [_ARCHITECTURE[one.arch]]},
        "VCpuInfo": {"DefaultVCpus": one.vcpu},
        "MemoryInfo": {"SizeInMiB": one.memory_mib},
        "InstanceStorageSupported": bool(one.local_nvme_gib),
    }
    if one.network:
        shown["NetworkInfo"] = {"NetworkPerformance": one.network, "EnaSupport": "required"}
    gpu = one.gpu
    if gpu is not None and gpu.manufacturer != "AWS":
        about = {
            "Name": gpu.model,
            "Manufacturer": gpu.manufacturer,
            "Count": gpu.count,
            "MemoryInfo": {"SizeInMiB": gpu.memory_mib},
        }
        shown["GpuInfo"] = {
            "Gpus": [about],
            "TotalGpuMemoryInMiB": gpu.count * gpu.memory_mib,
        }
    return shown
