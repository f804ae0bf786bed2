"""How the box behaves: where it keeps things, how fast its time runs, how long things take.

Why it exists: one frozen value that everybody in the box reads; the command line makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: The account that the box plays.
ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long AWS and a node take, in seconds before ``speed`` divides them.

    The values look like a quiet day on AWS; they are not promises of AWS.
    """

    cluster_create_s: float = 480.0
    cluster_delete_s: float = 180.0
    cluster_update_s: float = 60.0
    addon_s: float = 40.0
    nodegroup_s: float = 60.0
    resource_s: float = 4.0
    nat_gateway_s: float = 90.0
    role_s: float = 15.0
    instance_in_service_s: float = 15.0
    node_registers_s: float = 30.0
    node_ready_s: float = 15.0
    gpu_advertised_s: float = 15.0
    pod_starts_s: float = 5.0
    terminate_s: float = 30.0
    launch_retry_s: float = 60.0
    interruption_notice_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything about a box that does not change while it runs.

    ``folder`` (0700) holds clusters, logs and the ownership record. ``state_file`` None keeps state in memory.
    ``admission`` turns admission plug-ins of EKS's set on or off by name. ``binaries`` is a folder with the programs of
    a control plane, looked into before PATH and the cache. ``autoscaler`` is the upstream Cluster Autoscaler's program;
    without one, ours runs.
    """

    folder: Path
    state_file: Path | None = None
    speed: float = 10.0
    delays: Delays = field(default_factory=Delays)
    admission: Mapping[str, bool] = field(default_factory=dict)
    region: str = "us-east-1"
    account: str = ACCOUNT
    binaries: Path | None = None
    autoscaler: Path | None = None
