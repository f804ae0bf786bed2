"""Takes back what a ``down`` did to nodes before it was broken off: they take pods again.

Why it exists: somebody may change their mind half-way, and a cluster whose nodes are all closed waits for ever for one on which its add-ons
can run. Sizes of groups are set back by ``sizes``, and the autoscaler is scaled up again by being applied.
"""

from __future__ import annotations

from collections.abc import Callable

from lowtide.app.inside import Tell
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, NotFound
from lowtide.model.live_plan import Progress
from lowtide.model.names import DOWN

_UNCORDON = {"metadata": {"annotations": {DOWN: None}}, "spec": {"unschedulable": None}}


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
