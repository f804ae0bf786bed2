"""``lowtide up`` where it must not go on: every reason has its exit code, names what is in the way, and nothing was changed."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account
from lowtide.aws.live.lease import Holder, Lease
from lowtide.aws.live.stacks import StackRequest, Stacks
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.model import names
from tests.terminal import BROKEN_OFF, Terminal

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

NAME = "noble-gpu-example"
QUEUE = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'


def _nothing_was_made() -> bool:
    account = Account("us-east-1")
    ours = [one for one in Stacks(account).all() if one.owner == NAME]
    leases = account.client("ssm").get_parameters_by_path(Path="/lowtide", Recursive=True)
    return ours == [] and leases["Parameters"] == []


def test_without_a_terminal_and_without_yes_it_names_the_flag(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up"]) == 2
    words = capsys.readouterr().err
    assert "lowtide up --yes" in words
    for part in ("Account 123456789012", "us-east-1", "user/lowtide", "create, 43 resources"):
        assert part in words
    assert re.search(r"costs \$0\.\d\d an hour while idle, and \$\d+\.\d\d with every group", words)
    assert _nothing_was_made()


def test_a_no_changes_nothing(
    served: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n"))
    assert run(["up"]) == 2
    assert "Nothing was changed" in capsys.readouterr().err
    assert _nothing_was_made()


def test_a_cluster_above_the_limit_is_refused(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--yes", "--max-usd-per-hour", "1"]) == 3
    assert "where: --max-usd-per-hour" in capsys.readouterr().err
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nbudget:\n  maxUsdPerHour: 2\n", "utf-8"
    )
    assert run(["up", "--yes"]) == 3
    assert "where: budget.maxUsdPerHour" in capsys.readouterr().err
    assert _nothing_was_made()


def test_what_preflight_finds_stops_it_before_anything_is_made(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    faults.add(served.box, {"kind": "quota", "code": "L-3819A6DF", "value": 0})
    assert run(["up", "--yes"]) == 3
    words = capsys.readouterr().err
    assert "The cluster cannot be created in this account" in words
    assert "L-3819A6DF" in words
    assert _nothing_was_made()


def test_a_denied_action_is_named(served: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    faults.add(
        served.box,
        {"kind": "access-denied", "service": "cloudformation", "operation": "CreateStack"},
    )
    assert run(["up", "--yes"]) == 4
    assert "AWS denied cloudformation:CreateStack" in capsys.readouterr().err
    assert _nothing_was_made(), "the lease is given back, too"


def test_expired_credentials_are_named_so(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    faults.add(served.box, {"kind": "expired-token"})
    assert run(["up", "--yes"]) == 4
    words = capsys.readouterr().err
    assert "the AWS credentials have expired" in words
    assert "renew them" in words


def test_a_wrong_clock_is_named_so(served: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    faults.add(served.box, {"kind": "clock-skew", "seconds": 3600})
    assert run(["up", "--yes"]) == 4
    assert "refused the time of this machine's clock" in capsys.readouterr().err


def test_no_credentials_are_named_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert run(["up", "--yes"]) == 4
    assert "there are no AWS credentials to use" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["cluster", "stack"])
def test_a_cluster_of_eksctl_is_recognised_and_left_alone(
    what: str, served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    if what == "cluster":
        _cluster(tags={names.EKSCTL_CLUSTER: NAME})
    else:
        _stack(f"eksctl-{NAME}-cluster", tags={names.EKSCTL_CLUSTER: NAME})
    assert run(["up", "--yes"]) == 2
    words = capsys.readouterr().err
    assert f"Cluster {NAME} in us-east-1 was made by eksctl and is left alone" in words
    assert "eksctl get cluster" in words
    assert _nothing_was_made()


@pytest.mark.parametrize("what", ["cluster", "stack"])
def test_a_name_of_somebody_else_is_left_alone(
    what: str, served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    if what == "cluster":
        _cluster(tags={})
    else:
        _stack(f"lowtide-{NAME}-cluster", tags={})
    assert run(["up", "--yes"]) == 2
    words = capsys.readouterr().err
    assert "already that lowtide did not make" in words
    assert f"it has no tag {names.CLUSTER_TAG}={NAME}" in words


def _cluster(tags: dict[str, str]) -> None:
    account = Account("us-east-1")
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    role = account.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    subnets = account.client("ec2").describe_subnets()["Subnets"]
    account.client("eks").create_cluster(
        name=NAME,
        roleArn=role["Role"]["Arn"],
        resourcesVpcConfig={"subnetIds": [one["SubnetId"] for one in subnets[:2]]},
        tags=tags,
    )


def _stack(name: str, tags: dict[str, str]) -> None:
    Stacks(Account("us-east-1")).create(StackRequest(name=name, body=QUEUE, tags=tags))


def test_of_two_runs_the_second_is_told_who_works_and_since_when(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    holder = Holder(id="1", who="arn:aws:iam::123456789012:user/ada", host="ada@desk", verb="up")
    with Lease(Account("us-east-1"), NAME, holder):
        assert run(["up", "--yes"]) == 1
    words = capsys.readouterr().err
    assert f"another run is at work on cluster {NAME}" in words
    assert "user/ada on ada@desk, since 20" in words
    assert _nothing_was_made()


def test_a_stack_that_fails_is_named_with_its_first_cause(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    faults.add(
        served.box,
        {"kind": "fail-resource", "resource": "Vpc", "message": "no more VPCs", "times": 1},
    )
    assert run(["up", "--yes"]) == 4
    words = capsys.readouterr().err
    assert f"Stack lowtide-{NAME}-cluster failed" in words
    assert "Vpc (AWS::EC2::VPC) CREATE_FAILED: no more VPCs" in words
    assert run(["plan", "--live"]) == 0
    shown = capsys.readouterr().out
    assert "delete and create again; it failed: ROLLBACK_COMPLETE; Vpc (AWS::EC2::VPC)" in shown


def test_a_cluster_without_a_node_for_its_own_pods_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("cluster.yaml").read_text("utf-8")
    text = text.replace("minSize: 1\n", "minSize: 0\n").replace(
        "desiredCapacity: 1\n", "desiredCapacity: 0\n"
    )
    Path("cluster.yaml").write_text(text, "utf-8")
    assert run(["up", "--yes"]) == 2
    assert "No node group starts with a node" in capsys.readouterr().err


@BROKEN_OFF
def test_broken_off_it_says_the_line_that_goes_on(
    how: type[BaseException],
    code: int,
    word: str,
    served: Serving,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise how

    monkeypatch.setattr(importlib.import_module("lowtide.app.up"), "carry_out", interrupted)
    assert run(["up", "--yes", "--addons", "none", "--prove"]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(word)
    assert last.endswith("go on with: lowtide up --addons none --prove")


# Without a file


def test_a_node_type_and_a_name_write_the_file_once(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cluster.yaml").unlink()
    arguments = ["up", "--node-type", "g4dn.xlarge", "--name", "demo"]
    assert run(arguments) == 2  # there is no terminal
    assert "Wrote cluster.yaml: cluster demo." in capsys.readouterr().err
    text = Path("cluster.yaml").read_text("utf-8")
    general, *gpu = yaml.safe_load(text)["nodeGroups"]
    assert (general["instanceType"], general["minSize"], general["maxSize"]) == ("m5.large", 1, 3)
    assert general["desiredCapacity"] == 1
    assert "instancesDistribution" not in general, "on-demand"
    assert [one["availabilityZones"] for one in gpu] == [[f"us-east-1{zone}"] for zone in "abc"]
    for one in gpu:
        assert (one["minSize"], one["desiredCapacity"], one["maxSize"]) == (0, 0, 3)
        bought = one["instancesDistribution"]
        assert bought["instanceTypes"] == ["g4dn.xlarge"]
        assert bought["onDemandBaseCapacity"] == 0
        assert bought["onDemandPercentageAboveBaseCapacity"] == 0, "all of it on spot"
    assert run(arguments) == 2
    assert "Going on with cluster.yaml" in capsys.readouterr().err
    assert run([*arguments[:-1], "other"]) == 2
    assert "is there already, and says something else" in capsys.readouterr().err
    assert Path("cluster.yaml").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--node-type", "p2.xlarge"], "lowtide up --node-type g4dn.xlarge"),
        (["--region", "eu-west-1"], "--region is for a cluster without a file"),
        (["--name", "0x"], "A cluster cannot be called"),
    ],
)
def test_what_makes_no_file_is_refused_in_the_options_of_up(
    arguments: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cluster.yaml").rename("other.yaml")
    assert run(["up", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not Path("cluster.yaml").exists()
