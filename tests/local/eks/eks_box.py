"""A box whose control planes are played, whose time is made to pass, and whose VPC, role and AWS side are moto's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.local.aws import credentials, eks, iam, sts
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.planes_port import (
    OBJECTS_PORT,
    PLANES_PORT,
    Key,
    PlaneAnswer,
    PlaneFailed,
    PlaneRequest,
    PlaneUp,
)
from lowtide.local.aws.moto_behind import MotoBehind
from lowtide.local.aws.service import Service
from lowtide.local.aws.settings import Settings

REGION = "us-east-1"
EKS_TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
EC2_TRUST = EKS_TRUST.replace("eks.", "ec2.")
IMAGE = "ami-0123456789abcdef0"


class Planes:
    """Control planes that start when the test says so."""

    def __init__(self) -> None:
        self.asked: list[PlaneRequest] = []
        self.stopped: list[Key] = []
        self._waiting: list[tuple[PlaneRequest, Callable[[PlaneAnswer], None]]] = []

    def start(self, request: PlaneRequest, done: Callable[[PlaneAnswer], None]) -> None:
        self.asked.append(request)
        self._waiting.append((request, done))

    def stop(self, key: Key) -> None:
        self.stopped.append(key)

    def succeed(self, endpoint: str = "https://127.0.0.1:6443") -> None:
        self._answer(PlaneUp(endpoint=endpoint, ca_pem=b"-----BEGIN CERTIFICATE-----\n"))

    def fail(self, why: str, fix: str) -> None:
        self._answer(PlaneFailed(why=why, fix=fix))

    def _answer(self, answer: PlaneAnswer) -> None:
        waiting, self._waiting = self._waiting, []
        for _, done in waiting:
            done(answer)


class Objects:
    """Remembers what is in the clusters; Deployments are available when the test says so."""

    def __init__(self) -> None:
        self.present: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.are_available = False
        self.forgotten: list[Key] = []

    def apply(self, cluster: Key, objects: Any) -> None:  # noqa: ARG002
        for one in objects:
            self.present[one["kind"], one["metadata"]["name"]] = one

    def delete(self, cluster: Key, objects: Any) -> None:  # noqa: ARG002
        for one in objects:
            self.present.pop((one["kind"], one["metadata"]["name"]), None)

    def available(self, cluster: Key, objects: Any) -> bool:  # noqa: ARG002
        return self.are_available

    def forget(self, cluster: Key) -> None:
        self.forgotten.append(cluster)

    def names(self, kind: str) -> set[str]:
        return {name for one, name in self.present if one == kind}


@dataclass
class Aws:
    """A box and what a test wants of it."""

    box: Box
    planes: Planes
    objects: Objects
    caller: Any
    subnets: list[str] = field(default_factory=list)
    role: str = ""
    node_role: str = ""
    now: float = field(default_factory=time.time)

    def __call__(
        self, operation: str, *, service: str = "eks", caller: Any = None, **params: Any
    ) -> dict[str, Any]:
        return dict(
            self.box.call(service, operation, params, region=REGION, caller=caller or self.caller)
        )

    def wait(self, seconds: float) -> None:
        """Let the box's timers of that many seconds of AWS's time run."""
        self.now = max(self.now, time.time()) + seconds / self.box.settings.speed
        self.box.run_due(self.now)

    def create(self, name: str = "tide", **params: Any) -> dict[str, Any]:
        whole = {
            "name": name,
            "roleArn": self.role,
            "resourcesVpcConfig": {"subnetIds": self.subnets},
            "accessConfig": {"authenticationMode": "API"},
            **params,
        }
        found: dict[str, Any] = self("CreateCluster", **whole)["cluster"]
        return found

    def active(self, name: str = "tide", **params: Any) -> dict[str, Any]:
        """Return a cluster that is ready."""
        self.create(name, **params)
        self.planes.succeed()
        self.wait(self.box.settings.delays.cluster_create_s + 1)
        return self.cluster(name)

    def cluster(self, name: str = "tide") -> dict[str, Any]:
        found: dict[str, Any] = self("DescribeCluster", name=name)["cluster"]
        return found


def open_aws(folder: Path) -> Aws:
    """Return a box with EKS and what it needs, with a network and roles in it."""
    settings = Settings(folder=folder)
    services = [credentials.SERVICE, eks.SERVICE, iam.SERVICE, sts.SERVICE, _parameters()]
    box = Box(settings, services, behind=MotoBehind(settings.account))
    planes, objects = Planes(), Objects()
    box.ports[PLANES_PORT] = planes
    box.ports[OBJECTS_PORT] = objects
    whole = Aws(box=box, planes=planes, objects=objects, caller=credentials.admin(box).caller)
    whole.subnets = subnets(whole, "us-east-1a", "us-east-1b")
    whole.role = role(whole, "cluster", EKS_TRUST)
    whole.node_role = role(whole, "node", EC2_TRUST)
    return whole


def subnets(aws: Aws, *zones: str, cidr: str = "10.0") -> list[str]:
    vpc = aws("CreateVpc", service="ec2", CidrBlock=f"{cidr}.0.0/16")["Vpc"]["VpcId"]
    made = []
    for index, zone in enumerate(zones):
        answer = aws(
            "CreateSubnet",
            service="ec2",
            VpcId=vpc,
            CidrBlock=f"{cidr}.{index}.0/24",
            AvailabilityZone=zone,
        )
        made.append(answer["Subnet"]["SubnetId"])
    return made


def role(aws: Aws, name: str, trust: str) -> str:
    answer = aws("CreateRole", service="iam", RoleName=name, AssumeRolePolicyDocument=trust)
    found: str = answer["Role"]["Arn"]
    return found


def _parameters() -> Service:
    def get_parameter(box: Box, call: Any) -> Mapping[str, Any]:
        return {"Parameter": {"Name": call.params["Name"], "Value": IMAGE}}

    return Service(name="ssm", operations={"GetParameter": get_parameter})
