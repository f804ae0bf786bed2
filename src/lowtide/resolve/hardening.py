"""The one visible list of what differs from eksctl, a row each with its reason.

Sizes, on-demand share, allocation strategy, capacityRebalance and privateNetworking are never in it: a trap there is a check's
finding, not ours to change.
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide import catalog
from lowtide.model.cluster import Hardening, NodeGroup
from lowtide.model.names import ACCELERATOR, POOL
from lowtide.resolve.addon_roles import AGENT, adds_agent, left_to_nodes
from lowtide.resolve.context import Context
from lowtide.resolve.flags import UNNEEDED_TIME_FLAG, flag_hardening
from lowtide.resolve.network import asked_nat_zones, makes_network, needs_nat
from lowtide.resolve.support import DEFAULT_AUTHENTICATION_MODE, DEFAULT_SUPPORT_TYPE
from lowtide.resolve.tags import GPU_UNNEEDED_TIME, UNNEEDED_TIME_TAG
from lowtide.spec.clusterconfig.nodegroups import AnyGroup

_ENCRYPTION_WHY = (
    "encryption of EBS costs nothing and keeps images, logs and checkpoints off readable disks"
)
_ALWAYS = (
    Hardening(
        key="addons",
        eksctl_value="all before the node groups",
        our_value="vpc-cni, kube-proxy and the pod-identity agent before, coredns and metrics-server after",
        why="coredns and metrics-server never become ACTIVE while there is no node",
    ),
)


def hardening_rows(context: Context, groups: tuple[NodeGroup, ...]) -> tuple[Hardening, ...]:
    """Return every row that applies to this file, in the order of the file's sections."""
    return (
        *_cluster_rows(context),
        *_network_rows(context),
        *_group_rows(context),
        *_ALWAYS,
        *_addon_rows(context, groups),
        *_full_rows(context, groups),
    )


def _cluster_rows(context: Context) -> Iterator[Hardening]:
    config = context.config
    if config.metadata.version in {"", "auto"}:
        yield Hardening(
            key="metadata.version",
            eksctl_value=config.version,
            our_value=context.version,
            why="the newest minor that EKS offers and a released autoscaler serves stays supported longest",
        )
    if not config.zones:
        yield Hardening(
            key="availabilityZones",
            eksctl_value="two or three at random",
            our_value=", ".join(context.zones),
            why="a plan and a simulation need names; write the zones that have your instance types",
        )
    if config.upgrade_policy.support_type is None:
        yield Hardening(
            key="upgradePolicy.supportType",
            eksctl_value="unset, which EKS takes as EXTENDED",
            our_value=DEFAULT_SUPPORT_TYPE,
            why="extended support costs $0.60 instead of $0.10 an hour, without anybody having asked for it",
        )
    if "authentication_mode" not in config.access_config.model_fields_set:
        yield Hardening(
            key="accessConfig.authenticationMode",
            eksctl_value="API_AND_CONFIG_MAP",
            our_value=DEFAULT_AUTHENTICATION_MODE,
            why="who may edit the aws-auth ConfigMap is cluster administrator; access entries are IAM's to guard",
        )


def _network_rows(context: Context) -> Iterator[Hardening]:
    if makes_network(context.config):
        yield Hardening(
            key="vpc S3 gateway endpoint",
            eksctl_value="none",
            our_value="on every route table",
            why="it is free, and image layers come from S3: without it NAT is paid for every GB",
        )
    asked = asked_nat_zones(context.config, context.zones)
    if asked and not needs_nat(context.config):
        usd = catalog.service_prices()
        each = usd["nat-gateway"] + usd["public-ipv4"]
        yield Hardening(
            key="vpc.nat.gateway",
            eksctl_value=f"{context.config.vpc.nat.gateway}, built though every node is public",
            our_value="none",
            why="no group has privateNetworking: true, so nothing would go through it, at "
            f"${each * len(asked):.2f} an hour",
        )


def _addon_rows(context: Context, groups: tuple[NodeGroup, ...]) -> Iterator[Hardening]:
    config = context.config
    if adds_agent(config, groups):
        yield Hardening(
            key=f"addons {AGENT}",
            eksctl_value="only where the file has it",
            our_value="installed",
            why="pods get AWS permissions of their own through it, and nodes need none of them",
        )
    left = left_to_nodes(config)
    if left:
        yield Hardening(
            key=f"role of {', '.join(left)}",
            eksctl_value="the nodes' role",
            our_value="one of its own, by pod identity",
            why="what the nodes' role may do, every pod on them may do",
        )


def _group_rows(context: Context) -> Iterator[Hardening]:
    yield from _access_rows([at.group for at in context.config.all_groups])
    if any(at.group.disable_imdsv1 for at in context.config.all_groups):
        yield Hardening(
            key="metadata options of launch templates",
            eksctl_value="HttpTokens=required, HttpEndpoint left to the account",
            our_value="HttpTokens=required, HttpEndpoint=enabled (IMDSv2 alone)",
            why="IMDSv1 hands a node's credentials to any forged request; only disableIMDSv1: false brings it back",
        )
    left_open = [at for at in context.config.all_groups if at.group.volume_encrypted is None]
    if left_open:
        names = ", ".join(at.group.name for at in left_open)
        yield Hardening(
            key=f"volumeEncrypted of {names}",
            eksctl_value="the image's own (EKS images are not encrypted)",
            our_value="true",
            why=_ENCRYPTION_WHY,
        )
    more = [at for at in context.config.all_groups if _leaves_more_open(at.group)]
    if more:
        yield Hardening(
            key=f"additionalVolumes.volumeEncrypted of {', '.join(at.group.name for at in more)}",
            eksctl_value="the account's default, which is off",
            our_value="true",
            why=_ENCRYPTION_WHY,
        )


def _access_rows(groups: list[AnyGroup]) -> Iterator[Hardening]:
    """What nodes may do in AWS, and who reaches their shells."""
    roles = [(one.managed, one.iam) for one in groups if not _has_given_role(one)]
    kinds = [one for index, one in enumerate(roles) if one not in roles[:index]]
    if len(kinds) < len(roles):
        yield Hardening(
            key="roles of nodes",
            eksctl_value=f"{len(roles)}, one for each group",
            our_value=f"{len(kinds)}, shared by groups that ask for the same",
            why="a role for each group multiplies what must be audited and keeps nothing apart",
        )
    # eksctl keeps it inside the VPC by itself for private nodes.
    opened = [
        one.name
        for one in groups
        if one.ssh.is_allowed
        and not one.ssh.source_security_group_ids
        and not one.private_networking
    ]
    if opened:
        yield Hardening(
            key=f"ssh of {', '.join(opened)}",
            eksctl_value="port 22 from everywhere",
            our_value="from the addresses of the VPC alone",
            why="one leaked key would open nodes to the whole internet; `aws ssm start-session` needs no open port",
        )


def _has_given_role(group: AnyGroup) -> bool:
    return bool(group.iam.instance_role_arn or group.iam.instance_profile_arn)


def _leaves_more_open(group: AnyGroup) -> bool:
    """Return whether an additional volume's encryption is not written."""
    return any(one.volume_encrypted is None for one in group.additional_volumes)


def _full_rows(context: Context, groups: tuple[NodeGroup, ...]) -> Iterator[Hardening]:
    if not context.full:
        return
    yield Hardening(
        key="Auto Scaling group tags of the autoscaler",
        eksctl_value="discovery only with iam.withAddonPolicies.autoScaler; labels and taints only with"
        " propagateASGTags, taints without their effect",
        our_value="discovery, labels, taints as VALUE:EFFECT, and memory, pods and disk from a lower bound, on every group",
        why="a group at zero is known by its tags alone: a wrong one means no scale-up, or nodes that never fit",
    )
    yield from _gpu_rows(context, groups)
    if _adds_label(context, groups, POOL):
        yield Hardening(
            key=f"label {POOL}",
            eksctl_value="none",
            our_value="shared by groups that differ only in name and zone",
            why="with it three zones take ten pods as 4/4/3, without it as 10/1/0 once one zone is live",
        )
    yield from flag_hardening(context.policy.autoscaler.flags)


def _gpu_rows(context: Context, groups: tuple[NodeGroup, ...]) -> Iterator[Hardening]:
    if _adds_label(context, groups, ACCELERATOR):
        yield Hardening(
            key=f"label {ACCELERATOR}",
            eksctl_value="none",
            our_value="the GPU's name, from kubelet start",
            why="without it a node whose GPU is not there yet causes a second scale-up",
        )
    flag_given = UNNEEDED_TIME_FLAG in context.policy.autoscaler.flags
    if not flag_given and _adds_unneeded_time(context, groups):
        yield Hardening(
            key=f"tag {UNNEEDED_TIME_TAG}",
            eksctl_value="10m (the autoscaler's default)",
            our_value=f"{GPU_UNNEEDED_TIME} for GPU groups",
            why="an idle GPU node costs as much as a busy one",
        )


def _adds_unneeded_time(context: Context, groups: tuple[NodeGroup, ...]) -> bool:
    """Return whether some GPU group has an idling time that the file does not write there."""
    everywhere = UNNEEDED_TIME_TAG in context.config.metadata.tags
    written = {
        at.group.name for at in context.config.all_groups if UNNEEDED_TIME_TAG in at.group.tags
    }
    return not everywhere and any(one.is_gpu and one.name not in written for one in groups)


def _adds_label(context: Context, groups: tuple[NodeGroup, ...], key: str) -> bool:
    """Return whether some group has a label that the file does not write there."""
    written = {at.group.name for at in context.config.all_groups if key in at.group.labels}
    return any(key in group.labels and group.name not in written for group in groups)
