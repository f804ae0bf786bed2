"""Asks an account whether a cluster can be created or changed in it, and what would be in the way.

Why it exists: ``check --live`` shows it and ``up`` begins with it; both see the same facts and the same findings. Of a cluster that is there
only node groups that are new or change are looked at: its names are its own, and what runs was allowed once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from lowtide.app.design import Design
from lowtide.app.placement import scores_of
from lowtide.aws.actions import actions_of
from lowtide.aws.live.preflight import Questions, read_facts
from lowtide.aws.templates.cfn import stack_name
from lowtide.catalog.quotas import vcpu_quota
from lowtide.checks.account import account_findings, change_findings, quota_needs
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.preflight import Preflight

if TYPE_CHECKING:
    from lowtide.aws.live.account import Account

_ID = "00000000-0000-0000-0000-000000000000"


def preflight(designed: Design, account: Account) -> Preflight:
    """Return the account's facts and everything that they have against the cluster.

    Raises:
        AwsError: there are no usable credentials, or AWS cannot be reached at all.
    """
    cluster = designed.cluster
    facts = _with_scores(read_facts(account, questions(designed)), cluster, account)
    return Preflight(
        cluster=cluster,
        facts=facts,
        needs=quota_needs(cluster),
        findings=account_findings(cluster, facts),
    )


def preflight_of_change(
    designed: Design, account: Account, *, made: Collection[str], changed: Collection[str]
) -> Preflight:
    """Return what the account has against node groups of a cluster that is there.

    Args:
        designed: the cluster as it shall be.
        account: where it is.
        made: names of the node groups that are new.
        changed: names of those that are there and change.

    Raises:
        AwsError: there are no usable credentials, or AWS cannot be reached at all.
    """
    cluster = designed.cluster
    groups = tuple(one for one in cluster.node_groups if one.name in {*made, *changed})
    part = replace(cluster, node_groups=groups)
    asked = replace(questions(replace(designed, cluster=part)), is_new=False)
    facts = _with_scores(read_facts(account, asked), part, account)
    return Preflight(
        cluster=cluster,
        facts=facts,
        needs=tuple(one for one in quota_needs(cluster) if one.code in asked.quotas),
        findings=change_findings(cluster, facts, made=made, changed=changed),
    )


def _with_scores(facts: AccountFacts, cluster: ResolvedCluster, account: Account) -> AccountFacts:
    names = {zone_id: name for name, zone_id in facts.zones.items()}
    scores, unknown = scores_of(cluster, account, names)
    return replace(facts, scores=scores, unknown=(*facts.unknown, *unknown))


def questions(designed: Design) -> Questions:
    """Return what an account has to be asked about a cluster."""
    cluster = designed.cluster
    types = {
        one.offering.instance_type.name for group in cluster.node_groups for one in group.candidates
    }
    return Questions(
        cluster=cluster.name,
        types=tuple(sorted(types)),
        quotas={one.code: (one.name, one.spot) for one in quota_needs(cluster)},
        quota_of=lambda name, spot: vcpu_quota(name, spot=spot).code,
        stacks=tuple(one.name for one in designed.stacks),
        actions=actions_of("up", "down"),
        resources=_resources(cluster.name),
        uses_spot=cluster.uses_spot,
    )


def _resources(name: str) -> dict[str, tuple[str, ...]]:
    """Return ARNs such as the cluster's resources will have, by the prefix of their service in actions.

    A careful policy allows actions on these names alone. Forms: Service Authorization Reference, "Resource types" of each service.
    """
    stack = stack_name(name, "cluster")
    arn = "arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"

    def regional(service: str, *resources: str) -> tuple[str, ...]:
        return tuple(arn.format(service=service, resource=one) for one in resources)

    return {
        "autoscaling": regional(
            "autoscaling",
            f"autoScalingGroup:{_ID}:autoScalingGroupName/{stack_name(name, 'nodegroup-x')}",
        ),
        "cloudformation": regional("cloudformation", f"stack/{stack}/{_ID}"),
        "eks": regional(
            "eks",
            f"cluster/{name}",
            f"addon/{name}/coredns/{_ID}",
            f"nodegroup/{name}/x/{_ID}",
            f"access-entry/{name}/role/{{account}}/x/{_ID}",
            f"podidentityassociation/{name}/a-x",
        ),
        "events": regional("events", f"rule/{stack}-x"),
        "iam": tuple(
            f"arn:{{partition}}:iam::{{account}}:{one}"
            for one in (
                f"role/{stack}-x",
                f"instance-profile/{stack}-x",
                "oidc-provider/oidc.eks.{region}.amazonaws.com/id/X",
            )
        ),
        "logs": regional("logs", f"log-group:/aws/eks/{name}/cluster"),
        "sqs": regional("sqs", f"{stack}-x"),
        "ssm": (
            *regional("ssm", f"parameter/lowtide/{name}/x"),
            "arn:{partition}:ssm:{region}::parameter/aws/service/eks/x",
        ),
    }
