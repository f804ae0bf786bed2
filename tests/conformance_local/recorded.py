"""The recorded broken set-ups: what to set up, for how long to watch, and what the real parts said.

Fields and rules are those of the recordings' README; nothing here knows a result.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import find_shared

Json = Mapping[str, Any]

#: Base flags of the autoscaler (README.md, "The world of these runs").
BASE_FLAGS = (
    "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/demo",
    "--balance-similar-node-groups",
    "--skip-nodes-with-local-storage=false",
    "--expander=least-waste",
    "--scale-down-unneeded-time=30s",
    "--scale-down-delay-after-add=20s",
    "--scan-interval=5s",
)
_TOOK = re.compile(
    r"Took ([\d.]+)s of observation\..*extra CA flags: (\[.*?\]), fake AWS cfg: (\{.*?\}), ICE zones: (\[.*?\])"
)
#: The one that was recorded with EKS's admission.
_EKS_ADMISSION = "no-toleration-eks-admission"
#: The one whose workload changes while it is watched (its notes.md and timeline.json).
_IN_STEPS = "scale-down-blockers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One recorded set-up.

    ``plugin_s`` is the device plugin's delay where it is not 2 s; ``dry_zones`` are zones without capacity. Where the pods ran in the end
    (``until_running``), watching ended with that.
    """

    name: str
    groups: Json
    objects: tuple[Json, ...]
    flags: tuple[str, ...]
    plugin_s: float | None
    dry_zones: tuple[str, ...]
    watched_s: float
    until_running: bool
    eks_admission: bool
    in_steps: bool
    lines: tuple[str, ...]
    events: tuple[Json, ...]
    end: str


def folder() -> Path | None:
    """Return where the recordings are, None where this machine has none."""
    return find_shared("live-recordings/broken")


def names(place: Path) -> list[str]:
    """Return the names of all variants."""
    return sorted(one.name for one in place.iterdir() if one.is_dir())


def read(place: Path, name: str) -> Variant:
    """Read one variant."""
    here = place / name
    found = _TOOK.search((here / "notes.md").read_text("utf-8"))
    assert found is not None, f"{name}: notes.md says nothing of its observation"
    extra, config, zones = (ast.literal_eval(found[index]) for index in (2, 3, 4))
    lines = _lines(place, name)
    end = next(one for one in lines if one.startswith("Max GPU nodes"))
    events = json.loads((here / "events.json").read_text("utf-8"))
    return Variant(
        name=name,
        groups=json.loads((here / "groups.json").read_text("utf-8")),
        objects=tuple(yaml.safe_load_all((here / "manifests.yaml").read_text("utf-8"))),
        flags=(*BASE_FLAGS, *extra),
        plugin_s=config.get("plugin_s"),
        dry_zones=tuple(zones),
        watched_s=float(found[1]),
        until_running="pods={'Running'" in end and "Pending" not in end,
        eks_admission=name == _EKS_ADMISSION,
        in_steps=name == _IN_STEPS,
        lines=tuple(one for one in lines if one is not end),
        events=tuple(events["items"] if isinstance(events, dict) else events),
        end=end,
    )


def _lines(place: Path, name: str) -> list[str]:
    """Return the lines of INDEX.md that are the variant's."""
    text = (place / "INDEX.md").read_text("utf-8")
    part = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    return [one[2:] for one in part.splitlines() if one.startswith("- ")]
