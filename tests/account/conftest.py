"""An embedded AWS that this process talks to by the ordinary environment, and a file of a cluster in an empty folder."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.aws.live.account import Account
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.local.aws.eks.state import eks_state
from lowtide.local.aws.settings import Settings
from lowtide.local.controlplane import certificates
from lowtide.local.serve import Serving

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A served box, and every call that reached it as (service, operation, params)."""

    served: Serving
    calls: list[tuple[str, str, dict[str, Any]]]

    @property
    def account(self) -> Account:
        return Account(REGION)

    def client(self, service: str) -> Any:
        return self.account.client(service)

    def operations(self) -> set[str]:
        return {f"{service}:{operation}" for service, operation, _ in self.calls}

    def fault(self, **fields: Any) -> None:
        """Let something go wrong, as `lowtide local fault` does."""
        with self.served.box.lock:
            faults.add(self.served.box, fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str


Lowtide = Callable[..., Ran]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A box without control planes, in the environment of this test."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(Serving(Settings(folder=tmp_path / "box", speed=200.0)))
        for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("LOWTIDE_PRICES", "")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        calls: list[tuple[str, str, dict[str, Any]]] = []

        def note(box: Any, call: Any) -> None:
            if call.caller.arn != box.itself.arn:
                calls.append((call.service, call.operation, dict(call.params)))

        served.box.faults.insert(0, note)
        yield Cloud(served, calls)


@pytest.fixture
def lowtide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Lowtide:
    """A function that runs a command line in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return Ran(code=code, out=out, err=err)

    return call


@pytest.fixture
def vision(cloud: Cloud, tmp_path: Path) -> str:
    """A cluster that is ready; there is no real control plane behind its address."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{place}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for place, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]  # fmt: skip
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    role = cloud.client("iam").create_role(RoleName="plane", AssumeRolePolicyDocument=trust)
    cloud.client("eks").create_cluster(
        name="vision", roleArn=role["Role"]["Arn"], resourcesVpcConfig={"subnetIds": subnets}
    )
    pair = certificates.Pair(certificate=tmp_path / "ca.pem", key=tmp_path / "ca.key")
    certificates._authority(pair, "kubernetes")
    ca = pair.certificate.read_bytes()
    with cloud.served.box.lock:
        made = eks_state(cloud.served.box).clusters["us-east-1", "vision"]
        made.described.update(
            status="ACTIVE",
            endpoint="https://127.0.0.1:6443",
            certificateAuthority={"data": base64.b64encode(ca).decode()},
        )
    return "vision"
