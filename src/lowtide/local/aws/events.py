"""What happens in the embedded AWS that others in the box react to.

Why it exists: instances become nodes and clusters become control planes without the services knowing of either.
Subscribers run under the box's lock and must not wait: they put work in a queue of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceInService:
    """An EC2 instance runs. ``user_data`` is decoded text; ``capacity_type`` is ``spot`` or ``on-demand``."""

    region: str
    group: str
    instance_id: str
    instance_type: str
    zone: str
    capacity_type: str
    image_id: str
    private_ip: str
    user_data: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceGone:
    """An EC2 instance was terminated or taken back (``interrupted``)."""

    region: str
    group: str
    instance_id: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptionNotice:
    """Spot will take the instance in ``after_s`` seconds of the box's time."""

    region: str
    group: str
    instance_id: str
    after_s: float


Event = InstanceInService | InstanceGone | InterruptionNotice
