"""Node groups: a stack each, with launch template and Auto Scaling group, or with a managed node group.

Why it exists: a group can be made, changed and deleted without touching the others. Self-managed groups are as the file says:
one zone stays one zone, the mix of spot and on-demand is its own, and every tag is there by which the autoscaler knows a
group without nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import GroupFinish, Resource, Stack
from lowtide.aws.templates.launch import (
    LAUNCH_TEMPLATE,
    extra_resources,
    image_search,
    is_for_autoscaler,
    launch_parameters,
    launch_template,
    node_tags,
    uses_capacity_block,
)
from lowtide.aws.templates.launch_network import security_group, subnets
from lowtide.aws.templates.managed import (
    NODE_GROUP,
    managed_after,
    managed_group,
    option_tags,
)
from lowtide.model.blueprint import Blueprint, Launch
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError

AUTO_SCALING_GROUP = "AutoScalingGroup"
#: EC2 Auto Scaling's limit for a group; CloudFormation's own tags do not count.
MAX_TAGS = 50
MAX_TAG_KEY = 128
#: Balances zones by terminating nodes, whatever runs on them.
AZ_REBALANCE = "AZRebalance"


def node_stacks(cluster: ResolvedCluster, blueprint: Blueprint) -> tuple[Stack, ...]:
    """Return a stack for each node group, general groups first: add-ons need their nodes.

    Raises:
        InputError: a group cannot be made as the file wants it.
    """
    groups = sorted(cluster.node_groups, key=lambda group: group.is_gpu)
    return tuple(_stack(cluster, blueprint, group) for group in groups)


def group_name(cluster: ResolvedCluster, group: NodeGroup) -> str:
    """Return the name of a self-managed group's Auto Scaling group, which is its stack's."""
    return cfn.stack_name(cluster.name, f"nodegroup-{group.name}")


def _stack(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Stack:
    launch = blueprint.launch(group.name)
    name = group_name(cluster, group)
    template = cfn.template(
        f"Node group {group.name} of EKS cluster {cluster.name}",
        parameters=launch_parameters(cluster, group, launch),
        resources=cfn.joined(
            extra_resources(cluster, blueprint, group),
            security_group(cluster, blueprint, group),
            {LAUNCH_TEMPLATE: launch_template(cluster, blueprint, group)},
            _nodes(cluster, blueprint, group),
        ),
        outputs=_outputs(group),
    )
    finish = group_finish(cluster, group)
    return Stack(
        name=name,
        file=f"2-nodegroup-{group.name}.yaml",
        template=template,
        parameters=image_search(cluster, group),
        why=_why(group, launch),
        after=_after(cluster, finish),
        finish=finish,
    )


def _nodes(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> dict[str, Resource]:
    if group.managed:
        return {NODE_GROUP: managed_group(cluster, blueprint, group)}
    return {AUTO_SCALING_GROUP: auto_scaling_group(cluster, blueprint, group)}


def auto_scaling_group(
    cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup
) -> Resource:
    """Return the Auto Scaling group of a self-managed node group.

    Nodes stay when the launch template changes, new ones follow it: there is no rolling update, which would end training jobs.

    Raises:
        InputError: too many tags, no subnet, or a Capacity Block with several types.
    """
    launch = blueprint.launch(group.name)
    properties: Resource = {
        "AutoScalingGroupName": group_name(cluster, group),
        "MinSize": str(group.min_size),
        "MaxSize": str(group.max_size),
        "DesiredCapacity": str(group.desired),
        "VPCZoneIdentifier": subnets(cluster, blueprint, group),
        **_instances(group, launch),
        **_options(launch),
        "Tags": _tags(cluster, blueprint, group),
    }
    return {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        # The autoscaler owns the size: an update of the stack must not take it back to what the file began with.
        "UpdatePolicy": {
            "AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}
        },
        "Properties": properties,
    }


def _instances(group: NodeGroup, launch: Launch) -> Resource:
    if len(group.candidates) == 1 and group.on_demand_percent >= 100:
        return {"LaunchTemplate": _newest_template()}
    _refuse_mixed_block(group, launch)
    types = [one.offering.instance_type.name for one in group.candidates]
    return {
        "CapacityRebalance": group.capacity_rebalance,
        "MixedInstancesPolicy": {
            "InstancesDistribution": _distribution(group, launch),
            "LaunchTemplate": {
                "LaunchTemplateSpecification": _newest_template(),
                # In the file's order: the autoscaler takes the first one for all of them while the group is empty.
                "Overrides": [{"InstanceType": name} for name in types],
            },
        },
    }


def _newest_template() -> Resource:
    return {
        "LaunchTemplateId": cfn.ref(LAUNCH_TEMPLATE),
        "Version": cfn.get_att(LAUNCH_TEMPLATE, "LatestVersionNumber"),
    }


def _distribution(group: NodeGroup, launch: Launch) -> Resource:
    found: Resource = {
        "OnDemandBaseCapacity": group.on_demand_base,
        "OnDemandPercentageAboveBaseCapacity": group.on_demand_percent,
    }
    if group.on_demand_percent >= 100:
        return found
    found["SpotAllocationStrategy"] = group.allocation_strategy
    if launch.spot_pools is not None and group.allocation_strategy == "lowest-price":
        found["SpotInstancePools"] = launch.spot_pools
    if group.max_spot_usd_per_hour is not None:
        found["SpotMaxPrice"] = f"{group.max_spot_usd_per_hour:.6f}"
    return found


def _options(launch: Launch) -> Resource:
    found: Resource = {}
    if launch.max_lifetime_s:
        found["MaxInstanceLifetime"] = launch.max_lifetime_s
    if launch.metrics:
        found["MetricsCollection"] = [_metrics(*one) for one in launch.metrics]
    return found


def _metrics(granularity: str, metrics: tuple[str, ...]) -> Resource:
    # Without names all metrics are meant.
    return {"Granularity": granularity, **({"Metrics": list(metrics)} if metrics else {})}


def _tags(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> list[Resource]:
    """Return the group's tags; what speaks to the autoscaler stays off the instances, where nobody reads it."""
    values: Mapping[str, str] = {
        **group.asg_tags,
        **node_tags(cluster, blueprint, group),
        # The cloud provider knows a node of the cluster by it.
        f"kubernetes.io/cluster/{cluster.name}": "owned",
    }
    _refuse_tags(group, values)
    return [
        {"Key": key, "Value": values[key], "PropagateAtLaunch": not is_for_autoscaler(key)}
        for key in sorted(values)
    ]


def _refuse_tags(group: NodeGroup, values: Mapping[str, str]) -> None:
    if len(values) > MAX_TAGS:
        raise InputError(
            f"node group {group.name} would have {len(values)} tags",
            where=str(group.mark),
            why=f"an Auto Scaling group takes {MAX_TAGS}",
            fix="remove labels or tags of the group, or metadata.tags",
        )
    for key in values:
        if len(key) > MAX_TAG_KEY:
            raise InputError(
                f"node group {group.name} would have a tag whose key has {len(key)} characters",
                where=str(group.mark),
                why=f"AWS takes {MAX_TAG_KEY}, and the autoscaler knows a label of an empty group by {key}",
                fix="choose a shorter key for the label or taint",
            )


def _outputs(group: NodeGroup) -> dict[str, Any]:
    if group.managed:
        return {"NodeGroupArn": cfn.output(cfn.get_att(NODE_GROUP, "Arn"), "The node group")}
    value = cfn.ref(AUTO_SCALING_GROUP)
    return {"AutoScalingGroupName": cfn.output(value, "The Auto Scaling group")}


def _why(group: NodeGroup, launch: Launch) -> str:
    types = ", ".join(one.offering.instance_type.name for one in group.candidates)
    bought = "in a Capacity Block" if uses_capacity_block(launch) else group.capacity_type
    zones = ", ".join(group.zones)
    text = f"{group.min_size} to {group.max_size} nodes of {types} ({bought}) in {zones}"
    if len(group.zones) == 1:
        return f"{text}; with one zone Auto Scaling has nothing to rebalance"
    return f"{text}; AZRebalance ends nodes under running jobs and is suspended by a command afterwards"


def group_finish(cluster: ResolvedCluster, group: NodeGroup) -> GroupFinish | None:
    """Return what AWS::AutoScaling::AutoScalingGroup and AWS::EKS::Nodegroup have no property for, None where that is nothing.

    The UpdatePolicy of a self-managed group suspends processes only while its stack is updated.
    """
    rebalance = (AZ_REBALANCE,) if len(group.zones) > 1 else ()
    processes = tuple(dict.fromkeys((*rebalance, *group.suspended_processes)))
    if group.managed:
        tags = option_tags(group)
        if not (tags or processes):
            return None
        return GroupFinish(nodegroup=group.name, processes=processes, tags=tags)
    if not processes:
        return None
    return GroupFinish(group=group_name(cluster, group), processes=processes)


def _after(cluster: ResolvedCluster, finish: GroupFinish | None) -> tuple[str, ...]:
    """Return the commands that do it."""
    if finish is None:
        return ()
    if finish.nodegroup:
        return managed_after(cluster, finish)
    command = (
        f"aws autoscaling suspend-processes --region {cluster.region}"
        f" --auto-scaling-group-name {finish.group}"
        f" --scaling-processes {' '.join(finish.processes)}"
    )
    return (command,)


def _refuse_mixed_block(group: NodeGroup, launch: Launch) -> None:
    if uses_capacity_block(launch):
        raise InputError(
            f"node group {group.name} cannot mix instances in a Capacity Block",
            where=str(group.mark),
            why="a Capacity Block is one instance type at its own price, and a mixed instances policy takes no market type",
            fix="write instanceType instead of instancesDistribution",
        )
