"""An Auto Scaling group's instances are nodes, from its launch template to its end."""

from __future__ import annotations

import base64
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.app.local_home import home
from lowtide.cli.main import run
from lowtide.local.aws.settings import Delays
from lowtide.local.controlplane.binaries import Binaries
from tests.local.nodes.nodes_box import FLAGS, Cloud, cloud, image_id, is_ready, wait_for

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl on PATH")

DELAYS = Delays(
    cluster_create_s=1.0,
    instance_in_service_s=0.5,
    node_registers_s=0.5,
    node_ready_s=0.5,
    terminate_s=0.5,
    interruption_notice_s=3.0,
)


def zones(whole: Cloud) -> list[str]:
    return sorted(one["metadata"]["labels"]["topology.kubernetes.io/zone"] for one in whole.get("nodes") if is_ready(one))  # fmt: skip


def template(whole: Cloud) -> None:
    data = {
        "ImageId": image_id("al2023-x86_64-nvidia-580-1.36"),
        "InstanceType": "g4dn.xlarge",
        "IamInstanceProfile": {"Name": "node"},
        "UserData": base64.b64encode(whole.node_config(FLAGS).encode()).decode(),
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 80}}],
    }
    whole("ec2", "CreateLaunchTemplate", LaunchTemplateName="gpu", LaunchTemplateData=data)


NEWEST = {"LaunchTemplateName": "gpu", "Version": "$Latest"}


def group(whole: Cloud, desired: int, **params: Any) -> None:
    subnets = whole("ec2", "DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [whole.cluster()["resourcesVpcConfig"]["vpcId"]]}])["Subnets"]  # fmt: skip
    whole(
        "autoscaling",
        "CreateAutoScalingGroup",
        AutoScalingGroupName="gpu",
        MinSize=0,
        MaxSize=6,
        DesiredCapacity=desired,
        VPCZoneIdentifier=",".join(one["SubnetId"] for one in subnets),
        **params,
    )


@pytest.mark.slow
def test_nodes_follow_the_desired_capacity_of_a_group_up_and_down(
    tmp_path: Path, binaries: Binaries
) -> None:
    with cloud(tmp_path / "box", delays=DELAYS) as whole:
        whole.admit()
        template(whole)
        group(whole, 4, LaunchTemplate=NEWEST)
        wait_for(lambda: zones(whole) == ["us-west-2a"] * 2 + ["us-west-2b"] * 2)
        node = whole.get("nodes")[0]
        instance_id = node["spec"]["providerID"].rpartition("/")[2]
        whole(
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            InstanceId=instance_id,
            ShouldDecrementDesiredCapacity=True,
        )
        wait_for(lambda: len(zones(whole)) == 3 and whole.node_of(instance_id) is None)
        whole("autoscaling", "SetDesiredCapacity", AutoScalingGroupName="gpu", DesiredCapacity=0)
        wait_for(lambda: zones(whole) == [])
        time.sleep(1)
        assert whole.get("nodes") == []


@pytest.mark.slow
def test_an_interruption_that_is_typed_takes_the_node_and_the_group_brings_another(
    tmp_path: Path,
    binaries: Binaries,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with cloud(home() / "box", delays=DELAYS) as whole:
        whole.admit()
        template(whole)
        spot = {"OnDemandPercentageAboveBaseCapacity": 0}
        bought = {"LaunchTemplate": {"LaunchTemplateSpecification": NEWEST}}
        group(whole, 1, MixedInstancesPolicy={**bought, "InstancesDistribution": spot})
        wait_for(lambda: len(zones(whole)) == 1)
        (node,) = whole.get("nodes")
        taken = node["spec"]["providerID"].rpartition("/")[2]
        assert run(["local", "fault", "interrupt", taken]) == 0
        assert taken in capsys.readouterr().out
        wait_for(lambda: whole.node_of(taken) is None)
        name = node["metadata"]["name"]
        said = wait_for(lambda: dict(whole.said("Node", name)).get("DeletingNode"))
        assert "does not exist in the cloud provider" in said
        (ended,) = whole("ec2", "DescribeInstances", InstanceIds=[taken])["Reservations"]
        reason = ended["Instances"][0]["StateReason"]["Code"]
        assert reason == "Server.SpotInstanceTermination"
        wait_for(lambda: len(zones(whole)) == 1)
        (after,) = whole.get("nodes")
        assert not after["spec"]["providerID"].endswith(taken)
