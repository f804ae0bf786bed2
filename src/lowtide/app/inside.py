"""Work inside a live cluster: connect, wait for nodes, install what lowtide brings, wait until it runs.

Why it exists: the cluster's stacks end at the API server and at instances; what users wait for are nodes and pods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from lowtide.app.design import Design
from lowtide.app.patience import Patience, patiently
from lowtide.app.sizes import asg_name
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import LiveCluster, Tokens, find_cluster
from lowtide.aws.live.finishing import LiveGroup, failed_launch, live_group
from lowtide.aws.templates.cfn import stack_name
from lowtide.aws.templates.identity import account as account_of
from lowtide.aws.templates.identity import identity_names
from lowtide.kube.addons import default_addons, termination_handler
from lowtide.kube.addons.accounts import account_manifests, waiting_for_role, with_identities
from lowtide.kube.live import kinds, rollout
from lowtide.kube.live.apply import called
from lowtide.kube.live.client import Cluster
from lowtide.kube.live.reaching import reach
from lowtide.kube.objects import Manifest, key
from lowtide.model.cluster import NodeGroup
from lowtide.model.errors import InputError
from lowtide.model.live_plan import Progress

Tell = Callable[[Progress], None]
#: Outputs of stacks by the stack's name.
Outputs = Mapping[str, Mapping[str, str]]


def connected(account: Account, name: str, *, dry_run: bool = False) -> Cluster:
    """Connect to a cluster by its name; nothing is sent to it yet.

    Raises:
        InputError: there is no such cluster, or it has no API server yet.
        AwsError: AWS refused, or could not be reached.
    """
    found = find_cluster(account, name)
    if found is None or not found.endpoint:
        state = "there is none" if found is None else f"it is {found.status}"
        raise InputError(
            f"Cluster {name} in {account.region} cannot be reached",
            where=name,
            why=f"{state} in this account and region",
            fix="lowtide up creates it; --region and --profile name another place",
        )
    return connected_to(account, found, dry_run=dry_run)


def connected_to(account: Account, cluster: LiveCluster, *, dry_run: bool = False) -> Cluster:
    """Connect to a cluster that was looked up; nothing is sent to it yet."""
    tokens = Tokens(account, cluster.name)
    return reach(cluster.name, cluster.endpoint, cluster.ca, tokens.new, dry_run=dry_run)


def live_objects(designed: Design, outputs: Outputs, *, with_addons: bool) -> list[Manifest]:
    """Return what is to be applied, complete with what only the account knows.

    Those are the roles of service accounts (IRSA) and the address of the interruption queue.
    """
    logical = identity_names(designed.blueprint.identities)
    first = outputs.get(stack_name(designed.cluster.name, "cluster"), {})
    waiting = waiting_for_role(designed.blueprint.identities)
    identities = tuple(
        replace(one, role_arn=first.get(f"Role{logical[account_of(one)]}Arn", ""))
        if one in waiting
        else one
        for one in designed.blueprint.identities
    )
    addons = default_addons(designed.cluster)
    accounts = account_manifests(identities, besides=[key(one) for one in addons])
    if not with_addons:
        return accounts
    stack = designed.interruptions
    url = "" if stack is None else outputs.get(stack.name, {}).get("QueueUrl", "")
    queue = [termination_handler.queue(url)] if url else []
    return [*accounts, *queue, *with_identities(addons, identities)]


def has_node_for_any(cluster: Cluster) -> bool:
    """Return whether a node is there on which any pod can run.

    Raises:
        KubernetesError: the server refused.
    """
    return any(map(rollout.takes_any_pod, cluster.list(kinds.NODE).items))


def wait_for_nodes(
    account: Account, designed: Design, cluster: Cluster, *, patience: Patience, tell: Tell
) -> int:
    """Wait until the nodes that should be ready are, and return how many those are.

    Those are the instances that a group had to start with, or fewer where the autoscaler has taken some away since.

    Raises:
        LowtideError: they did not become ready in time; why, in the words of Auto Scaling.
    """
    groups = patiently(patience, partial(_asg_names, account, designed))
    told = ""
    while True:
        missing, wanted = patiently(patience, lambda: _missing(account, designed, cluster, groups))
        if not missing:
            return wanted
        words = ", ".join(f"{count} of {name}" for name, count in missing.items())
        asked = partial(failed_launch, account, groups[next(iter(missing))])
        why = patiently(patience, asked)
        has_news = words + why != told
        if has_news:
            tell(Progress(subject="nodes", status=f"waiting for {words}", reason=why))
            told = words + why
        patience.pause(f"nodes: {words}", has_news=has_news, why=why)


def why_no_nodes(account: Account, designed: Design, patience: Patience) -> str:
    """Return why the groups that start with nodes have none, in the words of Auto Scaling, empty where it says nothing.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    for group in designed.cluster.node_groups:
        if max(group.min_size, group.desired):
            name = patiently(patience, partial(asg_name, account, designed, group))
            words = patiently(patience, partial(failed_launch, account, name)) if name else ""
            if words:
                return f"{group.name}: {words}"
    return ""


def _missing(
    account: Account, designed: Design, cluster: Cluster, groups: Mapping[str, str]
) -> tuple[dict[str, int], int]:
    """Return how many nodes each group still lacks, and how many all groups should have."""
    ready = {
        rollout.instance_of(one) for one in cluster.list(kinds.NODE).items if rollout.is_ready(one)
    }
    missing, wanted = {}, 0
    for group in designed.cluster.node_groups:
        live = live_group(account, groups[group.name])
        due = _due(group, live)
        wanted += due
        there = 0 if live is None else len(ready.intersection(live.instances))
        if there < due:
            missing[group.name] = due - there
    return missing, wanted


def _due(group: NodeGroup, live: LiveGroup | None) -> int:
    at_start = max(group.min_size, group.desired)
    return at_start if live is None else min(live.desired, at_start)


def _asg_names(account: Account, designed: Design) -> dict[str, str]:
    """Return the name of each group's Auto Scaling group."""
    return {one.name: asg_name(account, designed, one) for one in designed.cluster.node_groups}


def wait_for_rollouts(
    cluster: Cluster, objects: list[Manifest], *, patience: Patience, tell: Tell
) -> None:
    """Wait until each Deployment and DaemonSet among the objects is rolled out.

    Raises:
        KubernetesError: a Deployment's deadline has passed, or the server refused.
        LowtideError: one was not rolled out in time; why, in the words of Kubernetes.
    """
    for one in objects:
        kind = kinds.kind_of(one)
        if kind not in {kinds.DEPLOYMENT, kinds.DAEMON_SET}:
            continue
        told = ""
        while words := patiently(patience, partial(_unfinished, cluster, one)):
            if words != told:
                tell(Progress(subject=called(one), status="waiting", reason=words))
            patience.pause(called(one), has_news=words != told, why=words)
            told = words
        tell(Progress(subject=called(one), status="rolled out"))


def _unfinished(cluster: Cluster, obj: Manifest) -> str:
    """Return what a workload waits for, with the trouble of its pods where there is one."""
    metadata = obj["metadata"]
    live = cluster.get(kinds.kind_of(obj), metadata["name"], metadata.get("namespace"))
    if live is None:
        return "it is not there"
    words = rollout.unfinished(live)
    if not words:
        return ""
    known = rollout.trouble(cluster, live)
    return f"{words}; {known}" if known else words
