"""Asks an account whether a cluster can be created in it, and what would be in the way.

Why it exists: ``check --live`` shows it and ``up`` begins with it; both see the same facts and the same findings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowtide.app.design import Design
from lowtide.app.placement import scores_of
from lowtide.aws.actions import actions_of
from lowtide.aws.live.preflight import Questions, read_facts
from lowtide.aws.templates.cfn import stack_name
from lowtide.catalog.quotas import vcpu_quota
from lowtide.checks.account import account_findings, quota_needs
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
    facts = read_facts(account, questions(designed))
    names = {zone_id: name for name, zone_id in facts.zones.items()}
    scores, unknown = scores_of(cluster, account, names)
    facts = replace(facts, scores=scores, unknown=(*facts.unknown, *unknown))
    return Preflight(
        cluster=cluster,
        facts=facts,
        needs=quota_needs(cluster),
        findings=account_findings(cluster, facts),
    )


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
