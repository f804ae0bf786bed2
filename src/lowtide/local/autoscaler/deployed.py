"""Which autoscaler a cluster's user deployed, read from its pods.

Why it exists: as on EKS, an autoscaler runs exactly while its pod does. One whose Deployment was never applied, is scaled to 0,
lacks its ServiceAccount or finds no node with room does not run, and of several replicas one leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lowtide.kube.flag_table import NEWEST_MINOR
from lowtide.kube.flags import autoscaler_container, image_minor
from lowtide.model.kube import Container, PodSpec

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An autoscaler's pod that runs, as far as its process depends on it.

    ``command`` and ``arguments`` are its container's; ``minor`` is that of its image.
    """

    pod: str
    namespace: str
    uid: str
    account: str
    container: str
    image: str
    minor: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def flags(self) -> tuple[str, ...]:
        """Everything after the program's name."""
        return (*self.command[1:], *self.arguments)


def is_candidate(pod: Object) -> bool:
    """Return whether a pod has an autoscaler in it, running or not."""
    return _container(pod) is not None


def leader(pods: Iterable[Object], now: str = "") -> Deployed | None:
    """Return the autoscaler that is active: of the running ones the one with the uid ``now``, else the oldest."""
    running = sorted(filter(_is_running, pods), key=_age)
    found = [one for one in map(_read, running) if one is not None]
    return next((one for one in found if one.uid == now), found[0] if found else None)


def _is_running(pod: Object) -> bool:
    is_going = "deletionTimestamp" in pod["metadata"]
    return not is_going and pod.get("status", {}).get("phase") == "Running"


def _age(pod: Object) -> tuple[str, str]:
    metadata = pod["metadata"]
    return str(metadata.get("creationTimestamp", "")), str(metadata["uid"])


def _container(pod: Object) -> Container | None:
    containers = tuple(
        Container(
            name=one["name"],
            image=one.get("image", ""),
            command=tuple(one.get("command") or ()),
            args=tuple(one.get("args") or ()),
        )
        for one in pod["spec"]["containers"]
    )
    return autoscaler_container(PodSpec(containers=containers))


def _read(pod: Object) -> Deployed | None:
    found = _container(pod)
    if found is None:
        return None
    raw = next(one for one in pod["spec"]["containers"] if one["name"] == found.name)
    metadata = pod["metadata"]
    return Deployed(
        pod=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        account=pod["spec"].get("serviceAccountName") or "default",
        container=found.name,
        image=found.image,
        minor=image_minor(found.image) or NEWEST_MINOR,
        command=found.command,
        arguments=found.args,
        environment=_environment(raw.get("env") or (), pod),
    )


#: Variables that would change how the process itself is loaded are not taken from a manifest.
_LOADING = ("LD_", "DYLD_", "PYTHON")
_OWN = frozenset({"PATH", "HOME", "TMPDIR"})


def _environment(given: Iterable[Object], pod: Object) -> dict[str, str]:
    """Return the variables that hold a value or a field of the pod; others need what only a kubelet has."""
    found = {}
    for one in given:
        if one["name"] in _OWN or one["name"].startswith(_LOADING):
            continue
        value = one.get("value", "")
        if "valueFrom" in one:
            path = one["valueFrom"].get("fieldRef", {}).get("fieldPath", "")
            value = _field(pod, path) if path else None
        if value is not None:
            found[one["name"]] = str(value)
    return found


def _field(pod: Object, path: str) -> Any:
    found: Any = pod
    for word in path.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def start_problem(one: Deployed) -> str:
    """Say why its container would not even start; empty where it would.

    The upstream image is distroless, and its program is ``/cluster-autoscaler``.
    """
    program = next(iter((*one.command, *one.arguments)), "")
    if not program or PurePosixPath(program).name == "cluster-autoscaler":
        return ""
    return (
        f'exec: "{program}": executable file not found in the image of the cluster-autoscaler; '
        'write command: ["/cluster-autoscaler"]'
    )
