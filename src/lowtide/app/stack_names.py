"""Whether the stacks of a cluster can have the names that lowtide gives them.

Why it exists: a cluster's name and a node group's are each short enough, but a stack's name holds both, and CloudFormation would
say so only after the cluster is there.

LT503 long-stack-name   a node group's stack would have a longer name than CloudFormation takes
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.model.findings import Finding, Severity
from lowtide.spec.clusterfile import ClusterFile
from lowtide.spec.document import path_text

LONG_STACK_NAME = ("LT503", "long-stack-name")
#: CloudFormation API reference, CreateStack, StackName.
LONGEST = 128
#: Characters of both names with which no stack's is too long; templates need not be imported to see that (5 ms of ``check``).
_SURELY_SHORT = 100


def stack_name_findings(file: ClusterFile) -> Iterator[Finding]:
    """Yield a finding for each node group whose stack's name is too long."""
    code, rule = LONG_STACK_NAME
    cluster = file.config.metadata.name
    for at in file.config.all_groups:
        if len(cluster) + len(at.group.name) <= _SURELY_SHORT:
            continue
        from lowtide.aws.templates.cfn import stack_name  # noqa: PLC0415 - see _SURELY_SHORT

        name = stack_name(cluster, f"nodegroup-{at.group.name}")
        path = (*at.path, "name")
        if len(name) > LONGEST:
            yield Finding(
                code=code,
                name=rule,
                severity=Severity.ERROR,
                message=f"its stack {name} would have {len(name)} characters; CloudFormation takes {LONGEST}",
                mark=file.mark(path),
                path=path_text(path),
                fix=f"take {len(name) - LONGEST} off this name or the cluster's",
            )
