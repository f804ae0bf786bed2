"""What is there now: who is asking, the stacks of a cluster, the cluster itself, the images of its groups.

Why it exists: ``up`` and ``plan --live`` begin with the same look at the account.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.app.design import Design
from lowtide.app.ownership import own_stacks, refuse_others
from lowtide.aws.live.account import Account, Identity
from lowtide.aws.live.eks import LiveCluster, find_cluster
from lowtide.aws.live.images import current_images
from lowtide.aws.live.stacks import LiveStack, StackRequest, Stacks
from lowtide.aws.templates.cfn import BODY_LIMIT_BYTES, Stack, stack_name
from lowtide.aws.templates.launch import IMAGE
from lowtide.aws.templates.nodes import group_name
from lowtide.aws.templates.pinning import IMAGE_SOURCE, has_image, pinned
from lowtide.model import names
from lowtide.model.catalog import Ami
from lowtide.model.errors import InputError
from lowtide.model.live_plan import ImageDrift
from lowtide.model.stacks import WantedStack
from lowtide.resolve.pins import Choice, Pin, chosen_image


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An account as it is, beside what is wanted of it.

    ``stacks`` are ours by name; ``wanted`` and ``requests`` say what they shall be, ``unwanted`` which shall go. ``removes_first``:
    these use exports of the cluster's stack that it shall not have any more, which CloudFormation refuses to take away from them.
    """

    account: Account
    identity: Identity
    cluster: LiveCluster | None
    stacks: Mapping[str, LiveStack]
    wanted: tuple[WantedStack, ...]
    requests: Mapping[str, StackRequest]
    unwanted: tuple[str, ...]
    removes_first: bool = False
    drift: tuple[ImageDrift, ...] = ()
    images: Mapping[str, Choice] = field(default_factory=dict)


def look_at(account: Account, designed: Design, *, refresh_images: bool = False) -> World:
    """Look at an account for a cluster that was designed.

    Raises:
        InputError: the name belongs to somebody else, or a template is too long.
        AwsError: AWS refused, or could not be reached.
    """
    identity = account.identity()
    name = designed.cluster.name
    every = tuple(Stacks(account).all())
    cluster = find_cluster(account, name)
    wanted_names = {one.name for one in designed.stacks}
    refuse_others(name, account.region, wanted=wanted_names, stacks=every, found=cluster)
    stacks = own_stacks(name, every)
    _refuse_orphan(name, cluster, stacks)
    images = _images(account, designed, stacks, refresh=refresh_images)
    requests = {one.name: _request(name, _with_image(one, images)) for one in designed.stacks}
    return World(
        account=account,
        identity=identity,
        cluster=cluster,
        stacks=stacks,
        wanted=tuple(_wanted(one, name) for one in designed.stacks),
        requests=requests,
        unwanted=tuple(sorted(stacks.keys() - wanted_names)),
        removes_first=_loses_exports(designed, stacks),
        images=images,
        drift=tuple(
            ImageDrift(
                stack=stack,
                kept=choice.pin.image_id,
                newer=choice.newer,
                source=choice.pin.source,
            )
            for stack, choice in images.items()
            if choice.newer
        ),
    )


def _wanted(stack: Stack, cluster: str) -> WantedStack:
    """Return what a stack waits for: all use exports of the cluster's, and late add-ons need a node."""
    first = stack_name(cluster, "cluster")
    return WantedStack(
        name=stack.name,
        after=() if stack.name == first else (first,),
        needs_nodes=stack.name == stack_name(cluster, "addons"),
    )


def _loses_exports(designed: Design, stacks: Mapping[str, LiveStack]) -> bool:
    first = designed.stacks[0]
    live = stacks.get(first.name)
    return live is not None and bool(live.outputs.keys() - first.template["Outputs"].keys())


def _refuse_orphan(name: str, cluster: LiveCluster | None, stacks: Mapping[str, LiveStack]) -> None:
    if cluster is not None and stack_name(name, "cluster") not in stacks:
        raise InputError(
            f"EKS cluster {name} is there without its stack",
            where=cluster.arn,
            why=f"it has lowtide's tag, but there is no stack {stack_name(name, 'cluster')}",
            fix=f"lowtide down --name {name} --sweep takes away what is left, then run lowtide up again",
        )


def group_images(designed: Design) -> dict[str, Ami]:
    """Return the image of each node group whose stack takes one, by the stack's name."""
    groups = {group_name(designed.cluster, one): one.ami for one in designed.cluster.node_groups}
    return {one.name: groups[one.name] for one in designed.stacks if has_image(one)}


def _images(
    account: Account, designed: Design, stacks: Mapping[str, LiveStack], *, refresh: bool
) -> dict[str, Choice]:
    wanted = group_images(designed)
    current = current_images(account, wanted.values())
    return {
        name: chosen_image(_kept(stacks.get(name)), current[image], refresh=refresh)
        for name, image in wanted.items()
    }


def _kept(stack: LiveStack | None) -> Pin | None:
    """Return the image that a stack has; rendered templates have the SSM parameter, and what it gave."""
    if stack is None:
        return None
    given = stack.parameters.get(IMAGE, "")
    looked_up = stack.resolved.get(IMAGE, "")
    if looked_up:
        return Pin(image_id=looked_up, source=given)
    return Pin(image_id=given, source=stack.parameters.get(IMAGE_SOURCE, ""))


def _with_image(stack: Stack, images: Mapping[str, Choice]) -> Stack:
    choice = images.get(stack.name)
    if choice is None:
        return stack
    return pinned(stack, image_id=choice.pin.image_id, source=choice.pin.source)


def _request(cluster: str, stack: Stack) -> StackRequest:
    body = json.dumps(stack.template, separators=(",", ":"))
    if len(body.encode()) > BODY_LIMIT_BYTES:
        raise InputError(
            f"The template of stack {stack.name} is too long to be sent",
            where=stack.name,
            why=f"it has {len(body.encode()):,} bytes, and CloudFormation takes {BODY_LIMIT_BYTES:,} in a call",
            fix="lowtide render FOLDER, and deploy it through an S3 bucket as its README.md says",
        )
    return StackRequest(
        name=stack.name,
        body=body,
        parameters=stack.parameters,
        capabilities=stack.capabilities,
        tags={names.CLUSTER_TAG: cluster},
    )
