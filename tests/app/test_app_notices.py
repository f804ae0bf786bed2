"""What a run says loudly about itself."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace

from lowtide.app.notices import hardening_notice, workload_notices
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.kube import PodSpec
from lowtide.model.policy import Policy
from lowtide.model.scenario import Apply, Delete, Scenario, Step
from lowtide.model.workload import BarePod, Job, KubeObject, Meta, OtherObject, Replicated
from lowtide.resolve import hardening, resolve_cluster
from lowtide.spec.clusterfile import read_cluster
from lowtide.spec.manifests import objects_from
from lowtide.spec.workloads import default_workload
from tests.conftest import ROOT

CONTAINERS = [{"name": "main", "image": "i"}]


def workload(*objects: KubeObject, deleted: tuple[Meta, ...] = ()) -> Scenario:
    steps = [Step(action=Apply(objects=objects), at_ms=0)]
    if deleted:
        steps.append(Step(action=Delete(targets=deleted), at_ms=1000))
    return Scenario(steps=tuple(steps))


def template(*, seconds: str = "", restart: str = "Never") -> PodSpec:
    annotations = {"lowtide.dev/run-seconds": seconds} if seconds else {}
    (pod,) = objects_from(
        [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "any", "annotations": annotations},
                "spec": {"restartPolicy": restart, "containers": CONTAINERS},
            }
        ]
    )
    assert isinstance(pod, BarePod)
    return pod.template


def job(name: str, *, seconds: str = "", parallelism: int = 1) -> Job:
    return Job(
        meta=Meta(kind="Job", name=name),
        parallelism=parallelism,
        completions=None,
        backoff_limit=0,
        template=template(seconds=seconds),
    )


def pod(name: str, *, seconds: str = "", restart: str = "Never") -> BarePod:
    return BarePod(
        meta=Meta(kind="Pod", name=name), template=template(seconds=seconds, restart=restart)
    )


def test_jobs_and_pods_without_a_length_are_named_together() -> None:
    (notice,) = workload_notices(workload(job("a"), pod("b"), job("c", seconds="60")))
    assert "Job/default/a, Pod/default/b run" in notice
    assert "lowtide.dev/run-seconds" in notice
    assert "Job/default/c" not in notice


def test_what_the_scenario_deletes_or_never_starts_needs_no_length() -> None:
    asked = workload(job("a"), job("b", parallelism=0), deleted=(Meta(kind="Job", name="a"),))
    assert workload_notices(asked) == ()


def test_a_length_that_a_restart_policy_undoes_is_said() -> None:
    (notice,) = workload_notices(workload(pod("a", seconds="60", restart="Always")))
    assert "Pod/default/a starts again" in notice


def test_kinds_that_a_cluster_would_act_on_are_listed_once() -> None:
    idle = [
        OtherObject(meta=Meta(kind=kind, name="x"))
        for kind in ("HorizontalPodAutoscaler", "CronJob", "ScaledObject", "Service")
    ]
    database = Replicated(
        meta=Meta(kind="StatefulSet", name="db"),
        replicas=1,
        template=template(),
        volume_claims=("data",),
    )
    (notice,) = workload_notices(workload(*idle, database))
    for name in (
        "HorizontalPodAutoscaler/default/x",
        "CronJob/default/x",
        "ScaledObject/default/x",
        "volumes of StatefulSet/default/db",
        "jobTemplate",
    ):
        assert name in notice
    assert "Service" not in notice


def test_the_default_workload_has_nothing_to_say() -> None:
    assert workload_notices(default_workload()) == ()


def _cluster() -> ResolvedCluster:
    text = (ROOT / "examples" / "noble-gpu" / "cluster.yaml").read_text()
    return resolve_cluster(read_cluster(text, "cluster.yaml"), Policy())


def test_that_the_simulated_cluster_is_not_eksctls_is_one_line_with_the_place_to_read_on() -> None:
    cluster = _cluster()
    (notice,) = hardening_notice(cluster, default_workload())
    assert f"{len(cluster.hardening)} simulated values are not eksctl's" in notice
    assert len(f"NOTICE: {notice}") < 80
    assert "`lowtide plan`" in notice
    page = notice.split()[-1]
    assert (ROOT / page).is_file()
    assert hardening_notice(replace(cluster, hardening=()), default_workload()) == ()


def test_the_page_of_what_differs_from_eksctl_has_a_row_for_each_kind() -> None:
    page = (ROOT / "docs" / "hardening.md").read_text()
    keys = [
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(hardening)))
        if isinstance(node, ast.keyword) and node.arg == "key"
    ]
    beginnings = [
        str(first.value) if isinstance(first, ast.Constant) else ""
        for first in (one.values[0] if isinstance(one, ast.JoinedStr) else one for one in keys)
    ]
    assert len(beginnings) > 15
    assert [one for one in beginnings if f"`{one.split(' of ')[0].rstrip()}" not in page] == []
