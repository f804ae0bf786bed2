"""Wires a simulation: files, resolved cluster, twin, priced record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lowtide.app.files import Inputs, load, refusal
from lowtide.app.notices import budget_notice, hardening_notice, workload_notices
from lowtide.explain.simulation import simulation_of
from lowtide.kube.addons import default_addons, eks_system
from lowtide.kube.objects import Manifest
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.policy import Policy
from lowtide.model.run import RunRecord
from lowtide.model.scenario import Scenario
from lowtide.model.simulation import Simulation
from lowtide.model.workload import KubeObject
from lowtide.spec.manifests import objects_from
from lowtide.spec.workloads import default_workload
from lowtide.twin.run import run as run_twin

#: Called now and then with the virtual milliseconds that have passed.
Progress = Callable[[int], None]


def simulate(
    inputs: Inputs, *, seed: int | None = None, progress: Progress | None = None
) -> Simulation:
    """Run a workload on a cluster's twin and return the priced run; ``seed`` None means the policy's.

    Raises:
        InputError: a file cannot be read or resolved, with every finding of all of them.
    """
    loaded = load(inputs)
    scenario = default_workload() if inputs.workload is None else loaded.scenario
    if loaded.cluster is None or loaded.policy is None or scenario is None:
        raise refusal(loaded, "was simulated")
    record = run(
        loaded.cluster,
        scenario,
        loaded.policy,
        seed=loaded.policy.seed if seed is None else seed,
        progress=progress,
    )
    simulation = simulation_of(record, loaded.cluster)
    notices = (
        *simulation.notices,
        *workload_notices(scenario),
        *budget_notice(loaded.policy, simulation),
        *hardening_notice(loaded.cluster, scenario),
    )
    return replace(simulation, notices=tuple(dict.fromkeys(notices)))


def run(
    cluster: ResolvedCluster,
    scenario: Scenario,
    policy: Policy,
    *,
    seed: int,
    progress: Progress | None = None,
) -> RunRecord:
    """Return the record of a run on the twin, with what EKS and lowtide put into a cluster at its start."""
    return run_twin(
        cluster,
        scenario,
        policy=policy,
        initial=_objects(eks_system(cluster)),
        addons=_objects(default_addons(cluster)) if scenario.addons == "default" else (),
        seed=seed,
        progress=progress,
    )


def _objects(manifests: list[Manifest]) -> tuple[KubeObject, ...]:
    return objects_from(manifests)
