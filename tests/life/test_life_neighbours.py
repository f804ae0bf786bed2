"""``lowtide down`` where another EKS cluster lives in the network that would go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app import neighbours
from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.model import names
from lowtide.model.errors import AwsError
from tests.life import leftovers
from tests.life.leftovers import client
from tests.terminal import Terminal

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

NAME = "demo"
FIRST = f"lowtide-{NAME}-cluster"
DOWN = ("down", "--name", NAME, "--region", "us-east-1")


def _subnet(zone: str, cidr: str, vpc: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": f"us-east-1{zone}"},
    }


def _template(vpc: str = "") -> dict[str, Any]:
    """Return the cluster's stack with a VPC of its own, or with its user's."""
    resources: dict[str, Any] = {"Queue": {"Type": "AWS::SQS::Queue"}}
    if not vpc:
        resources["Vpc"] = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
        ref = {"Ref": "Vpc"}
        resources.update(A=_subnet("a", "10.0.0.0/24", ref), B=_subnet("b", "10.0.1.0/24", ref))
    return {
        "Resources": resources,
        "Outputs": {"VpcId": {"Value": vpc or {"Ref": "Vpc"}}},
    }


def _made(vpc: str = "") -> str:
    """Make the cluster's stack and return its VPC."""
    leftovers.stack(FIRST, NAME, _template(vpc))
    found = Stacks(Account("us-east-1")).look(FIRST)
    assert found is not None
    return found.outputs["VpcId"]


def _is_there() -> bool:
    return Stacks(Account("us-east-1")).look(FIRST) is not None


def _nothing_was_changed(vpc: str) -> bool:
    leases = client("ssm").get_parameters_by_path(Path="/lowtide", Recursive=True)["Parameters"]
    subnets = client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    return _is_there() and leases == [] and len(subnets["Subnets"]) == 2


@pytest.mark.parametrize("owner", [{}, {names.EKSCTL_CLUSTER: "prod"}, {names.CLUSTER_TAG: "prod"}])
def test_another_cluster_in_the_network_stops_it_before_anything_is_changed(
    owner: dict[str, str], served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    vpc = _made()
    leftovers.eks_cluster("prod", owner, network=vpc)
    assert run([*DOWN, "--yes", "--sweep"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert f"VPC {vpc} goes with cluster {NAME}, and EKS cluster prod (" in lines[0]
    assert "aws eks describe-cluster --name prod --region us-east-1" in lines[3]
    assert _nothing_was_changed(vpc)


def test_every_neighbour_is_named(served: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    vpc = _made()
    for name in ("prod", "stage"):
        leftovers.eks_cluster(name, {}, network=vpc)
    assert run([*DOWN, "--yes"]) == 2
    words = capsys.readouterr().err
    assert "EKS clusters prod (" in words
    assert ", stage (" in words


def test_a_cluster_in_another_network_is_no_reason(served: Serving) -> None:
    _made()
    leftovers.eks_cluster("prod", {})
    assert run([*DOWN, "--yes"]) == 0
    assert not _is_there()


@pytest.mark.slow
def test_a_network_that_the_stack_did_not_make_may_be_shared(served: Serving) -> None:
    vpc = client("ec2").create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    for zone, cidr in (("a", "10.3.0.0/24"), ("b", "10.3.1.0/24")):
        client("ec2").create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"us-east-1{zone}")
    assert _made(vpc) == vpc
    leftovers.eks_cluster("prod", {}, network=vpc)
    assert run([*DOWN, "--yes", "--sweep"]) == 0
    assert not _is_there()


def test_a_sweep_without_stacks_does_not_take_a_network_with_a_neighbour(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    owned = leftovers.tags({names.CLUSTER_TAG: NAME})
    vpc, _, _ = leftovers.network([], owned)
    client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1b")
    leftovers.eks_cluster("prod", {}, network=vpc)
    assert run([*DOWN, "--yes"]) == 0, "without a sweep nothing is taken away"
    assert run([*DOWN, "--yes", "--sweep"]) == 2
    assert f"VPC {vpc} goes with cluster {NAME}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cluster_that_vanishes_between_two_calls_is_none(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    _made()
    monkeypatch.setattr(neighbours, "cluster_names", lambda _: ("gone",))
    assert run([*DOWN, "--yes"]) == 0


@pytest.mark.parametrize("operation", ["ListClusters", "DescribeCluster"])
def test_what_aws_denies_is_never_taken_for_nobody_lives_there(
    operation: str,
    served: Serving,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vpc = _made()
    leftovers.eks_cluster("prod", {}, network=vpc)
    if operation == "ListClusters":
        faults.add(served.box, {"kind": "access-denied", "service": "eks", "operation": operation})
    else:
        monkeypatch.setattr(neighbours, "find_cluster", _denied)
    for arguments in (("--yes",), ()):
        assert run([*DOWN, *arguments]) == 4
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].endswith("Nobody can say whether another EKS cluster lives in the network that goes")  # fmt: skip
        assert f"eks:{operation}" in "".join(lines)
    assert _nothing_was_changed(vpc)


def _denied(_account: Account, _name: str) -> None:
    why = "not authorized to perform: eks:DescribeCluster"
    raise AwsError("d", why=why, code="AccessDeniedException")


def test_at_a_terminal_it_is_said_before_the_question(
    served: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _made()
    faults.add(served.box, {"kind": "access-denied", "service": "eks", "operation": "ListClusters"})
    monkeypatch.setattr("sys.stdin", Terminal("n"))
    assert run(list(DOWN)) == 2
    words = capsys.readouterr().err
    told = words.index(
        "could not verify whether another EKS cluster lives in the network that goes"
    )
    assert told < words.index(f"Delete cluster {NAME} in account")
    assert "Nothing was changed" in words
