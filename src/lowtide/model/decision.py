"""Decisions as values: what to do, and why not.

The engine returns them; the twin, the local cluster or the live rooms carry them out.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.kube import Taint


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One node or group that cannot take some pods, in the field's own words.

    ``pods`` (``namespace/name``) are alike in what they are refused for; ``scope`` is ``node`` or ``group``; ``reasons`` hold such
    sentences as "Insufficient nvidia.com/gpu".
    """

    pods: tuple[str, ...]
    scope: str
    subject: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A pod (``namespace/name``) bound to a node."""

    pod: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """What one scheduling pass decided; ``refused`` names the pods that found no node."""

    placed: tuple[Placement, ...] = ()
    refused: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDesired:
    """Set a group's desired capacity; ``pods`` triggered it, ``why`` says what was compared."""

    group: str
    old: int
    new: int
    max_size: int = 0
    pods: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTaint:
    """Put a taint on a node."""

    node: str
    taint: Taint


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTaint:
    """Take the taints of a key from a node, and its cordon too where ``uncordon`` says so."""

    node: str
    key: str
    uncordon: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNode:
    """Start deleting a node: taint and cordon now, evict ``pods`` if any, terminate after the delay."""

    node: str
    group: str
    instance_id: str
    pods: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateInstance:
    """Terminate an instance at once and lower desired (unregistered or failed ones)."""

    group: str
    instance_id: str
    why: str = ""


Command = SetDesired | AddTaint | RemoveTaint | DeleteNode | TerminateInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A Kubernetes event of the autoscaler or the scheduler, as ``kubectl describe`` shows it."""

    reason: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One loop of the autoscaler.

    ``scaled_up`` and ``tainted`` tell the loop trigger to run again at once. ``tied`` holds, for each random choice,
    the answers that were equally good.
    """

    commands: tuple[Command, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    events: tuple[Event, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()
    scaled_up: bool = False
    tainted: bool = False
    notes: tuple[str, ...] = ()
