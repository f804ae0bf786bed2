"""Says what is wrong with the files of a cluster, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lowtide.app.files import Inputs, Loaded, load
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity
from lowtide.model.preflight import Preflight
from lowtide.model.rules import Scope, count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What was found; ``readable`` is False when a file is not even what it should be. ``live`` is None where no account was asked.

    ``checks`` is how many kinds of mistakes were looked for.
    """

    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    readable: bool
    cluster: ResolvedCluster | None
    checks: int
    live: Preflight | None = None

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
        checks=count_of(*_scopes(loaded)),
    )


def _scopes(loaded: Loaded) -> tuple[Scope, ...]:
    if loaded.scenario is None:
        return (Scope.FILES,)
    return (Scope.FILES, Scope.TRACE if loaded.scenario.trace else Scope.WORKLOAD)


def check_live(inputs: Inputs, *, profile: str | None = None) -> CheckResult:
    """Return the same and what the AWS account has against the cluster; files with errors are not asked about.

    Raises:
        AwsError: there are no usable credentials, or AWS cannot be reached at all.
    """
    result = check(inputs)
    if result.cluster is None or result.count(Severity.ERROR):
        return result
    from lowtide.app.design import design  # noqa: PLC0415 - templates and AWS's client, for this alone
    from lowtide.app.preflight import preflight  # noqa: PLC0415
    from lowtide.aws.live.account import Account  # noqa: PLC0415

    found = preflight(design(inputs), Account(result.cluster.region, profile))
    return replace(
        result,
        findings=(*result.findings, *found.findings),
        checks=result.checks + count_of(Scope.STACKS, Scope.ACCOUNT),
        live=found,
    )
