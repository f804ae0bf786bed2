"""A mixed cluster in the box without control planes: what is looked at, shown, made, and made again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("boto3")

from lowtide.app import up_plan
from lowtide.app.converging import Convergence, Goal, Hooks
from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.patience import Patience
from lowtide.app.sizes import changed_sizes, restore_size
from lowtide.app.up_plan import Prepared, Wish, prepare
from lowtide.aws.live.account import Account
from lowtide.aws.live.finishing import failed_launch, finish, live_group, managed_name
from lowtide.aws.live.stacks import StackRequest, Stacks
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.errors import AwsError, ChecksFailed, InputError
from lowtide.model.live_plan import StackAction
from lowtide.model.stacks import WantedStack

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

pytestmark = pytest.mark.slow

FILE = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: mixed, region: us-east-1, version: "1.36"}
availabilityZones: [us-east-1a, us-east-1b]
addons: [{name: vpc-cni}, {name: kube-proxy}]
managedNodeGroups:
  - name: general
    instanceType: m5.large
    minSize: 1
    maxSize: 2
    desiredCapacity: 1
  - name: gpu-managed
    instanceType: g4dn.xlarge
    minSize: 0
    maxSize: 2
    tags:
      k8s.io/cluster-autoscaler/node-template/autoscaling-options/scaledownunneededtime: "2m"
nodeGroups:
  - name: gpu-auto
    amiFamily: AmazonLinux2023
    ami: auto
    instanceType: g4dn.xlarge
    minSize: 0
    maxSize: 2
"""


@pytest.fixture
def mixed(served: Serving) -> Serving:
    Path("cluster.yaml").write_text(FILE, "utf-8")
    return served


def _prepare() -> Prepared:
    return prepare(Inputs(cluster="cluster.yaml"), Wish(with_addons=False), with_objects=False)


def _made(prepared: Prepared) -> dict[str, str]:
    account, name = prepared.account, prepared.designed.cluster.name

    def whole(stack: str) -> None:
        made = prepared.designed.stack(stack)
        if made is not None and made.finish is not None:
            finish(account, name, made.finish)

    goal = Goal(
        wanted=prepared.world.wanted,
        requests=prepared.world.requests,
        unwanted=prepared.world.unwanted,
        removes_first=prepared.world.removes_first,
        approved={one.name: prepared.live.drastic(one.name) for one in prepared.live.stacks},
    )
    hooks = Hooks(tell=lambda _: None, has_nodes=lambda: True, when_whole=whole)
    results = Convergence(Stacks(account), goal, hooks, Patience(120, "lowtide up")).run()
    return {one.name.removeprefix(f"lowtide-{name}-"): one.done for one in results}


@pytest.mark.slow
def test_managed_groups_and_groups_of_several_zones_are_finished_after_their_stacks(
    mixed: Serving,
) -> None:
    prepared = _prepare()
    assert {one.action for one in prepared.live.stacks} == {StackAction.CREATE}
    assert prepared.creates_cluster
    assert set(_made(prepared).values()) == {"created"}

    account = Account("us-east-1")
    api = account.client("autoscaling")
    groups = {
        "gpu-managed": managed_name(account, "mixed", "gpu-managed"),
        "gpu-auto": "lowtide-mixed-nodegroup-gpu-auto",
    }
    found = {
        one["AutoScalingGroupName"]: one
        for one in api.describe_auto_scaling_groups()["AutoScalingGroups"]
    }
    for name in groups.values():
        suspended = [one["ProcessName"] for one in found[name]["SuspendedProcesses"]]
        assert suspended == ["AZRebalance"]
    option = "k8s.io/cluster-autoscaler/node-template/autoscaling-options/scaledownunneededtime"
    tags = {one["Key"]: one for one in found[groups["gpu-managed"]]["Tags"]}
    assert tags[option]["Value"] == "2m"
    assert tags[option]["PropagateAtLaunch"] is False

    again = _prepare()
    assert {one.action for one in again.live.stacks} == {StackAction.NONE}
    assert not again.creates_cluster
    assert again.live.is_nothing
    assert set(_made(again).values()) == {"unchanged"}


def test_the_images_of_all_groups_are_written_into_their_stacks(mixed: Serving) -> None:
    prepared = _prepare()
    request = prepared.world.requests["lowtide-mixed-nodegroup-gpu-auto"]
    assert request.parameters["ImageId"].startswith("ami-")
    assert request.parameters["ImageSource"].count("/") >= 1
    assert '"ImageId":{"Type":"AWS::EC2::Image::Id"' in request.body
    managed = prepared.world.requests["lowtide-mixed-nodegroup-gpu-managed"]
    assert "ImageId" not in managed.parameters, "EKS chooses it"


def test_what_would_be_changed_replaced_or_deleted_is_seen_and_nothing_is_changed_by_looking(
    mixed: Serving,
) -> None:
    _made(_prepare())
    path = Path("cluster.yaml")
    text = path.read_text("utf-8").replace("    maxSize: 2\n    tags", "    maxSize: 9\n    tags")
    path.write_text(text[: text.index("nodeGroups:\n  - name: gpu-auto")], "utf-8")
    stacks = Stacks(Account("us-east-1"))
    before = {one.name: one for one in stacks.all()}
    plans = {one.name: one for one in _prepare().live.stacks}
    assert plans["lowtide-mixed-nodegroup-gpu-auto"].action is StackAction.DELETE
    changed = plans["lowtide-mixed-nodegroup-gpu-managed"]
    assert changed.action is StackAction.CHANGE
    assert [(one.logical_id, one.action) for one in changed.changes] == [("NodeGroup", "Modify")]
    assert {one.name: one for one in stacks.all()} == before
    api = Account("us-east-1").client("cloudformation")
    for name in before:
        assert api.list_change_sets(StackName=name)["Summaries"] == []


def test_what_cloudformation_would_replace_is_told_and_warned_of(
    mixed: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _made(_prepare())
    path = Path("cluster.yaml")
    old = "name: gpu-managed\n    instanceType: g4dn.xlarge"
    assert old in FILE
    path.write_text(FILE.replace(old, old.replace("g4dn", "g5")), "utf-8")
    plans = {one.name: one for one in _prepare().live.stacks}
    changed = plans["lowtide-mixed-nodegroup-gpu-managed"]
    (group,) = (one for one in changed.changes if one.logical_id == "NodeGroup")
    assert (group.action, group.replaces) == ("Modify", "True")
    assert "InstanceTypes" in group.properties
    assert run(["plan", "--live"]) == 0
    shown = capsys.readouterr().out
    assert "NodeGroup (AWS::EKS::Nodegroup) REPLACED: " in shown
    drastic = sum(one.is_drastic for plan in plans.values() for one in plan.changes)
    assert re.search(
        rf"^WARNING: {drastic} resources? would or may be replaced or deleted", shown, re.MULTILINE
    )


@pytest.mark.slow
def test_an_eks_cluster_of_ours_without_its_stack_is_not_built_upon(mixed: Serving) -> None:
    _made(_prepare())
    api = Account("us-east-1").client("cloudformation")
    real = api.describe_stacks
    kept = [one for one in real()["Stacks"] if one["StackName"] != "lowtide-mixed-cluster"]
    account = Account("us-east-1")

    class WithoutTheClusters:
        def __getattr__(self, name: str) -> object:
            return getattr(api, name)

        def describe_stacks(self, **_: object) -> dict[str, object]:
            return {"Stacks": kept}

    account._clients["cloudformation"] = WithoutTheClusters()
    from lowtide.app.world import look_at

    with pytest.raises(InputError, match="is there without its stack") as raised:
        look_at(account, design(Inputs(cluster="cluster.yaml")))
    assert "lowtide down --name mixed --sweep" in raised.value.fix


@pytest.mark.slow
def test_why_a_group_gets_no_instance_is_told_in_the_words_of_auto_scaling(
    mixed: Serving,
) -> None:
    faults.add(mixed.box, {"kind": "capacity", "instance_type": "g4dn.xlarge"})
    prepared = _prepare()
    _made(prepared)
    account, name = prepared.account, "lowtide-mixed-nodegroup-gpu-auto"
    assert failed_launch(account, name) == ""
    account.client("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
    patience = Patience(60, "")
    while not (words := failed_launch(account, name)):
        patience.pause(name)
    assert "Could not launch" in words or "capacity" in words
    group = live_group(account, name)
    assert group is not None
    assert (group.desired, group.instances) == (1, ())
    assert live_group(account, "nobody") is None


@pytest.mark.slow
def test_a_group_whose_role_goes_with_it_is_deleted_before_the_cluster_is_changed(
    mixed: Serving,
) -> None:
    path = Path("cluster.yaml")
    whole = path.read_text("utf-8")
    role = "    iam: {withAddonPolicies: {ebs: true}}\n"
    path.write_text(whole + role, "utf-8")
    first = _prepare()
    _made(first)
    path.write_text(whole[: whole.index("nodeGroups:\n  - name: gpu-auto")], "utf-8")
    second = _prepare()
    assert second.world.removes_first
    done = _made(second)
    assert done["nodegroup-gpu-auto"] == "deleted"
    assert done["cluster"] == "changed"
    assert _prepare().live.is_nothing


@pytest.mark.slow
def test_stacks_that_were_deployed_from_rendered_files_are_taken_over_without_replacing_anything(
    mixed: Serving,
) -> None:
    designed = design(Inputs(cluster="cluster.yaml"))
    account = Account("us-east-1")
    searched = "lowtide-mixed-nodegroup-gpu-auto"  # its README searches the image by a command
    requests = {
        one.name: StackRequest(
            name=one.name,
            body=json.dumps(one.template),
            parameters={"ImageId": "ami-0123456789abcdef0"} if one.name == searched else {},
            capabilities=one.capabilities,
            tags={names.CLUSTER_TAG: "mixed"},
        )
        for one in designed.stacks
    }
    wanted = tuple(
        WantedStack(name=name, after=() if number == 0 else ("lowtide-mixed-cluster",))
        for number, name in enumerate(requests)
    )
    hooks = Hooks(tell=lambda _: None, has_nodes=lambda: True)
    goal = Goal(wanted=wanted, requests=requests)
    Convergence(Stacks(account), goal, hooks, Patience(120, "")).run()

    taken = _prepare()
    assert all(one.action in {StackAction.NONE, StackAction.CHANGE} for one in taken.live.stacks)
    drastic = {one.name: taken.live.drastic(one.name) for one in taken.live.stacks}
    assert {kind for lines in drastic.values() for _, _, kind in lines} <= {"Conditional"}
    _made(taken)
    assert _prepare().live.is_nothing


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("1.34", "is below the cluster's 1.35"), ("1.37", "is 2 minors above the cluster's 1.35")],
)
def test_a_version_that_eks_does_not_take_in_one_step_is_refused_before_anything_is_asked_for(
    wanted: str, words: str, mixed: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("cluster.yaml")
    path.write_text(FILE.replace("1.36", "1.35"), "utf-8")
    _made(_prepare())
    designed = replace(_prepare().designed.cluster, version=wanted)
    asked: list[str] = []
    monkeypatch.setattr(Stacks, "ask_change", lambda *_, **__: asked.append("a change set"))
    monkeypatch.setattr(up_plan, "design", _with_cluster(designed))
    with pytest.raises(ChecksFailed) as raised:
        _prepare()
    assert f"Kubernetes {wanted} in the file {words}" in raised.value.what
    assert raised.value.where == "cluster.yaml: metadata.version"
    assert asked == []


ONE_MORE = """\
  - name: gpu-new
    amiFamily: AmazonLinux2023
    instanceType: g5.xlarge
    minSize: 0
    maxSize: 4
"""
G_ON_DEMAND = "L-DB2E81BA"


def test_a_group_that_comes_to_a_living_cluster_is_held_against_the_account_before_the_question(
    mixed: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _made(_prepare())
    path = Path("cluster.yaml")
    path.write_text(FILE + ONE_MORE, "utf-8")
    assert run(["up"]) == 2, "asked, and there is no terminal"
    words = capsys.readouterr().err
    assert "nodegroup-gpu-new: create" in words
    assert "LT6" not in words, "the names that are taken are its own"

    fault = faults.add(mixed.box, {"kind": "quota", "code": G_ON_DEMAND, "value": 0})
    assert run(["up", "--yes"]) == 3
    words = capsys.readouterr().err
    assert "The cluster cannot be changed so in this account" in words
    assert f"({G_ON_DEMAND}) of us-east-1 allows 0 vCPUs" in words
    assert f"--quota-code {G_ON_DEMAND} --desired-value 32" in words, (
        "with the groups that are there"
    )
    assert words.count("LT6") == 1
    assert "lowtide-mixed-nodegroup-gpu-new" not in {
        one.name for one in Stacks(Account("us-east-1")).all()
    }

    path.write_text(FILE.replace("m5.large", "m5.xlarge"), "utf-8")
    assert run(["up"]) == 2, "a change of another group is not about that quota"
    assert "LT6" not in capsys.readouterr().err
    faults.remove(mixed.box, fault.id)
    path.write_text(FILE.replace("m5.large", "m5.24xlarge"), "utf-8")
    faults.add(mixed.box, {"kind": "quota", "code": "L-1216C47A", "value": 100})
    assert run(["up"]) == 2
    assert "192 for general" in capsys.readouterr().err, "a changed type is counted"


def _with_cluster(cluster: ResolvedCluster) -> Callable[[Inputs], Design]:
    return lambda inputs: replace(design(inputs), cluster=cluster)


def test_sizes_that_were_changed_beside_the_file_are_shown_and_set_back(mixed: Serving) -> None:
    prepared = _prepare()
    _made(prepared)
    account = prepared.account
    managed = managed_name(account, "mixed", "gpu-managed")
    api = account.client("autoscaling")
    for name in (managed, "lowtide-mixed-nodegroup-gpu-auto"):
        api.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0)
    again = _prepare()
    assert not again.live.is_nothing
    assert {(one.group, one.seen, one.wanted) for one in again.live.sizes} == {
        ("gpu-auto", (0, 0), (0, 2)),
        ("gpu-managed", (0, 0), (0, 2)),
    }
    for stack in again.world.requests:
        restore_size(account, again.designed, stack)
    patience = Patience(60, "")
    while changed_sizes(account, again.designed, tuple(again.world.requests)):
        patience.pause("sizes")
    group = live_group(account, managed)
    assert group is not None
    assert group.bounds == (0, 2)


@pytest.mark.slow
def test_a_change_that_failed_is_rolled_back_named_and_made_by_a_later_run(
    mixed: Serving,
) -> None:
    _made(_prepare())
    path = Path("cluster.yaml")
    text = path.read_text("utf-8")
    path.write_text(text.replace("    maxSize: 2\n    tags", "    maxSize: 9\n    tags"), "utf-8")
    faults.add(
        mixed.box,
        {"kind": "fail-resource", "resource": "NodeGroup", "message": "not today", "times": 1},
    )
    with pytest.raises(AwsError, match="nodegroup-gpu-managed failed") as raised:
        _made(_prepare())
    assert "NodeGroup (AWS::EKS::Nodegroup) UPDATE_FAILED: not today" in raised.value.why
    later = _prepare()
    plans = {one.name: one for one in later.live.stacks}
    assert "not today" in plans["lowtide-mixed-nodegroup-gpu-managed"].why
    assert _made(later)["nodegroup-gpu-managed"] == "changed"
