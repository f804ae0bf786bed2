"""EKS: clusters and managed node groups.

Source of Ref and attributes: CloudFormation template reference, AWS::EKS::*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.eks_calls import (
    camel,
    drop,
    is_gone,
    retag_arn,
    step,
    waits,
)
from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work, changed

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
    parts = camel(work.given(*_CLUSTER_PARTS))
    work.call("eks", "CreateCluster", name=name, tags=dict(work.tags), **parts, **_logging(work))
    return name


def _cluster(work: Work) -> Mapping[str, Any]:
    found: Mapping[str, Any] = work.call("eks", "DescribeCluster", name=work.physical_id)["cluster"]
    return found


def _update_cluster(work: Work, old: Mapping[str, Any]) -> list[Step]:
    """EKS takes one kind of change at a time, each when the one before is over."""
    name = work.physical_id
    steps = [
        step("UpdateClusterConfig", name=name, **camel({part: value}))
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
            own = camel({key: network[key] for key in part if key in network})
            steps.append(step("UpdateClusterConfig", name=name, resourcesVpcConfig=own))
    if changed(work, old, ["Logging"]):
        steps.append(step("UpdateClusterConfig", name=name, **_logging(work)))
    if changed(work, old, ["Version"]):
        version = str(work.properties["Version"])
        steps.append(step("UpdateClusterVersion", name=name, version=version))
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
    return retag_arn(_cluster(work)["arn"], added, removed)


def _delete_cluster(work: Work) -> None:
    work.call("eks", "DeleteCluster", name=work.physical_id)


CLUSTER = Kind(
    create=_create_cluster,
    update=_update_cluster,
    retag=_retag_cluster,
    done=waits(_cluster),
    gone=is_gone(_cluster),
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
    parts = camel(work.given(*_NODEGROUP_PARTS))
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
    config: dict[str, Any] = camel(
        changed(work, old, ["ScalingConfig", "UpdateConfig", "NodeRepairConfig"])
    )
    labels, had = work.properties.get("Labels", {}), old.get("Labels", {})
    if labels != had:
        gone = [name for name in had if name not in labels]
        config["labels"] = {"addOrUpdateLabels": labels, "removeLabels": gone}
    taints, taints_had = work.properties.get("Taints", []), old.get("Taints", [])
    if taints != taints_had:
        config["taints"] = {
            "addOrUpdateTaints": camel(taints),
            "removeTaints": camel([one for one in taints_had if one not in taints]),
        }
    steps = [step("UpdateNodegroupConfig", **key, **config)] if config else []
    version = changed(work, old, ["Version", "ReleaseVersion", "LaunchTemplate"])
    if version:
        steps.append(step("UpdateNodegroupVersion", **key, **camel(version)))
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
    return retag_arn(_nodegroup(work)["nodegroupArn"], added, removed)


NODEGROUP = Kind(
    create=_create_nodegroup,
    update=_update_nodegroup,
    retag=_retag_nodegroup,
    done=waits(_nodegroup),
    gone=is_gone(_nodegroup),
    read=_read_nodegroup,
    delete=lambda work: drop(work, "DeleteNodegroup", **_nodegroup_key(work)),
)

KINDS: Mapping[str, Kind] = {
    "AWS::EKS::Cluster": CLUSTER,
    "AWS::EKS::Nodegroup": NODEGROUP,
}
