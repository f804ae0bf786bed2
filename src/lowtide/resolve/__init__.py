"""File plus catalog plus policy becomes the resolved cluster.

Why it exists: labels, taints, tags, allocatable and prices are born here, once, and read everywhere.

What it must not know: how a cluster is simulated, rendered or printed.
"""

from __future__ import annotations

from lowtide.resolve.cluster import resolve_cluster

__all__ = ["resolve_cluster"]
