"""What the caller may not do, as IAM's own simulation says, and what nobody could find out."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.aws.actions import actions_of
from lowtide.checks.account.place import at_cluster
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity

DENIED_PERMISSION = ("LT601", "denied-permission")
NOT_VERIFIED = ("LT610", "not-verified")
_SHOWN = 6


def denied_permissions(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield findings for all actions that a policy denies, and for those that none allows.

    Those of ``up`` stop it; who may create and not delete is warned.
    """
    of_up = frozenset(actions_of("up"))
    for explicit, how in ((True, "a policy denies"), (False, "no policy allows")):
        actions = [one.action for one in facts.denied if one.explicit is explicit]
        for verb, mine, severity in (
            ("up", [one for one in actions if one in of_up], Severity.ERROR),
            ("down", [one for one in actions if one not in of_up], Severity.WARNING),
        ):
            if mine:
                yield at_cluster(
                    cluster,
                    DENIED_PERMISSION,
                    severity,
                    f"{how} {facts.principal or facts.caller} {len(mine)} of the actions that `lowtide {verb}` needs: "
                    f"{_some(mine)}",
                    "ask an administrator for the policy in docs/iam.md; aws iam simulate-principal-policy "
                    f"--policy-source-arn {facts.principal} --action-names {' '.join(mine[:_SHOWN])} says the same",
                )


def not_verified(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a warning for each fact that could not be read."""
    for one in facts.unknown:
        yield at_cluster(
            cluster, NOT_VERIFIED, Severity.WARNING, f"could not verify {one.what}: {one.why}"
        )


def _some(actions: list[str]) -> str:
    more = len(actions) - _SHOWN
    return ", ".join(actions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
