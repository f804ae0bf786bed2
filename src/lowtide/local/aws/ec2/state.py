"""What EC2 knows of instances beyond moto: their phases, and what they count against a quota.

Why it exists: in moto an instance runs at once and is terminated at once. On AWS both take time, and what is shutting
down still holds its network interface; `down` and the autoscaler meet these phases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PENDING = "pending"
RUNNING = "running"
SHUTTING_DOWN = "shutting-down"
TERMINATED = "terminated"
STOPPING = "stopping"
STOPPED = "stopped"
#: No longer listed at all.
GONE = "gone"
CODES = {PENDING: 0, RUNNING: 16, SHUTTING_DOWN: 32, TERMINATED: 48, STOPPING: 64, STOPPED: 80}


@dataclass(slots=True, kw_only=True)
class Record:
    """An instance. ``reason`` and ``words`` are EC2's StateReason, empty while nothing has happened.

    ``interfaces`` are the network interfaces that go when it does.
    """

    region: str
    instance_type: str
    zone: str
    spot: bool
    vcpus: int
    is_arm: bool = False
    interfaces: tuple[str, ...] = ()
    phase: str = PENDING
    reason: str = ""
    words: str = ""

    @property
    def counts(self) -> bool:
        """Whether the instance counts against the quota: pending and running ones do."""
        return self.phase in {PENDING, RUNNING}

    @property
    def is_ending(self) -> bool:
        """Whether it has been terminated."""
        return self.phase in {SHUTTING_DOWN, TERMINATED, GONE}


@dataclass(slots=True)
class Ec2State:
    """Every instance that was started, by id; placement groups by region and name, as EC2 shows them."""

    instances: dict[str, Record] = field(default_factory=dict)
    placement_groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
