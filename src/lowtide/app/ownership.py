"""Whose a cluster is: lowtide touches nothing that it did not make.

Why it exists: a name is easily taken twice, and eksctl's clusters look like ours from outside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lowtide.aws.live.eks import LiveCluster
from lowtide.aws.live.stacks import LiveStack
from lowtide.model import names
from lowtide.model.errors import InputError


def refuse_others(
    cluster: str,
    region: str,
    *,
    wanted: Collection[str],
    stacks: Iterable[LiveStack],
    found: LiveCluster | None,
    deletes: bool = False,
) -> None:
    """Refuse a name that somebody else uses.

    Args:
        cluster: the name.
        region: where.
        wanted: names of the stacks that lowtide would have.
        stacks: all stacks of the region.
        found: the EKS cluster of that name.
        deletes: whether what is wanted is its deletion, for the words of what to do instead.

    Raises:
        InputError: the name belongs to eksctl, or to somebody else; nothing was touched.
    """
    known = tuple(stacks)
    theirs = next((one for one in known if _is_of_eksctl(one, cluster)), None)
    if theirs is not None or (found is not None and found.is_of_eksctl):
        where = theirs.name if theirs is not None else f"EKS cluster {cluster}"
        raise _of_eksctl(cluster, region, where, deletes=deletes)
    for one in known:
        if one.name in wanted and one.owner != cluster:
            raise _of_somebody("a", f"stack {one.name}", cluster, deletes=deletes)
    if found is not None and not found.is_ours:
        raise _of_somebody("an", f"EKS cluster {cluster}", cluster, deletes=deletes)


def own_stacks(cluster: str, stacks: Iterable[LiveStack]) -> dict[str, LiveStack]:
    """Return the stacks that lowtide made for a cluster, by name."""
    prefix = f"lowtide-{cluster}-"
    return {one.name: one for one in stacks if one.owner == cluster and one.name.startswith(prefix)}


def _is_of_eksctl(stack: LiveStack, cluster: str) -> bool:
    return (
        stack.tags.get(names.EKSCTL_CLUSTER) == cluster or stack.name == f"eksctl-{cluster}-cluster"
    )


def _of_eksctl(cluster: str, region: str, where: str, *, deletes: bool) -> InputError:
    place = f"--name {cluster} --region {region}"
    other = f"give metadata.name another name, or go on with: eksctl get cluster {place}"
    return InputError(
        f"Cluster {cluster} in {region} was made by eksctl and is left alone",
        where=where,
        why=f"it carries eksctl's name or tag {names.EKSCTL_CLUSTER}",
        fix=f"eksctl delete cluster {place}" if deletes else other,
    )


def _of_somebody(article: str, what: str, cluster: str, *, deletes: bool) -> InputError:
    other = (
        "give metadata.name another name; a stack that was deployed from rendered files gets the tag by "
        "`aws cloudformation deploy` with --tags, as the rendered README.md has it"
    )
    return InputError(
        f"There is {article} {what} already that lowtide did not make",
        where=what,
        why=f"it has no tag {names.CLUSTER_TAG}={cluster}",
        fix="delete it with what made it" if deletes else other,
    )
