"""What a running box says of itself: its clusters, their processes, and which autoscaler runs.

Why it exists: ``lowtide local status`` shows it, and nobody else in the box needs all of it together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lowtide import __version__
from lowtide.local.aws import faults
from lowtide.local.aws.eks.planes_port import Key
from lowtide.local.aws.eks.state import Cluster, eks_state

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box
    from lowtide.local.controlplane.planes import Planes
    from lowtide.local.nodes.bridge import Nodes

#: Under this name whoever runs autoscalers puts itself into ``box.ports``.
AUTOSCALERS_PORT = "autoscalers"


class Autoscalers(Protocol):
    """Runs the autoscalers of the box's clusters."""

    def describe(self, cluster: Key) -> Mapping[str, Any] | None:
        """Return a cluster's autoscaler, or None where its Deployment is not applied.

        Keys: ``kind`` (``upstream`` or ``lowtide``), ``state`` (a word), ``pid`` (None while it does not run), and
        ``program`` (its path, or the words "lowtide's engine").
        """
        ...


def status_of(
    box: Box, planes: Planes | None, nodes: Nodes | None, started_s: float
) -> dict[str, Any]:
    """Return a box's status as JSON values; ``started_s`` is in seconds since the epoch.

    ``not_joined`` says, by instance id, why instances that run are no nodes.
    """
    with box.lock:
        clusters = [
            {
                "name": one.name,
                "region": one.region,
                "status": one.status,
                "version": one.minor,
                "endpoint": one.described.get("endpoint", ""),
                "health": _health(one),
            }
            for one in eks_state(box).clusters.values()
        ]
        known = {
            "version": __version__,
            "pid": os.getpid(),
            "up_seconds": round(time.time() - started_s, 1),
            "region": box.settings.region,
            "account": box.settings.account,
            "speed": box.settings.speed,
            "faults": len(faults.listed(box)),
        }
    return {
        **known,
        "clusters": [{**one, **_running(box, planes, one)} for one in clusters],
        "not_joined": dict(nodes.refused()) if nodes else {},
    }


def _health(cluster: Cluster) -> str:
    issues = cluster.described.get("health", {}).get("issues", ())
    return "; ".join(one.get("message", "") for one in issues)


def _running(box: Box, planes: Planes | None, cluster: Mapping[str, Any]) -> dict[str, Any]:
    key = (cluster["region"], cluster["name"])
    plane = planes.plane(".".join(key)) if planes else None
    autoscalers: Autoscalers | None = box.ports.get(AUTOSCALERS_PORT)
    return {
        "processes": dict(plane.pids) if plane else {},
        "failure": plane.failure if plane else "",
        "folder": str(plane.folder) if plane else "",
        "autoscaler": autoscalers.describe(key) if autoscalers else None,
    }
