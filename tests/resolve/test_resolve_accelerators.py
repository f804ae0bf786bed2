"""An accelerator label that names another GPU than its group has is found; a word of one's own is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lowtide.model.findings import Finding, Severity
from lowtide.model.policy import AutoscalerPolicy, Policy
from lowtide.resolve import resolve_cluster
from lowtide.spec.clusterfile import read_cluster

LABEL = "k8s.amazonaws.com/accelerator"
TAG = f"k8s.io/cluster-autoscaler/node-template/label/{LABEL}"
FILE = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: tide, region: us-east-1, version: "1.36"}
nodeGroups:
- name: gpu
  instancesDistribution: {instanceTypes: [TYPES], onDemandPercentageAboveBaseCapacity: 100}
  minSize: 0
  maxSize: 2
"""


def _wrong(types: str, *more: str, tags: str = "full") -> Sequence[Finding]:
    text = FILE.replace("TYPES", types) + "".join(f"  {line}\n" for line in more)
    policy = Policy(autoscaler=AutoscalerPolicy(tags=tags))
    found = resolve_cluster(read_cluster(text, "cluster.yaml"), policy).warnings
    return [one for one in found if one.name == "wrong-accelerator"]


def test_a_label_of_another_gpu_is_a_warning_with_its_line_and_the_right_value() -> None:
    (found,) = _wrong("g5.xlarge", "labels:", f"  {LABEL}: nvidia-tesla-t4")
    assert (found.code, found.severity, found.mark.line) == ("LT256", Severity.WARNING, 10)
    assert LABEL in found.path
    assert found.fix == "write nvidia-a10g"
    assert "nvidia-tesla-t4" in found.message
    assert "g5.xlarge has NVIDIA A10G" in found.message


def test_the_tag_beside_the_label_is_named_in_the_same_fix() -> None:
    (found,) = _wrong(
        "g5.xlarge", "labels:", f"  {LABEL}: nvidia-tesla-t4", "tags:", f"  {TAG}: nvidia-tesla-t4"
    )
    assert found.fix == f"write nvidia-a10g, also at tags[{TAG!r}]"


def test_a_wrong_tag_alone_is_found_at_the_tag() -> None:
    (found,) = _wrong("g5.xlarge", "tags:", f"  {TAG}: nvidia-tesla-t4", tags="asFile")
    assert (found.mark.line, found.fix) == (10, "write nvidia-a10g")


def test_a_gpu_label_on_nodes_without_a_gpu_is_to_be_removed() -> None:
    (found,) = _wrong("m5.large", "labels:", f"  {LABEL}: nvidia-tesla-t4")
    assert "m5.large has no GPU" in found.message
    assert found.fix == "remove it"


@pytest.mark.parametrize("value", ["nvidia-tesla-p100", "L4", "nvidia-hopper-h100", "T4g"])
def test_another_gpu_is_known_by_any_of_its_usual_names(value: str) -> None:
    assert len(_wrong("g5.xlarge", f"labels: {{{LABEL}: {value}}}")) == 1


@pytest.mark.parametrize(
    ("types", "value"),
    [
        ("g4dn.xlarge", "nvidia-tesla-t4"),
        ("g4dn.xlarge", "T4"),
        ("g5.xlarge", "nvidia-tesla-a10"),
        ("g5.xlarge", "nvidia-ampere-a10"),
        ("p4d.24xlarge", "NVIDIA-A100-SXM4-40GB"),
        ("g7e.2xlarge", "nvidia-rtx-pro-6000"),
        ("g6f.xlarge", "nvidia-l4"),
        ("g4dn.xlarge, g5.xlarge", "nvidia-tesla-t4"),
        ("g4dn.xlarge, g5.xlarge", "nvidia-a10g"),
        ("g5.xlarge", '"true"'),
        ("g5.xlarge", "nvidia"),
        ("g5.xlarge", "gpu-small"),
        ("g5.xlarge", "team-t4"),
        ("m5.large", '"false"'),
        ("g5.xlarge", '""'),
    ],
)
def test_a_right_label_and_a_word_of_ones_own_are_no_warning(types: str, value: str) -> None:
    assert _wrong(types, f"labels: {{{LABEL}: {value}}}") == []


def test_a_group_without_the_label_is_no_warning() -> None:
    assert _wrong("g5.xlarge") == []
