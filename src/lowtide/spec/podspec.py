"""Turns a pod template into the PodSpec that scheduler, autoscaler and kubelet of the twin act on.

Why it exists: pod templates of all kinds have one meaning and one set of rules that the API server enforces
(pkg/apis/core/validation, ValidatePodSpec). Fields that nothing here acts on (env, probes, security contexts, volume mounts,
...) are checked for name and type, and have no effect.

What it must not know: controllers and their rules.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lowtide.model import names
from lowtide.model.kube import Container, LocalVolume, PodSpec
from lowtide.spec.document import (
    CONFLICT,
    MAX_SUGGESTIONS,
    MISSING,
    NOT_SUPPORTED,
    WRONG_VALUE,
    nearest,
)
from lowtide.spec.manifests_names import (
    check_annotations,
    check_labels,
    check_name,
)
from lowtide.spec.manifests_shape import Part
from lowtide.spec.podspec_affinity import affinity, one_of, tolerations, topology_spread
from lowtide.spec.podspec_resources import pod_requests
from lowtide.spec.words import quoted

UNKNOWN_PRIORITY_CLASS = ("LT104", "unknown-priority-class")
BAD_RUN_SECONDS = ("LT108", "bad-run-seconds")

PREEMPT = "PreemptLowerPriority"
_OURS = "lowtide.dev/"
_UNSUPPORTED = {
    "nodeName": "a pod bound by hand passes no scheduler; use nodeSelector: instead",
    "schedulingGates": "nothing here would ever remove the gates",
    "resourceClaims": "dynamic resource allocation; request nvidia.com/gpu instead",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """What a priority class gives a pod."""

    value: int = 0
    preemption_policy: str = PREEMPT


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityClasses:
    """The priority classes that pods can name; ``default`` is what pods get that name none."""

    by_name: Mapping[str, Priority]
    default: Priority = Priority()
    default_name: str = ""


#: Classes that every cluster has (pkg/apis/scheduling/types.go).
BUILT_IN = {
    "system-node-critical": Priority(value=2_000_001_000),
    "system-cluster-critical": Priority(value=2_000_000_000),
}


def pod_spec(template: Part, classes: PriorityClasses, mountable: tuple[str, ...] = ()) -> PodSpec:
    """Return the pods of a template (or of a Pod itself, which has the same two fields).

    Args:
        template: metadata and spec, of the right types.
        classes: the priority classes of the cluster.
        mountable: volumes from elsewhere that containers may mount (claim templates of a StatefulSet).
    """
    metadata, pod = template.part("metadata"), template.part("spec")
    labels = check_labels(metadata, "labels")
    annotations = check_annotations(metadata)
    _refuse_unsupported(pod)
    priority = _priority(pod, classes)
    local_volumes = _local_volumes(pod)
    return PodSpec(
        labels=labels,
        annotations=annotations,
        requests=pod_requests(pod),
        tolerations=tolerations(pod),
        node_selector=check_labels(pod, "nodeSelector"),
        affinity=affinity(pod, labels),
        spread=topology_spread(pod, labels),
        priority=priority.value,
        priority_class=pod.text("priorityClassName", classes.default_name),
        preemption_policy=priority.preemption_policy,
        host_ports=_host_ports(pod),
        local_volumes=local_volumes,
        containers=_containers(pod, mountable),
        run_seconds=_run_seconds(metadata),
        restart_policy=one_of(pod, "restartPolicy", ("Always", "OnFailure", "Never"), "Always"),
        scheduler_name=pod.text("schedulerName", "default-scheduler"),
        grace_seconds=_grace_seconds(pod),
    )


def refuse_misplaced_run_seconds(metadata: Part) -> None:
    """Refuse the annotation on a controller, where it has no effect: pods get their template's annotations."""
    if names.RUN_SECONDS in metadata.mapping("annotations"):
        message = f"{names.RUN_SECONDS} has no effect on a controller"
        fix = "move it to spec.template.metadata.annotations"
        metadata.refuse(BAD_RUN_SECONDS, message, "annotations", names.RUN_SECONDS, fix=fix)


def _run_seconds(metadata: Part) -> float | None:
    annotations = metadata.mapping("annotations")
    ours = (one for one in annotations if one.startswith(_OURS) and one != names.RUN_SECONDS)
    for key in itertools.islice(ours, MAX_SUGGESTIONS):
        if nearest(key, [names.RUN_SECONDS]):
            message = f"unknown annotation {quoted(key)}"
            fix = f"did you mean {names.RUN_SECONDS}?"
            metadata.refuse(BAD_RUN_SECONDS, message, "annotations", key, fix=fix)
    text = annotations.get(names.RUN_SECONDS)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        message = f"{quoted(text)} is not a number of seconds, zero or more"
        fix = 'write seconds in quotes, such as "1800"'
        metadata.refuse(BAD_RUN_SECONDS, message, "annotations", names.RUN_SECONDS, fix=fix)
        return None
    return seconds


def _refuse_unsupported(pod: Part) -> None:
    for key, why in _UNSUPPORTED.items():
        if pod.value.get(key):
            pod.refuse(NOT_SUPPORTED, f"not supported: {why}", key)
    if pod.part("os").text("name", "linux") != "linux":
        pod.refuse(NOT_SUPPORTED, "not supported: nodes run Linux", "os", "name")


def _grace_seconds(pod: Part) -> int:
    seconds = pod.whole("terminationGracePeriodSeconds", 30)
    if seconds < 0:
        message = f"{seconds} must be greater than or equal to 0"
        pod.refuse(WRONG_VALUE, message, "terminationGracePeriodSeconds")
        return 0
    return seconds


def _priority(pod: Part, classes: PriorityClasses) -> Priority:
    """Return what the Priority admission plugin gives the pod (plugin/pkg/admission/priority)."""
    name = pod.text("priorityClassName")
    found = classes.by_name.get(name) if name else classes.default
    if found is None:
        message = f"no PriorityClass with name {name} was found"
        close = nearest(name, classes.by_name)
        fix = (
            f"did you mean {close}?"
            if close
            else "apply the PriorityClass together with this object"
        )
        pod.refuse(UNKNOWN_PRIORITY_CLASS, message, "priorityClassName", fix=fix)
        return Priority()
    for key, given in (("priority", found.value), ("preemptionPolicy", found.preemption_policy)):
        if pod.has(key) and pod.value[key] != given:
            message = f"{pod.value[key]} is not what the priority class gives ({given})"
            pod.refuse(CONFLICT, message, key, fix=f"remove {key}:")
    return found


def _all_containers(pod: Part) -> Iterator[Part]:
    yield from pod.parts("initContainers")
    yield from pod.parts("containers")


def _containers(pod: Part, mountable: tuple[str, ...]) -> tuple[Container, ...]:
    if pod.value.get("containers") == []:
        pod.refuse(MISSING, "at least one container is required", "containers")
    volumes = {one.text("name") for one in pod.parts("volumes")} | set(mountable)
    seen: set[str] = set()
    for one in _all_containers(pod):
        _check_container(one, seen, volumes)
    for one in pod.parts("initContainers"):
        one_of(one, "restartPolicy", ("Always", "OnFailure", "Never"), "Never")
    return tuple(
        Container(
            name=one.text("name"),
            image=one.text("image"),
            command=one.texts("command"),
            args=one.texts("args"),
        )
        for one in pod.parts("containers")
    )


def _check_container(one: Part, seen: set[str], volumes: set[str]) -> None:
    check_name(one, "name", label=True)
    name = one.text("name")
    if name and name in seen:
        one.refuse(CONFLICT, f"the container name {quoted(name)} is there twice", "name")
    seen.add(name)
    if not one.text("image"):
        one.missing("image")
    for mount in one.parts("volumeMounts"):
        volume = mount.text("name")
        if volume and volume not in volumes:
            close = nearest(volume, volumes)
            fix = f"did you mean {close}?" if close else f"add the volume {volume} to volumes:"
            mount.refuse(CONFLICT, f"the pod has no volume {quoted(volume)}", "name", fix=fix)


def _host_ports(pod: Part) -> tuple[tuple[str, int], ...]:
    """Return the ports that a pod takes on its node, of containers and of sidecars.

    With hostNetwork every container port is one (pkg/apis/core/v1/defaults.go, defaultHostNetworkPorts).
    """
    host_network = pod.value.get("hostNetwork", False)
    taken: dict[tuple[str, int], None] = {}
    for container in _all_containers(pod):
        for port in container.parts("ports"):
            number = _port_number(port, "containerPort")
            host = _port_number(port, "hostPort")
            if host_network and host and host != number:
                message = "must match `containerPort` when `hostNetwork` is true"
                port.refuse(CONFLICT, message, "hostPort")
            used = host or (number if host_network else 0)
            protocol = one_of(port, "protocol", ("TCP", "UDP", "SCTP"), "TCP")
            if used and _keeps_running(container):
                taken[protocol, used] = None
    return tuple(taken)


def _keeps_running(container: Part) -> bool:
    is_init = "initContainers" in container.path
    return not is_init or container.text("restartPolicy") == "Always"


def _port_number(port: Part, key: str) -> int:
    number = port.whole(key, 0)
    if port.has(key) and not (0 < number < 65536 or (key == "hostPort" and number == 0)):
        port.refuse(WRONG_VALUE, f"{number} must be between 1 and 65535", key)
        return 0
    return number


def _local_volumes(pod: Part) -> tuple[tuple[str, LocalVolume], ...]:
    local = []
    seen: set[str] = set()
    for volume in pod.parts("volumes"):
        check_name(volume, "name", label=True)
        name = volume.text("name")
        if name and name in seen:
            volume.refuse(CONFLICT, f"the volume name {quoted(name)} is there twice", "name")
        seen.add(name)
        _check_source(volume)
        if volume.has("hostPath"):
            local.append((name, LocalVolume.HOST_PATH))
        elif volume.has("emptyDir"):
            memory = volume.part("emptyDir").text("medium") == "Memory"
            kind = LocalVolume.EMPTY_DIR_MEMORY if memory else LocalVolume.EMPTY_DIR
            local.append((name, kind))
    return tuple(local)


def _check_source(volume: Part) -> None:
    sources = [key for key in volume.value if key != "name"]
    if not sources:
        fix = "add emptyDir: {}, persistentVolumeClaim: or another source"
        volume.refuse(MISSING, "must specify a volume type", fix=fix)
    elif len(sources) > 1:
        message = f"may not specify more than 1 volume type, here {' and '.join(sources)}"
        volume.refuse(CONFLICT, message, sources[1])
