"""What a pod requests, as the scheduler counts it: containers, init containers, pod level, overhead.

Sources: k8s.io/component-helpers/resource (PodRequests) for the sum, pkg/apis/core/v1/defaults.go for limits that become
requests, pkg/apis/core/validation (ValidateResourceRequirements) for what the API server refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.model.quantity import (
    CPU,
    EPHEMERAL_STORAGE,
    MEMORY,
    add,
    amount_of,
    format_amount,
    largest,
    parse_quantity,
)
from lowtide.spec.document import WRONG_VALUE
from lowtide.spec.manifests_names import is_qualified_name
from lowtide.spec.manifests_shape import Part
from lowtide.spec.words import quoted

EXTENDED_RESOURCE = ("LT102", "extended-resource")
REQUEST_ABOVE_LIMIT = ("LT103", "request-above-limit")

_STANDARD = {CPU, MEMORY, EPHEMERAL_STORAGE}
_HUGE_PAGES = "hugepages-"
_KUBERNETES = "kubernetes.io/"


def is_extended(resource: str) -> bool:
    """Return whether a resource is an extended one such as nvidia.com/gpu (helper.IsExtendedResourceName)."""
    return "/" in resource and _KUBERNETES not in resource


def pod_requests(pod: Part) -> dict[str, int]:
    """Return what one pod of a pod spec requests, in whole units, and refuse what the API server refuses."""
    running: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    starting = []
    for container in pod.parts("initContainers"):
        needs = _requests(container.part("resources"))
        if container.text("restartPolicy") == "Always":
            # A sidecar stays: later init containers and the containers run beside it.
            sidecars = add(sidecars, needs)
            starting.append(sidecars)
        else:
            starting.append(add(sidecars, needs))
    for container in pod.parts("containers"):
        running = add(running, _requests(container.part("resources")))
    total = largest([add(running, sidecars), *starting])
    if pod.has("resources"):
        total = _with_pod_level(total, pod.part("resources"))
    overhead = pod.part("overhead")
    _check_amounts(overhead, overhead.value)
    return add(total, _amounts(overhead.value))


def _with_pod_level(total: Mapping[str, int], resources: Part) -> dict[str, int]:
    """Let pod-level requests win; pod-level limits count where no container requests the resource (KEP-2837)."""
    wanted, limits = resources.mapping("requests"), resources.mapping("limits")
    _check(resources, wanted, limits)
    return {**_amounts(limits), **total, **_amounts(wanted)}


def _requests(resources: Part) -> dict[str, int]:
    wanted, limits = resources.mapping("requests"), resources.mapping("limits")
    _check(resources, wanted, limits)
    return _amounts({**limits, **wanted})


def _amounts(quantities: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: amount_of(name, quantity) for name, quantity in quantities.items() if quantity != ""
    }


def _check(resources: Part, wanted: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
    _check_amounts(resources.part("limits"), limits)
    _check_amounts(resources.part("requests"), wanted)
    for name, quantity in wanted.items():
        _check_against_limit(resources, name, quantity, limits.get(name))


def _check_amounts(part: Part, quantities: Mapping[str, Any]) -> None:
    for name, quantity in quantities.items():
        if not is_qualified_name(name) or ("/" not in name and not _is_standard(name)):
            known = ", ".join(sorted(_STANDARD))
            message = (
                f"{quoted(name)} must be a standard resource ({known}) or have a domain before it"
            )
            fix = "write nvidia.com/gpu" if name.lower() in {"gpu", "gpus", "nvidia"} else ""
            part.refuse(WRONG_VALUE, message, name, fix=fix)
        elif quantity == "":
            part.refuse(WRONG_VALUE, "a quantity is required", name)
        elif parse_quantity(str(quantity)) < 0:
            part.refuse(WRONG_VALUE, f"{quantity} must be greater than or equal to 0", name)
        elif is_extended(name) and parse_quantity(str(quantity)).denominator != 1:
            message = f"{quantity} must be an integer: {name} cannot be divided"
            part.refuse(EXTENDED_RESOURCE, message, name, fix="write a whole number")


def _check_against_limit(resources: Part, name: str, quantity: Any, limit: Any) -> None:
    whole = is_extended(name) or name.startswith(_HUGE_PAGES)
    if "" in {quantity, limit}:
        return
    if limit is None:
        if whole:
            message = f"Limit must be set for non overcommitable resources: {name} has none"
            fix = f"write limits: {{{name}: {quantity}}}; the request then equals it by itself"
            resources.refuse(EXTENDED_RESOURCE, message, "requests", name, fix=fix)
        return
    asked, most = amount_of(name, quantity), amount_of(name, limit)
    shown = format_amount(name, most)
    if whole and asked != most:
        message = f"{quantity} must be equal to {name} limit of {shown}"
        fix = f"write {shown}, or leave the request out"
        resources.refuse(EXTENDED_RESOURCE, message, "requests", name, fix=fix)
    elif asked > most:
        message = f"{quantity} must be less than or equal to {name} limit of {shown}"
        resources.refuse(REQUEST_ABOVE_LIMIT, message, "requests", name, fix="raise the limit")


def _is_standard(name: str) -> bool:
    return name in _STANDARD or name.startswith(_HUGE_PAGES)
