"""What the autoscaler's loop and its node deletions need of the world and of time.

Why it exists: the same loop runs in virtual time over the twin's world and in real time over a live cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lowtide.cloud.groups import Rejected
from lowtide.model.kube import Taint
from lowtide.model.snapshot import Snapshot
from lowtide.twin.kernel import Priority


class Clock(Protocol):
    """Time in whole milliseconds, and callbacks at a time."""

    @property
    def now_ms(self) -> int:
        """The time now."""

    def at(
        self,
        time_ms: int,
        callback: Callable[[], None],
        *,
        priority: Priority = Priority.WORLD,
        periodic: bool = False,
    ) -> int:
        """Call back at a time; return a handle for ``cancel``."""

    def cancel(self, handle: int) -> None:
        """Forget a callback."""


class AutoscaledWorld(Protocol):
    """What an autoscaler sees of a cluster and its account, and what it does to them."""

    def snapshot(self) -> Snapshot:
        """Return the world now."""

    def set_desired(self, group: str, desired: int) -> Rejected | None:
        """Set a group's desired capacity; return AWS's refusal, None when it is done."""

    def terminate_instance(self, group: str, instance_id: str) -> Rejected | None:
        """Terminate an instance and lower desired; return AWS's refusal, None when it is done."""

    def add_taint(self, node: str, taint: Taint) -> None:
        """Put a taint on a node."""

    def remove_taint(self, node: str, key: str) -> None:
        """Take the taints of a key from a node."""

    def cordon(self, node: str) -> None:
        """Keep new pods away from a node."""

    def uncordon(self, node: str) -> None:
        """Let pods come to a node again."""

    def evict(self, pod_key: str) -> bool:
        """Evict a pod (``namespace/name``); False when a budget forbids it now."""

    def decide(self, actor: str, action: str, subject: str, why: str = "") -> None:
        """Note a decision."""

    def log(self, line: str) -> None:
        """Note a line."""
