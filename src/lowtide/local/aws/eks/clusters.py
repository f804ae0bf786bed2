"""Clusters: created, described, listed, deleted; and how one becomes ACTIVE.

A cluster is ACTIVE when both the delay has passed and its control plane is ready. The plane's threads never touch state:
what they report comes as a timer.
"""

from __future__ import annotations

import base64
import copy
import functools
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.catalog.versions import default_version
from lowtide.local.aws.eks import addon_objects, cluster_rules
from lowtide.local.aws.eks.access_entries import admit_creator, apply_policies
from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.planes_port import (
    PlaneAnswer,
    PlaneRequest,
    PlaneUp,
    cluster_objects,
    planes,
)
from lowtide.local.aws.eks.refusals import in_use, invalid_request
from lowtide.local.aws.eks.security_group import create_group, delete_group
from lowtide.local.aws.eks.state import NAME, Cluster, cluster_of, eks_state, find
from lowtide.local.aws.service import Call, Timer

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

CREATING, ACTIVE, DELETING, FAILED = "CREATING", "ACTIVE", "DELETING", "FAILED"
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def create_cluster(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateCluster."""
    params, region = call.params, call.region
    name = params["name"]
    cluster_rules.check_name(name)
    if find(box, region, name):
        raise in_use(f"Cluster already exists with name: {name}", clusterName=name)
    version = params.get("version") or default_version().minor
    cluster_rules.check_version(version, name)
    cluster_rules.check_role(box, params["roleArn"], region, name)
    network = _network(box, call)
    cluster = Cluster(
        region=region,
        name=name,
        described=_described(box, call, version, network),
        secret=secrets.token_urlsafe(32),
        self_managed=params.get("bootstrapSelfManagedAddons", True),
    )
    vpc = cluster.described["resourcesVpcConfig"]
    vpc["clusterSecurityGroupId"] = create_group(box, cluster, vpc["vpcId"])
    admit_creator(box, cluster, call.caller)
    eks_state(box).clusters[cluster.key] = cluster
    box.after(box.settings.delays.cluster_create_s, NAME, "waited", region=region, name=name)
    start_plane(box, cluster)
    return {"cluster": copy.deepcopy(cluster.described)}


def describe_cluster(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeCluster."""
    return {"cluster": copy.deepcopy(cluster_of(box, call, "name").described)}


def list_clusters(box: Box, call: Call) -> Mapping[str, Any]:
    """ListClusters."""
    names = sorted(name for region, name in eks_state(box).clusters if region == call.region)
    return page(names, call.params, key="clusters")


def delete_cluster(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteCluster: the control plane is stopped and its data forgotten at once, the rest after the delay."""
    cluster = cluster_of(box, call, "name")
    name = cluster.name
    if cluster.described["deletionProtection"]:
        raise invalid_request(
            f"Cannot delete cluster {name} because deletion protection is enabled",
            clusterName=name,
        )
    if cluster.nodegroups:
        raise in_use("Cluster has nodegroups attached", clusterName=name)
    if cluster.status in {CREATING, "UPDATING"}:
        raise in_use(
            f"Cannot delete because cluster {name} currently has an update in progress",
            clusterName=name,
        )
    if cluster.status != DELETING:
        cluster.described["status"] = DELETING
        planes(box).stop(cluster.key)
        objects = cluster_objects(box)
        if objects is not None:
            objects.forget(cluster.key)
        delay = box.settings.delays.cluster_delete_s
        box.after(delay, NAME, "deleted", region=cluster.region, name=name)
    return {"cluster": copy.deepcopy(cluster.described)}


def start_plane(box: Box, cluster: Cluster, *, minor: str = "", update_id: str = "") -> None:
    """Ask for the cluster's control plane, of another minor when an update wants it."""
    region, name = cluster.key
    request = PlaneRequest(
        region=region,
        name=name,
        minor=minor or cluster.minor,
        service_cidr=cluster.described["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
        issuer=cluster.described["identity"]["oidc"]["issuer"],
        token_review_path=token_review_path(cluster),
    )
    planes(box).start(request, functools.partial(_report, box, request, update_id))


def token_review_path(cluster: Cluster) -> str:
    """Return the path of the box's door at which the cluster's API server asks who a token belongs to.

    It holds the secret, because client-go sends no bearer token over plain HTTP.
    """
    return f"/_lowtide/token-review/{cluster.region}/{cluster.name}/{cluster.secret}"


def resume(box: Box) -> None:
    """Start the planes again that ran when the box was stopped, and those that were being started."""
    for cluster in eks_state(box).clusters.values():
        if cluster.status not in {FAILED, DELETING}:
            start_plane(box, cluster)


def _report(box: Box, request: PlaneRequest, update_id: str, answer: PlaneAnswer) -> None:
    """Carry what a plane's thread says into the box's own time."""
    box.after(
        0.0,
        NAME,
        "plane",
        region=request.region,
        name=request.name,
        minor=request.minor,
        update_id=update_id,
        answer=answer,
    )


def _waited(box: Box, region: str, name: str) -> None:
    cluster = find(box, region, name)
    if cluster is not None:
        cluster.waited = True
        _activate(box, cluster)


def plane_answered(box: Box, cluster: Cluster, answer: PlaneAnswer) -> None:
    """Take in what is known of the cluster's control plane."""
    if not isinstance(answer, PlaneUp):
        _fail(
            cluster, " ".join(filter(None, [f"{answer.why}.", answer.fix and f"Try: {answer.fix}"]))
        )
        return
    cluster.up = True
    cluster.described["endpoint"] = answer.endpoint
    cluster.described["certificateAuthority"] = {"data": base64.b64encode(answer.ca_pem).decode()}
    if cluster.status == CREATING:
        _activate(box, cluster)


def _activate(box: Box, cluster: Cluster) -> None:
    if not (cluster.waited and cluster.up) or cluster.status != CREATING:
        return
    cluster.described["status"] = ACTIVE
    addon_objects.apply_at_birth(box, cluster)
    apply_policies(box, cluster, *cluster.entries.values())


def _fail(cluster: Cluster, message: str) -> None:
    issue = {"code": "Other", "message": message, "resourceIds": [cluster.described["arn"]]}
    cluster.described["health"] = {"issues": [issue]}
    if cluster.status == CREATING:
        cluster.described["status"] = FAILED


def _deleted(box: Box, region: str, name: str) -> None:
    cluster = find(box, region, name)
    if cluster is not None:
        delete_group(box, cluster)
        del eks_state(box).clusters[cluster.key]


def _network(box: Box, call: Call) -> dict[str, Any]:
    """Return the VPC's part of the answer, after the checks that need EC2."""
    name, asked = call.params["name"], call.params["resourcesVpcConfig"]
    private = asked.get("endpointPrivateAccess", False)
    public = asked.get("endpointPublicAccess", True)
    cluster_rules.check_access(private, public, name)
    ids = asked.get("subnetIds", [])
    subnets = cluster_rules.subnets_of(box, ids, call.region, name)
    groups = asked.get("securityGroupIds", [])
    cluster_rules.check_security_groups(box, groups, call.region, name)
    return {
        "subnetIds": list(ids),
        "securityGroupIds": list(groups),
        "vpcId": subnets[0]["VpcId"],
        "endpointPublicAccess": public,
        "endpointPrivateAccess": private,
        "publicAccessCidrs": list(asked.get("publicAccessCidrs") or ["0.0.0.0/0"]),
    }


def _described(box: Box, call: Call, version: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new cluster as DescribeCluster shows it; endpoint and certificate come with the plane."""
    params, region, account = call.params, call.region, box.settings.account
    name = params["name"]
    access = params.get("accessConfig", {})
    return {
        "name": name,
        "arn": f"arn:aws:eks:{region}:{account}:cluster/{name}",
        "createdAt": box.now(),
        "version": version,
        "roleArn": params["roleArn"],
        "resourcesVpcConfig": dict(network),
        "kubernetesNetworkConfig": _addresses(box, call, network["vpcId"]),
        "logging": logging_of(params.get("logging", {})),
        "identity": {"oidc": {"issuer": _issuer(region)}},
        "status": CREATING,
        "certificateAuthority": {},
        "platformVersion": "eks.1",
        "tags": dict(params.get("tags", {})),
        "encryptionConfig": [dict(one) for one in params.get("encryptionConfig", [])],
        "health": {"issues": []},
        # Defaults of the API, which are not the console's (API reference, CreateAccessConfigRequest).
        "accessConfig": {
            "bootstrapClusterCreatorAdminPermissions": access.get(
                "bootstrapClusterCreatorAdminPermissions", True
            ),
            "authenticationMode": access.get("authenticationMode", "CONFIG_MAP"),
        },
        "upgradePolicy": {
            "supportType": params.get("upgradePolicy", {}).get("supportType", "EXTENDED")
        },
        "zonalShiftConfig": {"enabled": params.get("zonalShiftConfig", {}).get("enabled", False)},
        "computeConfig": {"enabled": False},
        "storageConfig": {"blockStorage": {"enabled": False}},
        "deletionProtection": params.get("deletionProtection", False),
    }


def _addresses(box: Box, call: Call, vpc_id: str) -> dict[str, Any]:
    asked = call.params.get("kubernetesNetworkConfig", {})
    vpcs = box.call("ec2", "DescribeVpcs", {"VpcIds": [vpc_id]}, region=call.region)["Vpcs"]
    services = cluster_rules.service_cidr(
        asked.get("serviceIpv4Cidr", ""), vpcs[0]["CidrBlock"], call.params["name"]
    )
    if asked.get("ipFamily", "ipv4") != "ipv4":
        raise invalid_request("The embedded AWS serves IPv4 clusters only")
    return {
        "serviceIpv4Cidr": services,
        "ipFamily": "ipv4",
        "elasticLoadBalancing": {"enabled": False},
    }


def logging_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the logging section as EKS shows it: the types that are on, and those that are off."""
    wanted: dict[str, bool] = {}
    for part in asked.get("clusterLogging", []):
        wanted |= dict.fromkeys(part.get("types", []), part.get("enabled", False))
    sides = {
        flag: [one for one in LOG_TYPES if wanted.get(one, False) is flag] for flag in (True, False)
    }
    return {
        "clusterLogging": [
            {"types": types, "enabled": flag} for flag, types in sides.items() if types
        ]
    }


def _issuer(region: str) -> str:
    return f"https://oidc.eks.{region}.amazonaws.com/id/{secrets.token_hex(16).upper()}"


OPERATIONS = {
    "CreateCluster": create_cluster,
    "DescribeCluster": describe_cluster,
    "ListClusters": list_clusters,
    "DeleteCluster": delete_cluster,
}
TIMERS: dict[str, Timer] = {"waited": _waited, "deleted": _deleted}
