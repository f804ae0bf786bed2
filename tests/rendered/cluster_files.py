"""Cluster files, generated: zones, networks, GPU types, AMI families, taints in both forms, both kinds of node group."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lowtide import catalog

REGION = "us-east-1"
ZONES = [REGION + letter for letter in "abcdef"]
GPU_TYPES = sorted(
    one.instance_type.name
    for one in catalog.offerings(REGION)
    if one.instance_type.nvidia_gpus
    and one.instance_type.max_pods is not None
    and one.spot_usd_per_hour is not None
    and one.instance_type.retired_on is None
)
GENERAL_TYPES = ["m5.large", "m6i.xlarge", "c6i.2xlarge", "t3.large"]
FAMILIES = ["AmazonLinux2023", "Bottlerocket", "Ubuntu2404"]
GPU_FAMILIES = ["AmazonLinux2023", "Bottlerocket"]
TAINT_KEYS = ["nvidia.com/gpu", "dedicated"]
EFFECTS = ["NoSchedule", "NoExecute"]

Document = dict[str, Any]


@st.composite
def taints(draw: st.DrawFn, *, managed: bool) -> Document:
    """Taints as a list, or for self-managed groups as eksctl's map."""
    given = draw(
        st.dictionaries(
            st.sampled_from(TAINT_KEYS),
            st.tuples(st.sampled_from(["", "true"]), st.sampled_from(EFFECTS)),
        )
    )
    if not given:
        return {}
    if managed or draw(st.booleans()):
        return {
            "taints": [
                {"key": key, **({"value": value} if value else {}), "effect": effect}
                for key, (value, effect) in given.items()
            ]
        }
    return {"taints": {key: f"{value}:{effect}" for key, (value, effect) in given.items()}}


def _family(draw: st.DrawFn, instance_type: str) -> str:
    arch = next(
        one.instance_type.arch
        for one in catalog.offerings(REGION)
        if one.instance_type.name == instance_type
    )
    if instance_type in GENERAL_TYPES:
        return draw(st.sampled_from(FAMILIES))
    return draw(st.sampled_from(GPU_FAMILIES if arch == "amd64" else GPU_FAMILIES[:1]))


@st.composite
def group(draw: st.DrawFn, zones: list[str], *, managed: bool) -> Document:
    """One node group, without its name."""
    gpu = draw(st.booleans())
    one_type = draw(st.sampled_from(GPU_TYPES if gpu else GENERAL_TYPES))
    on_spot = gpu and draw(st.booleans())
    minimum = draw(st.integers(0, 2))
    desired = draw(st.integers(minimum, 4))
    own = draw(st.lists(st.sampled_from(zones), min_size=1, unique=True))
    labels = draw(st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"])))
    document: Document = {
        "amiFamily": _family(draw, one_type),
        "availabilityZones": own,
        "minSize": minimum,
        "desiredCapacity": desired,
        "maxSize": draw(st.integers(max(desired, 1), 12)),
        "volumeSize": draw(st.integers(40, 500)),
        "privateNetworking": draw(st.booleans()),
        "labels": labels,
        **draw(taints(managed=managed)),
    }
    if managed:
        return {**document, "instanceTypes": [one_type], "spot": on_spot}
    if on_spot:
        distribution = {
            "instanceTypes": [one_type],
            "onDemandBaseCapacity": draw(st.integers(0, 1)),
            "onDemandPercentageAboveBaseCapacity": draw(st.sampled_from([0, 50])),
            "spotAllocationStrategy": "price-capacity-optimized",
        }
        return {**document, "instancesDistribution": distribution}
    return {**document, "instanceType": one_type}


@st.composite
def network(draw: st.DrawFn, zones: list[str]) -> Document:
    """No ``vpc`` at all, one with CIDR and NAT, or an existing one."""
    kind = draw(st.sampled_from(["default", "own", "given"]))
    if kind == "default":
        return {}
    nat = draw(st.sampled_from(["Single", "HighlyAvailable", "Disable"]))
    if kind == "own":
        return {
            "vpc": {
                "cidr": draw(st.sampled_from(["10.0.0.0/16", "10.8.0.0/20"])),
                "nat": {"gateway": nat},
            }
        }
    subnets = {
        side: {
            zone: {"id": f"subnet-{number:08x}{'0123456789'[:9]}"}
            for number, zone in enumerate(zones, start)
        }
        for side, start in (("private", 16), ("public", 64))
    }
    return {"vpc": {"id": "vpc-0123456789abcdef0", "subnets": subnets}}


@st.composite
def cluster_files(draw: st.DrawFn) -> Document:
    """A whole cluster file that eksctl would accept, as far as we know."""
    # One zone is refused: a control plane needs subnets in two.
    zones = ZONES[: draw(st.integers(2, 6))]
    groups = [
        (managed, draw(group(zones, managed=managed)))
        for managed in draw(st.lists(st.booleans(), min_size=1, max_size=3))
    ]
    named = [(managed, {"name": f"g{at}", **one}) for at, (managed, one) in enumerate(groups)]
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {
            "name": "tide",
            "region": REGION,
            "version": draw(st.sampled_from(["1.33", "1.36"])),
        },
        "iam": {"withOIDC": draw(st.booleans())},
        **_where(zones, draw(network(zones))),
        **_section("nodeGroups", [one for managed, one in named if not managed]),
        **_section("managedNodeGroups", [one for managed, one in named if managed]),
    }


def _where(zones: list[str], given: Document) -> Document:
    """Return zones and network; an existing network's subnets are the zones."""
    return given if "id" in given.get("vpc", {}) else {"availabilityZones": zones, **given}


def _section(name: str, groups: list[Document]) -> Document:
    return {name: groups} if groups else {}
