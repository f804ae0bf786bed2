"""What kubelets say of pods: a pure function of how a pod changed, to events.

Why it exists: kwok changes the status of pods and says nothing that a person knows from ``kubectl describe pod``. kwok's containers pull
nothing, so the first pod of an image on a node "pulls" it, in the time that the pod took to start.

Source: kubernetes at 1.36.3, pkg/kubelet/images/image_manager.go and pkg/kubelet/kuberuntime/kuberuntime_container.go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lowtide.local.nodes.events import Note, pod_reference
from lowtide.model.policy import Timings
from lowtide.model.quantity import MIB
from lowtide.twin.images import size_bytes

Pod = Mapping[str, Any]
_ENDED = ("Succeeded", "Failed")


class Images:
    """Which images a node has: kubelets of one node pull an image once (imagePullPolicy IfNotPresent).

    ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._on: dict[str, set[str]] = {}
        self._begun: dict[tuple[str, str, str], float] = {}

    def has(self, node: str, image: str) -> bool:
        """Return whether the image is on the node."""
        return image in self._on.get(node, ())

    def begin(self, pod: Pod, image: str) -> None:
        """The image is being pulled for a pod."""
        self._begun[pod["spec"]["nodeName"], pod["metadata"]["uid"], image] = self._clock()

    def end(self, pod: Pod, image: str) -> float:
        """The image has been pulled; return in how many seconds."""
        node, now = pod["spec"]["nodeName"], self._clock()
        self._on.setdefault(node, set()).add(image)
        return now - self._begun.pop((node, pod["metadata"]["uid"], image), now)

    def forget(self, node: str) -> None:
        """The node is gone."""
        self._on.pop(node, None)
        self._begun = {key: one for key, one in self._begun.items() if key[0] != node}


def said(before: Pod | None, now: Pod, images: Images) -> list[Note]:
    """Return what the kubelet of a bound pod says of its change; ``images`` learns what it pulls.

    A pod that is seen for the first time as it runs says all that it should have said by now.
    """
    notes: list[Note] = []
    if _is_accepted(now) and not _is_accepted(before):
        notes += _pulling(now, images)
    if _has_run(now) and not _has_run(before):
        notes += _started(now, images)
    else:
        notes += _restarted(before, now)
    if _is_killed(now) and _is_running(before) and not _is_killed(before):
        notes += _killing(now)
    return notes


def _pulling(pod: Pod, images: Images) -> Iterator[Note]:
    asked: set[str] = set()
    for container, init in _containers(pod):
        image = container["image"]
        if image not in asked and not _is_there(pod, container, images):
            asked.add(image)
            images.begin(pod, image)
            yield _note(pod, container, "Pulling", f'Pulling image "{image}"', init=init)


def _started(pod: Pod, images: Images) -> Iterator[Note]:
    for container, init in _containers(pod):
        image = container["image"]
        if _is_there(pod, container, images):
            text = _present(image)
        else:
            text = _pulled(image, images.end(pod, image))
        yield _note(pod, container, "Pulled", text, init=init)
        yield _note(pod, container, "Created", "Container created", init=init)
        yield _note(pod, container, "Started", "Container started", init=init)


def _restarted(before: Pod | None, now: Pod) -> Iterator[Note]:
    """Yield what is said of containers that were started again."""
    counts = _restarts(before)
    again = {name for name, count in _restarts(now).items() if count > counts.get(name, count)}
    for container in now["spec"]["containers"]:
        if container["name"] in again:
            yield _note(now, container, "Pulled", _present(container["image"]))
            yield _note(now, container, "Created", "Container created")
            yield _note(now, container, "Started", "Container started")


def _killing(pod: Pod) -> Iterator[Note]:
    for container in pod["spec"]["containers"]:
        yield _note(pod, container, "Killing", f"Stopping container {container['name']}")


def _note(
    pod: Pod, container: Mapping[str, Any], reason: str, text: str, *, init: bool = False
) -> Note:
    about = pod_reference(dict(pod), container["name"], init=init)
    return Note(about=about, reason=reason, message=text, host=pod["spec"]["nodeName"])


def _containers(pod: Pod) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield containers in the order in which they start, and whether they are init containers."""
    for one in pod["spec"].get("initContainers", []):
        yield one, True
    for one in pod["spec"]["containers"]:
        yield one, False


def _is_there(pod: Pod, container: Mapping[str, Any], images: Images) -> bool:
    always = container.get("imagePullPolicy") == "Always"
    return not always and images.has(pod["spec"]["nodeName"], container["image"])


def _present(image: str) -> str:
    return f'Container image "{image}" already present on machine and can be accessed by the pod'


def _pulled(image: str, seconds: float) -> str:
    timings = Timings()
    size = size_bytes(image, timings) or round(timings.image_mib * MIB)
    took = _go_duration(seconds)
    return f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: {size} bytes.'


def _go_duration(seconds: float) -> str:
    """Write whole milliseconds as Go does: 850ms, 2.5s, 1m30s; a pull takes one at least."""
    milliseconds = max(1, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes}m{rest / 1000:g}s" if minutes else f"{rest / 1000:g}s"


def _is_accepted(pod: Pod | None) -> bool:
    return pod is not None and bool(pod.get("status", {}).get("startTime"))


def _is_running(pod: Pod | None) -> bool:
    return pod is not None and pod.get("status", {}).get("phase") == "Running"


def _has_run(pod: Pod | None) -> bool:
    return _is_running(pod) or (
        pod is not None
        and pod.get("status", {}).get("phase") in _ENDED
        and bool(pod["status"].get("podIP"))
    )


def _is_killed(pod: Pod | None) -> bool:
    return pod is not None and "deletionTimestamp" in pod["metadata"]


def _restarts(pod: Pod | None) -> dict[str, int]:
    statuses = (pod or {}).get("status", {}).get("containerStatuses", [])
    return {one["name"]: one.get("restartCount", 0) for one in statuses}
