"""Refuses what would replace the network under a living cluster, before a person is asked and before anything is changed.

Why it exists: the blocks of a VPC are dealt out by the number and order of its zones, and CloudFormation makes a new subnet before it
deletes the old one that has the same block. So a change of the zones ends in a rollback, minutes later and in AWS's words.
"""

from __future__ import annotations

from collections.abc import Iterable

from lowtide.app.design import Design
from lowtide.aws.templates.cfn import stack_name
from lowtide.aws.templates.network import subnet_key
from lowtide.model.errors import ChecksFailed
from lowtide.model.live_plan import StackPlan
from lowtide.model.stacks import ResourceChange

_SUBNET, _VPC = "AWS::EC2::Subnet", "AWS::EC2::VPC"
_SHOWN = 4


def refuse_replaced(designed: Design, plan: StackPlan) -> None:
    """Refuse a change of the cluster's stack that replaces or removes subnets; nothing is said of other stacks.

    Raises:
        ChecksFailed: the zones, or the addresses, are not those with which the network was made.
    """
    gone = [one.logical_id for one in plan.changes if one.type == _SUBNET and _goes(one)]
    if not gone or plan.name != stack_name(designed.cluster.name, "cluster"):
        return
    is_vpc = any(one.type == _VPC and _goes(one) for one in plan.changes)
    new = {one.logical_id for one in plan.changes if one.type == _SUBNET and one.action == "Add"}
    why = f"its subnets {_listed(gone)} would be replaced, and the cluster lives in them"
    zones = _zones(designed, new)
    raise _refusal(
        designed,
        "addresses" if is_vpc else "zones",
        "vpc" if is_vpc else "availabilityZones",
        f"{why}; the network has no subnet in {zones}" if zones else why,
    )


def _goes(change: ResourceChange) -> bool:
    return change.action == "Remove" or change.replaces == "True"


def _zones(designed: Design, keys: Iterable[str]) -> str:
    wanted = set(keys)
    return ", ".join(
        dict.fromkeys(
            one.zone
            for one in designed.blueprint.network.subnets
            if subnet_key(one.zone, public=one.public) in wanted
        )
    )


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(sorted(ids)[:_SHOWN]) + more


def _refusal(designed: Design, part: str, field: str, why: str) -> ChecksFailed:
    return ChecksFailed(
        f"The {part} of a living cluster's network cannot change",
        where=f"{designed.inputs.cluster}: {field}",
        why=why,
        fix=f"keep the {part} as they are, or make a new cluster of another name beside it and move",
    )
