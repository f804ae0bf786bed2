"""Load balancers that controllers in the cluster made: asked to go, and waited for, but not for ever.

Why it exists: a balancer holds the network, and only its controller takes it away in peace. One whose controller is gone is held by its
finalizer, and would take all the time that the stacks need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from lowtide.app.patience import Patience, patiently
from lowtide.kube.leaving import has_balancer
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Object

#: Seconds that controllers have to delete balancers; those of EKS take one to three minutes.
BALANCERS_S = 600.0
#: Of what is left of a run's time, so much at most: the stacks are deleted in the rest.
SHARE = 0.5
#: Seconds after which it is said what is waited for.
TELL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How to go about it. ``say`` takes a subject, its state and why; ``note`` what could not be done."""

    patience: Patience
    before_act: Callable[[], None]
    say: Callable[[str, str, str], None]
    note: Callable[[str], None]


def delete_balancers(cluster: Cluster, ways: Ways) -> None:
    """Delete the Services and Ingresses that have a load balancer, and wait for their controllers.

    Raises:
        KubernetesError: Kubernetes refused.
    """
    found = [
        one
        for kind in (kinds.SERVICE, kinds.INGRESS)
        for one in cluster.list(kind).items
        if has_balancer(one)
    ]
    for one in found:
        ways.before_act()
        metadata = one["metadata"]
        cluster.delete(kinds.kind_of(one), metadata["name"], namespace=metadata["namespace"])
        ways.say(_name(one), "is being deleted by its controller", "")
    _wait(cluster, {_name(one): one for one in found}, ways)


def _wait(cluster: Cluster, left: dict[str, Object], ways: Ways) -> None:
    """Wait until they are gone, or the time for it is over; what is waited for is said after a while."""
    began_with_s = ways.patience.left_s
    within_s = min(BALANCERS_S, SHARE * began_with_s)
    told: dict[str, str] = {}
    while left:
        held = {
            name: patiently(ways.patience, partial(_held_by, cluster, one))
            for name, one in left.items()
        }
        for name, finalizers in held.items():
            if finalizers is None:
                del left[name]
                ways.say(name, "deleted, with its load balancer", "")
        waited_s = began_with_s - ways.patience.left_s
        for name in left:
            words = _words(held[name])
            if waited_s >= within_s:
                ways.note(
                    f"{name}: no controller took the load balancer away in {waited_s:.0f} s; {words}"
                )
            elif waited_s >= TELL_S and told.get(name) != words:
                ways.say(name, f"is still there, and is waited for {within_s - waited_s:.0f} s more", words)  # fmt: skip
                told[name] = words
        if waited_s >= within_s:
            return
        if left:
            ways.patience.pause(f"{next(iter(left))} to go", has_news=True)


def _name(obj: Object) -> str:
    """Return kind, namespace and name, which no two objects have in common."""
    return f"{obj['kind']} {obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _words(finalizers: tuple[str, ...] | None) -> str:
    return f"held by finalizer {', '.join(finalizers)}" if finalizers else "no finalizer holds it"


def _held_by(cluster: Cluster, obj: Object) -> tuple[str, ...] | None:
    """Return the finalizers of an object that is still there, None where it is gone or another one has its name."""
    metadata: Mapping[str, str] = obj["metadata"]
    live = cluster.get(kinds.kind_of(obj), metadata["name"], metadata["namespace"])
    if live is None or live["metadata"]["uid"] != metadata["uid"]:
        return None
    return tuple(live["metadata"].get("finalizers") or ())
