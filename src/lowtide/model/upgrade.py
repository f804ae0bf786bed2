"""What an upgrade of a live cluster to the next Kubernetes minor would involve; nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.plan import SupportLeft


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedMinor:
    """A Kubernetes minor as EKS offers it now; the days (ISO 8601) are empty where EKS has not published them."""

    minor: str
    status: str
    standard_until: str = ""
    extended_until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonFact:
    """An add-on of the cluster: its version, those that the target minor takes, newest first, and the default one of it."""

    name: str
    version: str
    status: str
    target_versions: tuple[str, ...]
    target_default: str

    @property
    def must_change(self) -> bool:
        """Whether the target minor does not take the version that is installed."""
        return self.version not in self.target_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """An upgrade insight of EKS that does not pass; ``status`` is ``WARNING``, ``ERROR`` or ``UNKNOWN``."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeImage:
    """A group's image now and the one that its resolver gives for the target minor; empty where nobody could say."""

    group: str
    kubelets: tuple[str, ...]
    now: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradePlan:
    """The whole.

    ``target`` is empty where there is no later minor to go to. ``blockers`` stop the upgrade, ``steps`` are what a person does, in order.
    ``kubernetes`` is why the API server could not be asked, empty where it was.
    """

    name: str
    region: str
    version: str
    target: str
    support: SupportLeft
    target_support: SupportLeft | None
    autoscaler_image: str
    autoscaler_target_image: str
    addons: tuple[AddonFact, ...]
    images: tuple[NodeImage, ...]
    insights: tuple[Insight, ...]
    blockers: tuple[str, ...]
    steps: tuple[str, ...]
    kubernetes: str = ""
