"""Autoscalers that a killed box left running, found by the record in their cluster's folder.

Why it exists: who cleans up after a box must not need a Kubernetes client for it.
"""

from __future__ import annotations

from pathlib import Path

from lowtide.local.controlplane.ownership import forget_record, is_alive, kill, read_record

#: Where a cluster's folder holds what its autoscaler is given, and the record of its process.
FOLDER = "autoscaler"


def sweep(clusters: Path) -> list[str]:
    """Kill what a killed box left running in its clusters' folders, and return it in words."""
    killed = []
    for folder in sorted(clusters.glob(f"*/{FOLDER}")):
        record = read_record(folder)
        if record is None or is_alive(record.owner):
            continue
        killed += [
            f"{child.name} of {folder.parent.name} (pid {child.pid})"
            for child in record.children
            if kill(child)
        ]
        forget_record(folder)
    return killed
