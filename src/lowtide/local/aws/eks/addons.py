"""Add-ons: made, changed, deleted, and whether they are healthy.

The health of a settled add-on is looked at when somebody asks: ACTIVE while its pods run, DEGRADED while they do not.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from lowtide.local.aws.eks import addon_objects, updates
from lowtide.local.aws.eks.addon_table import ADDONS
from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.pod_identity import associate, dissociate_owned
from lowtide.local.aws.eks.refusals import in_use, invalid_parameter, invalid_request, not_found
from lowtide.local.aws.eks.state import NAME, Cluster, cluster_of, find
from lowtide.local.aws.service import Call, Timer

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_ACTIVE, _DEGRADED, _UPDATING, _DELETING = "ACTIVE", "DEGRADED", "UPDATING", "DELETING"
_SETTLED = frozenset({_ACTIVE, _DEGRADED})
_TOO_FEW = {
    "code": "InsufficientNumberOfReplicas",
    "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
    "resourceIds": [],
}


def create_addon(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateAddon."""
    cluster, params = cluster_of(box, call), call.params
    name = params["addonName"]
    if cluster.status not in {_ACTIVE, _UPDATING}:
        raise invalid_request(
            f"Cluster '{cluster.name}' is not in ACTIVE status", clusterName=cluster.name
        )
    if name in cluster.addons:
        raise in_use("Addon already exists.", clusterName=cluster.name, addonName=name)
    if params.get("serviceAccountRoleArn") and params.get("podIdentityAssociations"):
        raise invalid_parameter(
            "serviceAccountRoleArn and podIdentityAssociations cannot both be specified",
            clusterName=cluster.name,
            addonName=name,
        )
    described = _described(box, call, cluster)
    cluster.addons[name] = described
    described["podIdentityAssociations"] = _associated(box, cluster, described, params)
    addon_objects.apply_addon(box, cluster, name)
    _after(box, cluster, "addon_settles", addon=name)
    return {"addon": copy.deepcopy(described)}


def describe_addon(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeAddon."""
    cluster, addon = _found(box, call)
    if addon["status"] in _SETTLED:
        _look(box, cluster, addon)
    return {"addon": copy.deepcopy(addon)}


def list_addons(box: Box, call: Call) -> Mapping[str, Any]:
    """ListAddons."""
    return page(sorted(cluster_of(box, call).addons), call.params, key="addons")


def update_addon(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateAddon."""
    cluster, addon = _found(box, call)
    params, name = call.params, addon["addonName"]
    version = _checked_version(name, params.get("addonVersion") or addon["addonVersion"], cluster)
    _check_values(params.get("configurationValues", ""))
    names = {
        "AddonVersion": params.get("addonVersion"),
        "ServiceAccountRoleArn": params.get("serviceAccountRoleArn"),
        "ResolveConflicts": params.get("resolveConflicts"),
        "ConfigurationValues": params.get("configurationValues"),
        "PodIdentityAssociations": params.get("podIdentityAssociations"),
    }
    wanted = {key: value for key, value in names.items() if value is not None}
    update = updates.begin(box, cluster, "AddonUpdate", wanted, addon=name)
    addon["status"] = _UPDATING
    changes = {
        key: params[key]
        for key in ("serviceAccountRoleArn", "configurationValues")
        if key in params
    }
    if "podIdentityAssociations" in params:
        dissociate_owned(cluster, addon["addonArn"])
        changes["podIdentityAssociations"] = _associated(box, cluster, addon, params)
    changes["addonVersion"] = version
    _after(box, cluster, "addon_updated", addon=name, update_id=update["id"], changes=changes)
    return {"update": update}


def delete_addon(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteAddon."""
    cluster, addon = _found(box, call)
    if addon["status"] != _DELETING:
        addon["status"] = _DELETING
        preserve = call.params.get("preserve", False)
        _after(box, cluster, "addon_deleted", addon=addon["addonName"], preserve=preserve)
    return {"addon": copy.deepcopy(addon)}


def _settles(box: Box, region: str, name: str, addon: str) -> None:
    cluster = find(box, region, name)
    if cluster is not None and addon in cluster.addons:
        _look(box, cluster, cluster.addons[addon])


def _updated(
    box: Box, region: str, name: str, addon: str, update_id: str, changes: Mapping[str, Any]
) -> None:
    cluster = find(box, region, name)
    if cluster is None or addon not in cluster.addons:
        return
    described = cluster.addons[addon]
    described |= {**changes, "modifiedAt": box.now()}
    updates.end(cluster, update_id)
    if described["status"] == _UPDATING:
        addon_objects.apply_addon(box, cluster, addon)
        _look(box, cluster, described)


def _deleted(box: Box, region: str, name: str, addon: str, preserve: bool) -> None:  # noqa: FBT001 - a timer's arguments
    cluster = find(box, region, name)
    if cluster is None or addon not in cluster.addons:
        return
    gone = cluster.addons.pop(addon)
    dissociate_owned(cluster, gone["addonArn"])
    if not preserve:
        addon_objects.delete_addon(box, cluster, addon)


def _look(box: Box, cluster: Cluster, addon: dict[str, Any]) -> None:
    """Write down how an add-on is."""
    if addon["status"] == _DELETING:
        return
    well = addon_objects.is_available(box, cluster, addon["addonName"])
    addon["status"] = _ACTIVE if well else _DEGRADED
    addon["health"] = {"issues": [] if well else [dict(_TOO_FEW)]}


def _found(box: Box, call: Call) -> tuple[Cluster, dict[str, Any]]:
    cluster, name = cluster_of(box, call), call.params["addonName"]
    addon = cluster.addons.get(name)
    if addon is None:
        raise not_found(
            f"No addon: {name} found in cluster: {cluster.name}",
            clusterName=cluster.name,
            addonName=name,
        )
    return cluster, addon


def _described(box: Box, call: Call, cluster: Cluster) -> dict[str, Any]:
    params = call.params
    name = params["addonName"]
    version = _checked_version(name, params.get("addonVersion", ""), cluster)
    _check_values(params.get("configurationValues", ""))
    known, now = ADDONS[name], box.now()
    arn = f"arn:aws:eks:{call.region}:{box.settings.account}:addon/{cluster.name}/{name}/{uuid.uuid4()}"
    described = {
        "addonName": name,
        "clusterName": cluster.name,
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": arn,
        "createdAt": now,
        "modifiedAt": now,
        "tags": dict(params.get("tags", {})),
        "publisher": known.publisher,
        "owner": "aws" if known.publisher == "eks" else "community",
        "namespaceConfig": {
            "namespace": params.get("namespaceConfig", {}).get("namespace", known.namespace)
        },
    }
    optional = ("serviceAccountRoleArn", "configurationValues")
    return described | {key: params[key] for key in optional if key in params}


def _associated(
    box: Box, cluster: Cluster, addon: Mapping[str, Any], params: Mapping[str, Any]
) -> list[str]:
    """Make the add-on's pod identity associations and return their ARNs."""
    return [
        associate(
            box,
            cluster,
            namespace=addon["namespaceConfig"]["namespace"],
            account=one["serviceAccount"],
            role_arn=one["roleArn"],
            options={"ownerArn": addon["addonArn"]},
        )["associationArn"]
        for one in params.get("podIdentityAssociations", [])
    ]


def _checked_version(name: str, version: str, cluster: Cluster) -> str:
    """Return the version, EKS's default where none is asked for."""
    fields = {"clusterName": cluster.name, "addonName": name}
    if name not in ADDONS:
        raise invalid_parameter(f"Addon {name} specified is not supported", **fields)
    known = ADDONS[name].versions_for(cluster.minor)
    if version and version not in known:
        raise invalid_parameter("Addon version specified is not supported", **fields)
    return version or known[0]


def _check_values(text: str) -> None:
    """Refuse configuration values that are neither JSON nor YAML, or no object."""
    if not text:
        return
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        raise invalid_parameter(
            "ConfigurationValue is in invalid format, it must be a JSON or YAML object"
        )


def _after(box: Box, cluster: Cluster, timer: str, **arguments: Any) -> None:
    region, name = cluster.key
    box.after(box.settings.delays.addon_s, NAME, timer, region=region, name=name, **arguments)


OPERATIONS = {
    "CreateAddon": create_addon,
    "DescribeAddon": describe_addon,
    "ListAddons": list_addons,
    "UpdateAddon": update_addon,
    "DeleteAddon": delete_addon,
}
TIMERS: dict[str, Timer] = {
    "addon_settles": _settles,
    "addon_updated": _updated,
    "addon_deleted": _deleted,
}
