"""What resolving every group of a file needs to know, and the codes of what can be wrong.

LT201 unknown-instance-type   not in the catalog, or retired without figures
LT202 no-image                no AMI of the family fits the types
LT203 no-price                no on-demand price, or no spot figure for a group that uses spot
LT204 wrong-zone              a zone of another region
LT205 unsupported-version     a Kubernetes minor without an autoscaler of ours
LT206 too-many-tags           more tags than an Auto Scaling group may have
LT207 impossible-measurement  more allocatable memory than the type has
LT251 replaced-tag            a tag of the file says something else about the group than its labels and taints (warning)
LT252 idle-accelerator        an accelerator that no pod can ask for as nvidia.com/gpu (warning)
LT253 retired-type            still usable here, but AWS withdraws it (warning)
LT254 unknown-reservation     a kubelet setting that takes memory or disk from pods, unknown to the lower bound (warning)
LT255 unknown-permissions     an add-on that is to have the permissions EKS recommends, which the file does not say (warning)
LT256 wrong-accelerator       an accelerator label that names a GPU which none of the group's types has (warning)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lowtide.model.catalog import FreshPrices
from lowtide.model.errors import InputError
from lowtide.model.findings import Severity
from lowtide.model.policy import Policy
from lowtide.spec.clusterconfig.cluster import ClusterConfig
from lowtide.spec.document import Document, PathInFile, Problems

UNKNOWN_TYPE = ("LT201", "unknown-instance-type")
NO_IMAGE = ("LT202", "no-image")
NO_PRICE = ("LT203", "no-price")
WRONG_ZONE = ("LT204", "wrong-zone")
UNSUPPORTED_VERSION = ("LT205", "unsupported-version")
TOO_MANY_TAGS = ("LT206", "too-many-tags")
IMPOSSIBLE_MEASUREMENT = ("LT207", "impossible-measurement")
REPLACED_TAG = ("LT251", "replaced-tag")
IDLE_ACCELERATOR = ("LT252", "idle-accelerator")
RETIRED_TYPE = ("LT253", "retired-type")
UNKNOWN_RESERVATION = ("LT254", "unknown-reservation")
UNKNOWN_PERMISSIONS = ("LT255", "unknown-permissions")
WRONG_ACCELERATOR = ("LT256", "wrong-accelerator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The file's facts that hold for all groups. ``full`` is whether autoscaler tags are ours or the file's; ``fresh`` are AWS's latest prices."""

    config: ClusterConfig
    document: Document
    policy: Policy
    problems: Problems
    version: str
    zones: tuple[str, ...]
    fresh: FreshPrices = field(default_factory=FreshPrices)

    @property
    def full(self) -> bool:
        """Whether autoscaler tags, node labels and flags are ours (``autoscalerTags: full``)."""
        return self.policy.autoscaler.tags == "full"

    def error(self, rule: tuple[str, str], problem: InputError, path: PathInFile) -> None:
        """Report an error of the catalog at its place in the file."""
        message = f"{problem.what}: {problem.why}" if problem.why else problem.what
        self.problems.add(*rule, message, path, problem.fix)

    def warn(self, rule: tuple[str, str], message: str, path: PathInFile, fix: str) -> None:
        """Report something that works, but hardly as meant."""
        self.problems.add(*rule, message, path, fix, Severity.WARNING)
