"""The stacks that are rendered of every example are created, updated and deleted wholly."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings

from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.render import Choice, render_design
from lowtide.catalog.quotas import VCPU_QUOTAS
from lowtide.local.aws import faults
from tests.local.cloudformation.stacks_box import Aws, open_aws
from tests.rendered.cluster_files import cluster_files

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/cluster.yaml"))


def stacks_of(path: Path) -> tuple[Design, dict[str, str]]:
    """Return the design and the templates' texts by stack, in the order in which they are deployed."""
    designed = design(Inputs(cluster=str(path)))
    files = render_design(designed, Choice())
    return designed, {one.name: files[f"cloudformation/{one.file}"] for one in designed.stacks}


def deploy(aws: Aws, texts: dict[str, str]) -> dict[str, str]:
    """Create or update every stack as ``aws cloudformation deploy`` does and return what changed."""
    there = {one["StackName"] for one in aws("DescribeStacks")["Stacks"]}
    ends = {}
    for name, text in texts.items():
        kind = "UPDATE" if name in there else "CREATE"
        made = aws("CreateChangeSet", StackName=name, ChangeSetName=f"c{time.time_ns()}", ChangeSetType=kind, TemplateBody=text, Capabilities=["CAPABILITY_IAM"])  # fmt: skip
        aws.wait()
        found = aws("DescribeChangeSet", ChangeSetName=made["Id"])
        if found["ExecutionStatus"] == "AVAILABLE":
            aws("ExecuteChangeSet", ChangeSetName=made["Id"])
            aws.wait()
        ends[name] = found["StatusReason"][:33] if found["Status"] == "FAILED" else aws.status(name)
        assert "ROLLBACK" not in ends[name], failures(aws, name)
    return ends


def failures(aws: Aws, name: str) -> list[Any]:
    return [one for one in aws.events(name) if one[1].endswith("FAILED")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_stacks_of_an_example_are_created_and_deleted_wholly(aws: Aws, path: Path) -> None:
    designed, texts = stacks_of(path)
    assert set(deploy(aws, texts).values()) == {"CREATE_COMPLETE"}
    name = designed.cluster.name
    assert aws("DescribeCluster", service="eks", name=name)["cluster"]["status"] == "ACTIVE"
    assert set(deploy(aws, texts).values()) == {"The submitted information didn't "}
    for stack in reversed(texts):
        stack_id = aws.stack(stack)["StackId"]
        assert aws.delete(stack) == "DELETE_COMPLETE", failures(aws, stack_id)
    assert aws("ListClusters", service="eks")["clusters"] == []
    vpcs = aws("DescribeVpcs", service="ec2", Filters=[{"Name": "is-default", "Values": ["false"]}])
    assert vpcs["Vpcs"] == []
    assert aws("DescribeAutoScalingGroups", service="autoscaling")["AutoScalingGroups"] == []
    states = [
        one["State"]["Name"]
        for reservation in aws("DescribeInstances", service="ec2")["Reservations"]
        for one in reservation["Instances"]
    ]
    assert set(states) <= {"shutting-down", "terminated"}


@pytest.mark.slow
def test_a_changed_example_is_updated_in_place_and_back(aws: Aws, tmp_path: Path) -> None:
    path = EXAMPLES[0]
    _, texts = stacks_of(path)
    deploy(aws, texts)
    document = yaml.safe_load(path.read_text("utf-8"))
    for group in document["nodeGroups"]:
        group["maxSize"] += 3
        group.setdefault("labels", {})["changed"] = "yes"
    changed = tmp_path / "cluster.yaml"
    changed.write_text(yaml.safe_dump(document), "utf-8")
    _, others = stacks_of(changed)
    names = [name for name in texts if texts[name] != others[name]]
    assert len(names) >= len(document["nodeGroups"])
    sizes = group_sizes(aws)
    for wanted in (others, texts):
        ends = deploy(aws, wanted)
        assert {ends[name] for name in names} == {"UPDATE_COMPLETE"}
        assert {ends[name] for name in texts.keys() - names} <= {
            "The submitted information didn't "
        }
        assert (group_sizes(aws) == sizes) is (wanted is texts)
    assert group_sizes(aws).keys() == sizes.keys()


def group_sizes(aws: Aws) -> dict[str, int]:
    found = aws("DescribeAutoScalingGroups", service="autoscaling")["AutoScalingGroups"]
    return {one["AutoScalingGroupName"]: one["MaxSize"] for one in found}


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(document=cluster_files())
def test_the_stacks_of_generated_cluster_files_are_created_and_deleted_wholly(
    document: dict[str, Any],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.yaml"
        path.write_text(json.dumps(document))
        designed, texts = stacks_of(path)
        types = {
            one["Type"] for stack in designed.stacks for one in stack.template["Resources"].values()
        }
        # A network that the file only names is not in an empty account; us-east-1e has no room for control planes;
        # and CoreDNS is not well without a node.
        assume("AWS::EC2::VPC" in types)
        assume("us-east-1e" not in json.dumps(texts))
        assume(any(group.desired > 0 for group in designed.cluster.node_groups))
        aws = open_aws(Path(folder))
        for one in VCPU_QUOTAS:  # a file may ask for more than an account has at first
            faults.add(aws.box, {"kind": "quota", "code": one.code, "value": 1e6})
        try:
            assert set(deploy(aws, texts).values()) == {"CREATE_COMPLETE"}
            for stack in reversed(texts):
                stack_id = aws.stack(stack)["StackId"]
                assert aws.delete(stack) == "DELETE_COMPLETE", failures(aws, stack_id)
        finally:
            aws.box.stop()
