"""What happens in a run: steps that apply, delete, scale or break things, and when.

Made by ``spec`` from a ``kind: Scenario`` file, a plain manifest, or a trace table; run by ``twin``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lowtide.model.workload import KubeObject, Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``gpuNodes``, ``podsRunning``, ``podsPending`` or ``podsFinished`` compared with a number.

    ``operator`` is one of ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``. gpuNodes counts GPU instances that exist or are
    asked for; the pods are the user's.
    """

    metric: str
    operator: str
    value: int

    def __str__(self) -> str:
        """Return ``gpuNodes == 10``, as the file says it."""
        return f"{self.metric} {self.operator} {self.value}"

    def holds(self, actual: int) -> bool:
        """Return whether the metric's actual value satisfies the comparison."""
        return {
            "==": actual == self.value,
            "!=": actual != self.value,
            "<": actual < self.value,
            "<=": actual <= self.value,
            ">": actual > self.value,
            ">=": actual >= self.value,
        }[self.operator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Create or update objects, as ``kubectl apply`` does."""

    objects: tuple[KubeObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete objects by identity."""

    targets: tuple[Meta, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Set the replicas of a Deployment, ReplicaSet or StatefulSet."""

    target: Meta
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """Spot takes back instances of a group, oldest first; 120 s of notice."""

    group: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCapacity:
    """EC2 has no capacity for a group (or for every group of a zone) for a while."""

    group: str = ""
    zone: str = ""
    duration_ms: int = 0


Action = Apply | Delete | Scale | Interrupt | NoCapacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: at a time from the start, or once a condition has held for a while.

    Exactly one of ``at_ms`` and ``after`` is set. A condition is looked at only after the step before it.
    """

    action: Action
    at_ms: int | None = None
    after: Condition | None = None
    hold_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceJob:
    """One row of a trace: a job of ``gang`` identical pods that each run ``run_ms``."""

    name: str
    submit_ms: int
    run_ms: int
    gpus: int
    cpu_milli: int
    memory_bytes: int
    group: str = ""
    zone: str = ""
    gang: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole run's input.

    ``until`` ends the run once it holds after the last step; ``until_ms`` ends it at a time. ``addons`` is ``default`` (what
    ``lowtide up`` installs exists from the start) or ``none``. ``max_duration_ms`` None means no limit.
    """

    name: str = "default"
    steps: tuple[Step, ...] = ()
    trace: tuple[TraceJob, ...] = field(default=(), repr=False)
    until: Condition | None = None
    until_ms: int | None = None
    addons: str = "default"
    max_duration_ms: int | None = 24 * 3600 * 1000
