"""Objects into a cluster by server-side apply, and what that would change.

Why it exists: ``up`` installs the same objects that ``render`` writes, and says before what would differ. What somebody else put into an
object and lowtide never mentions stays as it is (Kubernetes documentation, "Server-Side Apply").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lowtide.kube.live.client import Cluster, NotFound, Object
from lowtide.kube.live.kinds import kind_of
from lowtide.model.live_plan import ObjectDiff

#: What the server writes by itself.
_OF_THE_SERVER = (
    ("status",),
    ("metadata", "creationTimestamp"),
    ("metadata", "generation"),
    ("metadata", "managedFields"),
    ("metadata", "resourceVersion"),
    ("metadata", "uid"),
)


def apply_all(cluster: Cluster, objects: Iterable[Object]) -> tuple[str, ...]:
    """Apply objects in their order and return what they are called, ``Deployment/name``.

    Raises:
        KubernetesError: the server refused one, or cannot be reached.
    """
    done = []
    for one in objects:
        cluster.apply(one)
        done.append(called(one))
    return tuple(done)


def differences(
    cluster: Cluster, dry: Cluster, objects: Iterable[Object]
) -> tuple[ObjectDiff, ...]:
    """Return which objects an apply would make or change.

    Args:
        cluster: where they are.
        dry: a connection to the same cluster that keeps nothing.
        objects: as they would be applied.

    Raises:
        KubernetesError: the server refused, or cannot be reached.
    """
    return tuple(filter(None, (_difference(cluster, dry, one) for one in objects)))


def called(obj: Mapping[str, Any]) -> str:
    """Return an object's kind and name."""
    return f"{obj['kind']}/{obj['metadata']['name']}"


def _difference(cluster: Cluster, dry: Cluster, obj: Object) -> ObjectDiff | None:
    kind, metadata = kind_of(obj), obj["metadata"]
    now = cluster.get(kind, metadata["name"], metadata.get("namespace"))
    if now is not None:
        try:
            then = dry.apply(obj)
        except NotFound:
            now = None  # deleted in between, or its namespace is
    if now is None:
        return ObjectDiff(kind=kind.name, name=metadata["name"], is_new=True)
    paths = tuple(_paths(_own(now), _own(then)))
    if not paths:
        return None
    return ObjectDiff(kind=kind.name, name=metadata["name"], is_new=False, paths=paths)


def _own(obj: Object) -> Object:
    """Return an object without what the server writes."""
    kept = {**obj, "metadata": dict(obj["metadata"])}
    for *parents, last in _OF_THE_SERVER:
        place = kept
        for name in parents:
            place = place[name]
        place.pop(last, None)
    return kept


def _paths(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Yield the places at which two values differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            path = f"{at}.{name}" if at else name
            yield from _paths(before.get(name), after.get(name), path)
    elif _are_lists(before, after) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _paths(one, other, f"{at}[{index}]")
    elif before != after:
        yield at


def _are_lists(before: Any, after: Any) -> bool:
    return all(isinstance(one, Sequence) and not isinstance(one, str) for one in (before, after))
