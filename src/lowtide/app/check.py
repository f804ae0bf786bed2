"""Says what is wrong with the files of a cluster, as values."""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.app.files import Inputs, load
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What was found; ``readable`` is False when a file is not even what it should be."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    readable: bool
    cluster: ResolvedCluster | None

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(1 for one in self.findings if one.severity is severity)


def check(inputs: Inputs) -> CheckResult:
    """Read and resolve everything, and return every finding of every file."""
    loaded = load(inputs)
    return CheckResult(
        files=inputs.names,
        findings=loaded.findings,
        readable=loaded.readable,
        cluster=loaded.cluster,
    )
