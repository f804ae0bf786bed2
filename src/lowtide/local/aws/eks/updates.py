"""Updates: what is changed, how far it is, and what came of it.

Why it exists: clusters, node groups and add-ons are changed by the same kind of record, which DescribeUpdate shows.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.refusals import in_use, not_found
from lowtide.local.aws.eks.state import Cluster, Update, cluster_of
from lowtide.local.aws.service import Call

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_RUNNING, _DONE, _FAILED = "InProgress", "Successful", "Failed"


def begin(
    box: Box,
    cluster: Cluster,
    kind: str,
    params: Mapping[str, Any],
    *,
    nodegroup: str = "",
    addon: str = "",
) -> dict[str, Any]:
    """Record an update that starts and return it; parameters that are no text are written as JSON.

    Raises:
        AwsError: ResourceInUseException while another one of the same thing runs.
    """
    _refuse_second(cluster, kind, nodegroup=nodegroup, addon=addon)
    update_id = str(uuid.uuid4())
    described = {
        "id": update_id,
        "status": _RUNNING,
        "type": kind,
        "params": [
            {"type": key, "value": value if isinstance(value, str) else json.dumps(value)}
            for key, value in params.items()
        ],
        "createdAt": box.now(),
        "errors": [],
    }
    cluster.updates[update_id] = Update(described=described, nodegroup=nodegroup, addon=addon)
    return copy.deepcopy(described)


def end(cluster: Cluster, update_id: str, error: Mapping[str, Any] | None = None) -> None:
    """Record that an update has ended, well or with an error."""
    described = cluster.updates[update_id].described
    described["status"] = _FAILED if error else _DONE
    if error:
        described["errors"] = [dict(error)]


def running(cluster: Cluster, *, nodegroup: str = "", addon: str = "") -> str:
    """Return the id of the update that runs, empty when there is none."""
    for one in cluster.updates.values():
        same = (one.nodegroup, one.addon) == (nodegroup, addon)
        if same and one.described["status"] == _RUNNING:
            found: str = one.described["id"]
            return found
    return ""


def describe_update(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeUpdate."""
    cluster = cluster_of(box, call, "name")
    found = cluster.updates.get(call.params["updateId"])
    if found is None or not _asked_for(found, call.params):
        raise not_found(
            f"No update found for id: {call.params['updateId']}.", clusterName=cluster.name
        )
    return {"update": copy.deepcopy(found.described)}


def list_updates(box: Box, call: Call) -> Mapping[str, Any]:
    """ListUpdates."""
    cluster = cluster_of(box, call, "name")
    ids = [key for key, one in cluster.updates.items() if _asked_for(one, call.params)]
    return page(ids, call.params, key="updateIds")


def _asked_for(update: Update, params: Mapping[str, Any]) -> bool:
    asked = (params.get("nodegroupName", ""), params.get("addonName", ""))
    return (update.nodegroup, update.addon) == asked


def _refuse_second(cluster: Cluster, kind: str, *, nodegroup: str, addon: str) -> None:
    other = running(cluster, nodegroup=nodegroup, addon=addon)
    if not other:
        return
    what = f"nodegroup {nodegroup}" if nodegroup else f"addon {addon}" if addon else ""
    raise in_use(
        f"Cannot {kind} because {what or f'cluster {cluster.name}'} currently has update {other} in progress",
        clusterName=cluster.name,
        **({"nodegroupName": nodegroup} if nodegroup else {"addonName": addon} if addon else {}),
    )


OPERATIONS = {"DescribeUpdate": describe_update, "ListUpdates": list_updates}
