"""How long kwok's stages take: the settings' delays, divided by the speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.nodes.pacing import STAGES, write_stages


def written(folder: Path, **settings: Any) -> dict[str, Any]:
    """Return the delays of the written stages by name."""
    file = write_stages(folder / "stages.yaml", Settings(folder=folder, **settings))
    stages = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return {one["metadata"]["name"]: one["spec"].get("delay") for one in stages}


def test_every_stage_is_written_and_the_speed_divides_what_takes_time(tmp_path: Path) -> None:
    delays = written(tmp_path, speed=5.0, delays=Delays(node_ready_s=20.0, pod_starts_s=3.0))
    names = [
        one["metadata"]["name"] for one in yaml.safe_load_all(STAGES.read_text(encoding="utf-8"))
    ]
    assert list(delays) == names
    assert delays["node-ready"] == {"durationMilliseconds": 4000}
    assert delays["pod-running"] == {"durationMilliseconds": 600}
    assert delays["pod-accepted"] is None
    assert delays["pod-deleted"] is None


def test_run_seconds_count_in_the_time_of_the_box(tmp_path: Path) -> None:
    (expression,) = written(tmp_path, speed=4.0)["pod-finished"]["durationFrom"].values()
    assert 'annotations["lowtide.dev/run-seconds"] | tonumber) / 4.0' in expression
    assert written(tmp_path, speed=4.0)["pod-restarted"]["durationFrom"] == {
        "expressionFrom": expression
    }
