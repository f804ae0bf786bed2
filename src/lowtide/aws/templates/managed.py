"""Managed node groups: EKS makes the Auto Scaling group, and ours is the launch template behind it.

What EKS does by itself is left to it: user data of its own images, labels and taints at kubelet start, the autoscaler's discovery
tags, the access entry. The autoscaler asks EKS for a managed group's labels, taints and resource tags (cloudprovider/aws,
managed_nodegroup_cache.go at 1.36.1); its option tags it reads from the Auto Scaling group alone, which has none until the
command in ``managed_after`` has run.
"""

from __future__ import annotations

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import GroupFinish, Resource
from lowtide.aws.templates.launch import (
    LAUNCH_TEMPLATE,
    is_for_autoscaler,
    node_tags,
    uses_capacity_block,
)
from lowtide.aws.templates.launch_network import subnets
from lowtide.aws.templates.node_roles import role_kind
from lowtide.aws.templates.userdata_kubelet import needs_image
from lowtide.model.blueprint import Blueprint, Launch
from lowtide.model.catalog import Ami
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.names import SPOT, TAG_OPTION_PREFIX, TAG_RESOURCE_PREFIX
from lowtide.model.taints import Taint

NODE_GROUP = "NodeGroup"
#: EKS's words for the effects of a taint.
_EFFECTS = {
    "NoExecute": "NO_EXECUTE",
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
}
#: Labels that EKS writes itself and refuses from others.
_EKS_LABELS = "eks.amazonaws.com/"


def managed_group(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Resource:
    """Return the managed node group.

    Raises:
        InputError: there is no subnet for it.
    """
    launch = blueprint.launch(group.name)
    properties: Resource = {
        "ClusterName": cluster.name,
        "NodegroupName": group.name,
        "NodeRole": _role(cluster, blueprint, group),
        "ScalingConfig": {
            "MinSize": group.min_size,
            "MaxSize": group.max_size,
            "DesiredSize": group.desired,
        },
        "Subnets": subnets(cluster, blueprint, group),
        **_instances(group, launch),
        **_image(cluster, group),
        "LaunchTemplate": {
            "Id": cfn.ref(LAUNCH_TEMPLATE),
            "Version": cfn.get_att(LAUNCH_TEMPLATE, "LatestVersionNumber"),
        },
        **_node(group),
        **_update(launch),
        "Tags": _tags(cluster, blueprint, group),
    }
    return {"Type": "AWS::EKS::Nodegroup", "Properties": properties}


def option_tags(group: NodeGroup) -> dict[str, str]:
    """Return the tags by which the autoscaler takes options of its own for the group."""
    return {
        key: value
        for key, value in sorted(group.asg_tags.items())
        if key.startswith(TAG_OPTION_PREFIX)
    }


def managed_after(cluster: ResolvedCluster, finish: GroupFinish) -> tuple[str, ...]:
    """Return the commands that give EKS's Auto Scaling group its option tags and suspend processes of it."""
    name = (
        f"$(aws eks describe-nodegroup --region {cluster.region} --cluster-name {cluster.name}"
        f" --nodegroup-name {finish.nodegroup}"
        " --query 'nodegroup.resources.autoScalingGroups[0].name' --output text)"
    )
    options = [
        f'"ResourceId={name},ResourceType=auto-scaling-group,Key={key},Value={value},PropagateAtLaunch=false"'
        for key, value in finish.tags.items()
    ]
    commands = []
    if options:
        tags = " ".join(options)
        commands.append(
            f"aws autoscaling create-or-update-tags --region {cluster.region} --tags {tags}"
        )
    if finish.processes:
        commands.append(
            f"aws autoscaling suspend-processes --region {cluster.region}"
            f' --auto-scaling-group-name "{name}" --scaling-processes {" ".join(finish.processes)}'
        )
    return tuple(commands)


def ami_type(ami: Ami) -> str:
    """Return EKS's name of an image of its own."""
    machine = "ARM_64" if ami.arch == "arm64" else "x86_64"
    if ami.family == "AmazonLinux2023":
        return f"AL2023_{machine}_{ami.kind.upper()}"
    nvidia = "_NVIDIA" if ami.kind == "nvidia" else ""
    fips = "_FIPS" if ami.family == "BottlerocketFips" else ""
    return f"BOTTLEROCKET_{machine}{nvidia}{fips}"


def _role(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> str | Resource:
    given = blueprint.launch(group.name).role.role_arn
    return given or cfn.imported(cluster.name, f"NodeRole{role_kind(blueprint, group)}Arn")


def _instances(group: NodeGroup, launch: Launch) -> Resource:
    """Return types and capacity type; the type of a Capacity Block stands in the launch template (EKS user guide)."""
    if uses_capacity_block(launch):
        return {"CapacityType": "CAPACITY_BLOCK"}
    return {
        "CapacityType": "SPOT" if group.capacity_type == SPOT else "ON_DEMAND",
        "InstanceTypes": [one.offering.instance_type.name for one in group.candidates],
    }


def _image(cluster: ResolvedCluster, group: NodeGroup) -> Resource:
    """Return image and version; a launch template that names an image must be alone in that."""
    if needs_image(group):
        return {}
    return {"AmiType": ami_type(group.ami), "Version": cluster.version}


def _node(group: NodeGroup) -> Resource:
    labels = {
        key: group.labels[key] for key in sorted(group.labels) if not key.startswith(_EKS_LABELS)
    }
    found: Resource = {"Labels": labels} if labels else {}
    if group.taints:
        found["Taints"] = [_taint(one) for one in group.taints]
    return found


def _taint(taint: Taint) -> Resource:
    value = {"Value": taint.value} if taint.value else {}
    return {"Key": taint.key, **value, "Effect": _EFFECTS[taint.effect]}


def _update(launch: Launch) -> Resource:
    if launch.max_unavailable:
        return {"UpdateConfig": {"MaxUnavailable": launch.max_unavailable}}
    if launch.max_unavailable_percent:
        return {"UpdateConfig": {"MaxUnavailablePercentage": launch.max_unavailable_percent}}
    return {}


def _tags(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> dict[str, str]:
    """Return tags for EKS: the nodes' own, and what the autoscaler reads there while the group is empty."""
    resources = {
        key: value for key, value in group.asg_tags.items() if key.startswith(TAG_RESOURCE_PREFIX)
    }
    file_tags = blueprint.launch(group.name).tags
    others = {key: value for key, value in file_tags.items() if is_for_autoscaler(key)}
    tags = {**others, **resources, **node_tags(cluster, blueprint, group)}
    return {key: tags[key] for key in sorted(tags)}
