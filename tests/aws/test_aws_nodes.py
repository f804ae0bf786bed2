"""Stacks of node groups: launch template, Auto Scaling group and managed group, value by value."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates.cfn import Stack
from lowtide.aws.templates.nodes import node_stacks
from lowtide.model import names
from lowtide.model.blueprint import BlockDevice, Blueprint, Launch
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.model.kube import Taint
from tests.aws.example_cluster import (
    ZONES,
    existing_network,
    make_blueprint,
    make_candidate,
    make_cluster,
    make_group,
)

_IMPORT = "Fn::ImportValue"
_UNNEEDED = names.TAG_OPTION_PREFIX + "scaledownunneededtime"


def _gpu(**changes: Any) -> NodeGroup:
    return replace(make_group("gpu-a", "us-east-1a", gpu=True), **changes)


def _stack(group: NodeGroup, blueprint: Blueprint | None = None, **launch: Any) -> Stack:
    cluster = make_cluster(group)
    plan = blueprint or make_blueprint(cluster)
    (before,) = plan.launches
    plan = replace(plan, launches=(replace(before, **launch),))
    (stack,) = node_stacks(cluster, plan)
    return stack


def _resource(stack: Stack, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = stack.template["Resources"][name]["Properties"]
    return properties


def _data(stack: Stack) -> dict[str, Any]:
    data: dict[str, Any] = _resource(stack, "LaunchTemplate")["LaunchTemplateData"]
    return data


def _asg(stack: Stack) -> dict[str, Any]:
    return _resource(stack, "AutoScalingGroup")


def _tags(stack: Stack) -> dict[str, tuple[str, bool]]:
    return {one["Key"]: (one["Value"], one["PropagateAtLaunch"]) for one in _asg(stack)["Tags"]}


def _distribution(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = _asg(stack)["MixedInstancesPolicy"]["InstancesDistribution"]
    return found


def _types(group: NodeGroup, *types: str) -> NodeGroup:
    first = group.candidates[0]
    offered = first.offering.instance_type
    return replace(
        group,
        candidates=tuple(
            replace(
                first,
                offering=replace(first.offering, instance_type=replace(offered, name=name)),
            )
            for name in types
        ),
    )


def test_general_groups_come_before_gpu_groups(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    turned = replace(cluster, node_groups=tuple(reversed(cluster.node_groups)))
    files = [one.file for one in node_stacks(turned, blueprint)]
    assert files == [
        "2-nodegroup-general.yaml",
        "2-nodegroup-gpu-spot-c.yaml",
        "2-nodegroup-gpu-spot-b.yaml",
        "2-nodegroup-gpu-spot-a.yaml",
    ]


def test_a_group_and_its_stack_have_one_name() -> None:
    stack = _stack(_gpu())
    assert stack.name == "lowtide-example-nodegroup-gpu-a"
    assert _asg(stack)["AutoScalingGroupName"] == stack.name


def test_no_stack_of_nodes_makes_iam_resources(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    for stack in node_stacks(cluster, blueprint):
        assert stack.capabilities == ()
        kinds = [one["Type"] for one in stack.template["Resources"].values()]
        assert kinds == ["AWS::EC2::LaunchTemplate", "AWS::AutoScaling::AutoScalingGroup"]


def test_auto_ssm_is_a_parameter_that_cloudformation_looks_up() -> None:
    stack = _stack(_gpu())
    parameter = stack.template["Parameters"]["ImageId"]
    assert parameter["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert parameter["Default"].endswith("/x86_64/nvidia/recommended/image_id")
    assert _data(stack)["ImageId"] == {"Ref": "ImageId"}
    assert stack.parameters == {}


def test_auto_is_a_parameter_that_the_caller_finds_by_the_search_described() -> None:
    group = _gpu()
    pattern = "amazon-eks-node-al2023-x86_64-nvidia-*-1.36-v*"
    ami = replace(
        group.ami, resolver="auto", ssm_parameter="", name_pattern=pattern, owner="602401143452"
    )
    stack = _stack(replace(group, ami=ami))
    parameter = stack.template["Parameters"]["ImageId"]
    assert parameter["Type"] == "AWS::EC2::Image::Id"
    assert "Default" not in parameter
    assert pattern in parameter["Description"]
    command = stack.parameters["ImageId"]
    assert command.startswith("$(aws ec2 describe-images --region us-east-1 --owners 602401143452 ")
    words = shlex.split(command.removeprefix("$(").removesuffix(")"))
    assert words[words.index("--filters") + 1] == f"Name=name,Values={pattern}"
    assert words[words.index("--query") + 1] == "sort_by(Images, &CreationDate)[-1].ImageId"


def test_a_given_image_stands_as_it_is() -> None:
    group = _gpu()
    stack = _stack(replace(group, ami=replace(group.ami, image_id="ami-0123456789abcdef0")))
    assert _data(stack)["ImageId"] == "ami-0123456789abcdef0"
    assert set(stack.template["Parameters"]) == {"ClusterCa"}


def test_imdsv2_is_required_and_hops_follow_the_file() -> None:
    assert _data(_stack(_gpu()))["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 2,
        "HttpTokens": "required",
    }
    own = _data(_stack(_gpu(), imds_hops=1, imds_v1=True))["MetadataOptions"]
    assert (own["HttpPutResponseHopLimit"], own["HttpTokens"]) == (1, "optional")


@pytest.mark.parametrize(
    ("family", "devices"),
    [
        ("AmazonLinux2023", ["/dev/xvda"]),
        ("Ubuntu2404", ["/dev/sda1"]),
        ("Bottlerocket", ["/dev/xvda", "/dev/xvdb"]),
    ],
)
def test_every_volume_is_encrypted_on_the_device_of_its_image(
    family: str, devices: list[str]
) -> None:
    group = _gpu()
    found = _data(_stack(replace(group, ami=replace(group.ami, family=family))))[
        "BlockDeviceMappings"
    ]
    assert [one["DeviceName"] for one in found] == devices
    assert all(one["Ebs"]["Encrypted"] for one in found)
    assert all(one["Ebs"]["VolumeType"] == "gp3" for one in found)
    assert found[-1]["Ebs"]["VolumeSize"] == 80
    assert "VolumeSize" not in found[0]["Ebs"] or len(found) == 1


def test_volumes_are_as_the_file_says() -> None:
    group = _gpu()
    volume = replace(group.volume, type="io1", iops=5000, encrypted=False)
    more = BlockDevice(
        device="/dev/sdf",
        gib=500,
        type="gp3",
        encrypted=True,
        throughput_mib=500,
        snapshot_id="snap-0123456789abcdef0",
    )
    stack = _stack(
        replace(group, volume=volume), root_device="/dev/xvdz", kms_key_id="key", volumes=(more,)
    )
    assert _data(stack)["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvdz",
            "Ebs": {
                "DeleteOnTermination": True,
                "Encrypted": False,
                "VolumeSize": 80,
                "Iops": 5000,
                "KmsKeyId": "key",
                "VolumeType": "io1",
            },
        },
        {
            "DeviceName": "/dev/sdf",
            "Ebs": {
                "DeleteOnTermination": True,
                "Encrypted": True,
                "VolumeSize": 500,
                "SnapshotId": "snap-0123456789abcdef0",
                "Throughput": 500,
                "VolumeType": "gp3",
            },
        },
    ]


def test_private_nodes_have_no_public_address_and_public_ones_do() -> None:
    (private,) = _data(_stack(_gpu()))["NetworkInterfaces"]
    assert private["AssociatePublicIpAddress"] is False
    stack = _stack(_gpu(private_networking=False))
    (public,) = _data(stack)["NetworkInterfaces"]
    assert public["AssociatePublicIpAddress"] is True
    assert _asg(stack)["VPCZoneIdentifier"] == [{_IMPORT: "lowtide-example-PublicSubnetUsEast1a"}]


def test_nodes_are_in_the_shared_security_group_and_the_files() -> None:
    (one,) = _data(_stack(_gpu(), security_groups=("sg-0123456789abcdef0",)))["NetworkInterfaces"]
    shared = {_IMPORT: "lowtide-example-SharedNodeSecurityGroupId"}
    assert one["Groups"] == ["sg-0123456789abcdef0", shared]


def test_a_group_out_of_the_shared_security_group_reaches_the_cluster_by_its_own() -> None:
    stack = _stack(_gpu(), with_shared_group=False)
    (one,) = _data(stack)["NetworkInterfaces"]
    own = {"Fn::GetAtt": ["NodeSecurityGroup", "GroupId"]}
    assert one["Groups"] == [own]
    cluster = {_IMPORT: "lowtide-example-ClusterSecurityGroupId"}
    rules = [_resource(stack, f"{name}") for name in ("ClusterToNodes", "NodesToCluster")]
    assert [(one["GroupId"], one["SourceSecurityGroupId"]) for one in rules] == [
        (own, cluster),
        (cluster, own),
    ]


def test_nodes_without_any_security_group_are_refused() -> None:
    with pytest.raises(InputError, match="no security group"):
        _stack(_gpu(), with_shared_group=False, with_local_group=False)


def test_ssh_is_open_to_the_files_sources_or_the_vpc_and_never_to_the_world() -> None:
    given = _stack(_gpu(), ssh_allowed=True, ssh_sources=("sg-0123456789abcdef0",), key_name="me")
    rule = _resource(given, "SshIngress1")
    assert (rule["SourceSecurityGroupId"], rule["ToPort"]) == ("sg-0123456789abcdef0", 22)
    assert _data(given)["KeyName"] == "me"
    public = _stack(_gpu(private_networking=False), ssh_allowed=True, public_key="ssh-ed25519 AAAA")
    assert _resource(public, "SshIngress1")["CidrIp"] == "192.168.0.0/16"
    assert _data(public)["KeyName"] == {"Ref": "KeyPair"}
    assert _resource(public, "KeyPair")["PublicKeyMaterial"] == "ssh-ed25519 AAAA"
    cluster = make_cluster(_gpu())
    with pytest.raises(InputError, match="no sources"):
        _stack(_gpu(), make_blueprint(cluster, existing_network()), ssh_allowed=True)


def test_tags_are_on_all_that_an_instance_brings() -> None:
    specifications = _data(_stack(_gpu()))["TagSpecifications"]
    kinds = [one["ResourceType"] for one in specifications]
    assert kinds == ["instance", "volume", "network-interface"]
    for one in specifications:
        assert one["Tags"] == [
            {"Key": "Name", "Value": "example-gpu-a-Node"},
            {"Key": "lowtide.dev/cluster", "Value": "example"},
            {"Key": "team", "Value": "vision"},
        ]


def test_the_files_launch_options_are_passed_on() -> None:
    stack = _stack(
        _gpu(on_demand_percent=100),
        ebs_optimized=True,
        detailed_monitoring=True,
        placement_group="close",
        cpu_credits="unlimited",
        reservation={"capacityReservationPreference": "open"},
        instance_name="trainer",
    )
    data = _data(stack)
    assert data["EbsOptimized"] is True
    assert data["Monitoring"] == {"Enabled": True}
    assert data["Placement"] == {"GroupName": "close"}
    assert data["CreditSpecification"] == {"CpuCredits": "unlimited"}
    assert data["CapacityReservationSpecification"] == {"CapacityReservationPreference": "open"}
    assert _tags(stack)["Name"] == ("trainer", True)


def test_one_type_on_demand_is_a_plain_launch_template() -> None:
    asg = _asg(_stack(make_group("general", gpu=False)))
    assert asg["LaunchTemplate"] == {
        "LaunchTemplateId": {"Ref": "LaunchTemplate"},
        "Version": {"Fn::GetAtt": ["LaunchTemplate", "LatestVersionNumber"]},
    }
    assert "MixedInstancesPolicy" not in asg


def test_spot_and_types_are_mixed_exactly_as_the_file_says() -> None:
    group = _types(_gpu(), "g5.xlarge", "g4dn.xlarge", "g6.xlarge")
    group = replace(
        group,
        on_demand_base=1,
        on_demand_percent=25,
        allocation_strategy="lowest-price",
        max_spot_usd_per_hour=0.5,
        capacity_rebalance=True,
    )
    stack = _stack(group, spot_pools=3)
    assert _distribution(stack) == {
        "OnDemandBaseCapacity": 1,
        "OnDemandPercentageAboveBaseCapacity": 25,
        "SpotAllocationStrategy": "lowest-price",
        "SpotInstancePools": 3,
        "SpotMaxPrice": "0.500000",
    }
    asg = _asg(stack)
    assert asg["CapacityRebalance"] is True
    overrides = asg["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    assert [one["InstanceType"] for one in overrides] == ["g5.xlarge", "g4dn.xlarge", "g6.xlarge"]
    assert _data(stack)["InstanceType"] == "g5.xlarge"


def test_capacity_rebalance_stays_off_unless_the_file_wants_it() -> None:
    assert _asg(_stack(_gpu()))["CapacityRebalance"] is False


def test_several_types_on_demand_say_nothing_of_spot() -> None:
    group = replace(_types(_gpu(), "g5.xlarge", "g4dn.xlarge"), on_demand_percent=100)
    assert _distribution(_stack(group)) == {
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
    }


def test_sizes_are_texts_that_a_later_update_does_not_take_back() -> None:
    stack = _stack(_gpu())
    sizes = {key: _asg(stack)[key] for key in ("MinSize", "MaxSize", "DesiredCapacity")}
    assert sizes == {"MinSize": "0", "MaxSize": "10", "DesiredCapacity": "0"}
    assert stack.template["Resources"]["AutoScalingGroup"]["UpdatePolicy"] == {
        "AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}
    }


def test_lifetime_and_metrics_are_the_files() -> None:
    asg = _asg(
        _stack(_gpu(), max_lifetime_s=86_400, metrics=(("1Minute", ()), ("1Minute", ("a",))))
    )
    assert asg["MaxInstanceLifetime"] == 86_400
    assert asg["MetricsCollection"] == [
        {"Granularity": "1Minute"},
        {"Granularity": "1Minute", "Metrics": ["a"]},
    ]


def test_subnets_are_those_of_the_groups_zones() -> None:
    group = _gpu(zones=("us-east-1c", "us-east-1a"))
    assert _asg(_stack(group))["VPCZoneIdentifier"] == [
        {_IMPORT: "lowtide-example-PrivateSubnetUsEast1a"},
        {_IMPORT: "lowtide-example-PrivateSubnetUsEast1c"},
    ]
    assert _asg(_stack(group, subnet_ids=("subnet-1",)))["VPCZoneIdentifier"] == ["subnet-1"]


def test_subnets_of_an_existing_vpc_are_named_by_their_ids() -> None:
    group = _gpu()
    plan = make_blueprint(make_cluster(group), existing_network())
    assert _asg(_stack(group, plan))["VPCZoneIdentifier"] == ["subnet-0123456789abcde00"]
    with pytest.raises(InputError, match="no private subnet"):
        _stack(replace(group, zones=("us-east-1c",)), plan)


def test_every_autoscaler_tag_is_on_the_group_and_none_on_its_instances() -> None:
    group = _gpu()
    group = replace(group, asg_tags={**group.asg_tags, _UNNEEDED: "2m"})
    found = _tags(_stack(group))
    for key, value in group.asg_tags.items():
        assert found[key] == (value, False)
    assert found[names.TAG_TAINT_PREFIX + "nvidia.com/gpu"] == ("true:NoSchedule", False)
    assert found["kubernetes.io/cluster/example"] == ("owned", True)
    assert found["Name"] == ("example-gpu-a-Node", True)
    assert found["lowtide.dev/cluster"] == ("example", True)
    assert found["team"] == ("vision", True)


def test_the_files_autoscaler_tags_stay_off_instances_as_well() -> None:
    stack = _stack(_gpu(), tags={names.TAG_ENABLED: "true", "team": "vision"})
    assert _tags(stack)[names.TAG_ENABLED] == ("true", False)
    on_instances = _data(stack)["TagSpecifications"][0]["Tags"]
    assert names.TAG_ENABLED not in {one["Key"] for one in on_instances}


def test_fifty_tags_are_taken_and_one_more_names_the_group() -> None:
    group = _gpu()
    used = len(_tags(_stack(group)))
    full = {f"tag-{number}": "x" for number in range(50 - used)}
    assert len(_tags(_stack(replace(group, asg_tags={**group.asg_tags, **full})))) == 50
    with pytest.raises(InputError, match="node group gpu-a would have 51 tags"):
        _stack(replace(group, asg_tags={**group.asg_tags, **full, "one-more": "x"}))


def test_a_label_too_long_for_a_tag_is_refused() -> None:
    group = _gpu()
    key = names.TAG_LABEL_PREFIX + "x" * 100
    with pytest.raises(InputError, match="whose key has"):
        _stack(replace(group, asg_tags={**group.asg_tags, key: "y"}))


def test_one_zone_needs_no_suspended_process_and_says_so() -> None:
    stack = _stack(_gpu())
    assert stack.after == ()
    assert "nothing to rebalance" in stack.why


def test_several_zones_have_az_rebalance_suspended_by_a_command_of_its_own() -> None:
    stack = _stack(_gpu(zones=ZONES, suspended_processes=("ReplaceUnhealthy", "AZRebalance")))
    (command,) = stack.after
    name = "lowtide-example-nodegroup-gpu-a"
    assert command == (
        f"aws autoscaling suspend-processes --region us-east-1 --auto-scaling-group-name {name}"
        " --scaling-processes AZRebalance ReplaceUnhealthy"
    )
    assert "suspended by a command afterwards" in stack.why


def test_the_instance_profile_is_the_shared_one_or_the_files() -> None:
    profile = {"Arn": {_IMPORT: "lowtide-example-NodeProfileStandardArn"}}
    assert _data(_stack(_gpu()))["IamInstanceProfile"] == profile
    arn = "arn:aws:iam::123456789012:instance-profile/mine"
    role = replace(Launch(group="gpu-a").role, profile_arn=arn)
    assert _data(_stack(_gpu(), role=role))["IamInstanceProfile"] == {"Arn": arn}


def test_a_capacity_block_is_one_type_with_its_reservation() -> None:
    target = {"capacityReservationTarget": {"capacityReservationID": "cr-0123456789abcdef0"}}
    stack = _stack(_gpu(on_demand_percent=100), market_type="capacity-block", reservation=target)
    data = _data(stack)
    assert data["InstanceMarketOptions"] == {"MarketType": "capacity-block"}
    assert data["CapacityReservationSpecification"] == {
        "CapacityReservationTarget": {"CapacityReservationId": "cr-0123456789abcdef0"}
    }
    assert "LaunchTemplate" in _asg(stack)
    with pytest.raises(InputError, match="cannot mix"):
        _stack(_gpu(), market_type="capacity-block", reservation=target)


def test_efa_has_its_interface_its_rules_and_its_placement_group() -> None:
    stack = _stack(_gpu(), efa=True)
    (one,) = _data(stack)["NetworkInterfaces"]
    assert one["InterfaceType"] == "efa"
    own = {"Fn::GetAtt": ["NodeSecurityGroup", "GroupId"]}
    assert own in one["Groups"]
    assert _resource(stack, "EfaIngress")["SourceSecurityGroupId"] == own
    assert _resource(stack, "EfaEgress")["DestinationSecurityGroupId"] == own
    assert _resource(stack, "NodeSecurityGroup")["SecurityGroupEgress"][0]["CidrIp"] == "0.0.0.0/0"
    assert _resource(stack, "PlacementGroup")["Strategy"] == "cluster"
    assert _data(stack)["Placement"] == {"GroupName": {"Ref": "PlacementGroup"}}


@pytest.mark.parametrize("network", ["3200 Gigabit", "4x 100 Gigabit"])
def test_efa_on_several_network_cards_is_refused(network: str) -> None:
    group = _gpu()
    first = group.candidates[0]
    fast = replace(first.offering.instance_type, network=network)
    candidate = replace(first, offering=replace(first.offering, instance_type=fast))
    with pytest.raises(InputError, match="efaEnabled"):
        _stack(replace(group, candidates=(candidate,)), efa=True)


def test_efa_without_its_driver_is_refused() -> None:
    with pytest.raises(InputError, match="not supported for its image"):
        _stack(make_group("general", gpu=False), efa=True)


def _managed(**changes: Any) -> NodeGroup:
    labels = {names.ACCELERATOR: "nvidia-tesla-t4", names.EKS_NODEGROUP: "gpu-a"}
    return _gpu(managed=True, labels=labels, **changes)


def test_a_managed_group_has_sizes_types_labels_and_taints_in_the_words_of_eks() -> None:
    taints = (Taint(key="nvidia.com/gpu", value="true"), Taint(key="team", effect="NoExecute"))
    stack = _stack(_managed(taints=taints), max_unavailable=2)
    found = _resource(stack, "NodeGroup")
    assert found["ScalingConfig"] == {"MinSize": 0, "MaxSize": 10, "DesiredSize": 0}
    assert found["CapacityType"] == "SPOT"
    assert found["InstanceTypes"] == ["g4dn.xlarge"]
    assert found["Labels"] == {names.ACCELERATOR: "nvidia-tesla-t4"}
    assert found["Taints"] == [
        {"Key": "nvidia.com/gpu", "Value": "true", "Effect": "NO_SCHEDULE"},
        {"Key": "team", "Effect": "NO_EXECUTE"},
    ]
    assert found["UpdateConfig"] == {"MaxUnavailable": 2}
    assert found["NodeRole"] == {_IMPORT: "lowtide-example-NodeRoleManagedStandardArn"}
    assert found["Version"] == "1.36"


def test_a_managed_groups_launch_template_leaves_to_eks_what_is_eks_own() -> None:
    stack = _stack(_managed())
    data = _data(stack)
    for key in ("ImageId", "InstanceType", "IamInstanceProfile", "UserData"):
        assert key not in data
    (one,) = data["NetworkInterfaces"]
    assert one["Groups"] == [{_IMPORT: "lowtide-example-ClusterSecurityGroupId"}]
    assert "Parameters" not in stack.template


@pytest.mark.parametrize(
    ("family", "kind", "arch", "expected"),
    [
        ("AmazonLinux2023", "standard", "amd64", "AL2023_x86_64_STANDARD"),
        ("AmazonLinux2023", "nvidia", "arm64", "AL2023_ARM_64_NVIDIA"),
        ("AmazonLinux2023", "neuron", "amd64", "AL2023_x86_64_NEURON"),
        ("Bottlerocket", "nvidia", "amd64", "BOTTLEROCKET_x86_64_NVIDIA"),
        ("Bottlerocket", "neuron", "amd64", "BOTTLEROCKET_x86_64"),
        ("BottlerocketFips", "nvidia", "arm64", "BOTTLEROCKET_ARM_64_NVIDIA_FIPS"),
    ],
)
def test_eks_is_asked_for_the_image_of_family_accelerator_and_architecture(
    family: str, kind: str, arch: str, expected: str
) -> None:
    group = _managed()
    group = replace(group, ami=replace(group.ami, family=family, kind=kind, arch=arch))
    assert _resource(_stack(group), "NodeGroup")["AmiType"] == expected


def test_a_managed_group_with_an_image_of_the_files_names_no_ami_type() -> None:
    group = _managed()
    stack = _stack(replace(group, ami=replace(group.ami, image_id="ami-0123456789abcdef0")))
    found = _resource(stack, "NodeGroup")
    assert "AmiType" not in found
    assert "Version" not in found
    assert _data(stack)["ImageId"] == "ami-0123456789abcdef0"
    assert "UserData" in _data(stack)


def test_a_managed_capacity_block_has_its_type_in_the_launch_template() -> None:
    target = {"capacityReservationTarget": {"capacityReservationID": "cr-0123456789abcdef0"}}
    stack = _stack(_managed(), market_type="capacity-block", reservation=target)
    found = _resource(stack, "NodeGroup")
    assert found["CapacityType"] == "CAPACITY_BLOCK"
    assert "InstanceTypes" not in found
    assert _data(stack)["InstanceType"] == "g4dn.xlarge"


def test_the_autoscaler_finds_a_managed_groups_resources_on_eks_and_its_options_on_the_group() -> (
    None
):
    group = _managed(zones=ZONES)
    memory = names.TAG_RESOURCE_PREFIX + "memory"
    stack = _stack(replace(group, asg_tags={**group.asg_tags, memory: "14Gi", _UNNEEDED: "2m"}))
    assert _resource(stack, "NodeGroup")["Tags"][memory] == "14Gi"
    tag, suspend = stack.after
    assert f"Key={_UNNEEDED},Value=2m,PropagateAtLaunch=false" in tag
    assert "--nodegroup-name gpu-a" in tag
    assert suspend.endswith("--scaling-processes AZRebalance")


def test_arm_and_x86_candidates_keep_their_own_images() -> None:
    candidate = make_candidate("g5g.xlarge", 4, 8)
    group = _gpu(candidates=(candidate,))
    path = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/arm64/nvidia/recommended/image_id"
    stack = _stack(replace(group, ami=replace(group.ami, arch="arm64", ssm_parameter=path)))
    assert stack.template["Parameters"]["ImageId"]["Default"] == path
    assert _data(stack)["InstanceType"] == "g5g.xlarge"
