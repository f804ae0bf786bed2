"""``init`` writes a file that works, and never harms one that is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lowtide.model import names
from lowtide.model.quantity import NVIDIA_GPU

Lowtide = Callable[..., Any]


def written(lowtide: Lowtide, *options: str) -> dict[str, Any]:
    ran = lowtide("init", "-f", "-", *options)
    assert ran.code == 0, ran.err
    content = yaml.safe_load(ran.out)
    assert isinstance(content, dict)
    return content


def gpu_groups(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [group for group in content["nodeGroups"] if group["name"] != "general"]


def test_init_writes_cluster_yaml_and_says_what_to_do_next(lowtide: Lowtide) -> None:
    ran = lowtide("init")
    assert ran.code == 0
    assert ran.out == ""
    assert "lowtide check" in ran.err
    assert yaml.safe_load(Path("cluster.yaml").read_text())["kind"] == "ClusterConfig"


def test_init_never_overwrites_a_file_unasked(lowtide: Lowtide) -> None:
    Path("cluster.yaml").write_text("mine")
    ran = lowtide("init")
    assert ran.code == 2
    assert "--force" in ran.err
    assert Path("cluster.yaml").read_text() == "mine"
    assert lowtide("init", "--force").code == 0
    assert Path("cluster.yaml").read_text() != "mine"


def test_there_is_one_gpu_group_per_zone_from_zero_to_the_maximum(lowtide: Lowtide) -> None:
    content = written(lowtide, "--region", "eu-west-1", "--zones", "a,eu-west-1c", "--max", "4")
    assert content["availabilityZones"] == ["eu-west-1a", "eu-west-1c"]
    assert [
        (group["name"], group["availabilityZones"], group["minSize"], group["maxSize"])
        for group in gpu_groups(content)
    ] == [("gpu-spot-a", ["eu-west-1a"], 0, 4), ("gpu-spot-c", ["eu-west-1c"], 0, 4)]


def test_one_zone_has_all_gpu_nodes_and_the_control_plane_gets_a_second_one(
    lowtide: Lowtide,
) -> None:
    content = written(lowtide, "--region", "us-west-2", "--zones", "us-west-2b")
    assert content["availabilityZones"] == ["us-west-2b", "us-west-2a"]
    assert [group["availabilityZones"] for group in gpu_groups(content)] == [["us-west-2b"]]
    assert lowtide("init", "--region", "us-west-2", "--zones", "b").code == 0
    assert lowtide("check", "--strict").code == 0


def test_a_price_in_lowtide_yaml_makes_a_type_without_one_possible(lowtide: Lowtide) -> None:
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nspot: {discount: {p5.4xlarge: 0.5}}\n"
    )
    assert lowtide("init", "--gpu-type", "p5.4xlarge").code == 0
    assert lowtide("check").code == 0


def test_idle_gpu_nodes_go_after_two_minutes_in_the_file_as_in_the_simulation(
    lowtide: Lowtide,
) -> None:
    for group in gpu_groups(written(lowtide)):
        assert group["tags"][names.TAG_OPTION_PREFIX + "scaledownunneededtime"] == "2m"


def test_spot_means_no_on_demand_node_at_all(lowtide: Lowtide) -> None:
    distribution = gpu_groups(written(lowtide))[0]["instancesDistribution"]
    assert distribution["onDemandBaseCapacity"] == 0
    assert distribution["onDemandPercentageAboveBaseCapacity"] == 0


def test_on_demand_means_no_spot_node_at_all(lowtide: Lowtide) -> None:
    group = gpu_groups(written(lowtide, "--on-demand"))[0]
    assert group["name"] == "gpu-on-demand-a"
    assert group["instancesDistribution"]["onDemandPercentageAboveBaseCapacity"] == 100


def test_gpu_types_may_be_repeated_or_written_with_commas(lowtide: Lowtide) -> None:
    content = written(lowtide, "--gpu-type", "g5.xlarge,g6.xlarge", "--gpu-type", "g4dn.xlarge")
    types = gpu_groups(content)[0]["instancesDistribution"]["instanceTypes"]
    assert types == ["g5.xlarge", "g6.xlarge", "g4dn.xlarge"]


def test_node_and_tags_say_the_same_to_the_autoscaler(lowtide: Lowtide) -> None:
    for group in gpu_groups(written(lowtide, "--name", "tide")):
        tags = group["tags"]
        assert tags[names.TAG_ENABLED] == "true"
        assert tags[names.TAG_CLUSTER_PREFIX + "tide"] == "owned"
        for key, value in group["labels"].items():
            assert tags[names.TAG_LABEL_PREFIX + key] == value
        assert set(group["labels"]) == {names.ACCELERATOR, names.POOL}
        assert group["taints"] == [{"key": NVIDIA_GPU, "value": "true", "effect": "NoSchedule"}]
        assert tags[names.TAG_TAINT_PREFIX + NVIDIA_GPU] == "true:NoSchedule"


def test_every_group_has_the_secure_values_written_out(lowtide: Lowtide) -> None:
    content = written(lowtide)
    assert content["accessConfig"]["authenticationMode"] == "API"
    assert content["upgradePolicy"]["supportType"] == "STANDARD"
    for group in content["nodeGroups"]:
        assert group["volumeEncrypted"] is True
        assert group["privateNetworking"] is True
        assert group["disableIMDSv1"] is True


@pytest.mark.parametrize("options", [[], ["--on-demand"], ["--gpu-type", "p4d.24xlarge"]])
def test_the_file_validates_against_eksctls_published_schema(
    lowtide: Lowtide, shared_data: Callable[[str], Path], options: list[str]
) -> None:
    path = shared_data("eksctl/clusterconfig_v1alpha5.schema.json")
    jsonschema.validate(written(lowtide, *options), json.loads(path.read_text()))


@pytest.mark.parametrize("options", [[], ["--on-demand"], ["--gpu-type", "g5.xlarge,g6.xlarge"]])
def test_the_file_passes_check_without_a_finding(lowtide: Lowtide, options: list[str]) -> None:
    assert lowtide("init", *options).code == 0
    ran = lowtide("check", "--strict", "-o", "json")
    assert (ran.code, ran.document["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--name", "9lives"], "9lives"),
        (["--name", "a: {b"], "a: {b"),
        (["--region", "mars"], "mars"),
        (["--region", "eu-wst-1"], "lowtide init --region eu-west-1"),
        (["--zones", "a,a"], "twice"),
        (["--zones", ","], "no zone"),
        (["--zones", "a,us-west-2b"], "us-west-2b"),
        (["--zones", "a,us-east-1-bos-1a"], "us-east-1-bos-1a"),
        (["--max", "0"], "maximum of 0"),
        (["--gpu-type", "m5.large"], "m5.large"),
        (["--gpu-type", "g4dn.xlrge"], "g4dn.xlarge"),
        (["--gpu-type", "p2.xlarge"], "retired"),
        (["--gpu-type", "p5.4xlarge"], "spot: {discount: {p5.4xlarge: 0.5}}"),
        (["--gpu-type", "g6.xlarge", "--region", "eu-west-1"], "no spot price"),
        (["--gpu-type", "g6f.xlarge"], "g6f.xlarge"),
        (["--gpu-type", "g4dn.xlarge,g4dn.12xlarge"], "number of GPUs"),
        (["--gpu-type", ","], "GPU type"),
        (["-f", "no/such/folder/cluster.yaml"], "no/such/folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    lowtide: Lowtide, tmp_path: Path, options: list[str], word: str
) -> None:
    ran = lowtide("init", *options)
    assert ran.code == 2
    assert word in ran.err
    assert list(tmp_path.iterdir()) == []
