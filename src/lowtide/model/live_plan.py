"""What a run would do to a live account, and what it did: stacks, images, objects.

Made by ``app``; reports read it and compute nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lowtide.model.stacks import ResourceChange


class StackAction(enum.Enum):
    """What a run would do about a stack."""

    CREATE = "create"
    CHANGE = "change"
    NONE = "none"
    REPAIR = "repair"
    FOLLOW = "follow"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """A stack and what would be done about it.

    ``why`` is the first cause where a repair is needed, or where the last change was rolled back. ``resources`` counts the resources that a creation makes, ``changes`` are the
    lines of CloudFormation's change set.
    """

    name: str
    action: StackAction
    why: str = ""
    resources: int = 0
    changes: tuple[ResourceChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDrift:
    """A node group's stack whose image is no longer the newest of its source."""

    stack: str
    kept: str
    newer: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeDrift:
    """A node group whose bounds (least and most nodes) somebody has changed since its stack was; ``wanted`` are the file's."""

    group: str
    seen: tuple[int, int]
    wanted: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """A Kubernetes object that differs from what would be applied; ``paths`` are the fields, none for one that is not there."""

    kind: str
    name: str
    is_new: bool
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlan:
    """What ``up`` would do now.

    ``objects`` is None where nobody can say: the cluster is not there yet, or ``objects_unknown`` says why.
    """

    cluster: str
    region: str
    account: str
    caller: str
    stacks: tuple[StackPlan, ...]
    drift: tuple[ImageDrift, ...] = ()
    sizes: tuple[SizeDrift, ...] = ()
    objects: tuple[ObjectDiff, ...] | None = None
    objects_unknown: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether no stack, no size and, as far as is known, no object would change."""
        same = all(one.action is StackAction.NONE for one in self.stacks)
        return same and not self.sizes and not self.objects

    def drastic(self, stack: str) -> frozenset[tuple[str, str, str]]:
        """Return what a stack's change set would take away or replace: logical id, action, replacement."""
        return frozenset(
            (change.logical_id, change.action, change.replaces)
            for one in self.stacks
            if one.name == stack
            for change in one.changes
            if change.is_drastic
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Something that happened: ``subject`` is a stack or what is waited for, ``part`` a resource of it."""

    subject: str
    status: str
    part: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResult:
    """What became of a stack in a run: ``created``, ``changed``, ``unchanged`` or ``deleted``."""

    name: str
    done: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That GPU nodes come from zero and go back to it; ``log`` is what nvidia-smi printed, ``node`` where it ran."""

    node: str
    pod_seconds: float
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """A cluster that is up. ``nodes`` are those that had to be Ready; ``written`` is the cluster file where this run wrote one."""

    cluster: str
    region: str
    account: str
    version: str
    endpoint: str
    stacks: tuple[StackResult, ...]
    nodes: int
    objects: tuple[str, ...]
    kubeconfig: str
    idle_usd_per_hour: float
    worst_case_usd_per_hour: float
    proofs: tuple[Proof, ...] = ()
    notes: tuple[str, ...] = ()
