"""What EKS says about going to another Kubernetes minor: what it offers, add-ons that fit, insights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages
from lowtide.aws.live.session import ask
from lowtide.model.upgrade import AddonFact, Insight, OfferedMinor

_TOKEN = "nextToken"  # noqa: S105 - a field's name
_PASSING = "PASSING"


def offered_minors(account: Account) -> dict[str, OfferedMinor]:
    """Return the minors that EKS offers, by minor.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    found = {}
    eks = account.client("eks")
    for page in pages(eks.describe_cluster_versions, token=_TOKEN):
        for one in page["clusterVersions"]:
            minor = one["clusterVersion"]
            found[minor] = OfferedMinor(
                minor=minor,
                status=one.get("versionStatus") or one["status"].upper().replace("-", "_"),
                standard_until=_day(one.get("endOfStandardSupportDate")),
                extended_until=_day(one.get("endOfExtendedSupportDate")),
            )
    return found


def addon_facts(account: Account, cluster: str, minor: str) -> tuple[AddonFact, ...]:
    """Return the cluster's add-ons and what a minor takes of each.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    eks = account.client("eks")
    names = [
        name
        for page in pages(eks.list_addons, token=_TOKEN, clusterName=cluster)
        for name in page["addons"]
    ]
    return tuple(_addon(eks, cluster, name, minor) for name in names)


def _addon(eks: Any, cluster: str, name: str, minor: str) -> AddonFact:
    addon = ask(eks.describe_addon, clusterName=cluster, addonName=name)["addon"]
    versions, default = [], ""
    answers = pages(
        eks.describe_addon_versions, token=_TOKEN, addonName=name, kubernetesVersion=minor
    )
    for one in (
        one for page in answers for info in page["addons"] for one in info["addonVersions"]
    ):
        versions.append(one["addonVersion"])
        if any(
            fit.get("defaultVersion") and fit.get("clusterVersion") == minor
            for fit in one["compatibilities"]
        ):
            default = one["addonVersion"]
    return AddonFact(
        name=name,
        version=addon["addonVersion"],
        status=addon["status"],
        target_versions=tuple(versions),
        target_default=default,
    )


def failing_insights(account: Account, cluster: str, minor: str) -> tuple[Insight, ...]:
    """Return the upgrade insights about a minor that do not pass (EKS user guide, "Cluster insights").

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    eks = account.client("eks")
    wanted = {"categories": ["UPGRADE_READINESS"], "kubernetesVersions": [minor]}
    return tuple(
        Insight(
            name=one["name"], status=_state(one)["status"], reason=_state(one).get("reason", "")
        )
        for page in pages(eks.list_insights, token=_TOKEN, clusterName=cluster, filter=wanted)
        for one in page["insights"]
        if _state(one).get("status") not in {None, _PASSING}
    )


def _state(insight: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = insight.get("insightStatus", {})
    return found


def _day(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.date().isoformat()
