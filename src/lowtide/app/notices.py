"""What has to be said loudly about a run, because a person would take its figures for something else.

What only the run itself can know, the twin and explain say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lowtide.model.cluster import ResolvedCluster
from lowtide.model.names import RUN_SECONDS
from lowtide.model.policy import Policy
from lowtide.model.scenario import Apply, Delete, Scenario
from lowtide.model.simulation import Simulation
from lowtide.model.workload import BarePod, Job, KubeObject, OtherObject, Replicated

#: Kinds that would change how many pods there are, what they ask for or where they fit, and do nothing on the twin.
_WOULD_MATTER = (
    "HorizontalPodAutoscaler",
    "VerticalPodAutoscaler",
    "CronJob",
    "ScaledObject",
    "ScaledJob",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "LimitRange",
)
#: What each of lowtide's own values is, and how to leave it out; `lowtide plan` lists those of a file.
HARDENING_PAGE = "`lowtide plan`, docs/hardening.md"
_SHOWN, _IDLE_SHOWN = 3, 12


def workload_notices(scenario: Scenario) -> tuple[str, ...]:
    """Return what the twin does with a workload that its owner may not expect."""
    applied = [
        one
        for step in scenario.steps
        if isinstance(step.action, Apply)
        for one in step.action.objects
    ]
    deleted = {
        target
        for step in scenario.steps
        if isinstance(step.action, Delete)
        for target in step.action.targets
    }
    lasting = [one for one in applied if one.meta not in deleted]
    return (*_endless(lasting), *_without_effect(applied))


def _endless(objects: Iterable[KubeObject]) -> Iterator[str]:
    untold, restarted = [], []
    for one in objects:
        if not isinstance(one, Job | BarePod) or (isinstance(one, Job) and not one.parallelism):
            continue
        if one.template.run_seconds is None:
            untold.append(str(one.meta))
        elif one.template.restart_policy == "Always":
            restarted.append(str(one.meta))
    if untold:
        yield (
            f"Nothing says how long the pods of {_some(untold)} run, so they run until they are deleted, and keep "
            f'their nodes: annotate the pods with {RUN_SECONDS}: "3600" or the like.'
        )
    if restarted:
        yield (
            f"{_some(restarted)} starts again whenever it ends, by restartPolicy Always: write Never or OnFailure "
            f"for {RUN_SECONDS} to end it."
        )


def _without_effect(objects: Iterable[KubeObject]) -> Iterator[str]:
    idle = [name for one in objects for name in _idle(one)]
    if not idle:
        return
    calendar = any(name.startswith("CronJob/") for name in idle)
    advice = "; to simulate a CronJob's pods, write its jobTemplate as a Job" if calendar else ""
    yield f"On a cluster these act, on the twin they do nothing: {_some(idle, _IDLE_SHOWN)}{advice}."


def _idle(one: KubeObject) -> Iterator[str]:
    if isinstance(one, Replicated) and one.volume_claims:
        yield f"volumes of {one.meta}"
    if isinstance(one, OtherObject) and one.meta.kind in _WOULD_MATTER:
        yield str(one.meta)


def hardening_notice(cluster: ResolvedCluster, scenario: Scenario) -> tuple[str, ...]:
    """Return that the simulated cluster is another than eksctl's, on one line; ``plan`` and the page say in what."""
    keys = [one.key for one in cluster.hardening]
    if scenario.addons != "default":  # the autoscaler is the scenario's own, with its own flags
        keys = [key for key in keys if not key.startswith("--")]
    if not keys:
        return ()
    values = "1 simulated value is" if len(keys) == 1 else f"{len(keys)} simulated values are"
    return (f"{values} not eksctl's: {HARDENING_PAGE}",)


def budget_notice(policy: Policy, simulation: Simulation) -> tuple[str, ...]:
    """Return a warning where the dearest moment of the run is above the policy's budget."""
    limit = policy.max_usd_per_hour
    most = max((row.usd_per_hour for row in simulation.states), default=0.0)
    if limit is None or most <= limit:
        return ()
    said = f"At its dearest moment this run costs ${most:.2f} an hour"
    return (f"{said}, above the ${limit:.2f} of budget.maxUsdPerHour in lowtide.yaml.",)


def _some(names: Iterable[str], shown: int = _SHOWN) -> str:
    listed = list(dict.fromkeys(names))
    more = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {more:,} more" if more > 0 else "")
