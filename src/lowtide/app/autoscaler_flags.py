"""Whether the autoscaler would start with the flags of lowtide.yaml, before it is in CrashLoopBackOff.

Why it exists: which flags there are is kube's to know, and where they stand in the file is spec's.

LT501 autoscaler-flag   the Cluster Autoscaler would exit with this flag, or the twin cannot play it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lowtide.kube.addons.cluster_autoscaler import arguments
from lowtide.kube.flag_table import KINDS, NEWEST_MINOR, kind_of
from lowtide.kube.flags import autoscaler_options, image_minor
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.spec.document import did_you_mean

AUTOSCALER_FLAG = ("LT501", "autoscaler-flag")

_PATH = "autoscaler.flags"
_PROGRAM = ("/cluster-autoscaler",)


def flag_findings(
    cluster: ResolvedCluster, given: Mapping[str, str], marks: Mapping[str, Mark]
) -> tuple[Finding, ...]:
    """Return a finding for each flag of lowtide.yaml that keeps the cluster's autoscaler from running.

    Args:
        cluster: resolved, so that its flags hold the given ones.
        given: flags as lowtide.yaml gives them.
        marks: where each stands; the empty name stands for the section.
    """
    alone = tuple(_findings_of_each(cluster, given, marks))
    if alone:
        return alone
    return tuple(_finding(one, "", marks) for one in _problems(cluster))


def _findings_of_each(
    cluster: ResolvedCluster, given: Mapping[str, str], marks: Mapping[str, Mark]
) -> Iterator[Finding]:
    """Try each flag without the others, since the program stops at the first that it does not like."""
    others = {name: value for name, value in cluster.autoscaler_flags.items() if name not in given}
    # Flags of ours that the file overrides are left out; only the provider has to be named.
    plain = {"cloud-provider": "aws", **others}
    for name, value in given.items():
        for problem in _problems(replace(cluster, autoscaler_flags={**plain, name: value})):
            yield _finding(problem, name, marks, _fix(cluster, name, problem))


def _problems(cluster: ResolvedCluster) -> tuple[str, ...]:
    return autoscaler_options(_PROGRAM, arguments(cluster), minor=_minor(cluster))[1]


def _minor(cluster: ResolvedCluster) -> str:
    return image_minor(cluster.addons.autoscaler_image) or NEWEST_MINOR


def _fix(cluster: ResolvedCluster, name: str, problem: str) -> str:
    if problem.startswith("unknown flag"):
        minor = _minor(cluster)
        return did_you_mean(name, [one for one in KINDS if kind_of(one, minor)])
    if name == "expander":
        return "write least-waste, most-pods, least-nodes, priority or random"
    return "correct it, or leave it out"


def _finding(problem: str, name: str, marks: Mapping[str, Mark], fix: str = "") -> Finding:
    code, word = AUTOSCALER_FLAG
    return Finding(
        code=code,
        name=word,
        severity=Severity.ERROR,
        message=f"the Cluster Autoscaler would not run: {problem}",
        mark=marks.get(name, marks[""]),
        path=f"{_PATH}.{name}" if name else _PATH,
        fix=fix or "leave one of the flags out",
    )
