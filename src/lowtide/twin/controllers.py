"""Controllers: the pods that Deployments, ReplicaSets, StatefulSets, Jobs and bare pods stand for.

Why it exists: pods come back when their node is lost, and a controller decides how. DaemonSets have a module of
their own.

Applying, scaling and deleting behave as kubectl does; a changed pod template replaces all pods at once, without a
rolling update.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from lowtide.model.errors import InputError
from lowtide.model.kube import Owner, Phase, Pod, PodSpec
from lowtide.model.workload import BarePod, Job, Meta, PriorityClass, Replicated
from lowtide.twin.admission import Denied, admit
from lowtide.twin.rules import WorldRules
from lowtide.twin.store import DELETED, FINISHED, Store

Controlled = Replicated | Job | BarePod
DeletePod = Callable[[str, str], None]
Tell = Callable[[str, str, str, str], None]

MAX_PODS = 150_000
"""Kubernetes documentation, "Considerations for large clusters": no more than 150,000 total pods."""

#: pkg/controller/job/job_controller.go: DefaultJobPodFailureBackOff and MaxJobPodFailureBackOff.
JOB_BACKOFF_MS = 10_000
JOB_BACKOFF_MAX_MS = 600_000


@dataclass(slots=True)
class Workload:
    """A controller with its pods. ``active`` holds the keys of pods that have not ended and are not ending."""

    object: Controlled
    uid: str
    owner: Owner | None
    spec: PodSpec | None = None
    """The admitted template, None while admission refuses it."""
    active: dict[str, None] = field(default_factory=dict)
    made: int = 0
    succeeded: int = 0
    failed: int = 0
    ended: bool = False
    retry_pending: bool = False

    @property
    def wanted(self) -> int:
        """How many pods should be active now."""
        one = self.object
        match one:
            case Replicated():
                return max(0, one.replicas - self.succeeded)
            case BarePod():
                # Once it was made it is never made again, and applying it again changes nothing.
                return len(self.active) if self.made else 1
            case Job():
                return self._wanted_of_job(one)

    def _wanted_of_job(self, job: Job) -> int:
        if self.ended:
            return 0
        completions = job.completions
        if completions is None and job.parallelism > 1:
            # A work queue: once one pod has succeeded no new ones are started.
            return len(self.active) if self.succeeded else job.parallelism
        return max(0, min(job.parallelism, (completions or 1) - self.succeeded))


@dataclass(slots=True)
class _Owned:
    """What the pods of one owner belong to, and how many of them have not gone."""

    workload: Workload
    pods: int = 0


class Controllers:
    """All controllers of the cluster but DaemonSets."""

    def __init__(self, store: Store, rules: WorldRules, delete_pod: DeletePod, tell: Tell) -> None:
        self._store = store
        self._kernel = store.kernel
        self._rules = rules
        self._delete_pod = delete_pod
        self._tell = tell
        self._classes: tuple[PriorityClass, ...] = ()
        self.workloads: dict[Meta, Workload] = {}
        self._by_pod: dict[str, Workload] = {}
        """Controllers by the uid of their pods."""
        self._owned: dict[str, _Owned] = {}
        """By the owner's uid those that have pods, ending ones too: few of the many that a long trace creates."""
        self._scales: dict[str, int] | None = None
        """See ``controller_scales``; None until asked for after a change."""
        store.signals.pod_deleting.append(self._on_deleting)
        store.signals.pod_ended.append(self._on_ended)

    def apply(self, applied: Controlled) -> None:
        """Create or update a controller, as ``kubectl apply`` does."""
        self._scales = None
        workload = self.workloads.get(applied.meta)
        if workload is None:
            workload = self._create(applied)
        else:
            self._update(workload, applied)
        self._reconcile(workload)

    def delete(self, meta: Meta) -> bool:
        """Delete a controller and its pods; return whether there was one."""
        workload = self.workloads.pop(meta, None)
        if workload is None:
            return False
        self._scales = None
        workload.ended = True
        self._stop(workload, len(workload.active))
        return True

    def scale(self, meta: Meta, replicas: int) -> bool:
        """Set the replicas of a controller; return whether there is one that has replicas."""
        workload = self.workloads.get(meta)
        if workload is None or not isinstance(workload.object, Replicated):
            return False
        self._scales = None
        workload.object = dataclasses.replace(workload.object, replicas=replicas)
        self._reconcile(workload)
        return True

    def controller_scales(self) -> dict[str, int]:
        """Return how many pods each controller that has any wants, by the uid that owns the pods.

        One that was scaled to 0 is there until its last pod has gone; one that was deleted is not (the garbage
        collector deletes pods after their owner).
        """
        if self._scales is None:
            self._scales = {
                uid: one.workload.wanted if _owns(one.workload, uid) else 0
                for uid, one in self._owned.items()
                if self.workloads.get(one.workload.object.meta) is one.workload
            }
        return self._scales

    def workload_of(self, pod: Pod) -> str:
        """Return the name that a person knows a pod's controller by."""
        workload = self._by_pod.get(pod.uid)
        return workload.object.meta.name if workload is not None else pod.name

    def classes_changed(self, classes: tuple[PriorityClass, ...]) -> None:
        """Take the priority classes there are now, and try again what admission refused without them."""
        self._classes = classes
        for workload in list(self.workloads.values()):
            if workload.spec is None:
                self._reconcile(workload)

    def admit(self, spec: PodSpec) -> PodSpec | Denied:
        """Return a pod template as the API server stores its pods."""
        return admit(
            spec,
            self._classes,
            extended_resource_toleration=self._rules.extended_resource_toleration,
        )

    def _create(self, applied: Controlled) -> Workload:
        uid = self._store.new_uid()
        workload = Workload(object=applied, uid=uid, owner=_owner(applied, uid))
        self.workloads[applied.meta] = workload
        return workload

    def _update(self, workload: Workload, applied: Controlled) -> None:
        old = workload.object
        workload.object = applied
        if applied.template == old.template:
            return
        if not isinstance(applied, Replicated):
            # The template of a Job and the spec of a pod are immutable.
            self._tell("API server", "rejects the change", str(applied.meta), "field is immutable")
            workload.object = old
            return
        workload.spec = None
        workload.owner = _owner(applied, workload.uid)
        self._stop(workload, len(workload.active))

    def _reconcile(self, workload: Workload) -> None:
        if workload.spec is None and not self._admit(workload):
            return
        surplus = len(workload.active) - workload.wanted
        if surplus > 0:
            self._stop(workload, surplus)
        missing = 0 if workload.retry_pending else -surplus
        if missing > 0 and len(self._store.pods) + missing > MAX_PODS:
            raise InputError(
                f"{workload.object.meta} asks for more pods than a cluster can hold",
                where=str(workload.object.meta),
                why=f"{len(self._store.pods) + missing} pods at once, and Kubernetes is built for {MAX_PODS}",
                fix="ask for fewer replicas, or a smaller parallelism",
            )
        while len(workload.active) < workload.wanted and not workload.retry_pending:
            self._start(workload)

    def _admit(self, workload: Workload) -> bool:
        outcome = self.admit(workload.object.template)
        if isinstance(outcome, Denied):
            meta = workload.object.meta
            self._tell("API server", "refuses to create pods", str(meta), outcome.message)
            return False
        workload.spec = outcome
        return True

    def _start(self, workload: Workload) -> None:
        assert workload.spec is not None
        pod = Pod(
            name=self._name(workload),
            namespace=workload.object.meta.namespace,
            uid=self._store.new_uid(),
            spec=workload.spec,
            owner=workload.owner,
            created_ms=self._kernel.now_ms,
        )
        self._activate(workload, pod)
        self._store.add_pod(pod)

    def _activate(self, workload: Workload, pod: Pod) -> None:
        self._scales = None
        workload.active[pod.key] = None
        self._by_pod[pod.uid] = workload
        if pod.owner is not None:
            self._owned.setdefault(pod.owner.uid, _Owned(workload)).pods += 1

    def _deactivate(self, workload: Workload, key: str) -> None:
        workload.active.pop(key, None)
        self._scales = None

    def _forget(self, owner: Owner) -> None:
        """Count a pod that has gone; with the last one its owner is of no further interest."""
        owned = self._owned[owner.uid]
        owned.pods -= 1
        self._scales = None
        if not owned.pods:
            del self._owned[owner.uid]

    def _name(self, workload: Workload) -> str:
        meta = workload.object.meta
        if isinstance(workload.object, BarePod):
            workload.made += 1
            return meta.name
        if meta.kind == "StatefulSet":
            return self._first_free(meta)
        while True:
            workload.made += 1
            name = f"{meta.name}-{workload.made:03d}"
            if f"{meta.namespace}/{name}" not in self._store.pods:
                return name

    def _first_free(self, meta: Meta) -> str:
        ordinal = 0
        while f"{meta.namespace}/{meta.name}-{ordinal}" in self._store.pods:
            ordinal += 1
        return f"{meta.name}-{ordinal}"

    def _stop(self, workload: Workload, count: int) -> None:
        """Delete pods in the order of pkg/controller, ActivePods: unbound, not running, then youngest first."""
        pods = [self._store.pods[key] for key in workload.active]
        ages = {pod.key: age for age, pod in enumerate(pods)}
        pods.sort(
            key=lambda pod: (
                pod.node_name is not None,
                pod.phase is Phase.RUNNING,
                -ages[pod.key],
            )
        )
        for pod in pods[:count]:
            # Inactive first: what is deleted on purpose is not replaced.
            self._deactivate(workload, pod.key)
        for pod in pods[:count]:
            self._delete_pod(pod.key, DELETED)

    def _on_deleting(self, pod: Pod, how: str) -> None:
        workload = self._by_pod.get(pod.uid)
        if workload is None or pod.key not in workload.active:
            return
        if workload.object.meta.kind == "StatefulSet":
            return  # its next pod has the same name, so it waits until this one is gone
        self._deactivate(workload, pod.key)
        self._on_loss(workload, how)

    def _on_ended(self, pod: Pod, how: str) -> None:
        workload = self._by_pod.pop(pod.uid, None)
        if workload is not None and pod.owner is not None:
            self._forget(pod.owner)
        if workload is None or pod.key not in workload.active:
            return
        self._deactivate(workload, pod.key)
        if how == FINISHED:
            self._on_success(workload)
        else:
            self._on_loss(workload, how)

    def _on_success(self, workload: Workload) -> None:
        workload.succeeded += 1
        self._scales = None
        if isinstance(workload.object, Job):
            self._end_if_complete(workload, workload.object)
        self._reconcile(workload)

    def _end_if_complete(self, workload: Workload, job: Job) -> None:
        completions = job.completions
        if completions is None and job.parallelism > 1:
            workload.ended = not workload.active
        else:
            workload.ended = workload.succeeded >= (completions or 1)

    def _on_loss(self, workload: Workload, how: str) -> None:
        """Replace a pod that did not finish; for a Job it counts as failed (job_controller.go, isPodFailed)."""
        job = workload.object
        if isinstance(job, Job) and not workload.ended:
            workload.failed += 1
            if workload.failed > job.backoff_limit:
                workload.ended = True
                self._scales = None
                self._tell(
                    "Job controller",
                    "gives up",
                    str(job.meta),
                    f"BackoffLimitExceeded: {workload.failed} pods failed, the last was {how}",
                )
            elif self._rules.job_backoff:
                self._retry_later(workload)
                return
        self._reconcile(workload)

    def _retry_later(self, workload: Workload) -> None:
        if workload.retry_pending:
            return
        workload.retry_pending = True
        doublings = min(workload.failed - 1, JOB_BACKOFF_MAX_MS.bit_length())
        delay_ms = min(JOB_BACKOFF_MS * 2**doublings, JOB_BACKOFF_MAX_MS)

        def retry() -> None:
            workload.retry_pending = False
            self._reconcile(workload)

        self._kernel.after(delay_ms, retry)


def _owns(workload: Workload, uid: str) -> bool:
    """Return whether new pods get this owner; a Deployment keeps its old ReplicaSets at 0."""
    return workload.owner is not None and workload.owner.uid == uid


def _owner(applied: Controlled, uid: str) -> Owner | None:
    """Return what owns the pods: of a Deployment a ReplicaSet named after the template's hash."""
    meta = applied.meta
    if isinstance(applied, BarePod):
        return None
    if meta.kind == "Deployment":
        digest = zlib.crc32(repr(applied.template).encode())
        return Owner(kind="ReplicaSet", name=f"{meta.name}-{digest:08x}", uid=f"{uid}-{digest:08x}")
    return Owner(kind=meta.kind, name=meta.name, uid=uid)
