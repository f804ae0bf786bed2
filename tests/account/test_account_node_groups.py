"""Node groups are found by their tag, and shown as Auto Scaling and EC2 see them; ``scale`` changes their bounds alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.app.cluster_named import NamedCluster
from lowtide.app.scale import plan_scaling
from lowtide.aws.live.node_groups import node_groups, set_bounds
from lowtide.model.node_groups import SeenGroup
from tests.account.conftest import Cloud, Lowtide, Ran

NAMED = ["--name", "vision", "--region", "us-east-1"]
FILE = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: vision, region: us-east-1, version: "1.36"}
nodeGroups:
  - {name: gpu, instanceType: g4dn.xlarge, minSize: 0, maxSize: 4}
"""


def template(cloud: Cloud, **data: Any) -> str:
    image = cloud.client("ssm").get_parameter(
        Name="/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/nvidia/recommended/image_id"
    )["Parameter"]["Value"]
    made = cloud.client("ec2").create_launch_template(
        LaunchTemplateName=f"template-{len(cloud.calls)}",
        LaunchTemplateData={"ImageId": image, "InstanceType": "g4dn.xlarge", **data},
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def group(cloud: Cloud, name: str = "gpu", *, owner: str = "vision", **params: Any) -> str:
    """Make an Auto Scaling group as a stack of lowtide has it."""
    asg = f"lowtide-vision-nodegroup-{name}"
    tags = {"kubernetes.io/cluster/vision": "owned", "lowtide.dev/cluster": owner}
    subnets = cloud.client("ec2").describe_subnets(
        Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}]
    )["Subnets"]
    sizes = {"MinSize": 0, "MaxSize": 4, "DesiredCapacity": 0}
    if "MixedInstancesPolicy" not in params:
        params = {"LaunchTemplate": {"LaunchTemplateId": template(cloud), "Version": "1"}, **params}
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=asg,
        VPCZoneIdentifier=subnets[0]["SubnetId"],
        Tags=[
            {"Key": key, "Value": value, "PropagateAtLaunch": True, "ResourceId": asg, "ResourceType": "auto-scaling-group"}
            for key, value in tags.items()
            if value
        ],
        **{**sizes, **params},
    )  # fmt: skip
    return asg


def until(look: Callable[[], SeenGroup], done: Callable[[SeenGroup], bool]) -> SeenGroup:
    """Look again until it is so; the box's time is fast, and its timers run beside this."""
    end = time.monotonic() + 30
    while not done(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.1)
    return seen


def only(cloud: Cloud) -> SeenGroup:
    (one,) = node_groups(cloud.account, "vision")
    return one


def test_a_group_of_another_cluster_is_not_shown(cloud: Cloud) -> None:
    group(cloud)
    assert [one.name for one in node_groups(cloud.account, "vision")] == ["gpu"]
    assert node_groups(cloud.account, "visio") == ()


def test_a_mixed_group_shows_its_types_and_how_it_buys(cloud: Cloud) -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template(cloud), "Version": "1"},
            "Overrides": [{"InstanceType": "g4dn.xlarge"}, {"InstanceType": "g5.xlarge"}],
        },
        "InstancesDistribution": {
            "OnDemandBaseCapacity": 1,
            "OnDemandPercentageAboveBaseCapacity": 0,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }
    group(cloud, MixedInstancesPolicy=policy, DesiredCapacity=2)
    one = until(lambda: only(cloud), lambda one: len(one.instances) == 2)
    assert one.types == ("g4dn.xlarge", "g5.xlarge")
    assert one.bought(4) == (1, 3)
    assert sorted(each.spot for each in one.instances) == [False, True]
    assert all(each.launched_at is not None for each in one.instances)
    assert (one.owner, one.zones, one.desired) == ("vision", ("us-east-1a",), 2)


def test_a_plain_group_has_the_type_of_its_launch_template_on_demand(cloud: Cloud) -> None:
    group(cloud)
    assert only(cloud).types == ("g4dn.xlarge",)
    assert only(cloud).bought(3) == (3, 0)


def test_a_failed_launch_is_told_in_the_words_of_aws(cloud: Cloud) -> None:
    cloud.fault(kind="capacity", instance_type="g4dn.xlarge")
    group(cloud, DesiredCapacity=1)
    one = until(lambda: only(cloud), lambda one: bool(one.trouble))
    assert "sufficient g4dn.xlarge capacity" in one.trouble


def test_an_instance_that_ec2_took_away_counts_as_lost(cloud: Cloud) -> None:
    group(cloud, DesiredCapacity=1)
    one = until(
        lambda: only(cloud), lambda one: [each.state for each in one.instances] == ["InService"]
    )
    assert one.lost == 0
    cloud.client("ec2").terminate_instances(InstanceIds=[one.instances[0].id])
    assert until(lambda: only(cloud), lambda one: one.lost > 0).lost == 1


def test_an_instance_that_spot_took_back_counts_as_lost(cloud: Cloud) -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template(cloud), "Version": "1"},
            "Overrides": [{"InstanceType": "g4dn.xlarge"}],
        },
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
    }
    group(cloud, MixedInstancesPolicy=policy, DesiredCapacity=1)
    one = until(
        lambda: only(cloud), lambda one: [each.state for each in one.instances] == ["InService"]
    )
    assert (one.instances[0].spot, one.lost) == (True, 0)
    interrupt(cloud, one.instances[0].id)
    taken = one.instances[0].id
    seen = until(lambda: only(cloud), lambda one: taken not in {each.id for each in one.instances})
    assert seen.lost == 1, "the instance that comes in its place is no loss"


def interrupt(cloud: Cloud, instance: str) -> None:
    """Let spot take an instance back, as `lowtide local fault interrupt` does: with its notice."""
    box = cloud.served.box
    with box.lock:
        box.services["autoscaling"].timers["interrupt"](
            box, region=box.settings.region, instance_id=instance
        )


def test_bounds_move_and_the_number_of_nodes_stays(cloud: Cloud) -> None:
    group(cloud, DesiredCapacity=2)
    set_bounds(cloud.account, "vision", only(cloud), 1, 3)
    one = only(cloud)
    assert (one.min_size, one.max_size, one.desired) == (1, 3, 2)
    assert "autoscaling:SetDesiredCapacity" not in cloud.operations()


@pytest.mark.parametrize(("least", "most", "desired"), [(3, 4, 3), (0, 1, 1)])
def test_the_number_of_nodes_moves_to_a_bound_that_it_is_beyond(
    cloud: Cloud, least: int, most: int, desired: int
) -> None:
    group(cloud, DesiredCapacity=2)
    cluster = NamedCluster(name="vision", region="us-east-1", source="--name")
    before = only(cloud)
    set_bounds(cloud.account, "vision", before, least, most)
    assert only(cloud).desired == desired
    assert cluster.options == "--name vision --region us-east-1"


def scaled(lowtide: Lowtide, *arguments: str) -> Ran:
    return lowtide("scale", "gpu", *arguments)


def test_fewer_nodes_need_no_yes(cloud: Cloud, vision: str, lowtide: Lowtide) -> None:
    group(cloud)
    ran = scaled(lowtide, "--max", "2", *NAMED)
    assert ran.code == 0, ran.err
    assert "0 to 4 nodes -> 0 to 2 nodes" in ran.err
    # Four g4dn.xlarge at $0.526 and a control plane at $0.10.
    assert "with every group at its minimum: $0.10 an hour" in ran.err
    assert "with every group at its maximum: $2.20 -> $1.15 an hour" in ran.err
    assert only(cloud).max_size == 2


def test_more_nodes_are_asked_for_and_nothing_changes_without_a_terminal(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud)
    ran = scaled(lowtide, "--max", "9", *NAMED)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert "arn:aws:iam::123456789012:user/lowtide" in ran.err
    assert only(cloud).max_size == 4
    document = json.loads(scaled(lowtide, "--max", "9", "--yes", *NAMED, "-o", "json").out)
    assert document["new"] == {"min": 0, "max": 9, "desired": 0}
    assert only(cloud).max_size == 9


def test_what_may_cost_more_than_the_limit_is_refused(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud)
    ran = scaled(lowtide, "--max", "9", "--yes", "--max-usd-per-hour", "4", *NAMED)
    assert ran.code == 3
    assert "the limit is $4.00" in ran.err
    Path("cluster.yaml").write_text(FILE)
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nbudget: {maxUsdPerHour: 3}\n"
    )
    ran = scaled(lowtide, "--max", "9", "--yes")
    assert (ran.code, "budget.maxUsdPerHour" in ran.err) == (3, True)
    assert only(cloud).max_size == 4
    assert scaled(lowtide, "--max", "2").code == 0


def test_a_higher_minimum_buys_nodes_and_is_asked_for(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud)
    ran = scaled(lowtide, "--min", "2", *NAMED)
    assert ran.code == 2
    assert "it wants 0 nodes now, and will want 2" in ran.err
    assert only(cloud).min_size == 0


def test_the_file_that_says_otherwise_is_named(cloud: Cloud, vision: str, lowtide: Lowtide) -> None:
    Path("cluster.yaml").write_text(FILE)
    group(cloud)
    ran = scaled(lowtide, "--max", "2")
    assert "cluster.yaml says otherwise: write minSize: 0 and maxSize: 2" in ran.err
    again = scaled(lowtide, "--max", "4", "--yes")
    assert "says otherwise" not in again.err
    same = scaled(lowtide, "--max", "4")
    assert same.out == "gpu has 0 to 4 nodes, and wants 0\n"


def test_a_group_that_lowtide_did_not_make_is_left_alone(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud, owner="")
    ran = scaled(lowtide, "--max", "2", *NAMED)
    assert ran.code == 2
    assert "lowtide did not make node group gpu" in ran.err
    assert only(cloud).max_size == 4


def managed(cloud: Cloud, tags: dict[str, str]) -> SeenGroup:
    """Make a managed node group of spot and return it once its Auto Scaling group is there."""
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    role = cloud.client("iam").create_role(RoleName="node", AssumeRolePolicyDocument=trust)
    subnets = cloud.client("eks").describe_cluster(name="vision")["cluster"]["resourcesVpcConfig"]
    cloud.client("eks").create_nodegroup(
        clusterName="vision",
        nodegroupName="owned",
        nodeRole=role["Role"]["Arn"],
        subnets=subnets["subnetIds"],
        instanceTypes=["g4dn.xlarge", "g5.xlarge"],
        amiType="AL2023_x86_64_NVIDIA",
        capacityType="SPOT",
        scalingConfig={"minSize": 0, "maxSize": 4, "desiredSize": 2},
        tags=tags,
    )
    # EKS changes a group only once it is ACTIVE.
    cloud.client("eks").get_waiter("nodegroup_active").wait(
        clusterName="vision", nodegroupName="owned", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    end = time.monotonic() + 60
    while not (found := node_groups(cloud.account, "vision")) or len(found[0].instances) < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    return found[0]


def test_a_managed_group_is_known_by_the_tags_that_eks_keeps(cloud: Cloud, vision: str) -> None:
    one = managed(cloud, {"lowtide.dev/cluster": "vision"})
    assert (one.name, one.managed, one.owner) == ("owned", True, "vision")
    assert one.types == ("g4dn.xlarge", "g5.xlarge")
    assert one.bought(3) == (0, 3)
    set_bounds(cloud.account, "vision", one, 0, 1)
    sizes = [params for _, name, params in cloud.calls if name == "UpdateNodegroupConfig"]
    assert sizes[-1]["scalingConfig"] == {"minSize": 0, "maxSize": 1, "desiredSize": 1}


def test_wrong_words_are_met_with_the_right_ones(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud)
    unknown = lowtide("scale", "gpus", "--max", "2", *NAMED)
    assert (unknown.code, "it has gpu" in unknown.err) == (2, True)
    crossed = scaled(lowtide, "--min", "5", *NAMED)
    assert (crossed.code, "A minimum of 5 is above a maximum of 4" in crossed.err) == (2, True)
    both = scaled(lowtide, "--min", "4", "--max", "2", *NAMED)
    assert "give both, --min not above --max, as in --min 2 --max 4" in both.err
    assert scaled(lowtide, *NAMED).code == 2
    lost = lowtide("scale", "gpu", "--max", "2", "--name", "lost", "--region", "us-east-1")
    assert (lost.code, "There is no cluster lost" in lost.err) == (2, True)


def test_a_change_is_a_value_before_it_is_made(cloud: Cloud, vision: str) -> None:
    group(cloud, DesiredCapacity=3)
    cluster = NamedCluster(name="vision", region="us-east-1", source="--name")
    wanted = plan_scaling(cluster, "gpu", min_size=None, max_size=2)
    assert (wanted.desired, wanted.may_cost_more, wanted.changes_nothing) == (2, False, False)
    assert only(cloud).max_size == 4


def test_where_the_right_is_missing_aws_is_quoted(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud)
    cloud.fault(kind="access-denied", service="autoscaling", operation="UpdateAutoScalingGroup")
    ran = scaled(lowtide, "--max", "2", *NAMED)
    assert ran.code == 4
    assert "autoscaling:UpdateAutoScalingGroup" in ran.err
