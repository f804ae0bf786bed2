"""What EKS needs of whoever runs control planes, and of whoever puts objects into them.

Why it exists: starting a control plane takes seconds and blocks, and EKS's operations may not wait. So both ports
answer at once, work in threads of their own, and report through a callback, which only sets a timer of the box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

#: Under these names ``open_box`` puts the ports into ``box.ports``.
PLANES_PORT = "eks.planes"
OBJECTS_PORT = "eks.objects"

#: A cluster among those of all regions: region and name.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneRequest:
    """A control plane to run.

    The API server asks at ``token_review_path`` of the box's door who a token belongs to; the path ends in a secret.
    """

    region: str
    name: str
    minor: str
    service_cidr: str
    issuer: str
    token_review_path: str

    @property
    def key(self) -> Key:
        """Region and name."""
        return self.region, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneUp:
    """A control plane that is ready: its ``https://127.0.0.1:PORT`` and its authority's certificate in PEM."""

    endpoint: str
    ca_pem: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneFailed:
    """Why a control plane does not run, and what to do about it."""

    why: str
    fix: str = ""


PlaneAnswer = PlaneUp | PlaneFailed


class ControlPlanes(Protocol):
    """Runs control planes. Calls return at once; those for one cluster are carried out in their order."""

    def start(self, request: PlaneRequest, done: Callable[[PlaneAnswer], None]) -> None:
        """Start a plane, or start it anew with another minor and the data it has; ``done`` is called from any thread."""
        ...

    def stop(self, key: Key) -> None:
        """Stop a plane and forget its data."""
        ...


class ClusterObjects(Protocol):
    """Puts objects into clusters. Calls return at once; those for one cluster are carried out in their order."""

    def apply(self, cluster: Key, objects: Sequence[Mapping[str, Any]]) -> None:
        """Apply objects, again and again until the API server has taken them or the cluster is forgotten."""
        ...

    def delete(self, cluster: Key, objects: Sequence[Mapping[str, Any]]) -> None:
        """Delete objects."""
        ...

    def available(self, cluster: Key, objects: Sequence[Mapping[str, Any]]) -> bool:
        """Whether every Deployment among them had its replicas when last looked at; asking makes the next look."""
        ...

    def forget(self, cluster: Key) -> None:
        """The cluster is deleted."""
        ...


def planes(box: Box) -> ControlPlanes:
    """Return the box's planes."""
    found: ControlPlanes = box.ports[PLANES_PORT]
    return found


def cluster_objects(box: Box) -> ClusterObjects | None:
    """Return the box's door to objects; None in a box without control planes."""
    found: ClusterObjects | None = box.ports.get(OBJECTS_PORT)
    return found
