"""Managed node groups: made, described, listed, deleted.

A node group is ACTIVE when the delay has passed and all its instances are in service; that is looked at when somebody asks,
and for the last time when EKS's patience ends.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks import managed_group, managed_image
from lowtide.local.aws.eks import nodegroup_rules as rules
from lowtide.local.aws.eks.access_entries import admit_nodes
from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.refusals import in_use, invalid_request, not_found
from lowtide.local.aws.eks.state import NAME, Cluster, cluster_of, find
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Timer

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

CREATING, ACTIVE, UPDATING, DELETING = "CREATING", "ACTIVE", "UPDATING", "DELETING"
_FAILED = "CREATE_FAILED"
#: How long EKS waits for the nodes of a new group (EKS user guide, "Troubleshoot": about 25 minutes were seen).
_PATIENCE_S = 1500.0
_DEFAULT_SIZES = {"minSize": 1, "maxSize": 2, "desiredSize": 2}
_DEFAULT_TYPES = ["t3.medium"]
_DEFAULT_DISK_GIB = 20


def create_nodegroup(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateNodegroup."""
    cluster, params = cluster_of(box, call), call.params
    name = params["nodegroupName"]
    rules.check_name(name)
    if cluster.status not in {"ACTIVE", "UPDATING"}:
        raise invalid_request(
            f"Cluster '{cluster.name}' is not in ACTIVE status", clusterName=cluster.name
        )
    if name in cluster.nodegroups:
        raise in_use(
            f"NodeGroup already exists with name {name} and cluster name {cluster.name}",
            clusterName=cluster.name,
            nodegroupName=name,
        )
    template = _template(box, call)
    given = template.get("LaunchTemplateData", {})
    described = _described(box, call, cluster, template)
    _check(box, cluster, described)
    cluster.nodegroups[name] = described
    admit_nodes(box, cluster, params["nodeRole"])
    try:
        group = managed_group.create(box, cluster, described, given)
        described["resources"] = {"autoScalingGroups": [{"name": group}]}
    except AwsError as error:
        _fail(described, "AutoScalingGroupInvalidConfiguration", f"{error.code} - {error.message}")
    answer = copy.deepcopy(described)
    delay = box.settings.delays.nodegroup_s
    for seconds, last in ((delay, False), (delay + _PATIENCE_S, True)):
        _after(box, seconds, "nodegroup_settles", cluster, described, last=last)
    return {"nodegroup": answer}


def describe_nodegroup(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeNodegroup."""
    cluster, nodegroup = found(box, call)
    if nodegroup["status"] == CREATING and nodegroup["nodegroupName"] in cluster.waited_groups:
        _look(box, cluster, nodegroup)
    return {"nodegroup": copy.deepcopy(nodegroup)}


def list_nodegroups(box: Box, call: Call) -> Mapping[str, Any]:
    """ListNodegroups."""
    return page(sorted(cluster_of(box, call).nodegroups), call.params, key="nodegroups")


def delete_nodegroup(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteNodegroup."""
    cluster, nodegroup = found(box, call)
    if nodegroup["status"] != DELETING:
        nodegroup["status"] = DELETING
        managed_group.delete(box, cluster, nodegroup)
        delay = box.settings.delays.nodegroup_s
        _after(box, delay, "nodegroup_deleted", cluster, nodegroup)
    return {"nodegroup": copy.deepcopy(nodegroup)}


def found(box: Box, call: Call) -> tuple[Cluster, dict[str, Any]]:
    """Return the node group that a call names, with its cluster.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    cluster, name = cluster_of(box, call), call.params["nodegroupName"]
    nodegroup = cluster.nodegroups.get(name)
    if nodegroup is None:
        raise not_found(
            f"No node group found for name: {name}.", clusterName=cluster.name, nodegroupName=name
        )
    return cluster, nodegroup


def _settles(box: Box, region: str, name: str, arn: str, last: bool) -> None:  # noqa: FBT001 - a timer's arguments
    cluster, nodegroup = _by_arn(box, region, name, arn)
    if cluster is None or nodegroup["status"] != CREATING:
        return
    cluster.waited_groups.add(nodegroup["nodegroupName"])
    _look(box, cluster, nodegroup)
    if last and nodegroup["status"] == CREATING:
        failure = managed_group.last_failure(box, cluster, nodegroup)
        code = "AsgInstanceLaunchFailures" if failure else "NodeCreationFailure"
        _fail(nodegroup, code, failure or "Instances failed to join the kubernetes cluster")


def _deleted(box: Box, region: str, name: str, arn: str) -> None:
    cluster, nodegroup = _by_arn(box, region, name, arn)
    if cluster is not None:
        del cluster.nodegroups[nodegroup["nodegroupName"]]
        cluster.waited_groups.discard(nodegroup["nodegroupName"])


def _by_arn(
    box: Box, region: str, name: str, arn: str
) -> tuple[Cluster, dict[str, Any]] | tuple[None, dict[str, Any]]:
    """Return the node group that a timer was set for: one of the same name may have come after it."""
    cluster = find(box, region, name)
    for one in cluster.nodegroups.values() if cluster is not None else ():
        if one["nodegroupArn"] == arn:
            assert cluster is not None
            return cluster, one
    return None, {}


def _look(box: Box, cluster: Cluster, nodegroup: dict[str, Any]) -> None:
    running, desired = managed_group.in_service(box, cluster, nodegroup)
    if running >= desired:
        nodegroup["status"] = ACTIVE


def _fail(nodegroup: dict[str, Any], code: str, message: str) -> None:
    nodegroup["status"] = _FAILED
    groups = nodegroup["resources"].get("autoScalingGroups", [])
    issue = {"code": code, "message": message, "resourceIds": [one["name"] for one in groups]}
    nodegroup["health"] = {"issues": [issue]}


def _template(box: Box, call: Call) -> Mapping[str, Any]:
    """Return the version of the user's launch template, empty where there is none."""
    asked = call.params.get("launchTemplate")
    if asked is None:
        return {}
    found = managed_group.given_template(box, call.region, asked)
    rules.check_template(call.params, found["LaunchTemplateData"])
    return found


def _check(box: Box, cluster: Cluster, nodegroup: Mapping[str, Any]) -> None:
    rules.check_sizes(nodegroup["scalingConfig"])
    rules.check_labels(nodegroup["labels"])
    rules.check_taints(nodegroup["taints"])
    rules.check_version(nodegroup["version"], cluster)
    rules.check_role(box, nodegroup["nodeRole"], cluster.region)
    rules.check_subnets(box, nodegroup["subnets"], cluster)
    if nodegroup["amiType"] != managed_image.CUSTOM:
        managed_image.image_parameter(nodegroup["amiType"], nodegroup["version"])


def _described(
    box: Box, call: Call, cluster: Cluster, template: Mapping[str, Any]
) -> dict[str, Any]:
    params, now = call.params, box.now()
    name, data = params["nodegroupName"], template.get("LaunchTemplateData", {})
    version = params.get("version") or cluster.minor
    owner = f"arn:aws:eks:{call.region}:{box.settings.account}"
    described = {
        "nodegroupName": name,
        "nodegroupArn": f"{owner}:nodegroup/{cluster.name}/{name}/{uuid.uuid4()}",
        "clusterName": cluster.name,
        "version": version,
        "createdAt": now,
        "modifiedAt": now,
        "status": CREATING,
        "capacityType": params.get("capacityType", "ON_DEMAND"),
        "scalingConfig": {**_DEFAULT_SIZES, **params.get("scalingConfig", {})},
        "subnets": list(params["subnets"]),
        "amiType": params.get("amiType", managed_image.DEFAULT),
        "nodeRole": params["nodeRole"],
        "labels": dict(params.get("labels", {})),
        "taints": [dict(one) for one in params.get("taints", [])],
        "resources": {},
        "health": {"issues": []},
        "updateConfig": dict(params.get("updateConfig", {"maxUnavailable": 1})),
        "nodeRepairConfig": dict(params.get("nodeRepairConfig", {"enabled": False})),
        "tags": dict(params.get("tags", {})),
    }
    return described | _by_template(params, template, data) | _release(version, data, params)


def _by_template(
    params: Mapping[str, Any], template: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a launch template takes out of the request's hands."""
    found: dict[str, Any] = {}
    if "InstanceType" not in data:
        found["instanceTypes"] = list(params.get("instanceTypes") or _DEFAULT_TYPES)
    if not template:
        return {**found, "diskSize": params.get("diskSize", _DEFAULT_DISK_GIB)}
    found["launchTemplate"] = {
        "name": template["LaunchTemplateName"],
        "version": str(template["VersionNumber"]),
        "id": template["LaunchTemplateId"],
    }
    if "ImageId" in data:
        found["amiType"] = managed_image.CUSTOM
    return found


def _release(version: str, data: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the release of the image; of an image of the user's own EKS knows its id alone."""
    release = data.get("ImageId") or params.get("releaseVersion") or f"{version}.0"
    return {"releaseVersion": release}


def _after(
    box: Box,
    seconds: float,
    timer: str,
    cluster: Cluster,
    nodegroup: Mapping[str, Any],
    **arguments: Any,
) -> None:
    region, name = cluster.key
    arn = nodegroup["nodegroupArn"]
    box.after(seconds, NAME, timer, region=region, name=name, arn=arn, **arguments)


OPERATIONS = {
    "CreateNodegroup": create_nodegroup,
    "DescribeNodegroup": describe_nodegroup,
    "ListNodegroups": list_nodegroups,
    "DeleteNodegroup": delete_nodegroup,
}
TIMERS: dict[str, Timer] = {"nodegroup_settles": _settles, "nodegroup_deleted": _deleted}
