"""Instance types and where they are offered: moto's list, and from the catalog what is newer than that.

Why it exists: moto's list is as old as its release, and it reads no patterns in an offering's filters and no pages.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from lowtide import catalog
from lowtide.catalog.offerings import is_sold
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, is_match, page
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.model.catalog import InstanceType
from lowtide.model.errors import InputError

_ARCHITECTURE = {"amd64": "x86_64", "arm64": "arm64"}
#: API reference, DescribeInstanceTypes and DescribeInstanceTypeOfferings: MaxResults.
_TYPES_PAGE, _OFFERINGS_PAGE = 100, 1000
_REGION, _ZONE, _ZONE_ID = "region", "availability-zone", "availability-zone-id"


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstanceTypes."""
    params = call.params
    names, filters = list(params.get("InstanceTypes", [])), list(params.get("Filters", []))
    if not names:
        part, token = page(listed(box, call, filters), params, largest=_TYPES_PAGE)
        return {"InstanceTypes": part, **token}
    if params.get("MaxResults") or params.get("NextToken"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter InstanceTypes cannot be used with the parameter MaxResults or NextToken.",
        )
    newer = [one for one in _newer(box, call) if one.name in names]
    rest = [name for name in names if name not in {one.name for one in newer}]
    found = [shown for one in newer if _is_asked(shown := _shown(one), filters)]
    if rest:
        found += _in_moto(box, call, {"InstanceTypes": rest, "Filters": filters})
    return {"InstanceTypes": found}


def offerings(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstanceTypeOfferings."""
    params = call.params
    filters = list(params.get("Filters", []))
    by = str(params.get("LocationType") or _REGION)
    if by not in {_REGION, _ZONE, _ZONE_ID}:
        raise AwsError(
            "InvalidParameterValue", f"Value ({by}) for parameter locationType is invalid."
        )
    types, places = asked(filters, "instance-type"), asked(filters, "location")
    found = [
        one
        for one in (*_offered(box, call, by, types), *_newly_offered(box, call, by, types))
        if is_match(one["InstanceType"], types) and is_match(one["Location"], places)
    ]
    shown, token = page(found, params, largest=_OFFERINGS_PAGE)
    return {"InstanceTypeOfferings": shown, **token}


def sold_in_region(box: Box, call: Call) -> set[str]:
    """Return the names of all types that the call's region has."""
    found = (*_offered(box, call, _REGION, None), *_newly_offered(box, call, _REGION, None))
    return {str(one["InstanceType"]) for one in found}


def refuse_where_not_offered(box: Box, call: Call, name: str, zone: str) -> None:
    """Raise AwsError where EC2 does not have the type at all, or not in the zone.

    The words are EC2's as quoted in dspace-group/dspace-reference-architecture-aws#85 and
    hashicorp/terraform-provider-aws#9113.
    """
    zones = zones_of(box, call, name)
    if zone in zones:
        return
    if zones:
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({name}) is not supported in your requested Availability Zone ({zone})."
            " Please retry your request by not specifying an Availability Zone or choosing"
            f" {', '.join(zones)}.",
        )
    try:
        describe(box, _asking(call, "DescribeInstanceTypes", InstanceTypes=[name]))
    except AwsError as error:
        raise AwsError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.") from error  # fmt: skip
    raise AwsError(
        "Unsupported",
        "The requested configuration is currently not supported. Please check the documentation for supported"
        " configurations.",
    )


def zones_of(box: Box, call: Call, name: str) -> list[str]:
    """Return the zones of the call's region that offer a type."""
    wanted = [{"Name": "instance-type", "Values": [name]}]
    answer = offerings(
        box, _asking(call, "DescribeInstanceTypeOfferings", LocationType=_ZONE, Filters=wanted)
    )
    return sorted(one["Location"] for one in answer["InstanceTypeOfferings"])


def size_of(box: Box, call: Call, name: str) -> tuple[int, bool]:
    """Return the vCPUs that an instance of a type counts for, and whether it is of Arm's architecture."""
    try:
        known = catalog.instance_type(name)
    except InputError:
        asked_for = _asking(call, "DescribeInstanceTypes", InstanceTypes=[name])
        one = describe(box, asked_for)["InstanceTypes"][0]
        architectures = one["ProcessorInfo"]["SupportedArchitectures"]
        return int(one["VCpuInfo"]["DefaultVCpus"]), "arm64" in architectures
    return known.vcpu, known.arch == "arm64"


def _asking(call: Call, operation: str, **params: Any) -> Call:
    return dataclasses.replace(call, operation=operation, params=params)


@dataclass(slots=True)
class _Remembered:
    """What a box asked moto before: its tables never change, and a list of all types takes it seconds."""

    newer: list[InstanceType] | None = None
    listed_for: str = ""
    listed: list[dict[str, Any]] = field(default_factory=list)


_REMEMBERED: WeakKeyDictionary[Box, _Remembered] = WeakKeyDictionary()


def listed(box: Box, call: Call, filters: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the types that pass filters, by name; every page of a list asks for the same again."""
    remembered = _REMEMBERED.setdefault(box, _Remembered())
    question = json.dumps([call.region, filters])
    if remembered.listed_for != question:
        found = [shown for one in _newer(box, call) if _is_asked(shown := _shown(one), filters)]
        found += _in_moto(box, call, {"Filters": filters})
        found.sort(key=lambda one: str(one["InstanceType"]))
        remembered.listed_for, remembered.listed = question, found
    return remembered.listed


def _newer(box: Box, call: Call) -> list[InstanceType]:
    """Return the catalog's types in service that moto does not know: it names them when asked for all."""
    remembered = _REMEMBERED.setdefault(box, _Remembered())
    if remembered.newer is None:
        ours = [one for one in catalog.instance_types() if one.retired_on is None]
        said = ""
        try:
            _in_moto(box, call, {"InstanceTypes": [one.name for one in ours]})
        except AwsError as error:
            said = error.message
        unknown = set(re.findall(r"[\w-]+\.[\w-]+", said))
        remembered.newer = [one for one in ours if one.name in unknown]
    return remembered.newer


def _in_moto(box: Box, call: Call, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = {key: one for key, one in params.items() if one}
    answer = beneath(box, call, operation="DescribeInstanceTypes", params=given)
    return list(answer.get("InstanceTypes", []))


def _offered(box: Box, call: Call, by: str, types: list[str] | None) -> list[dict[str, Any]]:
    params: dict[str, Any] = {"LocationType": by}
    if types is not None and not any("*" in one or "?" in one for one in types):
        params["Filters"] = [{"Name": "instance-type", "Values": types}]
    answer = beneath(box, call, operation="DescribeInstanceTypeOfferings", params=params)
    return list(answer.get("InstanceTypeOfferings", []))


def _newly_offered(
    box: Box, call: Call, by: str, types: list[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield offers of newer types: every zone of a region where they are sold, as nobody knows better."""
    newer = [
        one
        for one in _newer(box, call)
        if is_match(one.name, types) and is_sold(one.name, call.region)
    ]
    places = [call.region]
    if newer and by in {_ZONE, _ZONE_ID}:
        answer = beneath(box, call, operation="DescribeAvailabilityZones", params={})
        place = "ZoneName" if by == _ZONE else "ZoneId"
        places = [str(one[place]) for one in answer["AvailabilityZones"]]
    for one in newer:
        for at in places:
            yield {"InstanceType": one.name, "LocationType": by, "Location": at}


def _is_asked(shown: Mapping[str, Any], filters: list[Mapping[str, Any]]) -> bool:
    """Return whether a type passes filters; one that it has no value for lets nothing pass."""
    values: dict[str, list[str]] = {
        "instance-type": [shown["InstanceType"]],
        "bare-metal": [str(shown["BareMetal"]).lower()],
        "current-generation": [str(shown["CurrentGeneration"]).lower()],
        "hypervisor": [shown["Hypervisor"]],
        "instance-storage-supported": [str(shown["InstanceStorageSupported"]).lower()],
        "memory-info.size-in-mib": [str(shown["MemoryInfo"]["SizeInMiB"])],
        "processor-info.supported-architecture": shown["ProcessorInfo"]["SupportedArchitectures"],
        "supported-usage-class": shown["SupportedUsageClasses"],
        "vcpu-info.default-vcpus": [str(shown["VCpuInfo"]["DefaultVCpus"])],
    }
    return all(
        any(is_match(value, list(one["Values"])) for value in values.get(one["Name"], []))
        for one in filters
    )


def _shown(one: InstanceType) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "InstanceType": one.name,
        "CurrentGeneration": True,
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
