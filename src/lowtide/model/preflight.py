"""What preflight found: the account's facts, what the cluster needs of its quotas, and the findings."""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaNeed:
    """The vCPUs that a cluster counts against a quota: of one node of its smallest type, and with every group at its maximum.

    ``at_minimum`` is with every group at its minimum. A group of several types counts with its largest.
    """

    code: str
    name: str
    spot: bool
    groups: tuple[str, ...]
    one_node: int
    at_minimum: int
    at_maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """A cluster against an account."""

    cluster: ResolvedCluster
    facts: AccountFacts
    needs: tuple[QuotaNeed, ...]
    findings: tuple[Finding, ...]

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What stops the creation."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)
