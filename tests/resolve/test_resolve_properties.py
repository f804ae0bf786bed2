"""Groups in, invariants out: whatever a sound file holds, the resolved cluster is coherent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide import catalog
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.policy import AutoscalerPolicy, Policy
from lowtide.model.quantity import amount_of
from lowtide.resolve import resolve_cluster
from lowtide.spec.clusterfile import read_cluster

REGION = "us-east-1"
ZONES = [REGION + letter for letter in "abc"]
TEMPLATE = "k8s.io/cluster-autoscaler/node-template/"
GPU_TYPES = sorted(
    one.instance_type.name
    for one in catalog.offerings(REGION)
    if one.instance_type.nvidia_gpus and one.spot_usd_per_hour and one.instance_type.arch == "amd64"
)
GENERAL_TYPES = ["m5.large", "m6i.xlarge", "c6i.2xlarge", "t3.nano"]


@st.composite
def _group(draw: st.DrawFn) -> dict[str, object]:
    on_spot = draw(st.booleans())
    types = GPU_TYPES if on_spot else [*GPU_TYPES, *GENERAL_TYPES]
    minimum = draw(st.integers(0, 3))
    desired = draw(st.integers(minimum, 6))
    return {
        "instancesDistribution": {
            "instanceTypes": draw(
                st.lists(st.sampled_from(types), min_size=1, max_size=3, unique=True)
            ),
            "onDemandPercentageAboveBaseCapacity": 0 if on_spot else 100,
        },
        "availabilityZones": draw(
            st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True)
        ),
        "minSize": minimum,
        "desiredCapacity": desired,
        "maxSize": draw(st.integers(desired, 12)),
        "volumeSize": draw(st.integers(20, 500)),
        "labels": draw(
            st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"]))
        ),
        "taints": draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "key": st.sampled_from(["nvidia.com/gpu", "dedicated"]),
                        "value": st.sampled_from(["", "true"]),
                        "effect": st.sampled_from(["NoSchedule", "NoExecute"]),
                    }
                ),
                max_size=2,
                unique_by=lambda taint: str(taint["key"]),
            )
        ),
    }


def _resolve(groups: list[dict[str, object]], tags: str) -> ResolvedCluster:
    file = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "tide", "region": REGION},
        "availabilityZones": ZONES,
        "nodeGroups": [{"name": f"group-{i}", **group} for i, group in enumerate(groups)],
    }
    policy = Policy(autoscaler=AutoscalerPolicy(tags=tags))
    return resolve_cluster(read_cluster(json.dumps(file), "cluster.yaml"), policy)


@pytest.mark.slow
@settings(max_examples=60)
@given(groups=st.lists(_group(), min_size=1, max_size=5))
def test_every_sound_file_resolves_to_a_coherent_cluster(groups: list[dict[str, object]]) -> None:
    resolved = _resolve(groups, "full")
    assert len(resolved.node_groups) == len(groups)
    for group in resolved.node_groups:
        assert 0 <= group.min_size <= group.desired <= group.max_size
        for one in group.candidates:
            assert all(0 <= one.allocatable[name] <= one.capacity[name] for name in one.capacity)
            assert one.offering.spot_usd_per_hour is not None or group.capacity_type == "on-demand"
        for key, value in group.labels.items():
            assert group.asg_tags[TEMPLATE + "label/" + key] == value
        for taint in group.taints:
            assert (
                group.asg_tags[TEMPLATE + "taint/" + taint.key] == f"{taint.value}:{taint.effect}"
            )
        for name in ("memory", "pods", "ephemeral-storage"):
            told = amount_of(name, group.asg_tags[TEMPLATE + "resources/" + name])
            assert told == min(one.allocatable[name] for one in group.candidates)
        assert not {"cpu", "nvidia.com/gpu"} & {
            key.removeprefix(TEMPLATE + "resources/") for key in group.asg_tags
        }
        assert group.is_gpu == ("k8s.amazonaws.com/accelerator" in group.labels)
        assert group.pool == group.labels.get("lowtide.dev/pool", "")
        assert group.pool or not group.is_gpu


@pytest.mark.slow
@settings(max_examples=40)
@given(groups=st.lists(_group(), min_size=1, max_size=4))
def test_as_file_adds_no_tag_and_no_label_but_eksctls(groups: list[dict[str, object]]) -> None:
    resolved = _resolve(groups, "asFile")
    for group, written in zip(resolved.node_groups, groups, strict=True):
        own = {"alpha.eksctl.io/cluster-name": "tide", "alpha.eksctl.io/nodegroup-name": group.name}
        assert group.asg_tags == {}
        assert isinstance(written["labels"], dict)
        assert group.labels == {**written["labels"], **own}


@pytest.mark.slow
@settings(max_examples=40)
@given(group=_group(), count=st.integers(2, 4))
def test_copies_of_a_group_in_other_zones_always_share_a_pool(
    group: dict[str, object], count: int
) -> None:
    copies = [{**group, "availabilityZones": [ZONES[i % 3]]} for i in range(count)]
    pools = {one.pool for one in _resolve(copies, "full").node_groups}
    assert len(pools) == 1
    assert pools != {""}


@pytest.mark.slow
@settings(max_examples=30)
@given(groups=st.lists(_group(), min_size=2, max_size=4), order=st.randoms(use_true_random=False))
def test_the_order_of_groups_changes_no_group_but_its_name(
    groups: list[dict[str, object]], order: object
) -> None:
    named = [{"name": f"n{i}", **group} for i, group in enumerate(groups)]
    shuffled = list(named)
    order.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    before = {one.name: (one.labels, one.asg_tags) for one in _resolve(named, "full").node_groups}
    after = {one.name: (one.labels, one.asg_tags) for one in _resolve(shuffled, "full").node_groups}
    assert before == after
