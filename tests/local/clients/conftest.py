"""Boxes for the real clients, and the page that says what works with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

import boto3

from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.serve import ControlPlaneKind, Serving
from tests.local.eks.eks_box import EKS_TRUST

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries

NAME = "tide"
_PATIENCE_S = 120.0
#: So short that the first look of every waiter finds what it waits for.
_SHORT = Delays(
    cluster_create_s=1.0,
    cluster_delete_s=1.0,
    cluster_update_s=1.0,
    addon_s=1.0,
    nodegroup_s=1.0,
    resource_s=0.1,
    nat_gateway_s=1.0,
    role_s=0.1,
    instance_in_service_s=1.0,
    terminate_s=1.0,
)


@dataclass(frozen=True)
class Served:
    """A box that serves, and the environment in which its clients run."""

    serving: Serving
    folder: Path
    environment: Mapping[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def shell(self, script: str, *, timeout: float = 1200) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            env=dict(self.environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def create_cluster(self) -> None:
        """Make a cluster and write its kubeconfig, as a user does."""
        ec2, iam, eks = (self.client(one) for one in ("ec2", "iam", "eks"))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
            for number, zone in enumerate(("us-east-1a", "us-east-1b"))
        ]
        role = iam.create_role(RoleName="cluster", AssumeRolePolicyDocument=EKS_TRUST)["Role"]
        eks.create_cluster(
            name=NAME,
            roleArn=role["Arn"],
            resourcesVpcConfig={"subnetIds": [one["Subnet"]["SubnetId"] for one in subnets]},
            accessConfig={"authenticationMode": "API"},
        )

        def is_active() -> bool:
            found = eks.describe_cluster(name=NAME)["cluster"]
            assert found["status"] in {"CREATING", "ACTIVE"}, found["health"]
            return bool(found["status"] == "ACTIVE")

        until(is_active)
        written = self.shell(f"aws eks update-kubeconfig --name {NAME}")
        assert written.returncode == 0, written.stderr


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.1)


def needs(*programs: str) -> None:
    """Skip where a program is missing."""
    for one in programs:
        if shutil.which(one) is None:
            pytest.skip(f"needs {one} on PATH")


@contextmanager
def serving(folder: Path, planes: ControlPlaneKind) -> Iterator[Served]:
    """Open a box; clients run in ``folder``, which is their home."""
    with Serving(Settings(folder=folder / "box", delays=_SHORT), planes=planes) as one:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(folder / "kubeconfig"),
            **one.environment(),
        }
        yield Served(serving=one, folder=folder, environment=environment)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Served]:
    """A box whose clusters have no control plane."""
    with serving(tmp_path, "none") as one:
        yield one


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, binaries: Binaries) -> Iterator[Served]:
    """A box with a cluster and its real control plane, shared by the tests of a file."""
    needs("aws")
    with serving(tmp_path_factory.mktemp("clients"), "real") as one:
        one.create_cluster()
        yield one
