"""Where a finding about an account stands: at a node group, or at the cluster file as a whole."""

from __future__ import annotations

from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.findings import Finding, Mark, Severity

Rule = tuple[str, str]


def at_cluster(
    cluster: ResolvedCluster, rule: Rule, severity: Severity, message: str, fix: str = ""
) -> Finding:
    """Return a finding about the cluster as a whole."""
    file = next((one.mark.file for one in cluster.node_groups if one.mark.file), "")
    return _finding(rule, severity, message, Mark(file=file), fix)


def at_group(
    group: NodeGroup, rule: Rule, severity: Severity, message: str, fix: str = ""
) -> Finding:
    """Return a finding about a node group."""
    return _finding(rule, severity, f"node group {group.name}: {message}", group.mark, fix)


def _finding(rule: Rule, severity: Severity, message: str, mark: Mark, fix: str) -> Finding:
    code, name = rule
    return Finding(code=code, name=name, severity=severity, message=message, mark=mark, fix=fix)
