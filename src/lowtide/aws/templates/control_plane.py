"""The EKS control plane: its role, the nodes' security group, its log group and the cluster itself.

Why it exists: these are the parts that every other stack refers to. The rules between control plane and nodes are eksctl's
(pkg/cfn/builder/vpc.go), so that people who know them find them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.network import subnet_ref, vpc_id
from lowtide.model.blueprint import Blueprint, ControlPlane, Network
from lowtide.model.cluster import ResolvedCluster

CLUSTER = "Cluster"
NAME_EXPORT = "ClusterName"
_ROLE = "ClusterRole"
_SHARED_GROUP = "SharedNodeSecurityGroup"
_LOGS = "ControlPlaneLogs"
_CLUSTER_GROUP = "ClusterSecurityGroupId"
_TEN = ipaddress.IPv4Network("10.0.0.0/8")
_SERVICES = (ipaddress.IPv4Network("10.100.0.0/16"), ipaddress.IPv4Network("172.20.0.0/16"))
_LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def control_plane(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Resource]:
    """Return the resources of the control plane, in the order of what they need."""
    return cfn.joined(
        _role(cluster, blueprint.control_plane),
        _shared_group(cluster, blueprint),
        _log_group(cluster, blueprint.control_plane),
        {CLUSTER: _cluster(cluster, blueprint)},
        _ca(cluster, blueprint.control_plane),
        _shared_rules(blueprint.network),
    )


def control_plane_outputs(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Any]:
    """Return the exports that nodes and add-ons need."""
    found: dict[str, tuple[Any, str]] = {
        NAME_EXPORT: (cfn.ref(CLUSTER), "Name of the cluster"),
        "ClusterEndpoint": (cfn.get_att(CLUSTER, "Endpoint"), "Address of the Kubernetes API"),
        "ServiceCidr": (service_cidr(blueprint), "Addresses of Kubernetes services"),
        _CLUSTER_GROUP: (
            cfn.get_att(CLUSTER, _CLUSTER_GROUP),
            "Security group that EKS makes for control plane and managed nodes",
        ),
        "SharedNodeSecurityGroupId": (
            shared_node_group(blueprint.network),
            "Security group that all nodes share",
        ),
    }
    return {
        key: cfn.output(value, text, cfn.export_name(cluster.name, key))
        for key, (value, text) in found.items()
    }


def service_cidr(blueprint: Blueprint) -> str:
    """Return the addresses of services: the file's, else the one of EKS's two ranges that is away from the VPC's.

    EKS would choose between the same two (CreateCluster, KubernetesNetworkConfigRequest), but nodes must know the range before
    there is a cluster to be asked, and CloudFormation has no attribute for it. Of a VPC whose addresses are not known, 10.0.0.0/8
    is the likelier place.
    """
    if blueprint.control_plane.service_cidr:
        return blueprint.control_plane.service_cidr
    plan = blueprint.network
    taken = [ipaddress.IPv4Network(one) for one in (plan.cidr, *plan.extra_cidrs) if one]
    in_ten = not plan.cidr or any(one.overlaps(_TEN) for one in taken[:1])
    choices = (_SERVICES[1], _SERVICES[0]) if in_ten else _SERVICES
    free = (one for one in choices if not any(one.overlaps(other) for other in taken))
    return str(next(free, choices[0]))


def shared_node_group(plan: Network) -> Any:
    """Return the id of the security group that all nodes share, inside the cluster's stack."""
    return plan.shared_node_security_group or cfn.get_att(_SHARED_GROUP, "GroupId")


def _ca(cluster: ResolvedCluster, plane: ControlPlane) -> dict[str, Resource]:
    return {
        "CertificateAuthority": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Description": "Certificate authority of the Kubernetes API, in base64",
                "Name": cfn.cluster_ca_path(cluster.name),
                "Tags": cfn.cluster_tags(cluster.name, plane.tags),
                "Type": "String",
                "Value": cfn.get_att(CLUSTER, "CertificateAuthorityData"),
            },
        }
    }


def _role(cluster: ResolvedCluster, plane: ControlPlane) -> dict[str, Resource]:
    if plane.role_arn:
        return {}
    policies = ["AmazonEKSClusterPolicy"]
    if plane.vpc_resource_controller:
        policies.append("AmazonEKSVPCResourceController")
    properties: Resource = {
        "AssumeRolePolicyDocument": cfn.trust(
            {"Service": "eks.amazonaws.com"},
            "sts:AssumeRole",
            # Only for this cluster (EKS user guide, "Cross-service confused deputy prevention").
            condition={
                "ArnLike": {"aws:SourceArn": cfn.arn("eks", f"cluster/{cluster.name}")},
                "StringEquals": {"aws:SourceAccount": cfn.ref("AWS::AccountId")},
            },
        ),
        "ManagedPolicyArns": [cfn.aws_policy(name) for name in policies],
        "Tags": cfn.tags(cfn.cluster_tags(cluster.name, plane.tags)),
    }
    if plane.role_boundary_arn:
        properties["PermissionsBoundary"] = plane.role_boundary_arn
    return {_ROLE: {"Type": "AWS::IAM::Role", "Properties": properties}}


def _shared_group(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Resource]:
    """The one group of ours; eksctl makes another for the control plane, which EKS's own group serves as well.

    Load balancers put their rules into the one group of a node that has the cluster's tag (AWS Load Balancer Controller, "expect
    exactly one securityGroup tagged").
    """
    if blueprint.network.shared_node_security_group:
        return {}
    own = {
        "Name": cfn.stack_name(cluster.name, "nodes"),
        f"kubernetes.io/cluster/{cluster.name}": "owned",
    }
    tags = cfn.cluster_tags(cluster.name, blueprint.control_plane.tags, own)
    return {
        _SHARED_GROUP: {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": f"Between all nodes of EKS cluster {cluster.name}",
                "Tags": cfn.tags(tags),
                "VpcId": vpc_id(blueprint),
            },
        }
    }


def _shared_rules(plan: Network) -> dict[str, Resource]:
    """Nodes reach each other, and self-managed nodes and the cluster's own group (managed nodes) reach each other."""
    if plan.shared_node_security_group and not plan.manage_shared_rules:
        return {}
    shared, cluster = shared_node_group(plan), cfn.get_att(CLUSTER, _CLUSTER_GROUP)
    return {
        "NodesToNodes": _ingress(shared, shared, "Nodes reach each other"),
        "ClusterToNodes": _ingress(
            shared, cluster, "Control plane and managed nodes reach self-managed nodes"
        ),
        "NodesToCluster": _ingress(
            cluster, shared, "Self-managed nodes reach control plane and managed nodes"
        ),
    }


def _ingress(group: Any, source: Any, description: str) -> Resource:
    return {
        "Type": "AWS::EC2::SecurityGroupIngress",
        "Properties": {
            "Description": description,
            "GroupId": group,
            "IpProtocol": "-1",
            "SourceSecurityGroupId": source,
        },
    }


def _log_group(cluster: ResolvedCluster, plane: ControlPlane) -> dict[str, Resource]:
    """The group that EKS would make itself, without end, were it not there before the cluster."""
    if not (plane.log_types and plane.log_retention_days):
        return {}
    return {
        _LOGS: {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": f"/aws/eks/{cluster.name}/cluster",
                "RetentionInDays": plane.log_retention_days,
                "Tags": cfn.tags(cfn.cluster_tags(cluster.name, plane.tags)),
            },
        }
    }


def _cluster(cluster: ResolvedCluster, blueprint: Blueprint) -> Resource:
    """The cluster.

    DeletionProtection stays off: a cluster whose stack fails half-way must be taken back by the stack's own rollback, which a
    protected cluster would refuse and then cost money for good.
    """
    plane = blueprint.control_plane
    properties: Resource = {
        "Name": cluster.name,
        "Version": cluster.version,
        "RoleArn": plane.role_arn or cfn.get_att(_ROLE, "Arn"),
        "AccessConfig": {
            "AuthenticationMode": plane.authentication_mode,
            "BootstrapClusterCreatorAdminPermissions": plane.creator_is_admin,
        },
        # The networking add-ons are resources of this stack, so that they are upgraded and deleted with it.
        "BootstrapSelfManagedAddons": False,
        "KubernetesNetworkConfig": {
            "IpFamily": "ipv4",
            "ServiceIpv4Cidr": service_cidr(blueprint),
        },
        "ResourcesVpcConfig": _vpc_config(blueprint),
        "UpgradePolicy": {"SupportType": plane.support_type},
        **_options(plane),
        "Tags": cfn.tags(cfn.cluster_tags(cluster.name, plane.tags)),
    }
    logs = _log_group(cluster, plane)
    before: Mapping[str, Any] = {"DependsOn": list(logs)} if logs else {}
    return {"Type": "AWS::EKS::Cluster", **before, "Properties": properties}


def _options(plane: ControlPlane) -> Resource:
    """Logs and encryption, where the file asks for them."""
    options: Resource = {}
    if plane.log_types:
        kinds = [kind for kind in _LOG_TYPES if kind in plane.log_types]
        options["Logging"] = {"ClusterLogging": {"EnabledTypes": [{"Type": one} for one in kinds]}}
    if plane.secrets_key_arn:
        options["EncryptionConfig"] = [
            {"Provider": {"KeyArn": plane.secrets_key_arn}, "Resources": ["secrets"]}
        ]
    return options


def _vpc_config(blueprint: Blueprint) -> Resource:
    plane, plan = blueprint.control_plane, blueprint.network
    given = plan.control_plane_security_groups or tuple(filter(None, [plan.security_group]))
    config: Resource = {
        "EndpointPrivateAccess": plane.private_access,
        "EndpointPublicAccess": plane.public_access,
        "SubnetIds": _subnet_ids(plan),
    }
    if given:
        config["SecurityGroupIds"] = list(given)
    if plane.public_access and plane.public_cidrs:
        config["PublicAccessCidrs"] = list(plane.public_cidrs)
    return config


def _subnet_ids(plan: Network) -> list[Any]:
    if plan.control_plane_subnets:
        return list(plan.control_plane_subnets)
    private_only = plan.control_plane_on_private_subnets
    return [subnet_ref(one) for one in plan.subnets if not (private_only and one.public)]
