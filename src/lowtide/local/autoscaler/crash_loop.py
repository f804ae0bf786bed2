"""A container that keeps ending, as the kubelet shows and delays it.

Why it exists: a misspelt flag is a common reason for a cluster that does not scale, and ``kubectl get pods`` is where people see it:
CrashLoopBackOff, with the exit code and the last words. No kubelet tells it here, so whoever runs the process does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.local.autoscaler.deployed import Deployed

#: Kubernetes documentation, "Pod Lifecycle", container restarts: 10 s, doubled to 300 s, reset after ten good minutes.
_FIRST_S, _LONGEST_S, _GOOD_S = 10.0, 300.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """How often a container ended, and how long it waits now, in seconds."""

    count: int = 0
    wait_s: float = 0.0

    def after_end(self, lived_s: float, speed: float) -> Restarts:
        """Return it after one more end; ``speed`` divides the kubelet's times."""
        longer_s = 2 * self.wait_s if self.wait_s and lived_s * speed < _GOOD_S else _FIRST_S
        return Restarts(count=self.count + 1, wait_s=min(longer_s, _LONGEST_S))


def waiting_status(
    one: Deployed, restarts: Restarts, *, code: int, said: str, lived_s: float
) -> dict[str, Any]:
    """Return the pod's status while its container, which ended just now, waits for the next try."""
    ended = {
        "exitCode": code if code >= 0 else 128 - code,
        "reason": "Error",
        "message": said,
        "startedAt": _stamp(before_s=lived_s),
        "finishedAt": _stamp(),
    }
    waiting = {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {restarts.wait_s:g}s restarting failed container={one.container} "
        f"pod={one.pod}_{one.namespace}({one.uid})",
    }
    state = {"ready": False, "started": False, "state": {"waiting": waiting}}
    return _status(one, restarts, {**state, "lastState": {"terminated": ended}}, is_ready=False)


def running_status(one: Deployed, restarts: Restarts) -> dict[str, Any]:
    """Return the pod's status once its container runs again."""
    state = {"ready": True, "started": True, "state": {"running": {"startedAt": _stamp()}}}
    return _status(one, restarts, state, is_ready=True)


def back_off_event(one: Deployed) -> Mapping[str, str]:
    """Return reason and message of the kubelet's event."""
    said = f"Back-off restarting failed container {one.container} in pod {one.pod}_{one.namespace}({one.uid})"
    return {"reason": "BackOff", "message": said}


def _status(
    one: Deployed, restarts: Restarts, state: Mapping[str, Any], *, is_ready: bool
) -> dict[str, Any]:
    word = "True" if is_ready else "False"
    why = {} if is_ready else {"reason": "ContainersNotReady"}
    conditions = [
        {"type": kind, "status": word, "lastTransitionTime": _stamp(), **why}
        for kind in ("Ready", "ContainersReady")
    ]
    return {
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": one.container,
                "image": one.image,
                "imageID": "",
                "restartCount": restarts.count,
                **state,
            }
        ],
    }


def _stamp(before_s: float = 0.0) -> str:
    moment = dt.datetime.now(tz=dt.UTC) - dt.timedelta(seconds=before_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
