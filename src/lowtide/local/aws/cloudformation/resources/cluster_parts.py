"""EKS: add-ons, access entries and pod identity, which belong to a cluster.

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

# AWS::EKS::Addon

_ADDON_SET = (
    *("AddonVersion", "ConfigurationValues", "PodIdentityAssociations", "ResolveConflicts"),
    "ServiceAccountRoleArn",
)


def _addon_key(work: Work) -> dict[str, str]:
    cluster, _, name = work.physical_id.partition("|")
    return {"clusterName": cluster, "addonName": name}


def _create_addon(work: Work) -> str:
    parts = camel(work.given("ClusterName", "AddonName", "NamespaceConfig", *_ADDON_SET))
    work.call("eks", "CreateAddon", tags=dict(work.tags), **parts)
    return f"{work.properties['ClusterName']}|{work.properties['AddonName']}"


def _addon(work: Work) -> Mapping[str, Any]:
    found: Mapping[str, Any] = work.call("eks", "DescribeAddon", **_addon_key(work))["addon"]
    return found


def _update_addon(work: Work, old: Mapping[str, Any]) -> list[Step]:
    parts = changed(work, old, _ADDON_SET)
    return [step("UpdateAddon", **_addon_key(work), **camel(parts))] if parts else []


def _retag_addon(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return retag_arn(_addon(work)["addonArn"], added, removed)


def _delete_addon(work: Work) -> None:
    keep = bool(work.properties.get("PreserveOnDelete", False))
    work.call("eks", "DeleteAddon", **_addon_key(work), preserve=keep)


ADDON = Kind(
    create=_create_addon,
    update=_update_addon,
    retag=_retag_addon,
    done=waits(_addon),
    gone=is_gone(_addon),
    read=lambda work: {"Arn": _addon(work)["addonArn"]},
    delete=_delete_addon,
)


# AWS::EKS::AccessEntry


def _entry_key(work: Work) -> dict[str, str]:
    principal, _, cluster = work.physical_id.rpartition("|")
    return {"clusterName": cluster, "principalArn": principal}


def _create_entry(work: Work) -> str:
    parts = camel(work.given("ClusterName", "PrincipalArn", "KubernetesGroups", "Type", "Username"))
    work.call("eks", "CreateAccessEntry", tags=dict(work.tags), **parts)
    return f"{work.properties['PrincipalArn']}|{work.properties['ClusterName']}"


def _entry_policies(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    key = _entry_key(work)
    had, has = (old or {}).get("AccessPolicies", []), work.properties.get("AccessPolicies", [])
    named = {one["PolicyArn"] for one in has}
    return [
        *(step("AssociateAccessPolicy", **key, **camel(one)) for one in has if one not in had),
        *(
            step("DisassociateAccessPolicy", **key, policyArn=one["PolicyArn"])
            for one in had
            if one["PolicyArn"] not in named
        ),
    ]


def _update_entry(work: Work, old: Mapping[str, Any]) -> list[Step]:
    parts = changed(work, old, ["KubernetesGroups", "Username"])
    steps = [step("UpdateAccessEntry", **_entry_key(work), **camel(parts))] if parts else []
    return [*steps, *_entry_policies(work, old)]


def _read_entry(work: Work) -> dict[str, Any]:
    entry = work.call("eks", "DescribeAccessEntry", **_entry_key(work))["accessEntry"]
    return {"AccessEntryArn": entry["accessEntryArn"]}


def _retag_entry(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return retag_arn(_read_entry(work)["AccessEntryArn"], added, removed)


ACCESS_ENTRY = Kind(
    create=_create_entry,
    follow=_entry_policies,
    update=_update_entry,
    retag=_retag_entry,
    read=_read_entry,
    delete=lambda work: drop(work, "DeleteAccessEntry", **_entry_key(work)),
)


# AWS::EKS::PodIdentityAssociation


def _create_association(work: Work) -> str:
    parts = camel(
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
    return [step("UpdatePodIdentityAssociation", **_association_key(work), **camel(parts))]


def _read_association(work: Work) -> dict[str, Any]:
    found = work.call("eks", "DescribePodIdentityAssociation", **_association_key(work))
    one = found["association"]
    return {
        "AssociationArn": work.physical_id,
        "AssociationId": one["associationId"],
        "ExternalId": one.get("externalId", ""),
    }


def _retag_association(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return retag_arn(work.physical_id, added, removed)


POD_IDENTITY = Kind(
    create=_create_association,
    update=_update_association,
    retag=_retag_association,
    read=_read_association,
    delete=lambda work: drop(work, "DeletePodIdentityAssociation", **_association_key(work)),
)

KINDS: Mapping[str, Kind] = {
    "AWS::EKS::AccessEntry": ACCESS_ENTRY,
    "AWS::EKS::Addon": ADDON,
    "AWS::EKS::PodIdentityAssociation": POD_IDENTITY,
}
