"""The catalogue of checks: every code that a finding can have, its name, what is looked at, and what helps in any case.

Why it exists: a finding without a way out is half a finding. A reader or a check that knows better gives its own fix; the one of its rule
stands in for none. What a rule is about stands where it is defined; a test holds both lists equal.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Scope(enum.Enum):
    """What a rule looks at."""

    FILES = "the cluster file and the policy"
    WORKLOAD = "manifests and scenarios"
    TRACE = "a trace"
    STACKS = "what is rendered"
    ACCOUNT = "an AWS account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of finding; ``fix`` is what to do where a finding itself does not say."""

    code: str
    name: str
    scope: Scope
    fix: str


def _rules(scope: Scope, *rows: tuple[str, str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(code=code, name=name, scope=scope, fix=fix) for code, name, fix in rows)


RULES = (
    *_rules(
        Scope.FILES,
        ("LT001", "syntax", "put the YAML right at this place: quotes, indentation by blanks, UTF-8"),
        ("LT002", "duplicate-key", "keep one of the two"),
        ("LT003", "unknown-key", "remove it, or write a key that the format has: `lowtide schema` prints them"),
        ("LT004", "not-supported", "remove it, or write what it stands for in full"),
        ("LT005", "wrong-type", "write a value of the type that is named; text that looks like another type needs quotes"),
        ("LT006", "wrong-value", "write a value that is allowed there"),
        ("LT007", "missing", "add it"),
        ("LT008", "too-large", "make it smaller, or split the file"),
        ("LT009", "wrong-kind", "give a file of the kind that is asked for; `lowtide init` writes a cluster file"),
        ("LT010", "empty", "write something into the file, or leave it out; `lowtide init` writes a cluster file"),
        ("LT011", "conflict", "remove or change one of the two"),
        ("LT201", "unknown-instance-type", "`lowtide prices` lists the types"),
        ("LT202", "no-image", "choose an amiFamily that fits the types, or types that fit the amiFamily"),
        ("LT203", "no-price", "`lowtide prices refresh` asks AWS"),
        ("LT204", "wrong-zone", "write a zone of metadata.region"),
        ("LT205", "unsupported-version", "write a Kubernetes minor that is named, or leave metadata.version out"),
        ("LT206", "too-many-tags", "remove labels or tags"),
        ("LT207", "impossible-measurement", "correct nodes.measuredAllocatableMiB in lowtide.yaml"),
        ("LT229", "unavailable-policy", "write the policy in full as attachPolicy, or remove the key"),
        ("LT251", "replaced-tag", "write what the group says, or remove the tag"),
        ("LT252", "idle-accelerator", "choose a type with whole NVIDIA GPUs"),
        ("LT253", "retired-type", "use a type that `lowtide prices` shows in service"),
        ("LT254", "unknown-reservation", "measure a node and write nodes.measuredAllocatableMiB into lowtide.yaml"),
        ("LT255", "unknown-permissions", "write the permissions of the add-on into the file"),
        ("LT256", "wrong-accelerator", "write the GPU that the group's types have"),
        ("LT501", "autoscaler-flag", "correct autoscaler.flags in lowtide.yaml, or remove the flag"),
        ("LT503", "long-stack-name", "shorten the name of the cluster or of the node group"),
    ),
    *_rules(
        Scope.WORKLOAD,
        ("LT101", "selector-mismatch", "give the template the labels that the selector asks for"),
        ("LT102", "extended-resource", "write a whole number as the limit, and the same or nothing as the request"),
        ("LT103", "request-above-limit", "lower the request, or raise the limit"),
        ("LT104", "unknown-priority-class", "add a PriorityClass of that name, or remove priorityClassName"),
        ("LT105", "bad-name", "write lower-case letters, digits and dashes, beginning and ending with a letter or digit"),
        ("LT106", "restart-policy", "write a restartPolicy that the kind allows"),
        ("LT107", "no-such-kind", "write the apiVersion that has the kind"),
        ("LT108", "bad-run-seconds", 'annotate the pods with lowtide.dev/run-seconds: "3600" or the like'),
        ("LT301", "unknown-target", "name an object that an earlier step applies"),
        ("LT302", "out-of-order", "move the step up"),
        ("LT502", "unknown-place", "name a node group or zone of the cluster file"),
    ),
    *_rules(
        Scope.TRACE,
        ("LT401", "unreadable-trace", "give a CSV or Parquet table with a header"),
        ("LT402", "unknown-column", "remove or rename the column"),
        ("LT403", "missing-column", "add the column"),
        ("LT404", "bad-value", "correct the cell"),
        ("LT405", "row-length", "give the row as many cells as the header"),
        ("LT406", "duplicate-name", "give each job a name of its own, or leave the column out"),
        ("LT407", "empty-trace", "give at least one job"),
    ),
    *_rules(
        Scope.STACKS,
        ("LT221", "needs-an-account", "write the value itself in place of what stands for it"),
        ("LT222", "missing-subnet", "add a subnet for the group to vpc.subnets, or change the group's zones"),
        ("LT223", "wrong-network", "write a range of private addresses that AWS allows"),
        ("LT224", "unknown-account", "name the service account"),
        ("LT225", "same-name-twice", "rename or remove one of the two"),
        ("LT226", "missing-device-name", "add volumeName, as /dev/sdf"),
        ("LT227", "no-access-entries", "write accessConfig.authenticationMode: API"),
        ("LT228", "not-in-an-add-on", "remove it, or write a podIdentityAssociation under iam"),
    ),
    *_rules(
        Scope.ACCOUNT,
        ("LT601", "denied-permission", "ask an administrator for the policy in docs/iam.md"),
        ("LT602", "small-quota", "ask AWS for a larger quota in Service Quotas"),
        ("LT603", "type-not-offered", "choose other zones or types for the group"),
        ("LT604", "foreign-zone", "choose another zone"),
        ("LT605", "unoffered-version", "write a Kubernetes minor that EKS offers"),
        ("LT606", "name-taken", "give the cluster another name"),
        ("LT607", "spot-limit", "raise instancesDistribution.maxPrice, or leave it out"),
        ("LT608", "scarce-spot", "add instance types or zones"),
        ("LT609", "no-spot-role", "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"),
        (
            "LT610",
            "not-verified",
            "let an administrator allow what was refused (docs/iam.md has the policy), and run lowtide check --live again",
        ),
        ("LT611", "unreachable-version", "write the cluster's own Kubernetes minor, or the next one"),
    ),
)  # fmt: skip
_FIXES = {one.code: one.fix for one in RULES}


def fix_of(code: str) -> str:
    """Return what helps against any finding of a code, nothing for a code that there is not."""
    return _FIXES.get(code, "")


def count_of(*scopes: Scope) -> int:
    """Return how many rules look at these."""
    return sum(1 for one in RULES if one.scope in scopes)
