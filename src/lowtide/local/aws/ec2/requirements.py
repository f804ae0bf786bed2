"""Which instance types fit what a request asks of them: GetInstanceTypesFromInstanceRequirements.

Why it exists: whoever names attributes instead of types asks EC2 which types they come to, the real autoscaler among
them; moto does not serve it. Prices do not narrow the answer: EC2 applies no price protection here (API reference,
InstanceRequirementsRequest, from which all defaults are, too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import is_match, page
from lowtide.local.aws.ec2.kinds import listed, sold_in_region
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

_PAGE = 1000
#: Manufacturers as they describe themselves, and as requirements name them.
_MANUFACTURERS = {
    "apple": "apple",
    "amd": "amd",
    "aws": "amazon-web-services",
    "habana": "habana",
    "intel": "intel",
    "nvidia": "nvidia",
    "xilinx": "xilinx",
}
#: Type of accelerator -> where a described type has them. Trainium is in no list but NeuronInfo's.
_ACCELERATORS = {
    "gpu": ("GpuInfo", "Gpus"),
    "fpga": ("FpgaInfo", "Fpgas"),
    "inference": ("InferenceAcceleratorInfo", "Accelerators"),
    "media": ("MediaAcceleratorInfo", "Accelerators"),
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "ArchitectureTypes": ("i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"),
    "VirtualizationTypes": ("hvm", "paravirtual"),
    "AcceleratorTypes": tuple(_ACCELERATORS),
    "AcceleratorManufacturers": ("amazon-web-services", "amd", "habana", "nvidia", "xilinx"),
    "CpuManufacturers": ("amazon-web-services", "amd", "apple", "intel"),
    "InstanceGenerations": ("current", "previous"),
    "LocalStorageTypes": ("hdd", "ssd"),
}
_CHOICES = ("included", "required", "excluded")


@dataclass(frozen=True, slots=True)
class _Accelerator:
    kind: str
    manufacturer: str
    name: str
    count: int
    memory_mib: int


def types_for(box: Box, call: Call) -> Mapping[str, Any]:
    """GetInstanceTypesFromInstanceRequirements."""
    params = call.params
    needs = params["InstanceRequirements"]
    _check(params)
    _check(needs)
    sold = sold_in_region(box, call)
    found = [
        {"InstanceType": one["InstanceType"]}
        for one in listed(box, call, [])
        if one["InstanceType"] in sold
        and _is_any(params["ArchitectureTypes"], one["ProcessorInfo"]["SupportedArchitectures"])
        and _is_any(params["VirtualizationTypes"], one["SupportedVirtualizationTypes"])
        and fits(one, needs)
    ]
    shown, token = page(found, params, largest=_PAGE)
    return {"InstanceTypes": shown, **token}


def fits(one: Mapping[str, Any], needs: Mapping[str, Any]) -> bool:
    """Return whether a type, as DescribeInstanceTypes describes it, fits requirements."""
    vcpu, memory_mib = one["VCpuInfo"]["DefaultVCpus"], one["MemoryInfo"]["SizeInMiB"]
    maker = _MANUFACTURERS.get(one["ProcessorInfo"].get("Manufacturer", "").lower(), "")
    generation = "current" if one["CurrentGeneration"] else "previous"
    return (
        _is_within(needs, "VCpuCount", vcpu)
        and _is_within(needs, "MemoryMiB", memory_mib)
        and _is_within(needs, "MemoryGiBPerVCpu", memory_mib / 1024 / vcpu)
        and _is_any(needs.get("CpuManufacturers"), [maker])
        and _is_any(needs.get("InstanceGenerations"), [generation])
        and _is_named(one["InstanceType"], needs)
        and _is_chosen(needs.get("BareMetal", "excluded"), has=one["BareMetal"])
        and _is_chosen(needs.get("BurstablePerformance", "excluded"), has=_is_burstable(one))
        and not (needs.get("RequireHibernateSupport") and not one.get("HibernationSupported"))
        and _fits_storage(one, needs)
        and _fits_network(one, needs)
        and _fits_accelerators(list(_accelerators(one)), needs)
    )


def _check(given: Mapping[str, Any]) -> None:
    """Refuse words that mean nothing, limits that contradict each other, and what the box cannot judge."""
    for name, known in _WORDS.items():
        for value in given.get(name, []):
            if value not in known:
                raise _refused(name, value)
    for name in ("BareMetal", "BurstablePerformance", "LocalStorage"):
        if given.get(name, "included") not in _CHOICES:
            raise _refused(name, given[name])
    for name, value in given.items():
        if isinstance(value, dict) and "Max" in value and value["Max"] < value.get("Min", 0):
            raise _refused(name, f"{value.get('Min', 0)}..{value['Max']}")
    if given.get("AllowedInstanceTypes") and given.get("ExcludedInstanceTypes"):
        raise AwsError(
            "InvalidParameterCombination",
            "AllowedInstanceTypes and ExcludedInstanceTypes cannot both be specified.",
        )
    if given.get("BaselinePerformanceFactors"):
        raise AwsError(
            "InvalidParameterValue", "The embedded AWS does not judge BaselinePerformanceFactors."
        )


def _refused(name: str, value: object) -> AwsError:
    return AwsError("InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid.")


def _is_within(needs: Mapping[str, Any], name: str, value: float | None) -> bool:
    """Return whether a value is within the limits of that name; one that nobody knows is within none."""
    limits = needs.get(name)
    if not limits:
        return True
    if value is None:
        return False
    return bool(limits.get("Min", 0) <= value <= limits.get("Max", value))


def _is_any(wanted: list[str] | None, those: list[str]) -> bool:
    return not wanted or any(one in wanted for one in those)


def _is_named(name: str, needs: Mapping[str, Any]) -> bool:
    allowed, excluded = needs.get("AllowedInstanceTypes"), needs.get("ExcludedInstanceTypes")
    return is_match(name, allowed or None) and not (excluded and is_match(name, excluded))


def _is_chosen(choice: str, *, has: bool) -> bool:
    return choice == "included" or (choice == "required") == has


def _is_burstable(one: Mapping[str, Any]) -> bool:
    return bool(one.get("BurstablePerformanceSupported"))


def _fits_storage(one: Mapping[str, Any], needs: Mapping[str, Any]) -> bool:
    about = one.get("InstanceStorageInfo", {})
    kinds = {str(disk["Type"]) for disk in about.get("Disks", [])}
    has = bool(one["InstanceStorageSupported"])
    return (
        _is_chosen(needs.get("LocalStorage", "included"), has=has)
        and (not kinds or _is_any(needs.get("LocalStorageTypes"), sorted(kinds)))
        and _is_within(needs, "TotalLocalStorageGB", about.get("TotalSizeInGB", None if has else 0))
    )


def _fits_network(one: Mapping[str, Any], needs: Mapping[str, Any]) -> bool:
    network, ebs = one.get("NetworkInfo", {}), one.get("EbsInfo", {}).get("EbsOptimizedInfo", {})
    cards = [card.get("BaselineBandwidthInGbps") for card in network.get("NetworkCards", [])]
    known = [one for one in cards if one is not None]
    return (
        _is_within(needs, "NetworkInterfaceCount", network.get("MaximumNetworkInterfaces"))
        and _is_within(needs, "NetworkBandwidthGbps", sum(known) if known else None)
        and _is_within(needs, "BaselineEbsBandwidthMbps", ebs.get("BaselineBandwidthInMbps"))
        and not (
            needs.get("RequireEncryptionInTransit")
            and not network.get("EncryptionInTransitSupported")
        )
    )


def _fits_accelerators(those: list[_Accelerator], needs: Mapping[str, Any]) -> bool:
    wants: list[tuple[str, Callable[[_Accelerator], str]]] = [
        ("AcceleratorTypes", lambda one: one.kind),
        ("AcceleratorManufacturers", lambda one: one.manufacturer),
        ("AcceleratorNames", lambda one: one.name),
    ]
    memory_mib = sum(one.count * one.memory_mib for one in those)
    return (
        all(_is_any(needs.get(name), [word(one) for one in those]) for name, word in wants)
        and _is_within(needs, "AcceleratorCount", sum(one.count for one in those))
        and _is_within(needs, "AcceleratorTotalMemoryMiB", memory_mib)
    )


def _accelerators(one: Mapping[str, Any]) -> Iterator[_Accelerator]:
    found = [
        (kind, each)
        for kind, (part, key) in _ACCELERATORS.items()
        for each in one.get(part, {}).get(key, [])
    ]
    if not found:
        devices = one.get("NeuronInfo", {}).get("NeuronDevices", [])
        found = [("inference", {"Manufacturer": "AWS", **each}) for each in devices]
    for kind, each in found:
        maker = str(each.get("Manufacturer", "")).lower()
        yield _Accelerator(
            kind=kind,
            manufacturer=_MANUFACTURERS.get(maker, maker),
            name=str(each.get("Name", "")).lower().replace(" ", "-"),
            count=int(each.get("Count", 0)),
            memory_mib=int(each.get("MemoryInfo", {}).get("SizeInMiB", 0)),
        )
