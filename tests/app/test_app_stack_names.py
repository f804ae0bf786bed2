"""A stack's name holds the cluster's and the group's, and CloudFormation takes 128 characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowtide.app.files import Inputs, load
from lowtide.app.plan import plan
from lowtide.aws.templates.cfn import stack_name
from lowtide.model.errors import InputError
from tests.app.test_app_plan import TODAY

FILE = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: {cluster}, region: us-east-1}}
nodeGroups:
  - {{name: general}}
  - {{name: {group}}}
"""


def inputs_of(tmp_path: Path, *, cluster: str, group: str) -> Inputs:
    path = tmp_path / "cluster.yaml"
    path.write_text(FILE.format(cluster=cluster, group=group), "utf-8")
    return Inputs(cluster=str(path))


def test_a_stack_name_of_128_characters_is_taken(tmp_path: Path) -> None:
    group = "g" * (128 - len(stack_name("c" * 60, "nodegroup-")))

    loaded = load(inputs_of(tmp_path, cluster="c" * 60, group=group))

    assert loaded.cluster is not None
    assert [one for one in loaded.findings if one.severity == "error"] == []


def test_one_character_more_is_refused_at_the_groups_name(tmp_path: Path) -> None:
    group = "g" * (129 - len(stack_name("c" * 60, "nodegroup-")))
    inputs = inputs_of(tmp_path, cluster="c" * 60, group=group)

    with pytest.raises(InputError) as caught:
        plan(inputs, today=TODAY)

    (found,) = [one for one in caught.value.findings if one.severity == "error"]
    assert (found.code, found.mark.line, found.path) == ("LT503", 6, "nodeGroups[1].name")
    assert "129 characters; CloudFormation takes 128" in found.message
    assert found.fix == "take 1 off this name or the cluster's"


def test_no_name_of_a_surely_short_pair_is_too_long() -> None:
    assert len(stack_name("c" * 60, f"nodegroup-{'g' * 40}")) <= 128
