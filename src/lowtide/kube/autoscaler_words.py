"""What the Cluster Autoscaler says of itself, in one sentence, and which program it is.

Why it exists: an autoscaler that calls the cluster unhealthy has stopped all scaling, and groups in back-off are skipped; it says so in a
ConfigMap that nobody reads (clusterstate/api/types.go at 1.36.1). In a box lowtide's engine may play the upstream's program beside the same
Deployment; the API server notes of each field who wrote it, under the name by which a client calls itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lowtide.model.cluster_status import AutoscalerProgram
from lowtide.model.names import FIELD_MANAGER

#: The field manager of upstream's program: client-go takes the name of the executable.
_UPSTREAM = "cluster-autoscaler"
STATUS_MAP = "cluster-autoscaler-status"
DEPLOYMENT = "cluster-autoscaler"
_KINDS = {_UPSTREAM: "upstream", FIELD_MANAGER: "lowtide"}


def autoscaler_words(
    deployment: Mapping[str, Any] | None, status_map: Mapping[str, Any] | None
) -> str:
    """Return how the autoscaler is: that there is none, that it is not ready, or what it says itself."""
    if deployment is None:
        return "not installed"
    status = deployment.get("status", {})
    wanted = deployment.get("spec", {}).get("replicas", 1)
    if not wanted:
        return "scaled to 0"
    if not status.get("availableReplicas"):
        return f"0 of {wanted} pods are available"
    return "; ".join(["running", *_said(_document(status_map))])


def autoscaler_program(
    deployment: Mapping[str, Any] | None, status_map: Mapping[str, Any] | None
) -> AutoscalerProgram | None:
    """Return which program plays the autoscaler, by who wrote its status last; None where none is installed."""
    if deployment is None:
        return None
    ready = int(deployment.get("status", {}).get("availableReplicas") or 0)
    return AutoscalerProgram(
        kind=_KINDS.get(_writer(status_map), "") if ready else "",
        image=_image(deployment),
        ready=ready,
        wanted=int(deployment.get("spec", {}).get("replicas", 1)),
    )


def _image(deployment: Mapping[str, Any]) -> str:
    containers = _get(deployment, "spec", "template", "spec", "containers") or ()
    images = [str(one.get("image", "")) for one in containers]
    return next((one for one in images if DEPLOYMENT in one), images[0] if images else "")


def _writer(status_map: Mapping[str, Any] | None) -> str:
    """Return the field manager that owns the status: it takes the field over with the first change that it writes."""
    for one in _get(status_map, "metadata", "managedFields") or ():
        if _get(one, "fieldsV1", "f:data", "f:status") is not None:
            return str(one.get("manager", ""))
    return ""


def _document(status_map: Mapping[str, Any] | None) -> Mapping[str, Any]:
    text = (status_map or {}).get("data", {}).get("status", "")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:  # it is the autoscaler's own, and older ones write prose
        return {}
    return found if isinstance(found, dict) else {}


def _said(document: Mapping[str, Any]) -> Iterator[str]:
    health = _get(document, "clusterWide", "health", "status")
    if health:
        stopped = "" if health == "Healthy" else ", so all scaling is stopped"
        yield f"calls the cluster {str(health).lower()}{stopped}"
    for group in document.get("nodeGroups") or ():
        if _get(group, "scaleUp", "status") == "Backoff":
            why = _get(group, "scaleUp", "backoffInfo", "errorMessage") or "a launch failed"
            yield f"{group.get('name', 'a group')} is in back-off: {why}"


def _get(document: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document
