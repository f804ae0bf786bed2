"""A live plan and a finished run, as they are read by people and by programs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lowtide.model.live_plan import (
    ImageDrift,
    LivePlan,
    ObjectDiff,
    Progress,
    Proof,
    SizeDrift,
    StackAction,
    StackPlan,
    StackResult,
    UpResult,
)
from lowtide.model.stacks import ResourceChange
from lowtide.report.live import live_plan_json, live_plan_text, progress_text, up_json, up_text

CHANGES = (
    ResourceChange(logical_id="Role", type="AWS::IAM::Role", action="Add"),
    ResourceChange(logical_id="Old", type="AWS::IAM::Role", action="Remove"),
    ResourceChange(
        logical_id="Cluster",
        type="AWS::EKS::Cluster",
        action="Modify",
        replaces="True",
        properties=("Name", "Version"),
    ),
    ResourceChange(
        logical_id="Group",
        type="AWS::X",
        action="Modify",
        replaces="Conditional",
        properties=("T",),
    ),
    ResourceChange(logical_id="Q", type="AWS::SQS::Queue", action="Modify", replaces="False"),
)
PLAN = LivePlan(
    cluster="tide",
    region="us-east-1",
    account="1",
    caller="arn:aws:iam::1:user/ada",
    stacks=(
        StackPlan(name="s-new", action=StackAction.CREATE, resources=2),
        StackPlan(name="s-old", action=StackAction.CHANGE, changes=CHANGES),
        StackPlan(name="s-same", action=StackAction.NONE),
        StackPlan(name="s-bad", action=StackAction.REPAIR, why="ROLLBACK_COMPLETE; no VPC"),
        StackPlan(name="s-busy", action=StackAction.FOLLOW, why="UPDATE_IN_PROGRESS"),
        StackPlan(name="s-gone", action=StackAction.DELETE),
    ),
    sizes=(SizeDrift(group="gpu", seen=(0, 0), wanted=(0, 10)),),
    drift=(ImageDrift(stack="s-same", kept="ami-1", newer="ami-2", source="/x"),),
    objects=(
        ObjectDiff(kind="Deployment", name="a", is_new=False, paths=("spec.replicas",)),
        ObjectDiff(kind="ServiceAccount", name="b", is_new=True),
    ),
)
TEXT = """\
Account 1, us-east-1, as arn:aws:iam::1:user/ada

  s-new: create, 2 resources
  s-old: change, 5 resources
      + Role (AWS::IAM::Role)
      - Old (AWS::IAM::Role) DELETED
      ~ Cluster (AWS::EKS::Cluster) REPLACED: Name, Version
      ~ Group (AWS::X) may be REPLACED: T
      ~ Q (AWS::SQS::Queue)
  s-same: no change
  s-bad: delete and create again; it failed: ROLLBACK_COMPLETE; no VPC
  s-busy: is under way (UPDATE_IN_PROGRESS); waited for, then compared
  s-gone: delete: the files have it no more

WARNING: 3 resources would or may be replaced or deleted, with what is in them
WARNING: nodes of s-gone end, whatever runs on them

Sizes that were changed beside the file, and are set back
  gpu: 0 to 0 nodes -> 0 to 10

Newer node images (nodes keep theirs; --refresh-amis takes the new ones for new nodes)
  s-same: ami-1 -> ami-2

2 Kubernetes objects differ
  ~ Deployment/a: spec.replicas
  + ServiceAccount/b"""


def test_a_live_plan_says_what_is_created_changed_replaced_and_deleted() -> None:
    assert live_plan_text(PLAN) == TEXT


def test_a_change_that_was_rolled_back_is_still_told() -> None:
    one = StackPlan(name="s", action=StackAction.CHANGE, changes=CHANGES[:1], why="Vpc: no")
    shown = live_plan_text(replace(PLAN, stacks=(one,)))
    assert "s: change, 1 resource; its last change failed: Vpc: no" in shown


def test_a_live_plan_for_programs_says_the_same() -> None:
    said = live_plan_json(PLAN)
    assert [one["action"] for one in said["stacks"]] == [
        "create",
        "change",
        "none",
        "repair",
        "follow",
        "delete",
    ]
    assert said["stacks"][1]["changes"][2] == {
        "logical_id": "Cluster",
        "type": "AWS::EKS::Cluster",
        "action": "Modify",
        "replaces": "True",
        "properties": ["Name", "Version"],
    }
    assert said["image_drift"] == [
        {"stack": "s-same", "kept": "ami-1", "newer": "ami-2", "source": "/x"}
    ]
    assert said["sizes"] == [{"group": "gpu", "seen": [0, 0], "wanted": [0, 10]}]
    assert said["objects"][1] == {"kind": "ServiceAccount", "name": "b", "new": True, "paths": []}


def test_what_takes_away_or_replaces_is_what_a_yes_covers() -> None:
    assert PLAN.drastic("s-old") == {
        ("Old", "Remove", ""),
        ("Cluster", "Modify", "True"),
        ("Group", "Modify", "Conditional"),
    }
    assert PLAN.drastic("s-new") == frozenset()
    assert not PLAN.is_nothing


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(subject="s", status="CREATE_COMPLETE"), "s: CREATE_COMPLETE"),
        (
            Progress(subject="s", part="Vpc", status="CREATE_FAILED", reason="no\nmore"),
            "s Vpc: CREATE_FAILED (no more)",
        ),
    ],
)
def test_what_happens_is_one_line(progress: Progress, text: str) -> None:
    assert progress_text(progress) == text


RESULT = UpResult(
    cluster="tide",
    region="us-east-1",
    account="1",
    version="1.36",
    endpoint="https://x",
    stacks=(
        StackResult(name="a", done="created", seconds=1.0),
        StackResult(name="b", done="unchanged", seconds=0.0),
    ),
    nodes=1,
    objects=("Deployment/a",),
    kubeconfig="/home/ada/.kube/config",
    idle_usd_per_hour=0.25,
    worst_case_usd_per_hour=6.4,
    proofs=(Proof(node="n", pod_seconds=41.2, log="| T4 |"),),
    notes=("look here",),
)


def test_a_finished_run_counts_no_nodes_for_which_it_did_not_wait() -> None:
    said = up_text(replace(RESULT, nodes=2))
    assert "The 2 nodes that the groups start with are ready, 1 Kubernetes object applied." in said
    said = up_text(replace(RESULT, nodes=0))
    assert "No node had to be ready, 1 Kubernetes object applied." in said


def test_a_finished_run_says_what_there_is_now() -> None:
    assert up_text(RESULT) == (
        "tide is up: Kubernetes 1.36 in us-east-1, account 1\n"
        "Stacks: 1 created, 1 unchanged. The 1 node that the groups start with is ready, 1 Kubernetes object applied.\n"
        "Cost: $0.25 an hour while idle, $6.40 with every group at its maximum.\n"
        "kubectl's context is in /home/ada/.kube/config.\n"
        "Proof 1: nvidia-smi ran on n, from zero, 41 s after the pod was created.\n"
        "  | T4 |\n"
        "NOTICE: look here"
    )


def test_a_finished_run_for_programs_has_its_schema() -> None:
    said = up_json(RESULT, written="cluster.yaml")
    assert said["schema"] == "lowtide.up/v1"
    assert said["stacks"][0] == {"name": "a", "done": "created", "seconds": 1.0}
    assert said["written"] == "cluster.yaml"
    assert said["cost_usd"] == {"idle_per_hour": 0.25, "worst_case_per_hour": 6.4}
    assert up_json(RESULT, written="")["written"] is None
