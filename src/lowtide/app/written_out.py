"""The cluster file and lowtide.yaml with every value written out that lowtide would otherwise fill in.

Why it exists: what is resolved can be kept, reviewed and given to eksctl as well. Both documents are valid input again, and read
back they give the same cluster, only that nothing is left to be filled in.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lowtide.model import names
from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.policy import Policy
from lowtide.model.taints import Taint
from lowtide.spec.clusterfile import ClusterFile, GroupAt
from lowtide.spec.policy import dump

Document = dict[str, Any]

#: Labels that eksctl and EKS write by themselves.
_WRITTEN_BY_OTHERS = frozenset(
    {
        names.EKSCTL_CLUSTER,
        names.EKSCTL_NODEGROUP,
        names.EKS_NODEGROUP,
        names.EKS_CAPACITY_TYPE,
    }
)
#: Hardening, where the file leaves it open.
_ENCRYPTED = {"volumeEncrypted": True}
#: Sections in the order of eksctl's documentation; others follow in the file's order.
_ORDER = (
    "apiVersion",
    "kind",
    "metadata",
    "upgradePolicy",
    "availabilityZones",
    "vpc",
    "accessConfig",
)


def cluster_document(file: ClusterFile, cluster: ResolvedCluster, blueprint: Blueprint) -> Document:
    """Return the ClusterConfig with every resolved value."""
    document = copy.deepcopy(file.document.data)
    config, plane = file.config, blueprint.control_plane
    document["metadata"]["version"] = cluster.version
    if not config.zones:
        document["availabilityZones"] = list(cluster.zones)
    _section(document, "upgradePolicy")["supportType"] = plane.support_type
    _section(document, "accessConfig")["authenticationMode"] = plane.authentication_mode
    vpc = _section(document, "vpc")
    vpc["clusterEndpoints"] = {
        "publicAccess": plane.public_access,
        "privateAccess": plane.private_access,
    }
    if not config.vpc.id and not config.vpc.subnets.zones:
        vpc["nat"] = {
            "gateway": config.vpc.nat.gateway if blueprint.network.nat_zones else "Disable"
        }
    if not config.iam.with_oidc:
        _section(document, "addonsConfig")["autoApplyPodIdentityAssociations"] = True
    given = [one.name.lower() for one in config.addons]
    added = [{"name": one.name} for one in blueprint.addons if one.name not in given]
    document["addons"] = [*document.get("addons", []), *added]
    for at in config.all_groups:
        section, index = at.path
        document[section][index] = _group(document[section][index], at, cluster)
    first = {key: document[key] for key in _ORDER if key in document}
    return {**first, **document}


def policy_document(policy: Policy, cluster: ResolvedCluster) -> Document:
    """Return lowtide.yaml with every default, image and flag."""
    autoscaler = replace(
        policy.autoscaler,
        image=cluster.addons.autoscaler_image,
        flags=dict(cluster.autoscaler_flags),
    )
    image = cluster.addons.device_plugin_image
    return dump(replace(policy, autoscaler=autoscaler, device_plugin_image=image))


def _section(document: Document, key: str) -> Document:
    section: Document = document.setdefault(key, {})
    return section


def _group(written: Mapping[str, Any], at: GroupAt, cluster: ResolvedCluster) -> Document:
    """Return a node group: its types and sizes first, then what else the file says, then labels, taints and tags."""
    group = cluster.group(at.group.name)
    resolved = {
        "name": group.name,
        **_types(written, group),
        "amiFamily": group.ami.family,
        "minSize": group.min_size,
        "maxSize": group.max_size,
        "desiredCapacity": group.desired,
        "privateNetworking": group.private_networking,
        "volumeSize": group.volume.gib,
        "volumeType": group.volume.type,
        "volumeEncrypted": group.volume.encrypted,
        "disableIMDSv1": at.group.disable_imdsv1,
    }
    described = {
        "labels": _labels(written, group),
        "taints": [_taint(one) for one in group.taints],
        # EKS makes a managed group's tags itself; what the file gives it stays as it is.
        "tags": dict(written.get("tags", {})) if group.managed else dict(group.asg_tags),
    }
    kept = {key: value for key, value in written.items() if key not in {*resolved, *described}}
    if "additionalVolumes" in kept:
        kept["additionalVolumes"] = [{**_ENCRYPTED, **one} for one in kept["additionalVolumes"]]
    return {**resolved, **kept, **{key: value for key, value in described.items() if value}}


def _types(written: Mapping[str, Any], group: NodeGroup) -> Document:
    types = [one.offering.instance_type.name for one in group.candidates]
    if group.managed:
        named = {"instanceTypes": types} if "instanceTypes" in written else _one_type(types)
        return {**named, "spot": group.on_demand_percent == 0}
    if "instancesDistribution" not in written:
        return _one_type(types)
    return {
        "instancesDistribution": {
            **written["instancesDistribution"],
            "instanceTypes": types,
            "onDemandBaseCapacity": group.on_demand_base,
            "onDemandPercentageAboveBaseCapacity": group.on_demand_percent,
            "spotAllocationStrategy": group.allocation_strategy,
            "capacityRebalance": group.capacity_rebalance,
        }
    }


def _one_type(types: list[str]) -> Document:
    return {"instanceType": types[0]}


def _labels(written: Mapping[str, Any], group: NodeGroup) -> Document:
    given = written.get("labels", {})
    return {
        key: value
        for key, value in group.labels.items()
        if key in given or key not in _WRITTEN_BY_OTHERS
    }


def _taint(taint: Taint) -> Document:
    value = {"value": taint.value} if taint.value else {}
    return {"key": taint.key, **value, "effect": taint.effect}
