"""The launch template of a node group: image, disks, addresses, metadata service, tags and user data.

Why it exists: what an instance is, is decided here; how many there are, where and at what price, in the Auto Scaling group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.launch_disks import block_devices
from lowtide.aws.templates.launch_network import network_interface
from lowtide.aws.templates.node_roles import role_kind
from lowtide.aws.templates.userdata import user_data, user_data_parameters
from lowtide.aws.templates.userdata_kubelet import needs_image
from lowtide.model.blueprint import Blueprint, Launch
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.names import TAG_CLUSTER_PREFIX

LAUNCH_TEMPLATE = "LaunchTemplate"
IMAGE = "ImageId"
KEY_PAIR = "KeyPair"
PLACEMENT_GROUP = "PlacementGroup"
CAPACITY_BLOCK = "capacity-block"
#: What bears the group's tags besides the Auto Scaling group: all that an instance brings and that costs money.
_TAGGED = ("instance", "volume", "network-interface")


def launch_parameters(
    cluster: ResolvedCluster, group: NodeGroup, launch: Launch
) -> dict[str, Resource]:
    """Return the template parameters of a group's launch template: the image, and the cluster's certificate."""
    parameters = user_data_parameters(cluster, group, launch)
    ami = group.ami
    if not needs_image(group) or ami.image_id:
        return parameters
    if ami.ssm_parameter:
        image: Resource = {
            "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            "Default": ami.ssm_parameter,
            "Description": "Where AWS publishes the image; looked up at each update of the stack",
        }
    else:
        image = {
            "Type": "AWS::EC2::Image::Id",
            "Description": f"The newest image of {ami.owner} named {ami.name_pattern}",
        }
    return {IMAGE: image, **parameters}


def image_search(cluster: ResolvedCluster, group: NodeGroup) -> dict[str, str]:
    """Return the parameters that have no default, with the shell words that find their values.

    Only ``ami: auto`` has one: CloudFormation cannot search for images, so that the caller does.
    """
    ami = group.ami
    if not needs_image(group) or ami.image_id or ami.ssm_parameter:
        return {}
    return {
        IMAGE: f"$(aws ec2 describe-images --region {cluster.region} --owners {ami.owner}"
        f" --filters 'Name=name,Values={ami.name_pattern}' Name=state,Values=available"
        " --query 'sort_by(Images, &CreationDate)[-1].ImageId' --output text)"
    }


def launch_template(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Resource:
    """Return the launch template of a group.

    Raises:
        InputError: the image or the network cannot be had as the file wants it.
    """
    launch = blueprint.launch(group.name)
    tags = node_tags(cluster, blueprint, group)
    data: Resource = {
        **_image(group, launch),
        **_profile(cluster, blueprint, group),
        **_key(launch),
        "BlockDeviceMappings": block_devices(group, launch),
        "MetadataOptions": _metadata(launch),
        "NetworkInterfaces": [network_interface(cluster, blueprint, group)],
        **_options(launch),
        "TagSpecifications": [_tagged(kind, tags) for kind in _TAGGED],
    }
    text = user_data(cluster, group, launch)
    if text is not None:
        data["UserData"] = text
    return {
        "Type": "AWS::EC2::LaunchTemplate",
        "Properties": {
            "LaunchTemplateData": data,
            "TagSpecifications": [_tagged("launch-template", tags)],
        },
    }


def extra_resources(
    cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup
) -> dict[str, Resource]:
    """Return the key pair and the placement group that a launch template refers to, where it does."""
    launch = blueprint.launch(group.name)
    tags = node_tags(cluster, blueprint, group)
    resources: dict[str, Resource] = {}
    if launch.public_key and not launch.key_name:
        resources[KEY_PAIR] = {
            "Type": "AWS::EC2::KeyPair",
            "Properties": {
                "KeyName": cfn.stack_name(cluster.name, f"nodegroup-{group.name}"),
                "PublicKeyMaterial": launch.public_key,
                "Tags": cfn.tags(tags),
            },
        }
    if launch.efa and not launch.placement_group:
        # EFA bypasses the kernel only between instances that are close to each other; eksctl makes one as well.
        resources[PLACEMENT_GROUP] = {
            "Type": "AWS::EC2::PlacementGroup",
            "Properties": {"Strategy": "cluster", "Tags": cfn.tags(tags)},
        }
    return resources


def node_tags(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> dict[str, str]:
    """Return the tags of a group's instances: the file's, a name, and ours; not those for the autoscaler."""
    launch = blueprint.launch(group.name)
    file_tags = {**blueprint.control_plane.tags, **launch.tags}
    own = {key: value for key, value in file_tags.items() if not is_for_autoscaler(key)}
    name = launch.instance_name or f"{cluster.name}-{group.name}-Node"
    return cfn.cluster_tags(cluster.name, own, {"Name": name})


def is_for_autoscaler(key: str) -> bool:
    """Return whether a tag is read by Cluster Autoscaler, on the group and nowhere else."""
    return key.startswith(TAG_CLUSTER_PREFIX)


def uses_capacity_block(launch: Launch) -> bool:
    """Return whether the group runs in a Capacity Block for ML."""
    return launch.market_type == CAPACITY_BLOCK


def _tagged(kind: str, tags: Mapping[str, str]) -> Resource:
    return {"ResourceType": kind, "Tags": cfn.tags(tags)}


def _image(group: NodeGroup, launch: Launch) -> Resource:
    """Name image and type; for a managed group EKS does, but for the type of a Capacity Block."""
    found: Resource = {}
    if needs_image(group):
        found["ImageId"] = group.ami.image_id or cfn.ref(IMAGE)
    if not group.managed or uses_capacity_block(launch):
        found["InstanceType"] = group.candidates[0].offering.instance_type.name
    return found


def _profile(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Resource:
    if group.managed:
        return {}  # EKS makes it, and refuses a launch template that names one
    given = blueprint.launch(group.name).role.profile_arn
    key = f"NodeProfile{role_kind(blueprint, group)}Arn"
    return {"IamInstanceProfile": {"Arn": given or cfn.imported(cluster.name, key)}}


def _key(launch: Launch) -> Resource:
    if launch.key_name:
        return {"KeyName": launch.key_name}
    return {"KeyName": cfn.ref(KEY_PAIR)} if launch.public_key else {}


def _metadata(launch: Launch) -> Resource:
    return {
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": launch.imds_hops,
        "HttpTokens": "optional" if launch.imds_v1 else "required",
    }


def _options(launch: Launch) -> Resource:
    """Return what only a file that asks for it gets."""
    found: Resource = {"Monitoring": {"Enabled": launch.detailed_monitoring}}
    if launch.ebs_optimized is not None:
        found["EbsOptimized"] = launch.ebs_optimized
    if launch.placement_group:
        found["Placement"] = {"GroupName": launch.placement_group}
    elif launch.efa:
        found["Placement"] = {"GroupName": cfn.ref(PLACEMENT_GROUP)}
    if launch.cpu_credits:
        found["CreditSpecification"] = {"CpuCredits": launch.cpu_credits.lower()}
    if launch.reservation:
        found["CapacityReservationSpecification"] = _reservation(launch.reservation)
    if launch.market_type:
        found["InstanceMarketOptions"] = {"MarketType": launch.market_type}
    return found


def _reservation(section: Mapping[str, Any]) -> Resource:
    """Return the file's capacityReservation in the words of EC2."""
    found: Resource = {}
    if section.get("capacityReservationPreference"):
        found["CapacityReservationPreference"] = section["capacityReservationPreference"]
    given = section.get("capacityReservationTarget") or {}
    names = {
        "capacityReservationID": "CapacityReservationId",
        "capacityReservationResourceGroupARN": "CapacityReservationResourceGroupArn",
    }
    target = {names[key]: value for key, value in given.items() if key in names and value}
    if target:
        found["CapacityReservationTarget"] = target
    return found
