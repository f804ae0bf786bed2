"""EKS of the embedded AWS: clusters that are real control planes, and what belongs to them.

What it must not know: processes (``planes_port``) and the Kubernetes client (``live_objects`` alone).
"""

from __future__ import annotations

from lowtide.local.aws.eks import (
    access_entries,
    addons,
    cluster_updates,
    clusters,
    nodegroup_updates,
    nodegroups,
    pod_identity,
    tags,
    updates,
    versions,
)
from lowtide.local.aws.eks.model_check import checked
from lowtide.local.aws.eks.state import NAME, EksState
from lowtide.local.aws.service import Service, Timer

__all__ = ["SERVICE"]

_OPERATIONS = {
    **clusters.OPERATIONS,
    **cluster_updates.OPERATIONS,
    **updates.OPERATIONS,
    **addons.OPERATIONS,
    **nodegroups.OPERATIONS,
    **nodegroup_updates.OPERATIONS,
    **access_entries.OPERATIONS,
    **pod_identity.OPERATIONS,
    **tags.OPERATIONS,
    **versions.OPERATIONS,
}

_TIMERS: dict[str, Timer] = {
    **clusters.TIMERS,
    **cluster_updates.TIMERS,
    **addons.TIMERS,
    **nodegroups.TIMERS,
    **nodegroup_updates.TIMERS,
}

SERVICE = Service(
    name=NAME,
    operations={name: checked(name, operation) for name, operation in _OPERATIONS.items()},
    timers=_TIMERS,
    state=EksState,
    whole=True,
)
