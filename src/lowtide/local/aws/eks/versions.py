"""What EKS offers: Kubernetes minors, add-on versions; and its insights, of which the box has none.

Source: the project's own dated table (``lowtide.catalog.versions``). Extended support lasts twelve months after standard
support (EKS user guide, "Kubernetes release calendar"). A minor whose day EKS has not published has none in the answer.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lowtide.catalog.versions import VERSIONS, KubernetesVersion, default_version
from lowtide.local.aws.eks.addon_table import ADDONS, KnownAddon, minors_of
from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.refusals import not_found
from lowtide.local.aws.eks.state import cluster_of
from lowtide.local.aws.service import Call

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_STANDARD, _EXTENDED, _UNSUPPORTED = "STANDARD_SUPPORT", "EXTENDED_SUPPORT", "UNSUPPORTED"
_CONFIGURATION = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": True,
}


def describe_cluster_versions(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeClusterVersions, newest first."""
    params, today = call.params, box.now().date()
    newest_first = sorted(VERSIONS, key=lambda one: one.minor, reverse=True)
    found = [_cluster_version(one, today) for one in newest_first]
    if params.get("clusterVersions"):
        found = [one for one in found if one["clusterVersion"] in params["clusterVersions"]]
    elif not params.get("includeAll"):
        found = [one for one in found if one["versionStatus"] != _UNSUPPORTED]
    if params.get("defaultOnly"):
        found = [one for one in found if one["defaultVersion"]]
    wanted = params.get("versionStatus") or params.get("status", "").upper().replace("-", "_")
    if wanted:
        found = [one for one in found if one["versionStatus"] == wanted]
    return page(found, params, key="clusterVersions")


def describe_addon_versions(box: Box, call: Call) -> Mapping[str, Any]:  # noqa: ARG001 - an operation's signature
    """DescribeAddonVersions."""
    params = call.params
    name, minor = params.get("addonName"), params.get("kubernetesVersion")
    if name and name not in ADDONS:
        raise not_found(f"Addon {name} specified is not supported", addonName=name)
    shown = [
        {
            "addonName": one.name,
            "type": one.type,
            "addonVersions": list(_addon_versions(one, minor)),
            "publisher": one.publisher,
            "owner": _owner(one),
            "defaultNamespace": one.namespace,
        }
        for one in ADDONS.values()
        if not name or one.name == name
    ]
    for parameter, key in (("types", "type"), ("publishers", "publisher"), ("owners", "owner")):
        if params.get(parameter):
            shown = [one for one in shown if one[key] in params[parameter]]
    return page([one for one in shown if one["addonVersions"]], params, key="addons")


def describe_addon_configuration(box: Box, call: Call) -> Mapping[str, Any]:  # noqa: ARG001 - an operation's signature
    """DescribeAddonConfiguration; the schema says only that values are an object."""
    name, version = call.params["addonName"], call.params["addonVersion"]
    known = ADDONS.get(name)
    if known is None or version not in {one for one, _, _ in minors_of(known)}:
        raise not_found("Addon version specified is not supported", addonName=name)
    accounts = [{"serviceAccount": known.account, "recommendedManagedPolicies": [known.policy]}]
    return {
        "addonName": name,
        "addonVersion": version,
        "configurationSchema": json.dumps(_CONFIGURATION),
        "podIdentityConfiguration": accounts if known.account else [],
    }


def list_insights(box: Box, call: Call) -> Mapping[str, Any]:
    """ListInsights: none."""
    cluster_of(box, call)
    return {"insights": []}


def _cluster_version(one: KubernetesVersion, today: dt.date) -> dict[str, Any]:
    status = _STANDARD
    described: dict[str, Any] = {
        "clusterVersion": one.minor,
        "clusterType": "eks",
        "defaultPlatformVersion": "eks.1",
        "defaultVersion": one == default_version(),
        "kubernetesPatchVersion": f"{one.minor}.0",
    }
    if one.standard_support_until is not None:
        standard = dt.date.fromisoformat(one.standard_support_until)
        extended = standard.replace(year=standard.year + 1)
        described["endOfStandardSupportDate"] = _midnight(standard)
        described["endOfExtendedSupportDate"] = _midnight(extended)
        if today > standard:
            status = _EXTENDED if today <= extended else _UNSUPPORTED
    old_word = status.lower().replace("_", "-")
    return {**described, "status": old_word, "versionStatus": status}


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def _addon_versions(addon: KnownAddon, minor: str | None) -> Iterator[dict[str, Any]]:
    """Yield the versions with the minors that each serves."""
    fits: dict[str, list[dict[str, Any]]] = {}
    for version, served, is_default in minors_of(addon):
        if minor in {None, served}:
            fits.setdefault(version, []).append(
                {"clusterVersion": served, "platformVersions": ["*"], "defaultVersion": is_default}
            )
    for version, compatibilities in fits.items():
        yield {
            "addonVersion": version,
            "architecture": ["amd64", "arm64"],
            "computeTypes": ["ec2", "auto", "hybrid"],
            "compatibilities": compatibilities,
            "requiresConfiguration": False,
            "requiresIamPermissions": bool(addon.policy),
        }


def _owner(addon: KnownAddon) -> str:
    return "aws" if addon.publisher == "eks" else "community"


OPERATIONS = {
    "DescribeClusterVersions": describe_cluster_versions,
    "DescribeAddonVersions": describe_addon_versions,
    "DescribeAddonConfiguration": describe_addon_configuration,
    "ListInsights": list_insights,
}
