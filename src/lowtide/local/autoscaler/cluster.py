"""A live cluster and its account as the world that the autoscaler's loop acts on.

Why it exists: the loop and the engine know one interface (twin.ports); here it is an API server, seen through informers, and Auto Scaling,
seen through the provider's calls. Nothing here raises for a refusal or a broken connection: the upstream autoscaler logs it
and looks again in its next loop, and so does this.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from lowtide.aws.live.groups import LiveGroups
from lowtide.cloud.groups import Rejected
from lowtide.kube import reading
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Conflict, Object
from lowtide.kube.live.informer import Informer, Listener, key_of
from lowtide.kube.priorities import KEY as PRIORITIES
from lowtide.kube.priorities import parse_priorities
from lowtide.local.autoscaler.events import COMPONENT, Recorder
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup
from lowtide.model.errors import AwsError, InputError, KubernetesError
from lowtide.model.kube import Pod, Taint
from lowtide.model.snapshot import Snapshot

_log = logging.getLogger(__name__)

#: Controllers whose pods may be moved while they exist (simulator/drainability/rules/replicated at 1.36.1).
_CONTROLLERS = (kinds.REPLICA_SET, kinds.STATEFUL_SET, kinds.JOB, kinds.DAEMON_SET)
_FINISHED = frozenset({"Succeeded", "Failed"})
_SYNC_S = 30.0
_MOST_CONFLICTS = 5
#: A loop decides a little later than its snapshot begins: whoever is about to ask finds fresh groups.
_MARGIN_MS = 1000

Value = TypeVar("Value")


class View(Generic[Value]):
    """The objects of an informer as values; an object is read once a version, and an unchanged view is the identical tuple."""

    def __init__(self, informer: Informer, read: Callable[[Object], Value | None]) -> None:
        self._informer = informer
        self._read = read
        self._known: dict[str, tuple[str, Value | None]] = {}
        self._tuple: tuple[Value, ...] = ()

    def values(self) -> tuple[Value, ...]:
        """Return the values in the order of their keys."""
        objects = sorted(self._informer.objects(), key=key_of)
        self._known = {key_of(one): self._value(one) for one in objects}
        fresh = tuple(value for _, value in self._known.values() if value is not None)
        same = len(fresh) == len(self._tuple) and all(
            one is other for one, other in zip(fresh, self._tuple, strict=True)
        )
        if not same:
            self._tuple = fresh
        return self._tuple

    def _value(self, obj: Object) -> tuple[str, Value | None]:
        version = obj["metadata"]["resourceVersion"]
        known = self._known.get(key_of(obj))
        if known is not None and known[0] == version:
            return known
        try:
            return version, self._read(obj)
        except InputError as error:
            _log.warning("%s is not looked at: %s", key_of(obj), error.findings or error.what)
            return version, None


class LiveCluster:
    """One cluster and the groups of its account that carry the discovery tags."""

    def __init__(
        self,
        cluster: Cluster,
        groups: LiveGroups,
        discovery_tags: tuple[tuple[str, str], ...],
        on_pod: Listener | None = None,
    ) -> None:
        self._cluster = cluster
        self._groups = groups
        self._tags = discovery_tags
        self._seen_groups: tuple[AutoScalingGroup, ...] = ()
        self.asks_aws: Callable[[int], bool] = lambda _now_ms: True
        """Whether whoever looks at that time (ms) asks AWS, or works on what it knows of the groups."""
        self.recorder = Recorder(cluster, time.time)
        specs = reading.SpecReader()
        self._informers = {
            kind: Informer(cluster, kind, on_pod if kind is kinds.POD else None)
            for kind in (kinds.NODE, kinds.POD, kinds.BUDGET, *_CONTROLLERS)
        }
        # Its role reads ConfigMaps in its own namespace alone.
        self._informers[kinds.CONFIG_MAP] = Informer(
            cluster, kinds.CONFIG_MAP, namespace=names.SYSTEM_NAMESPACE
        )
        self._nodes = View(self._informers[kinds.NODE], reading.node)
        self._pods: View[Pod] = View(
            self._informers[kinds.POD],
            lambda one: (
                None if one.get("status", {}).get("phase") in _FINISHED else reading.pod(one, specs)
            ),
        )
        self._daemon_sets = View(
            self._informers[kinds.DAEMON_SET], lambda one: reading.daemon_set(one, specs)
        )
        self._budgets = View(self._informers[kinds.BUDGET], reading.budget)

    def start(self) -> None:
        """Follow the cluster.

        Raises:
            KubernetesError: the objects could not be listed in time.
        """
        for one in self._informers.values():
            one.start()
        late = [kind.plural for kind, one in self._informers.items() if not one.wait(_SYNC_S)]
        if late:
            raise KubernetesError(
                "the cluster cannot be followed", why=f"no list of {', '.join(late)} came"
            )

    def stop(self) -> None:
        """Stop following, and close the connection."""
        for one in self._informers.values():
            one.stop()
        self._cluster.close()

    def object(self, kind: kinds.Kind, key: str) -> Object | None:
        """Return an object as last seen, with what events need to refer to it."""
        found = self._informers[kind].get(key)
        return found and {"apiVersion": kind.api_version, "kind": kind.name, **found}

    def snapshot(self) -> Snapshot:
        """Return the world now; its groups are those of the last time that AWS was asked."""
        if self.asks_aws(time.time_ns() // 1_000_000 + _MARGIN_MS):
            try:
                self._seen_groups = self._groups.read(self._tags)
            except AwsError as error:
                _log.error("Auto Scaling groups not read: %s", error.why)
        return Snapshot(
            now_ms=time.time_ns() // 1_000_000,
            nodes=self._nodes.values(),
            pods=self._pods.values(),
            groups=self._seen_groups,
            daemon_sets=self._daemon_sets.values(),
            budgets=self._budgets.values(),
            priorities=self._priorities(),
            controllers=self._controllers(),
        )

    def set_desired(self, group: str, desired: int) -> Rejected | None:
        """Set a group's desired capacity."""
        return _refused(lambda: self._groups.set_desired(group, desired))

    def terminate_instance(self, group: str, instance_id: str) -> Rejected | None:
        """Terminate an instance and lower its group's desired capacity."""
        del group
        return _refused(lambda: self._groups.terminate(instance_id))

    def add_taint(self, node: str, taint: Taint) -> None:
        """Put a taint on a node, replacing one of the same key and effect."""
        raw = {"key": taint.key, "value": taint.value, "effect": taint.effect}
        self._change_taints(
            node,
            lambda taints: [
                *(
                    one
                    for one in taints
                    if (one["key"], one["effect"]) != (taint.key, taint.effect)
                ),
                raw,
            ],
        )
        if taint.key == names.TAINT_TO_BE_DELETED:
            self._tell(kinds.NODE, node, "marked the node as toBeDeleted/unschedulable")

    def remove_taint(self, node: str, key: str) -> None:
        """Take the taints of a key from a node."""
        self._change_taints(node, lambda taints: [one for one in taints if one["key"] != key])

    def cordon(self, node: str) -> None:
        """Keep new pods away from a node."""
        self._change_node(node, lambda spec: spec.update(unschedulable=True))

    def uncordon(self, node: str) -> None:
        """Let pods come to a node again."""
        self._change_node(node, lambda spec: spec.update(unschedulable=False))

    def evict(self, pod_key: str) -> bool:
        """Evict a pod; False when a budget forbids it now, or the API server cannot be reached."""
        self._tell(kinds.POD, pod_key, "deleting pod for node scale down")
        namespace, _, name = pod_key.partition("/")
        try:
            return self._cluster.evict(namespace, name)
        except KubernetesError as error:
            _log.warning("pod %s not evicted: %s", pod_key, error.why)
            return False

    def decide(self, actor: str, action: str, subject: str, why: str = "") -> None:
        """Log a decision."""
        _log.info("%s: %s %s%s", actor, action, subject, f" ({why})" if why else "")

    def log(self, line: str) -> None:
        """Log a line."""
        _log.info("%s", line)

    def _tell(self, kind: kinds.Kind, key: str, message: str) -> None:
        about = self.object(kind, key)
        if about is not None:
            self.recorder.record(about, "ScaleDown", message, warning=False)

    def _change_taints(
        self, node: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    ) -> None:
        def changed(spec: dict[str, Any]) -> None:
            spec["taints"] = change(spec.get("taints") or [])

        self._change_node(node, changed)

    def _change_node(self, node: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a node's spec and update it, as upstream does: its role may update nodes and not patch them.

        Where the node has changed since it was read, it is read again.
        """
        for _ in range(_MOST_CONFLICTS):
            try:
                found = self._cluster.get(kinds.NODE, node)
                if found is None:
                    return
                change(found.setdefault("spec", {}))
                self._cluster.replace(found)
            except Conflict:
                continue
            except KubernetesError as error:
                _log.warning("node %s not changed: %s", node, error.why)
            return
        _log.warning("node %s not changed: others change it all the time", node)

    def _priorities(self) -> Mapping[int, tuple[str, ...]] | None:
        key = f"{names.SYSTEM_NAMESPACE}/{names.PRIORITY_EXPANDER_CONFIG_MAP}"
        found = self._informers[kinds.CONFIG_MAP].get(key)
        return parse_priorities((found or {}).get("data", {}).get(PRIORITIES))

    def _controllers(self) -> Mapping[str, int]:
        return {
            one["metadata"]["uid"]: int(one.get("spec", {}).get("replicas", 1))
            for kind in _CONTROLLERS
            for one in self._informers[kind].objects()
        }


def _refused(call: Callable[[], None]) -> Rejected | None:
    try:
        call()
    except AwsError as error:
        code, _, message = error.why.partition(": ")
        _log.warning("%s: AWS refused: %s", COMPONENT, error.why)
        return Rejected(code=code, message=message)
    return None
