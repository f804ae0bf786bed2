"""Changes of clusters: configuration, version, encryption.

A change of configuration shows when its update has ended, as on AWS. A new minor starts the control plane anew with the data
it has; where its programs cannot be had, the update fails and the old plane goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.catalog.versions import parse_minor
from lowtide.local.aws.eks import cluster_rules, updates
from lowtide.local.aws.eks.clusters import logging_of, plane_answered, start_plane
from lowtide.local.aws.eks.planes_port import PlaneAnswer, PlaneUp
from lowtide.local.aws.eks.refusals import invalid_parameter, invalid_request
from lowtide.local.aws.eks.state import NAME, Cluster, cluster_of, find
from lowtide.local.aws.service import Call, Timer

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_ACTIVE, _UPDATING = "ACTIVE", "UPDATING"
#: From which authentication mode EKS goes to which (API reference, UpdateAccessConfigRequest).
_MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
_ENDPOINT_KEYS = frozenset({"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"})
_UPDATE_OF = {
    "logging": "LoggingUpdate",
    "accessConfig": "AccessConfigUpdate",
    "upgradePolicy": "UpgradePolicyUpdate",
    "zonalShiftConfig": "ZonalShiftConfigUpdate",
    "deletionProtection": "DeletionProtectionUpdate",
}


def update_cluster_config(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateClusterConfig: one kind of change at a time."""
    cluster = _usable(box, call)
    asked = {
        key: value
        for key, value in call.params.items()
        if key not in {"name", "clientRequestToken"}
    }
    if len(asked) != 1:
        raise invalid_parameter(
            "Only one type of update can be allowed." if asked else "No changes were specified.",
            clusterName=cluster.name,
        )
    ((section, value),) = asked.items()
    if section == "resourcesVpcConfig":
        kind, changed = _vpc(box, cluster, value)
    elif section in _UPDATE_OF:
        kind, changed = _UPDATE_OF[section], _changed(cluster, section, value)
    else:
        raise invalid_request(f"The embedded AWS does not change {section}")
    if cluster.described[section] == changed:
        raise invalid_parameter(
            f"No changes needed for the {section} config provided", clusterName=cluster.name
        )
    update = _begin(box, cluster, kind, _shown(section, value))
    _after(box, cluster, "configured", update_id=update["id"], section=section, value=changed)
    return {"update": update}


def update_cluster_version(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateClusterVersion: to the next minor."""
    cluster, version = _usable(box, call), call.params["version"]
    cluster_rules.check_version(version, cluster.name)
    before, after = parse_minor(cluster.minor), parse_minor(version)
    if after != (before[0], before[1] + 1):
        raise invalid_parameter(
            f"Unsupported Kubernetes minor version update from {cluster.minor} to {version}",
            clusterName=cluster.name,
        )
    update = _begin(box, cluster, "VersionUpdate", {"Version": version, "PlatformVersion": "eks.1"})
    _after(box, cluster, "upgrade", update_id=update["id"], version=version)
    return {"update": update}


def associate_encryption_config(box: Box, call: Call) -> Mapping[str, Any]:
    """AssociateEncryptionConfig: once, and never taken back."""
    cluster = _usable(box, call)
    if cluster.described["encryptionConfig"]:
        raise invalid_parameter(
            "Cluster is already associated with an encryption config", clusterName=cluster.name
        )
    wanted = [dict(one) for one in call.params["encryptionConfig"]]
    update = _begin(box, cluster, "AssociateEncryptionConfig", {"EncryptionConfig": wanted})
    _after(
        box, cluster, "configured", update_id=update["id"], section="encryptionConfig", value=wanted
    )
    return {"update": update}


def _configured(box: Box, region: str, name: str, update_id: str, section: str, value: Any) -> None:
    cluster = find(box, region, name)
    if cluster is not None and update_id in cluster.updates:
        cluster.described[section] = value
        _end(cluster, update_id)


def _upgrade(box: Box, region: str, name: str, update_id: str, version: str) -> None:
    """The nodes of EKS's own are ready: change the plane over."""
    cluster = find(box, region, name)
    if cluster is not None and update_id in cluster.updates:
        start_plane(box, cluster, minor=version, update_id=update_id)


def _plane(
    box: Box, region: str, name: str, minor: str, update_id: str, answer: PlaneAnswer
) -> None:
    """What a plane's thread has to say, of a new plane or of one that was to change its minor."""
    cluster = find(box, region, name)
    if cluster is None or cluster.status == "DELETING":
        return
    if not update_id:
        plane_answered(box, cluster, answer)
    elif update_id in cluster.updates:
        _upgraded(box, cluster, minor, update_id, answer)


def _upgraded(box: Box, cluster: Cluster, minor: str, update_id: str, answer: PlaneAnswer) -> None:
    if isinstance(answer, PlaneUp):
        cluster.described["version"] = minor
        plane_answered(box, cluster, answer)
        _end(cluster, update_id)
        return
    message = " ".join(filter(None, [f"{answer.why}.", answer.fix and f"Try: {answer.fix}"]))
    _end(cluster, update_id, {"errorCode": "Unknown", "errorMessage": message, "resourceIds": []})
    start_plane(box, cluster)


def _begin(box: Box, cluster: Cluster, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    update = updates.begin(box, cluster, kind, params)
    cluster.described["status"] = _UPDATING
    return update


def _end(cluster: Cluster, update_id: str, error: Mapping[str, Any] | None = None) -> None:
    updates.end(cluster, update_id, error)
    if cluster.status == _UPDATING:
        cluster.described["status"] = _ACTIVE


def _usable(box: Box, call: Call) -> Cluster:
    """Return the cluster, which must be ACTIVE; a second update is refused by ``updates``."""
    parameter = "name" if "name" in call.params else "clusterName"
    cluster = cluster_of(box, call, parameter)
    if cluster.status not in {_ACTIVE, _UPDATING}:
        raise invalid_request(
            f"Cluster '{cluster.name}' is not in ACTIVE status", clusterName=cluster.name
        )
    return cluster


def _vpc(box: Box, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind of update and the whole new section."""
    changed = {**cluster.described["resourcesVpcConfig"], **asked}
    name, region = cluster.name, cluster.region
    cluster_rules.check_access(
        changed["endpointPrivateAccess"], changed["endpointPublicAccess"], name
    )
    if _ENDPOINT_KEYS & set(asked):
        if set(asked) - _ENDPOINT_KEYS:
            raise invalid_parameter("Only one type of update can be allowed.", clusterName=name)
        return "EndpointAccessUpdate", changed
    cluster_rules.subnets_of(box, changed["subnetIds"], region, name)
    cluster_rules.check_security_groups(box, changed["securityGroupIds"], region, name)
    return "VpcConfigUpdate", changed


def _changed(cluster: Cluster, section: str, value: Any) -> Any:
    """Return the whole new section of what is described."""
    before = cluster.described[section]
    if section == "logging":
        return logging_of({"clusterLogging": [*before["clusterLogging"], *value["clusterLogging"]]})
    if section == "accessConfig":
        old, new = before["authenticationMode"], value["authenticationMode"]
        if _MODES.index(new) < _MODES.index(old) or (old, new) == (_MODES[0], _MODES[2]):
            raise invalid_parameter(
                f"Unsupported authentication mode update from {old} to {new}",
                clusterName=cluster.name,
            )
    return {**before, **value} if isinstance(before, dict) else value


def _shown(section: str, value: Any) -> dict[str, Any]:
    """Return the parameters as DescribeUpdate names them."""
    names = {
        "logging": "ClusterLogging",
        "upgradePolicy": "UpgradePolicy",
        "zonalShiftConfig": "ZonalShiftConfig",
        "deletionProtection": "DeletionProtection",
    }
    if section in names:
        return {names[section]: value}
    keys = {
        "endpointPublicAccess": "EndpointPublicAccess",
        "endpointPrivateAccess": "EndpointPrivateAccess",
        "publicAccessCidrs": "PublicAccessCidrs",
        "subnetIds": "Subnets",
        "securityGroupIds": "SecurityGroups",
        "authenticationMode": "AuthenticationMode",
    }
    return {keys[key]: one for key, one in value.items() if key in keys}


def _after(box: Box, cluster: Cluster, timer: str, **arguments: Any) -> None:
    region, name = cluster.key
    delay = box.settings.delays.cluster_update_s
    box.after(delay, NAME, timer, region=region, name=name, **arguments)


OPERATIONS = {
    "UpdateClusterConfig": update_cluster_config,
    "UpdateClusterVersion": update_cluster_version,
    "AssociateEncryptionConfig": associate_encryption_config,
}
TIMERS: dict[str, Timer] = {"configured": _configured, "upgrade": _upgrade, "plane": _plane}
