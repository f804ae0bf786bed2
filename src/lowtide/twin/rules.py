"""The rules of one world: what this cluster's machinery does by itself, and how fast.

Why it exists: lowtide's own world (EKS as measured) and the world of recorded runs differ in a few rules
only; both run on the same code, so what is proved in the one holds in the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lowtide.model.kube import PodSpec
from lowtide.model.policy import Timings

HOUR_MS = 3_600_000

Warn = Callable[[str], None]
"""Takes what a run has to say loudly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRules:
    """Options of a world; the defaults are EKS as lowtide models it.

    ``start_ms`` is when the world begins to move; initial nodes are ``initial_age_ms`` old then.
    ``daemons_instant``: pods of DaemonSets are created bound and Running when their node registers, and are not made
    again after an eviction.
    ``gpu_needs_plugin``: GPUs appear once a device plugin's pod runs on the node, unless its image has a plugin; otherwise the
    group's ``gpu_ms`` after Ready.
    ``pod_start_ms``: how long a bound pod takes to run, instead of pulling its images.
    ``pod_grace_ms``: how long a running pod takes to end once it is deleted.
    ``job_backoff``: the Job controller waits before it replaces a lost pod.
    ``nat_zones``: where the cluster's own NAT gateways are; empty for none, or for a network that is not ours.
    """

    start_ms: int = 0
    initial_age_ms: int = HOUR_MS
    daemons_instant: bool = False
    gpu_needs_plugin: bool = True
    pod_start_ms: Callable[[PodSpec], int] | None = None
    pod_grace_ms: int = 1000
    job_backoff: bool = True
    extended_resource_toleration: bool = True
    s3_gateway_endpoint: bool = True
    nat_zones: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    seed: int = 0
