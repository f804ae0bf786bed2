"""Autoscalers that a killed box left running, found by the record in their cluster's folder.

Why it exists: who cleans up after a box must not need a Kubernetes client for it.
"""

from __future__ import annotations

from pathlib import Path

from lowtide.local.controlplane.ownership import kill_orphans

#: Where a cluster's folder holds what its autoscaler is given, and the record of its process.
FOLDER = "autoscaler"


def sweep(clusters: Path) -> list[str]:
    """Kill what a killed box left running in its clusters' folders, and return it in words."""
    return [
        words
        for folder in sorted(clusters.glob(f"*/{FOLDER}"))
        for words in kill_orphans(folder, folder.parent.name)
    ]
