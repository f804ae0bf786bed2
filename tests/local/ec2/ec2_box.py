"""A box with EC2 and what stands around it, whose time is made to pass; groups and clusters are not in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.local.aws import credentials, ec2, faults, iam, pricing, servicequotas, ssm, sts
from lowtide.local.aws.box import Box
from lowtide.local.aws.moto_behind import MotoBehind
from lowtide.local.aws.settings import Settings

REGION = "us-east-1"
NVIDIA = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/nvidia/recommended/image_id"


@dataclass
class Aws:
    """A box and what a test wants of it."""

    box: Box
    now: float = field(default_factory=time.time)

    def __call__(
        self, operation: str, *, service: str = "ec2", region: str = REGION, **params: Any
    ) -> dict[str, Any]:
        caller = credentials.admin(self.box).caller
        return dict(self.box.call(service, operation, params, region=region, caller=caller))

    def wait(self, seconds: float) -> None:
        """Let the box's timers of that many seconds of AWS's time run."""
        self.now = max(self.now, time.time()) + seconds / self.box.settings.speed
        self.box.run_due(self.now)

    @property
    def image(self) -> str:
        found: str = self("GetParameter", service="ssm", Name=NVIDIA)["Parameter"]["Value"]
        return found

    def run(self, count: int = 1, **params: Any) -> list[str]:
        """Start instances of g4dn.xlarge, or as the parameters say, and return their ids."""
        whole = {
            "ImageId": self.image,
            "InstanceType": "g4dn.xlarge",
            "MinCount": count,
            "MaxCount": count,
            **params,
        }
        return [one["InstanceId"] for one in self("RunInstances", **whole)["Instances"]]

    def instance(self, instance_id: str) -> Mapping[str, Any]:
        found = self("DescribeInstances", InstanceIds=[instance_id])["Reservations"]
        one: Mapping[str, Any] = found[0]["Instances"][0]
        return one

    def phase(self, instance_id: str) -> str:
        found: str = self.instance(instance_id)["State"]["Name"]
        return found

    def subnet(self, zone: str = "us-east-1a") -> str:
        vpc = self("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = self("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=zone)
        found: str = made["Subnet"]["SubnetId"]
        return found


def open_aws(folder: Path) -> Aws:
    """Return a box with EC2 and its neighbours."""
    settings = Settings(folder=folder)
    services = [
        one.SERVICE for one in (credentials, faults, ec2, iam, pricing, servicequotas, ssm, sts)
    ]
    return Aws(box=Box(settings, services, behind=MotoBehind(settings.account)))


def spot() -> dict[str, Any]:
    return {"InstanceMarketOptions": {"MarketType": "spot"}}


def where(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}
