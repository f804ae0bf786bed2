"""EKS: clusters, managed node groups, add-ons, access entries, pod identity.

Source of Ref and attributes: CloudFormation template reference, AWS::EKS::*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import (
    NOT_STABILIZED,
    Kind,
    Step,
    Work,
    changed,
)
from lowtide.local.aws.errors import AwsError

#: How long CloudFormation waits for an add-on that is DEGRADED before it gives up.
_DEGRADED_S = 1200.0
#: Properties whose keys are the user's own and keep their letters.
_FREE = frozenset({"Labels", "Tags"})


def _camel(value: Any) -> Any:
    """Write a template's names as EKS's API does: ``SubnetIds`` becomes ``subnetIds``."""
    if isinstance(value, Mapping):
        return {
            key[:1].lower() + key[1:]: one if key in _FREE else _camel(one)
            for key, one in value.items()
        }
    return [_camel(one) for one in value] if isinstance(value, list) else value


def _step(operation: str, **params: Any) -> Step:
    return Step(service="eks", operation=operation, params=params)


def _retag(arn: str, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    steps = []
    if added:
        steps.append(_step("TagResource", resourceArn=arn, tags=dict(added)))
    if removed:
        steps.append(_step("UntagResource", resourceArn=arn, tagKeys=list(removed)))
    return steps


def _issues(health: Mapping[str, Any]) -> str:
    return " ".join(str(one.get("message", "")) for one in health.get("issues", []))


def _waits(describe: Callable[[Work], Mapping[str, Any]]) -> Callable[[Work], bool]:
    """Return a check that an EKS object is ACTIVE, which fails with its health's words."""

    def done(work: Work) -> bool:
        found = describe(work)
        status = found["status"]
        degraded = status == "DEGRADED" and work.waited_s >= _DEGRADED_S
        if status.endswith("FAILED") or degraded:
            why = _issues(found.get("health", {})) or f"its status is {status}"
            raise AwsError(NOT_STABILIZED, f"{work.physical_id} did not stabilize: {why}")
        return bool(status == "ACTIVE")

    return done


def _is_gone(describe: Callable[[Work], Mapping[str, Any]]) -> Callable[[Work], bool]:
    """Return a check that an EKS object is away; ResourceNotFoundException is the engine's own sign of it."""

    def gone(work: Work) -> bool:
        found = describe(work)
        if found["status"] == "DELETE_FAILED":
            raise AwsError(NOT_STABILIZED, _issues(found.get("health", {})) or "DELETE_FAILED")
        return False

    return gone


# AWS::EKS::Cluster

_CLUSTER_PARTS = (
    *("AccessConfig", "BootstrapSelfManagedAddons", "ComputeConfig", "ControlPlaneScalingConfig"),
    *("DeletionProtection", "EncryptionConfig", "KubernetesNetworkConfig", "OutpostConfig"),
    *("RemoteNetworkConfig", "ResourcesVpcConfig", "RoleArn", "StorageConfig", "UpgradePolicy"),
    *("Version", "ZonalShiftConfig"),
)


def _logging(work: Work) -> dict[str, Any]:
    given = work.properties.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes")
    if given is None:
        return {}
    return {
        "logging": {"clusterLogging": [{"types": [one["Type"] for one in given], "enabled": True}]}
    }


def _create_cluster(work: Work) -> str:
    name = str(work.properties.get("Name") or work.new_name(100))
    parts = _camel(work.given(*_CLUSTER_PARTS))
    work.call("eks", "CreateCluster", name=name, tags=dict(work.tags), **parts, **_logging(work))
    return name


def _cluster(work: Work) -> Mapping[str, Any]:
    found: Mapping[str, Any] = work.call("eks", "DescribeCluster", name=work.physical_id)["cluster"]
    return found


def _update_cluster(work: Work, old: Mapping[str, Any]) -> list[Step]:
    """EKS takes one kind of change at a time, each when the one before is over."""
    name = work.physical_id
    steps = [
        _step("UpdateClusterConfig", name=name, **_camel({part: value}))
        for part, value in changed(
            work,
            old,
            [
                "AccessConfig",
                "UpgradePolicy",
                "ZonalShiftConfig",
                "ComputeConfig",
                "DeletionProtection",
            ],
        ).items()
    ]
    network = changed(work, old, ["ResourcesVpcConfig"]).get("ResourcesVpcConfig", {})
    before = old.get("ResourcesVpcConfig", {})
    endpoint = ("EndpointPublicAccess", "EndpointPrivateAccess", "PublicAccessCidrs")
    for part in (endpoint, ("SubnetIds", "SecurityGroupIds")):
        if any(network.get(key) != before.get(key) for key in part) and network:
            own = _camel({key: network[key] for key in part if key in network})
            steps.append(_step("UpdateClusterConfig", name=name, resourcesVpcConfig=own))
    if changed(work, old, ["Logging"]):
        steps.append(_step("UpdateClusterConfig", name=name, **_logging(work)))
    if changed(work, old, ["Version"]):
        version = str(work.properties["Version"])
        steps.append(_step("UpdateClusterVersion", name=name, version=version))
    return steps


def _read_cluster(work: Work) -> dict[str, Any]:
    found = _cluster(work)
    data = found.get("certificateAuthority", {}).get("data", "")
    network = found.get("kubernetesNetworkConfig", {})
    return {
        "Id": found.get("id", ""),
        "Arn": found["arn"],
        "Endpoint": found.get("endpoint", ""),
        "CertificateAuthorityData": data,
        "CertificateAuthority.Data": data,
        "ClusterSecurityGroupId": found.get("resourcesVpcConfig", {}).get(
            "clusterSecurityGroupId", ""
        ),
        "OpenIdConnectIssuerUrl": found.get("identity", {}).get("oidc", {}).get("issuer", ""),
        "KubernetesNetworkConfig.ServiceIpv6Cidr": network.get("serviceIpv6Cidr", ""),
        "EncryptionConfigKeyArn": "".join(
            one.get("provider", {}).get("keyArn", "")
            for one in found.get("encryptionConfig", [])[:1]
        ),
    }


def _retag_cluster(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag(_cluster(work)["arn"], added, removed)


def _delete_cluster(work: Work) -> None:
    work.call("eks", "DeleteCluster", name=work.physical_id)


CLUSTER = Kind(
    create=_create_cluster,
    update=_update_cluster,
    retag=_retag_cluster,
    done=_waits(_cluster),
    gone=_is_gone(_cluster),
    read=_read_cluster,
    delete=_delete_cluster,
)


# AWS::EKS::Nodegroup

_NODEGROUP_PARTS = (
    *("AmiType", "CapacityType", "ClusterName", "DiskSize", "InstanceTypes", "Labels"),
    *("LaunchTemplate", "NodeRepairConfig", "NodeRole", "ReleaseVersion", "RemoteAccess"),
    *("ScalingConfig", "Subnets", "Taints", "UpdateConfig", "Version"),
)


def _create_nodegroup(work: Work) -> str:
    name = str(work.properties.get("NodegroupName") or work.new_name(63))
    parts = _camel(work.given(*_NODEGROUP_PARTS))
    work.call("eks", "CreateNodegroup", nodegroupName=name, tags=dict(work.tags), **parts)
    return f"{work.properties['ClusterName']}/{name}"


def _nodegroup_key(work: Work) -> dict[str, str]:
    cluster, _, name = work.physical_id.partition("/")
    return {"clusterName": cluster, "nodegroupName": name}


def _nodegroup(work: Work) -> Mapping[str, Any]:
    found: Mapping[str, Any] = work.call("eks", "DescribeNodegroup", **_nodegroup_key(work))[
        "nodegroup"
    ]
    return found


def _update_nodegroup(work: Work, old: Mapping[str, Any]) -> list[Step]:
    key = _nodegroup_key(work)
    config: dict[str, Any] = _camel(
        changed(work, old, ["ScalingConfig", "UpdateConfig", "NodeRepairConfig"])
    )
    labels, had = work.properties.get("Labels", {}), old.get("Labels", {})
    if labels != had:
        gone = [name for name in had if name not in labels]
        config["labels"] = {"addOrUpdateLabels": labels, "removeLabels": gone}
    taints, taints_had = work.properties.get("Taints", []), old.get("Taints", [])
    if taints != taints_had:
        config["taints"] = {
            "addOrUpdateTaints": _camel(taints),
            "removeTaints": _camel([one for one in taints_had if one not in taints]),
        }
    steps = [_step("UpdateNodegroupConfig", **key, **config)] if config else []
    version = changed(work, old, ["Version", "ReleaseVersion", "LaunchTemplate"])
    if version:
        steps.append(_step("UpdateNodegroupVersion", **key, **_camel(version)))
    return steps


def _read_nodegroup(work: Work) -> dict[str, Any]:
    found = _nodegroup(work)
    return {
        "Id": work.physical_id,
        "Arn": found["nodegroupArn"],
        "ClusterName": found["clusterName"],
        "NodegroupName": found["nodegroupName"],
    }


def _retag_nodegroup(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag(_nodegroup(work)["nodegroupArn"], added, removed)


NODEGROUP = Kind(
    create=_create_nodegroup,
    update=_update_nodegroup,
    retag=_retag_nodegroup,
    done=_waits(_nodegroup),
    gone=_is_gone(_nodegroup),
    read=_read_nodegroup,
    delete=lambda work: _drop(work, "DeleteNodegroup", **_nodegroup_key(work)),
)


def _drop(work: Work, operation: str, **params: Any) -> None:
    work.call("eks", operation, **params)


# AWS::EKS::Addon

_ADDON_SET = (
    *("AddonVersion", "ConfigurationValues", "PodIdentityAssociations", "ResolveConflicts"),
    "ServiceAccountRoleArn",
)


def _addon_key(work: Work) -> dict[str, str]:
    cluster, _, name = work.physical_id.partition("|")
    return {"clusterName": cluster, "addonName": name}


def _create_addon(work: Work) -> str:
    parts = _camel(work.given("ClusterName", "AddonName", "NamespaceConfig", *_ADDON_SET))
    work.call("eks", "CreateAddon", tags=dict(work.tags), **parts)
    return f"{work.properties['ClusterName']}|{work.properties['AddonName']}"


def _addon(work: Work) -> Mapping[str, Any]:
    found: Mapping[str, Any] = work.call("eks", "DescribeAddon", **_addon_key(work))["addon"]
    return found


def _update_addon(work: Work, old: Mapping[str, Any]) -> list[Step]:
    parts = changed(work, old, _ADDON_SET)
    return [_step("UpdateAddon", **_addon_key(work), **_camel(parts))] if parts else []


def _retag_addon(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag(_addon(work)["addonArn"], added, removed)


def _delete_addon(work: Work) -> None:
    keep = bool(work.properties.get("PreserveOnDelete", False))
    work.call("eks", "DeleteAddon", **_addon_key(work), preserve=keep)


ADDON = Kind(
    create=_create_addon,
    update=_update_addon,
    retag=_retag_addon,
    done=_waits(_addon),
    gone=_is_gone(_addon),
    read=lambda work: {"Arn": _addon(work)["addonArn"]},
    delete=_delete_addon,
)


# AWS::EKS::AccessEntry


def _entry_key(work: Work) -> dict[str, str]:
    principal, _, cluster = work.physical_id.rpartition("|")
    return {"clusterName": cluster, "principalArn": principal}


def _create_entry(work: Work) -> str:
    parts = _camel(
        work.given("ClusterName", "PrincipalArn", "KubernetesGroups", "Type", "Username")
    )
    work.call("eks", "CreateAccessEntry", tags=dict(work.tags), **parts)
    return f"{work.properties['PrincipalArn']}|{work.properties['ClusterName']}"


def _entry_policies(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    key = _entry_key(work)
    had, has = (old or {}).get("AccessPolicies", []), work.properties.get("AccessPolicies", [])
    named = {one["PolicyArn"] for one in has}
    return [
        *(_step("AssociateAccessPolicy", **key, **_camel(one)) for one in has if one not in had),
        *(
            _step("DisassociateAccessPolicy", **key, policyArn=one["PolicyArn"])
            for one in had
            if one["PolicyArn"] not in named
        ),
    ]


def _update_entry(work: Work, old: Mapping[str, Any]) -> list[Step]:
    parts = changed(work, old, ["KubernetesGroups", "Username"])
    steps = [_step("UpdateAccessEntry", **_entry_key(work), **_camel(parts))] if parts else []
    return [*steps, *_entry_policies(work, old)]


def _read_entry(work: Work) -> dict[str, Any]:
    entry = work.call("eks", "DescribeAccessEntry", **_entry_key(work))["accessEntry"]
    return {"AccessEntryArn": entry["accessEntryArn"]}


def _retag_entry(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag(_read_entry(work)["AccessEntryArn"], added, removed)


ACCESS_ENTRY = Kind(
    create=_create_entry,
    follow=_entry_policies,
    update=_update_entry,
    retag=_retag_entry,
    read=_read_entry,
    delete=lambda work: _drop(work, "DeleteAccessEntry", **_entry_key(work)),
)


# AWS::EKS::PodIdentityAssociation


def _create_association(work: Work) -> str:
    parts = _camel(
        work.given(
            *("ClusterName", "Namespace", "ServiceAccount", "RoleArn", "TargetRoleArn"),
            "DisableSessionTags",
        )
    )
    answer = work.call("eks", "CreatePodIdentityAssociation", tags=dict(work.tags), **parts)
    return str(answer["association"]["associationArn"])


def _association_key(work: Work) -> dict[str, str]:
    return {
        "clusterName": work.properties["ClusterName"],
        "associationId": work.physical_id.rpartition("/")[2],
    }


def _update_association(work: Work, old: Mapping[str, Any]) -> list[Step]:
    parts = changed(work, old, ["RoleArn", "TargetRoleArn", "DisableSessionTags"])
    if not parts:
        return []
    return [_step("UpdatePodIdentityAssociation", **_association_key(work), **_camel(parts))]


def _read_association(work: Work) -> dict[str, Any]:
    found = work.call("eks", "DescribePodIdentityAssociation", **_association_key(work))
    one = found["association"]
    return {
        "AssociationArn": work.physical_id,
        "AssociationId": one["associationId"],
        "ExternalId": one.get("externalId", ""),
    }


def _retag_association(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag(work.physical_id, added, removed)


POD_IDENTITY = Kind(
    create=_create_association,
    update=_update_association,
    retag=_retag_association,
    read=_read_association,
    delete=lambda work: _drop(work, "DeletePodIdentityAssociation", **_association_key(work)),
)

KINDS: Mapping[str, Kind] = {
    "AWS::EKS::AccessEntry": ACCESS_ENTRY,
    "AWS::EKS::Addon": ADDON,
    "AWS::EKS::Cluster": CLUSTER,
    "AWS::EKS::Nodegroup": NODEGROUP,
    "AWS::EKS::PodIdentityAssociation": POD_IDENTITY,
}
