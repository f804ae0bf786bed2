"""What a simulation installs by itself, as the twin takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowtide.app.files import Inputs, load
from lowtide.app.simulate import run
from lowtide.kube.addons import default_addons, eks_system
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.policy import Policy, Timings
from lowtide.spec.workloads import default_workload
from lowtide.twin.images import size_bytes

EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"


@pytest.fixture(scope="module")
def cluster() -> ResolvedCluster:
    """The example, which buys on spot."""
    found = load(Inputs(cluster=str(EXAMPLE))).cluster
    assert found is not None
    return found


def test_the_size_of_every_image_that_a_run_installs_is_known(cluster: ResolvedCluster) -> None:
    images = [
        container["image"]
        for one in [*default_addons(cluster), *eks_system(cluster)]
        if "template" in one.get("spec", {})
        for container in one["spec"]["template"]["spec"]["containers"]
    ]
    assert any("aws-node-termination-handler" in one for one in images)
    assert [one for one in images if size_bytes(one, Timings()) is None] == []


def test_the_termination_handler_runs_on_a_general_node_of_a_simulated_spot_cluster(
    cluster: ResolvedCluster,
) -> None:
    record = run(cluster, default_workload(), Policy(), seed=0)
    handler = [line for line in record.log if "aws-node-termination-handler" in line]
    assert any("general-001" in line for line in handler)
    assert not any("gpu-spot" in line for line in handler)
