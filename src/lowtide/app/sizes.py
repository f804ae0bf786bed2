"""The bounds of live node groups against those of the file.

Why it exists: ``lowtide scale``, ``down`` and people change them beside CloudFormation, which then sees no difference; what the file says
is what ``up`` makes true. How many nodes there are between the bounds stays the autoscaler's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lowtide.app.design import Design
from lowtide.aws.live.account import Account
from lowtide.aws.live.finishing import live_group, managed_name
from lowtide.aws.live.node_groups import move_bounds
from lowtide.aws.templates.nodes import group_name
from lowtide.model.cluster import NodeGroup
from lowtide.model.live_plan import SizeDrift


def changed_sizes(
    account: Account, designed: Design, stacks: Collection[str]
) -> tuple[SizeDrift, ...]:
    """Return the groups among those stacks whose bounds are not the file's.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    return tuple(_changed(account, designed, stacks))


def restore_size(account: Account, designed: Design, stack: str) -> SizeDrift | None:
    """Set the bounds of a stack's group to the file's, and return what they were where they differed.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    drift = next(_changed(account, designed, (stack,)), None)
    if drift is None:
        return None
    group = designed.cluster.group(drift.group)
    name = asg_name(account, designed, group)
    live = live_group(account, name)
    move_bounds(
        account,
        designed.cluster.name,
        drift.wanted,
        asg=name,
        managed=group.name if group.managed else "",
        desired=0 if live is None else live.desired,
    )
    return drift


def asg_name(account: Account, designed: Design, group: NodeGroup) -> str:
    """Return the name of a group's Auto Scaling group.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    cluster = designed.cluster
    if group.managed:
        return managed_name(account, cluster.name, group.name)
    return group_name(cluster, group)


def _changed(account: Account, designed: Design, stacks: Collection[str]) -> Iterator[SizeDrift]:
    for group in designed.cluster.node_groups:
        if group_name(designed.cluster, group) not in stacks:
            continue
        live = live_group(account, asg_name(account, designed, group))
        wanted = (group.min_size, group.max_size)
        if live is not None and live.bounds != wanted:
            yield SizeDrift(group=group.name, seen=live.bounds, wanted=wanted)
