"""``lowtide down`` and the stacks of a cluster: whose they are, in which order they go, what fails, what goes on."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app.this_process import this_process
from lowtide.aws.live.account import Account
from lowtide.aws.live.lease import Holder, Lease
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.model import names
from tests.life import leftovers
from tests.life.leftovers import client, tags
from tests.terminal import BROKEN_OFF

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

NAME = "demo"
FIRST, GROUP, QUEUE = (
    f"lowtide-{NAME}-{part}" for part in ("cluster", "nodegroup-a", "interruption")
)
BY_NAME = ("--name", NAME, "--region", "us-east-1")
Down = Callable[..., tuple[int, dict[str, Any]]]
NETWORK: dict[str, Any] = {
    "Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"},
        },
    },
    "Outputs": {
        "Subnet": {"Value": {"Ref": "Subnet"}},
        "Vpc": {"Value": {"Ref": "Vpc"}, "Export": {"Name": f"lowtide-{NAME}-Vpc"}},
    },
}
USER: dict[str, Any] = {
    "Resources": {
        "Nodes": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "d",
                "VpcId": {"Fn::ImportValue": f"lowtide-{NAME}-Vpc"},
            },
        }
    }
}
PLAIN: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


@pytest.fixture
def down(served: Serving, capsys: pytest.CaptureFixture[str]) -> Down:
    """Run ``down`` by name and return its exit code and document."""

    def run_down(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run(["down", *BY_NAME, "--yes", "-o", "json", *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run_down


def _made() -> dict[str, str]:
    """Make the stacks of a small cluster and return their ids; the first one is protected, as ``up`` leaves it."""
    ids = {
        name: leftovers.stack(name, NAME, template)
        for name, template in ((FIRST, NETWORK), (GROUP, USER), (QUEUE, PLAIN))
    }
    _stacks().protect(FIRST, is_on=True)
    return ids


def _stacks() -> Stacks:
    return Stacks(Account("us-east-1"))


def _names() -> set[str]:
    return {one.name for one in _stacks().all()}


def _subnet() -> str:
    found = _stacks().look(FIRST)
    assert found is not None
    return str(found.outputs["Subnet"])


def _interface(wanted: dict[str, str]) -> str:
    said = leftovers.said("network-interface", tags(wanted))
    made = client("ec2").create_network_interface(SubnetId=_subnet(), **said)
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


# Whose it is


@pytest.mark.parametrize("what", ["cluster", "stack"])
def test_a_cluster_of_eksctl_is_recognised_and_left_alone(
    what: str, served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = {names.EKSCTL_CLUSTER: NAME}
    if what == "cluster":
        leftovers.eks_cluster(NAME, theirs)
    else:
        leftovers.stack(f"eksctl-{NAME}-cluster", "", PLAIN)
    assert run(["down", *BY_NAME, "--yes", "--sweep"]) == 2
    words = capsys.readouterr().err
    assert f"Cluster {NAME} in us-east-1 was made by eksctl and is left alone" in words
    assert f"eksctl delete cluster --name {NAME} --region us-east-1" in words
    assert client("eks").list_clusters()["clusters"] == ([NAME] if what == "cluster" else [])


@pytest.mark.parametrize("what", ["cluster", "stack"])
def test_a_cluster_without_our_tag_is_refused(
    what: str, served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    if what == "cluster":
        leftovers.eks_cluster(NAME, {})
    else:
        leftovers.stack(FIRST, "", PLAIN)
    assert run(["down", *BY_NAME, "--yes", "--sweep"]) == 2
    words = capsys.readouterr().err
    found = f"an EKS cluster {NAME}" if what == "cluster" else f"a stack {FIRST}"
    assert f"There is {found} already that lowtide did not make" in words
    assert f"it has no tag {names.CLUSTER_TAG}={NAME}" in words
    assert "delete it with what made it" in words
    assert _names() | set(client("eks").list_clusters()["clusters"]) == {
        NAME if what == "cluster" else FIRST
    }


@pytest.mark.slow
def test_a_stack_of_another_cluster_whose_name_begins_alike_stays(down: Down) -> None:
    _made()
    other = f"lowtide-{NAME}-2-cluster"
    leftovers.stack(other, f"{NAME}-2", PLAIN)
    assert down()[0] == 0
    assert _names() == {other}


# Asking


def test_without_a_terminal_and_without_yes_it_shows_all_and_names_the_flag(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _made()
    before = _names()
    assert run(["down", *BY_NAME]) == 2
    words = capsys.readouterr().err
    for part in (
        "Account 123456789012, us-east-1, as arn:aws:iam::",
        *before,
        f"lowtide down --name {NAME} --region us-east-1 --yes",
    ):
        assert part in words
    listed = [line.split()[1] for line in words.splitlines() if line.startswith("  - ")]
    assert listed == [QUEUE, GROUP, FIRST], "the last one is that on which all stand"
    assert _names() == before


def test_of_two_runs_the_second_is_told_who_works_and_since_when(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _made()
    holder = Holder(id="1", who="arn:aws:iam::123456789012:user/ada", host="ada@desk", verb="up")
    with Lease(Account("us-east-1"), NAME, holder):
        assert run(["down", *BY_NAME, "--yes"]) == 1
    words = capsys.readouterr().err
    assert f"another run is at work on cluster {NAME}" in words
    assert "lowtide up of arn:aws:iam::123456789012:user/ada on ada@desk, since 20" in words
    assert len(_names()) == 3


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

    _made()
    monkeypatch.setattr(importlib.import_module("lowtide.app.down"), "carry_out", interrupted)
    assert run(["down", *BY_NAME, "--yes", "--sweep", "--keep", "volume"]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(word)
    assert last.endswith(f"go on with: lowtide down {' '.join(BY_NAME)} --sweep --keep volume")


# Deleting


@pytest.mark.slow
def test_users_of_a_stack_go_first_and_protection_is_lifted(down: Down) -> None:
    ids = _made()
    code, found = down()
    assert (code, found["nothing_left"]) == (0, True)
    assert {one["name"]: one["done"] for one in found["stacks"]} == dict.fromkeys(ids, "deleted")
    gone = {name: [one for one in _stacks().events(ids[name]) if one.is_stack][-1] for name in ids}
    begun = next(
        one
        for one in _stacks().events(ids[FIRST])
        if one.is_stack and one.status == "DELETE_IN_PROGRESS"
    )
    assert begun.at_s >= max(gone[GROUP].at_s, gone[QUEUE].at_s)
    code, again = down()
    assert (code, again["stacks"], again["nothing_left"]) == (0, [], True), "once more is no error"


@pytest.mark.slow
def test_what_holds_the_network_is_named_as_the_cause_and_the_next_run_goes_on(
    down: Down, capsys: pytest.CaptureFixture[str]
) -> None:
    _made()
    interface = _interface({})
    code, found = down("--sweep")
    assert code == 4
    assert [one["stack"] for one in found["failures"]] == [FIRST]
    assert "Subnet (AWS::EC2::Subnet) DELETE_FAILED" in found["failures"][0]["why"]
    assert leftovers.kinds(found["left"]) == {"stack"}, (
        "what is a stack's is not swept away from it"
    )
    assert _names() == {FIRST}
    assert run(["down", *BY_NAME, "--yes"]) == 4
    words = capsys.readouterr().err
    assert f"Stack {FIRST} could not be deleted" in words
    assert f"go on with: lowtide down {' '.join(BY_NAME)} --sweep" in words
    client("ec2").delete_network_interface(NetworkInterfaceId=interface)
    assert down()[0] == 0


@pytest.mark.slow
def test_a_failure_that_passes_is_tried_once_more(down: Down, served: Serving) -> None:
    _made()
    faults.add(
        served.box,
        {
            "kind": "error",
            "service": "sqs",
            "operation": "DeleteQueue",
            "code": "InternalFailure",
            "times": 1,
        },
    )
    assert down()[0] == 0


@pytest.mark.slow
def test_interfaces_that_nodes_left_do_not_hold_the_network(down: Down) -> None:
    _made()
    interface = _interface({"cluster.k8s.amazonaws.com/name": NAME})
    code, found = down()
    assert code == 0
    assert [one["id"] for one in found["removed"]] == [interface]


@pytest.mark.slow
def test_a_balancer_in_the_network_is_told_and_goes_by_the_sweep_before_the_network(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _made()
    wanted = tags({"elbv2.k8s.aws/cluster": NAME})
    client("elbv2").create_load_balancer(
        Name="web", Subnets=[_subnet()], Type="network", Tags=wanted
    )
    assert run(["down", *BY_NAME, "--yes", "--sweep", "-v"]) == 0
    words = capsys.readouterr().err
    assert words.index("load balancer web: removed") < words.index(f"{FIRST} Vpc: DELETE_COMPLETE")


@pytest.mark.slow
@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_stacks_that_failed_go_as_well(status: str, down: Down, served: Serving) -> None:
    if status == "ROLLBACK_COMPLETE":
        faults.add(served.box, {"kind": "fail-resource", "resource": "Subnet", "times": 1})
        leftovers.stack(FIRST, NAME, NETWORK)
    else:
        leftovers.stack(FIRST, NAME, NETWORK)
        interface = _interface({})
        _stacks().remove(FIRST)
        leftovers.settle(FIRST)
        client("ec2").delete_network_interface(NetworkInterfaceId=interface)
    found = _stacks().look(FIRST)
    assert found is not None
    assert found.status == status
    assert down()[0] == 0


@pytest.mark.slow
def test_a_run_killed_at_any_moment_is_finished_by_the_next_one(down: Down) -> None:
    for seconds in (0.8, 1.2, 1.6, 2.2, 3.0):
        _made()
        client("logs").create_log_group(logGroupName=f"/aws/eks/{NAME}/cluster")
        started = subprocess.Popen(
            [sys.executable, "-m", "lowtide", "down", *BY_NAME, "--yes", "--sweep"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        started.send_signal(signal.SIGKILL)
        started.wait()
        code, found = down("--sweep")
        assert (code, found["nothing_left"], _names()) == (0, True, set())


@pytest.mark.skipif(not this_process(), reason="only Linux tells processes apart")
def test_the_lease_of_a_run_that_was_killed_when_all_was_gone_does_not_stay(down: Down) -> None:
    ended = f"{this_process().rpartition(' ')[0]} 1"
    holder = Holder(id="1", who="ada", host="ada@desk", verb="down", process=ended)
    Lease(Account("us-east-1"), NAME, holder)._make(1)
    code, found = down()
    assert (code, found["nothing_left"]) == (0, True)
    assert not client("ssm").get_parameters_by_path(Path=f"/lowtide/{NAME}/lease")["Parameters"]


@pytest.mark.slow
def test_an_api_server_that_does_not_answer_is_no_obstacle(
    down: Down, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("lowtide.app.emptying"), "REACH_S", 0.0)
    _made()
    leftovers.eks_cluster(NAME, {names.CLUSTER_TAG: NAME})
    client("eks").get_waiter("cluster_active").wait(
        name=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    code, found = down("--sweep")
    assert (code, found["nothing_left"]) == (0, True)
    assert "the API server does not answer, so the cluster was not emptied" in found["notices"][0]
