from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lowtide.app.files import Inputs, load
from lowtide.model import names

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu"


@pytest.fixture
def file() -> dict[str, Any]:
    """The cluster file, read by plain YAML."""
    read: dict[str, Any] = yaml.safe_load((EXAMPLE / "cluster.yaml").read_text(encoding="utf-8"))
    return read


def gpu_groups(file: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in file["nodeGroups"] if one["name"].startswith("gpu-spot-")]


def test_eksctls_published_schema_accepts_the_file(
    file: dict[str, Any], shared_data: Callable[[str], Path]
) -> None:
    path = shared_data("eksctl/clusterconfig_v1alpha5.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))

    errors = [
        f"{list(one.path)}: {one.message}"
        for one in jsonschema.Draft7Validator(schema).iter_errors(file)
    ]

    assert errors == []


def test_lowtide_reads_it_without_an_error_or_a_warning() -> None:
    loaded = load(Inputs(cluster=str(EXAMPLE / "cluster.yaml")))

    assert loaded.findings == ()
    assert loaded.cluster is not None
    assert loaded.cluster.name == "noble-gpu-example"


def test_three_gpu_groups_have_one_zone_each_and_start_at_zero(file: dict[str, Any]) -> None:
    groups = gpu_groups(file)

    assert [one["name"] for one in groups] == ["gpu-spot-a", "gpu-spot-b", "gpu-spot-c"]
    assert [one["availabilityZones"] for one in groups] == [
        ["us-east-1a"],
        ["us-east-1b"],
        ["us-east-1c"],
    ]
    sizes = {(one["minSize"], one["desiredCapacity"], one["maxSize"]) for one in groups}
    assert sizes == {(0, 0, 10)}


def test_the_gpu_groups_differ_in_name_and_zone_only(file: dict[str, Any]) -> None:
    rest = [
        {key: value for key, value in one.items() if key not in {"name", "availabilityZones"}}
        for one in gpu_groups(file)
    ]

    assert rest[0] == rest[1] == rest[2]


def test_every_gpu_node_is_spot(file: dict[str, Any]) -> None:
    for group in gpu_groups(file):
        distribution = group["instancesDistribution"]
        assert distribution["onDemandBaseCapacity"] == 0
        assert distribution["onDemandPercentageAboveBaseCapacity"] == 0
        assert distribution["spotAllocationStrategy"] == "price-capacity-optimized"


def test_tags_say_what_labels_and_taints_say(file: dict[str, Any]) -> None:
    """The autoscaler takes a taint from a tag only as VALUE:EFFECT, which eksctl's propagation does not write."""
    for group in gpu_groups(file):
        tags = group["tags"]
        labels = {names.TAG_LABEL_PREFIX + key: text for key, text in group["labels"].items()}
        taints = {
            names.TAG_TAINT_PREFIX + one["key"]: f"{one['value']}:{one['effect']}"
            for one in group["taints"]
        }
        assert {**labels, **taints}.items() <= tags.items()


def test_every_group_is_found_by_the_autoscaler_of_this_cluster_alone(
    file: dict[str, Any],
) -> None:
    for group in file["nodeGroups"]:
        assert group["tags"][names.TAG_ENABLED] == "true"
        assert group["tags"][names.TAG_CLUSTER_PREFIX + file["metadata"]["name"]] == "owned"


def test_secure_values_are_written_out(file: dict[str, Any]) -> None:
    assert isinstance(file["metadata"]["version"], str)
    assert file["upgradePolicy"] == {"supportType": "STANDARD"}
    assert file["accessConfig"] == {"authenticationMode": "API"}
    assert file["autoModeConfig"] == {"enabled": False}
    assert file["iam"]["withOIDC"] is True
    assert file["vpc"]["clusterEndpoints"]["privateAccess"] is True
    for group in file["nodeGroups"]:
        assert group["privateNetworking"] is True
        assert group["volumeEncrypted"] is True


def test_hardening_has_nothing_to_add_to_the_file_but_tags_and_flags() -> None:
    """Every value that hardening changes is written out, so eksctl makes the same cluster."""
    cluster = load(Inputs(cluster=str(EXAMPLE / "cluster.yaml"))).cluster
    assert cluster is not None

    changed = {one.key for one in cluster.hardening}

    for written in ("upgradePolicy", "accessConfig", "volumeEncrypted", "volumeType"):
        assert not [key for key in changed if written in key], changed


def test_the_autoscalers_account_gets_its_permissions_by_pod_identity(
    file: dict[str, Any],
) -> None:
    (association,) = file["iam"]["podIdentityAssociations"]
    (account, *_) = yaml.safe_load_all(
        (EXAMPLE / "autoscaler" / "1-access.yaml").read_text(encoding="utf-8")
    )

    assert account["kind"] == "ServiceAccount"
    assert association["namespace"] == account["metadata"]["namespace"]
    assert association["serviceAccountName"] == account["metadata"]["name"]
    assert association["wellKnownPolicies"] == {"autoScaler": True}
    assert {"name": "eks-pod-identity-agent"} in file["addons"]


def test_the_scenario_goes_from_zero_to_ten_and_back_twice() -> None:
    from lowtide.model.scenario import Apply, Condition, Scale
    from lowtide.model.workload import Meta
    from lowtide.spec.workloads import load_workload

    scenario = load_workload(str(EXAMPLE / "scenario.yaml"))
    start, *scalings = scenario.steps

    assert scenario.addons == "none"
    assert isinstance(start.action, Apply)
    assert start.at_ms == 0
    kinds = [one.meta.kind for one in start.action.objects]
    assert {"Deployment", "DaemonSet", "ClusterRole"} <= set(kinds)
    target = Meta(kind="Deployment", name="cudaexample")
    ten_run = Condition(metric="podsRunning", operator="==", value=10)
    no_nodes = Condition(metric="gpuNodes", operator="==", value=0)
    assert [(one.after, one.hold_ms, one.action) for one in scalings] == [
        (ten_run, 1_800_000, Scale(target=target, replicas=0)),
        (no_nodes, 3_600_000, Scale(target=target, replicas=10)),
        (ten_run, 1_800_000, Scale(target=target, replicas=0)),
    ]
    assert scenario.until == no_nodes
