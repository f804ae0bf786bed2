"""How the nodes of each group are launched, one ``Launch`` for each group in the order of the resolved cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lowtide.model.blueprint import BlockDevice, Launch, Network, NodeRole, Permissions
from lowtide.resolve.blueprint.scope import (
    MISSING_DEVICE_NAME,
    NEEDS_AN_ACCOUNT,
    SAME_NAME_TWICE,
    Scope,
)
from lowtide.resolve.blueprint.subnets import subnet_ids
from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.cluster import GroupAt
from lowtide.spec.clusterconfig.nodegroup_parts import AdditionalVolume
from lowtide.spec.clusterconfig.nodegroups import AnyGroup, ManagedNodeGroup, NodeGroup
from lowtide.spec.clusterconfig.section import Section

#: Containers on the bridge network are one hop further from the instance metadata than the host.
_HOPS, _HOPS_WITHOUT_PODS = 2, 1


def launches(scope: Scope, network: Network) -> tuple[Launch, ...]:
    """Return the launch details of every group."""
    places = scope.config.all_groups
    _refuse_one_name_for_two_roles(scope)
    return tuple(_launch(scope, at, network) for at in places)


def _launch(scope: Scope, at: GroupAt, network: Network) -> Launch:
    group = at.group
    tags = {**scope.config.metadata.tags, **group.tags}
    return Launch(
        group=group.name,
        role=_known_role(scope, at),
        subnet_ids=subnet_ids(scope, at, network),
        root_device=group.volume.device,
        kms_key_id=group.volume.kms_key_id,
        volumes=tuple(_volumes(scope, at)),
        imds_hops=_HOPS_WITHOUT_PODS if group.disable_pod_imds else _HOPS,
        imds_v1=not group.disable_imdsv1,
        max_pods=group.max_pods_per_node,
        pre_bootstrap=group.pre_bootstrap_commands,
        override_bootstrap=group.override_bootstrap_command or "",
        bottlerocket=_bottlerocket(group),
        security_groups=group.security_groups.attach_ids,
        # EKS puts managed nodes into the cluster's own security group.
        with_shared_group=not group.managed and group.security_groups.with_shared is not False,
        with_local_group=not group.managed and group.security_groups.with_local is not False,
        ebs_optimized=group.ebs_optimized,
        detailed_monitoring=group.enable_detailed_monitoring,
        efa=group.efa_enabled,
        placement_group=group.placement.group_name if group.placement else "",
        reservation=_document(group.capacity_reservation),
        market_type=_market_type(group),
        instance_name=_instance_name(scope, group, tags),
        tags=tags,
        **_shell(scope, at),
        **(_managed(group) if isinstance(group, ManagedNodeGroup) else _self_managed(group)),
    )


def _known_role(scope: Scope, at: GroupAt) -> NodeRole:
    iam = at.group.iam
    if iam.instance_profile_arn and not iam.instance_role_arn:
        message = "nodes join by an access entry of their role, and only the account knows which role a profile has"
        path = (*at.path, "iam", "instanceProfileARN")
        scope.refuse(NEEDS_AN_ACCOUNT, message, path, "add iam.instanceRoleARN beside it")
    return _role(at.group)


def _role(group: AnyGroup) -> NodeRole:
    iam = group.iam
    return NodeRole(
        profile_arn=iam.instance_profile_arn,
        role_arn=iam.instance_role_arn,
        role_name=iam.instance_role_name,
        addon_policies=iam.with_addon_policies.enabled,
        permissions=Permissions(
            policy_arns=iam.attach_policy_arns,
            document=iam.attach_policy,
            boundary_arn=iam.instance_role_permissions_boundary,
        ),
        replaces_defaults=bool(iam.attach_policy_arns),
    )


def _refuse_one_name_for_two_roles(scope: Scope) -> None:
    """Groups with equal roles share one; two different ones cannot have one name in IAM."""
    named: dict[str, NodeRole] = {}
    for path, group in scope.config.all_groups:
        role = _role(group)
        if role.role_name and named.setdefault(role.role_name, role) != role:
            message = f"another group has a role {role.role_name} with other permissions"
            at = (*path, "iam", "instanceRoleName")
            scope.refuse(SAME_NAME_TWICE, message, at, "choose another name")


def _volumes(scope: Scope, at: GroupAt) -> Iterator[BlockDevice]:
    for index, one in enumerate(at.group.additional_volumes):
        if not one.volume_name:
            path = (*at.path, "additionalVolumes", index)
            message = "EC2 attaches a volume under a device name, and this one has none"
            scope.refuse(MISSING_DEVICE_NAME, message, path, "add volumeName: /dev/sdf")
        yield BlockDevice(
            device=one.volume_name,
            gib=one.volume_size,
            type=one.volume_type,
            # Hardening, as for the root volume: what the file leaves open is encrypted.
            encrypted=one.volume_encrypted is not False,
            kms_key_id=one.volume_kms_key_id,
            iops=_iops(one),
            throughput_mib=one.volume_throughput,
            snapshot_id=one.snapshot_id,
        )


def _iops(volume: AdditionalVolume) -> int | None:
    """Return the file's value, else the least for types that EBS makes with a number of IOPS alone."""
    if volume.volume_iops is None and volume.volume_type in {"io1", "io2"}:
        return facts.VOLUME_IOPS[volume.volume_type][0]
    return volume.volume_iops


def _shell(scope: Scope, at: GroupAt) -> dict[str, Any]:
    ssh = at.group.ssh
    if not ssh.is_allowed:
        return {}
    if not (ssh.public_key or ssh.public_key_name):
        key = "publicKeyPath" if ssh.public_key_path else "allow"
        read = ssh.public_key_path or "~/.ssh/id_rsa.pub"
        message = f"the key would be read from {read}, which is not on every machine"
        fix = "write the key's text as publicKey, or the name of one in EC2 as publicKeyName"
        scope.refuse(NEEDS_AN_ACCOUNT, message, (*at.path, "ssh", key), fix)
    return {
        "key_name": ssh.public_key_name,
        "public_key": ssh.public_key,
        "ssh_allowed": True,
        "ssh_sources": ssh.source_security_group_ids,
    }


def _bottlerocket(group: AnyGroup) -> dict[str, Any]:
    """Return the section as it stands; SSH goes through the admin container, so it switches that on."""
    section = _document(group.bottlerocket)
    is_open = group.ami_family in facts.BOTTLEROCKET and group.ssh.is_allowed
    return {"enableAdminContainer": True, **section} if is_open else section


def _market_type(group: AnyGroup) -> str:
    options = group.instance_market_options
    return options.market_type or "" if options else ""


def _instance_name(scope: Scope, group: AnyGroup, tags: dict[str, str]) -> str:
    """Return the Name of instances: eksctl's ``CLUSTER-GROUP-Node`` unless the file names them."""
    usual = tags.get("Name") or f"{scope.config.name}-{group.name}-Node"
    name = group.instance_name or usual
    return f"{group.instance_prefix}-{name}" if group.instance_prefix else name


def _self_managed(group: NodeGroup) -> dict[str, Any]:
    mix = group.instances_distribution
    return {
        "kubelet": group.kubelet_extra_config or {},
        "cluster_dns": group.cluster_dns,
        "cpu_credits": (group.cpu_credits or "").lower(),
        "max_lifetime_s": group.max_instance_lifetime or 0,
        "metrics": tuple((one.granularity, one.metrics) for one in group.asg_metrics_collection),
        "spot_pools": mix.spot_instance_pools if mix else None,
    }


def _managed(group: ManagedNodeGroup) -> dict[str, Any]:
    update = group.update_config
    if update is None:
        return {}
    return {
        "max_unavailable": update.max_unavailable or 0,
        "max_unavailable_percent": update.max_unavailable_percentage or 0,
    }


def _document(section: Section | None) -> dict[str, Any]:
    """Return a section with the file's own keys, without what it leaves out."""
    if section is None:
        return {}
    return section.model_dump(by_alias=True, exclude_unset=True)
