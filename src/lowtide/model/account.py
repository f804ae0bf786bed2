"""What an AWS account says about a cluster that is to be made in it: the facts that preflight checks are made of.

Read by ``aws/live``, judged by ``checks``, shown by ``report``. A fact that could not be read is not there, and stands in ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """An action that IAM's simulation does not allow; ``explicit`` where a policy denies it, rather than none allowing it."""

    action: str
    explicit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaFact:
    """A quota of running vCPUs: how many it allows, and how many are in use by others than the cluster itself.

    ``used`` is None where the instances could not be counted.
    """

    code: str
    name: str
    spot: bool
    vcpus: float
    used: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneScores:
    """Spot placement scores (1 to 10) of a group's types by zone, for that many nodes at once."""

    group: str
    nodes: int
    by_zone: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A stack or a cluster of the account that has a name which the new cluster needs; ``status`` is AWS's own.

    ``version`` is the Kubernetes minor of a cluster, empty of a stack.
    """

    name: str
    status: str
    version: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """A fact that could not be read, and why, in AWS's words."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """The whole. Empty mappings and None are facts that were not read.

    ``principal`` is whose policies were simulated, empty where they were not. ``offered`` has the zones by type, ``spot_usd`` the spot
    price in force by type and zone, in USD per hour. ``zones`` are those that the account may use, with their ids. ``service_roles`` says which
    service-linked roles exist, by the service's name. ``versions`` has EKS's status of each Kubernetes minor.
    """

    region: str
    account: str
    caller: str
    principal: str = ""
    denied: tuple[Denial, ...] = ()
    quotas: tuple[QuotaFact, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spot_usd: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    scores: tuple[ZoneScores, ...] = ()
    service_roles: Mapping[str, bool] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    clusters: tuple[Named, ...] = ()
    stacks: tuple[Named, ...] = ()
    unknown: tuple[Unverified, ...] = ()

    def quota(self, code: str) -> QuotaFact | None:
        """Return a quota by its code, None where it was not read."""
        return next((one for one in self.quotas if one.code == code), None)
