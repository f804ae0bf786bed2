"""What EKS remembers: clusters of all regions and what belongs to each, all of it picklable.

Why it exists: the shapes that operations answer with are kept as they are (``described``); beside them stand the few
things that AWS does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks.refusals import not_found
from lowtide.local.aws.service import Call

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box
    from lowtide.local.aws.eks.planes_port import Key

NAME = "eks"
Described = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class AccessEntry:
    """A principal who may use the Kubernetes API; policies by ARN."""

    described: Described
    policies: dict[str, Described] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Update:
    """One update, of the cluster itself or of a node group or add-on of it."""

    described: Described
    nodegroup: str = ""
    addon: str = ""


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A cluster. ``waited`` and ``up`` say which of the two that ACTIVE needs have come: the delay and the plane.

    ``secret`` lets its API server in where it asks about tokens.
    """

    region: str
    name: str
    described: Described
    secret: str
    waited: bool = False
    up: bool = False
    self_managed: bool = True
    addons: dict[str, Described] = field(default_factory=dict)
    nodegroups: dict[str, Described] = field(default_factory=dict)
    #: New node groups whose delay has passed; what they wait for is their instances.
    waited_groups: set[str] = field(default_factory=set)
    entries: dict[str, AccessEntry] = field(default_factory=dict)
    associations: dict[str, Described] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Region and name."""
        return self.region, self.name

    @property
    def status(self) -> str:
        """EKS's word for what the cluster is doing."""
        word: str = self.described["status"]
        return word

    @property
    def minor(self) -> str:
        """The Kubernetes minor, such as 1.36."""
        word: str = self.described["version"]
        return word


@dataclass(slots=True, kw_only=True)
class EksState:
    """All clusters of all regions."""

    clusters: dict[Key, Cluster] = field(default_factory=dict)


def eks_state(box: Box) -> EksState:
    """Return what EKS remembers."""
    found: EksState = box.state(NAME)
    return found


def cluster_of(box: Box, call: Call, parameter: str = "clusterName") -> Cluster:
    """Return the cluster that a call names.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    name = call.params[parameter]
    found = eks_state(box).clusters.get((call.region, name))
    if found is None:
        raise not_found(f"No cluster found for name: {name}.", clusterName=name)
    return found


def find(box: Box, region: str, name: str) -> Cluster | None:
    """Return a cluster, or None when it is gone: timers outlive what they are for."""
    return eks_state(box).clusters.get((region, name))
