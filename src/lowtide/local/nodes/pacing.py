"""How long the stages of kwok take in a box: its settings' delays, divided by its speed.

Why it exists: kwok reads its stages from a file, and every box has a pace of its own.

``lowtide.dev/run-seconds`` counts in the box's time as every delay does: at speed 10 a pod of 600 run-seconds runs for a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lowtide.local.aws.settings import Settings
from lowtide.local.controlplane.private_files import write_private
from lowtide.model.names import RUN_SECONDS

#: The stages without delays, in the package.
STAGES = Path(__file__).parent / "stages.yaml"
_RUNS = ("pod-finished", "pod-restarted")


def write_stages(file: Path, settings: Settings) -> Path:
    """Write the stages with the delays of the settings into a file, and return it."""
    documents = list(yaml.safe_load_all(STAGES.read_text(encoding="utf-8")))
    for one in documents:
        delay = _delay(one["metadata"]["name"], settings)
        if delay:
            one["spec"]["delay"] = delay
    return write_private(file, yaml.safe_dump_all(documents, sort_keys=False, width=10**6))


def _delay(stage: str, settings: Settings) -> dict[str, Any]:
    delays, speed = settings.delays, settings.speed
    seconds = {"node-ready": delays.node_ready_s, "pod-running": delays.pod_starts_s}
    if stage in seconds:
        return {"durationMilliseconds": round(seconds[stage] / speed * 1000)}
    if stage in _RUNS:
        return {"durationFrom": {"expressionFrom": _end(speed)}}
    return {}


def _end(speed: float) -> str:
    """Return the jq expression of the moment at which the first container ends.

    A moment instead of a duration: a kwok that was started again goes on with a pod where it was. Moments are whole seconds, as
    startedAt is.
    """
    run = f'(.metadata.annotations["{RUN_SECONDS}"] | tonumber) / {speed!r}'
    started = ".status.containerStatuses[0].state.running.startedAt | fromdateiso8601"
    return f"(({started}) + {run}) | ceil | todateiso8601"
