"""Where kube-scheduler would evict pods of lower priority, which the twin does not do.

Why it exists: a run in which that matters must say so, or its waits are believed.
"""

from __future__ import annotations

from lowtide.engine.filters import fits
from lowtide.engine.ledger import Ledger
from lowtide.model.kube import Pod
from lowtide.model.snapshot import Snapshot


def node_to_preempt(pod: Pod, snapshot: Snapshot) -> str:
    """Return a node that takes the pod once all pods of lower priority are off it, empty without one.

    This is the dry run of kube-scheduler (pkg/scheduler/framework/plugins/defaultpreemption) without disruption budgets, which
    it only prefers to keep.
    """
    if pod.spec.preemption_policy == "Never":
        return ""
    ledger = Ledger.of(snapshot.nodes, snapshot.pods)
    mark = ledger.mark()
    for name, state in list(ledger.nodes.items()):
        lower = [one.key for one in state.pods.values() if one.spec.priority < pod.spec.priority]
        for key in lower:
            ledger.lift(key, name)
        if lower and fits(pod, state, ledger):
            return name
        ledger.undo(mark)
    return ""
