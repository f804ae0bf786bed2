"""Roles of service accounts, by pod identity or by the cluster's OIDC provider (IRSA).

Why it exists: a pod gets the permissions that it needs and nodes get none of them. Both kinds of role can be taken by one
service account of one cluster only.

An IRSA trust policy has the issuer of the cluster in the keys of its condition. CloudFormation puts values into values,
not into keys, so that policy is one text with ``Fn::Sub``; a role's AssumeRolePolicyDocument may be a text of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.control_plane import CLUSTER, NAME_EXPORT
from lowtide.aws.templates.policies import role_permissions
from lowtide.model.blueprint import IRSA, POD_IDENTITY, Blueprint, ControlPlane, Identity
from lowtide.model.cluster import ResolvedCluster

OIDC_PROVIDER = "OidcProvider"
_PROVIDER_EXPORT = "OidcProviderArn"
_AUDIENCE = "sts.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """How a stack refers to the cluster and to its OIDC provider."""

    cluster_name: Any
    provider_arn: Any


CLUSTER_STACK = Home(cluster_name=cfn.ref(CLUSTER), provider_arn=cfn.get_att(OIDC_PROVIDER, "Arn"))


def other_stack(cluster: ResolvedCluster) -> Home:
    """Return how every stack but the cluster's own refers to the cluster.

    The name is imported although it is known: CloudFormation then keeps the cluster for as long as the other stack is there.
    """
    return Home(
        cluster_name=cfn.imported(cluster.name, NAME_EXPORT),
        provider_arn=cfn.imported(cluster.name, _PROVIDER_EXPORT),
    )


def oidc_provider(cluster: ResolvedCluster, plane: ControlPlane) -> dict[str, Resource]:
    """Return the OIDC provider, where the file has ``iam.withOIDC``.

    It has no thumbprint: IAM trusts EKS's issuers by its own list of certificate authorities (IAM user guide, "Create an OpenID
    Connect identity provider").
    """
    if not plane.with_oidc:
        return {}
    return {
        OIDC_PROVIDER: {
            "Type": "AWS::IAM::OIDCProvider",
            "Properties": {
                "ClientIdList": [_AUDIENCE],
                "Tags": cfn.tags(cfn.cluster_tags(cluster.name, plane.tags)),
                "Url": cfn.get_att(CLUSTER, "OpenIdConnectIssuerUrl"),
            },
        }
    }


def oidc_outputs(cluster: ResolvedCluster, plane: ControlPlane) -> dict[str, Any]:
    """Return the export of the OIDC provider, where there is one."""
    if not plane.with_oidc:
        return {}
    key = _PROVIDER_EXPORT
    text = "OIDC provider of the cluster's service accounts"
    arn = cfn.get_att(OIDC_PROVIDER, "Arn")
    return {key: cfn.output(arn, text, cfn.export_name(cluster.name, key))}


def identities(
    cluster: ResolvedCluster, blueprint: Blueprint, wanted: Iterable[Identity], home: Home
) -> dict[str, Resource]:
    """Return roles and pod identity associations of service accounts, for a stack that refers to the cluster as ``home`` says.

    Raises:
        InputError: a well-known policy that lowtide does not have.
    """
    wanted = tuple(wanted)
    names = identity_names(wanted)
    resources: dict[str, Resource] = {}
    for one in wanted:
        name = names[account(one)]
        if not one.role_arn:
            resources[f"Role{name}"] = role(cluster, blueprint, one, home)
        if one.kind == POD_IDENTITY:
            role_arn = one.role_arn or cfn.get_att(f"Role{name}", "Arn")
            tags = cfn.cluster_tags(cluster.name, blueprint.control_plane.tags, one.tags)
            resources[f"Identity{name}"] = _association(one, home, role_arn, tags)
    return resources


def identity_outputs(wanted: Iterable[Identity]) -> dict[str, Any]:
    """Return the ARNs of IRSA roles, which their service accounts must be annotated with."""
    wanted = tuple(wanted)
    names = identity_names(wanted)
    return {
        f"Role{names[account(one)]}Arn": cfn.output(
            cfn.get_att(f"Role{names[account(one)]}", "Arn"),
            f"eks.amazonaws.com/role-arn of service account {account(one)}",
        )
        for one in wanted
        if one.kind == IRSA and not one.role_arn
    }


def identity_names(wanted: Iterable[Identity]) -> dict[str, str]:
    """Return a name for logical ids by ``namespace/service account``."""
    return cfn.logical_ids(account(one) for one in wanted)


def account(identity: Identity) -> str:
    """Return ``namespace/service account``."""
    return f"{identity.namespace}/{identity.name}"


def role(
    cluster: ResolvedCluster, blueprint: Blueprint, identity: Identity, home: Home
) -> Resource:
    """Return the role of a service account."""
    irsa = identity.kind == IRSA
    file_tags = blueprint.control_plane.tags
    properties: Resource = {
        "AssumeRolePolicyDocument": _irsa_trust(identity, home)
        if irsa
        else _pod_trust(cluster, identity),
        "Description": f"Service account {account(identity)} of EKS cluster {cluster.name}",
        **role_permissions(cluster.name, identity.permissions),
        "Tags": cfn.tags(cfn.cluster_tags(cluster.name, file_tags, identity.tags)),
    }
    if identity.role_name:
        properties["RoleName"] = identity.role_name
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _irsa_trust(identity: Identity, home: Home) -> Resource:
    """Trust one service account, or those of the file's subjectPattern (EKS user guide, "IAM roles for service accounts")."""
    subject = {"${Issuer}:sub": f"system:serviceaccount:{identity.namespace}:{identity.name}"}
    condition: Resource = {"StringEquals": {"${Issuer}:aud": _AUDIENCE, **subject}}
    if identity.subject_pattern:
        condition = {
            "StringEquals": {"${Issuer}:aud": _AUDIENCE},
            "StringLike": {"${Issuer}:sub": identity.subject_pattern},
        }
    document = cfn.trust(
        {"Federated": "${Provider}"},
        "sts:AssumeRoleWithWebIdentity",
        condition=condition,
    )
    arn = home.provider_arn
    # The ARN of a provider ends in its issuer: arn:aws:iam::ACCOUNT:oidc-provider/ISSUER.
    issuer = {"Fn::Select": [1, {"Fn::Split": ["oidc-provider/", arn]}]}
    return cfn.sub(json.dumps(document, indent=2), {"Issuer": issuer, "Provider": arn})


def _pod_trust(cluster: ResolvedCluster, identity: Identity) -> Resource:
    """Trust the Pod Identity service for one service account (EKS user guide, "Create IAM role with trust policy").

    The service tells cluster, namespace and account by session tags; a file that turns those off leaves the cluster.
    """
    arn = cfn.arn("eks", f"cluster/{cluster.name}")
    condition: Resource = {"StringEquals": {"aws:SourceAccount": cfn.ref("AWS::AccountId")}}
    if identity.disable_session_tags:
        condition["ArnEquals"] = {"aws:SourceArn": arn}
    else:
        condition["StringEquals"] |= {
            "aws:RequestTag/eks-cluster-arn": arn,
            "aws:RequestTag/kubernetes-namespace": identity.namespace,
            "aws:RequestTag/kubernetes-service-account": identity.name,
        }
    return cfn.trust(
        {"Service": "pods.eks.amazonaws.com"},
        "sts:AssumeRole",
        "sts:TagSession",
        condition=condition,
    )


def _association(
    identity: Identity, home: Home, role_arn: Any, tags: Mapping[str, str]
) -> Resource:
    properties: Resource = {
        "ClusterName": home.cluster_name,
        "Namespace": identity.namespace,
        "ServiceAccount": identity.name,
        "RoleArn": role_arn,
        "Tags": cfn.tags(tags),
    }
    if identity.target_role_arn:
        properties["TargetRoleArn"] = identity.target_role_arn
    if identity.disable_session_tags:
        properties["DisableSessionTags"] = True
    if identity.session_policy:
        properties["Policy"] = identity.session_policy
    return {"Type": "AWS::EKS::PodIdentityAssociation", "Properties": properties}
