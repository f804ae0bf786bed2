"""The identity of a Kubernetes object.

Why it exists: who writes manifests needs a name for each, and none of the two dozen classes of pods and ``workload`` (16 ms).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Identity of an object."""

    kind: str
    name: str
    namespace: str = "default"

    def __str__(self) -> str:
        """Return ``Kind/namespace/name``."""
        return f"{self.kind}/{self.namespace}/{self.name}"
