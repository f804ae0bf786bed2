"""Changes of managed node groups.

Sizes act at once. Labels, taints and versions act on instances that start afterwards: the box replaces no running nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks import managed_group, updates
from lowtide.local.aws.eks import nodegroup_rules as rules
from lowtide.local.aws.eks.managed_image import CUSTOM
from lowtide.local.aws.eks.nodegroups import ACTIVE, UPDATING, found
from lowtide.local.aws.eks.refusals import in_use, invalid_request
from lowtide.local.aws.eks.state import NAME, Cluster, find
from lowtide.local.aws.service import Call, Timer

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box


def update_nodegroup_config(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateNodegroupConfig."""
    cluster, nodegroup = found(box, call)
    _refuse_busy(nodegroup)
    params = call.params
    scaling = {**nodegroup["scalingConfig"], **params.get("scalingConfig", {})}
    labels = _labels(nodegroup["labels"], params.get("labels", {}))
    taints = _taints(nodegroup["taints"], params.get("taints", {}))
    rules.check_sizes(scaling)
    rules.check_labels(labels)
    rules.check_taints(taints)
    changes = {"scalingConfig": scaling, "labels": labels, "taints": taints}
    changes |= {key: params[key] for key in ("updateConfig", "nodeRepairConfig") if key in params}
    update = _begin(box, cluster, nodegroup, "ConfigUpdate", _shown(params))
    starts_otherwise = any(nodegroup[key] != changes[key] for key in ("labels", "taints"))
    nodegroup |= changes
    if "scalingConfig" in params:
        managed_group.scale(box, cluster, nodegroup)
    if starts_otherwise:
        managed_group.renew(box, cluster, nodegroup, _given(box, cluster, nodegroup))
    return {"update": update}


def update_nodegroup_version(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateNodegroupVersion: another minor, release or version of the launch template."""
    cluster, nodegroup = found(box, call)
    _refuse_busy(nodegroup)
    params = call.params
    if nodegroup["amiType"] == CUSTOM and (params.get("version") or params.get("releaseVersion")):
        raise invalid_request(
            "You cannot specify a Kubernetes version or release version when the launch template names an image id."
        )
    changes: dict[str, Any] = {}
    if nodegroup["amiType"] != CUSTOM:
        version = params.get("version") or cluster.minor
        rules.check_version(version, cluster)
        changes = {
            "version": version,
            "releaseVersion": params.get("releaseVersion") or f"{version}.0",
        }
    asked = params.get("launchTemplate")
    if asked and "launchTemplate" not in nodegroup:
        raise invalid_request("You cannot add a launch template to a node group made without one.")
    given: Mapping[str, Any] = {}
    if asked or "launchTemplate" in nodegroup:
        template = managed_group.given_template(
            box, cluster.region, asked or nodegroup["launchTemplate"]
        )
        changes["launchTemplate"] = {
            "name": template["LaunchTemplateName"],
            "version": str(template["VersionNumber"]),
            "id": template["LaunchTemplateId"],
        }
        given = template["LaunchTemplateData"]
    shown = {
        "Version": params.get("version"),
        "ReleaseVersion": params.get("releaseVersion"),
        "LaunchTemplateName": (asked or {}).get("name"),
        "LaunchTemplateVersion": (asked or {}).get("version"),
    }
    shown = {key: value for key, value in shown.items() if value}
    update = _begin(box, cluster, nodegroup, "VersionUpdate", shown)
    nodegroup |= changes
    managed_group.renew(box, cluster, nodegroup, given)
    return {"update": update}


def _updated(box: Box, region: str, name: str, nodegroup: str, update_id: str) -> None:
    cluster = find(box, region, name)
    if cluster is None or update_id not in cluster.updates:
        return
    updates.end(cluster, update_id)
    described = cluster.nodegroups.get(nodegroup, {})
    if described.get("status") == UPDATING:
        described |= {"status": ACTIVE, "modifiedAt": box.now()}


def _begin(
    box: Box,
    cluster: Cluster,
    nodegroup: dict[str, Any],
    kind: str,
    shown: Mapping[str, Any],
) -> dict[str, Any]:
    group = nodegroup["nodegroupName"]
    update = updates.begin(box, cluster, kind, shown, nodegroup=group)
    nodegroup["status"] = UPDATING
    region, name = cluster.key
    box.after(
        box.settings.delays.nodegroup_s,
        NAME,
        "nodegroup_updated",
        region=region,
        name=name,
        nodegroup=group,
        update_id=update["id"],
    )
    return update


def _refuse_busy(nodegroup: Mapping[str, Any]) -> None:
    """Refuse changes of a group that is being made or deleted; a second update is refused by ``updates``."""
    if nodegroup["status"] not in {ACTIVE, UPDATING, "DEGRADED"}:
        raise in_use(
            f"Nodegroup cannot be updated as it is currently not in Active State: {nodegroup['status']}",
            clusterName=nodegroup["clusterName"],
            nodegroupName=nodegroup["nodegroupName"],
        )


def _labels(before: Mapping[str, str], asked: Mapping[str, Any]) -> dict[str, str]:
    whole = {**before, **asked.get("addOrUpdateLabels", {})}
    return {key: value for key, value in whole.items() if key not in asked.get("removeLabels", [])}


def _taints(before: list[dict[str, str]], asked: Mapping[str, Any]) -> list[Mapping[str, str]]:
    whole = {(one["key"], one["effect"]): one for one in before}
    whole |= {(one["key"], one["effect"]): one for one in asked.get("addOrUpdateTaints", [])}
    for one in asked.get("removeTaints", []):
        whole.pop((one["key"], one["effect"]), None)
    return list(whole.values())


def _shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as DescribeUpdate names them."""
    scaling, labels = params.get("scalingConfig", {}), params.get("labels", {})
    taints, repair = params.get("taints", {}), params.get("nodeRepairConfig", {})
    whole = {
        "MinSize": scaling.get("minSize"),
        "MaxSize": scaling.get("maxSize"),
        "DesiredSize": scaling.get("desiredSize"),
        "LabelsToAdd": labels.get("addOrUpdateLabels"),
        "LabelsToRemove": labels.get("removeLabels"),
        "TaintsToAdd": taints.get("addOrUpdateTaints"),
        "TaintsToRemove": taints.get("removeTaints"),
        "MaxUnavailable": params.get("updateConfig", {}).get("maxUnavailable"),
        "MaxUnavailablePercentage": params.get("updateConfig", {}).get("maxUnavailablePercentage"),
        "NodeRepairEnabled": repair.get("enabled"),
    }
    return {key: value for key, value in whole.items() if value is not None}


def _given(box: Box, cluster: Cluster, nodegroup: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the content of the user's launch template, empty where there is none."""
    if "launchTemplate" not in nodegroup:
        return {}
    template = managed_group.given_template(box, cluster.region, nodegroup["launchTemplate"])
    found: Mapping[str, Any] = template["LaunchTemplateData"]
    return found


OPERATIONS = {
    "UpdateNodegroupConfig": update_nodegroup_config,
    "UpdateNodegroupVersion": update_nodegroup_version,
}
TIMERS: dict[str, Timer] = {"nodegroup_updated": _updated}
