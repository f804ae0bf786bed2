"""What every part of a blueprint is made from, and the codes of what cannot be rendered.

LT221 needs-an-account     only AWS or another machine could tell: a subnet by its CIDR, a key by its path
LT222 missing-subnet       a group in a zone, or in a subnet, that the network does not have
LT223 wrong-network        addresses that AWS refuses for a VPC or for services
LT224 unknown-account      permissions of an add-on whose service account nobody names
LT225 same-name-twice      two add-ons, associations or roles that AWS would take for one
LT226 missing-device-name  a further volume that EC2 would not know where to attach
LT227 no-access-entries    an authentication mode in which no node could join
LT228 not-in-an-add-on     a setting of pod identity that EKS does not take for an add-on
LT229 unavailable-policy   a ready-made policy that lowtide does not have (resolve.ready_policies: ``check`` warns of it)
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.cluster import ResolvedCluster
from lowtide.spec.clusterconfig.cluster import ClusterConfig
from lowtide.spec.document import PathInFile, Problems

NEEDS_AN_ACCOUNT = ("LT221", "needs-an-account")
MISSING_SUBNET = ("LT222", "missing-subnet")
WRONG_NETWORK = ("LT223", "wrong-network")
UNKNOWN_ACCOUNT = ("LT224", "unknown-account")
SAME_NAME_TWICE = ("LT225", "same-name-twice")
MISSING_DEVICE_NAME = ("LT226", "missing-device-name")
NO_ACCESS_ENTRIES = ("LT227", "no-access-entries")
NOT_IN_AN_ADDON = ("LT228", "not-in-an-add-on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The file, the resolved cluster of it, and where findings go."""

    config: ClusterConfig
    cluster: ResolvedCluster
    problems: Problems

    def refuse(self, rule: tuple[str, str], message: str, path: PathInFile, fix: str) -> None:
        """Report what cannot be rendered at its place in the file."""
        self.problems.add(*rule, message, path, fix)
