"""Takes back what a ``down`` did before it was broken off: nodes that take no pods, GPU groups that may not grow.

Why it exists: somebody may change their mind half-way. Stacks would not show the difference, as both are no part of a template's change, and a
cluster whose groups end at 0 looks whole and never grows. The autoscaler is scaled up again by being applied.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lowtide.app.inside import Tell
from lowtide.app.patience import Patience, patiently
from lowtide.aws.live.account import Account
from lowtide.aws.live.node_groups import node_groups, set_bounds
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, NotFound
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.live_plan import Progress
from lowtide.model.names import DOWN

_UNCORDON = {"metadata": {"annotations": {DOWN: None}}, "spec": {"unschedulable": None}}


def open_groups(
    account: Account,
    wanted: ResolvedCluster,
    *,
    patience: Patience,
    tell: Tell,
    before_act: Callable[[], None],
) -> None:
    """Give self-managed groups of ours that may hold no node the bounds of the file again.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    bounds = {one.name: (one.min_size, one.max_size) for one in wanted.node_groups}
    for group in patiently(patience, partial(node_groups, account, wanted.name)):
        least, most = bounds.get(group.name, (0, 0))
        if group.owner != wanted.name or group.managed or group.max_size or not most:
            continue
        before_act()
        patiently(patience, partial(set_bounds, account, wanted.name, group, least, most))
        tell(Progress(subject=f"node group {group.name}", status=f"may have {most} nodes again"))


def open_nodes(cluster: Cluster, *, tell: Tell, before_act: Callable[[], None]) -> None:
    """Let nodes take pods again that a ``down`` had closed.

    Raises:
        KubernetesError: the server refused, or cannot be reached.
    """
    for one in cluster.list(kinds.NODE).items:
        name = one["metadata"]["name"]
        if DOWN not in one["metadata"].get("annotations", {}):
            continue
        before_act()
        try:
            cluster.patch(kinds.NODE, name, _UNCORDON)
        except NotFound:
            continue
        tell(Progress(subject=f"node {name}", status="takes pods again"))
