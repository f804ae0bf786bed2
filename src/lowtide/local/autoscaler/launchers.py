"""The autoscalers of a box: one launcher per control plane that runs.

Why it exists: whoever starts and stops control planes says so here, and need not know what an autoscaler is given.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowtide.local.autoscaler.launch import Launcher, Place
from lowtide.local.autoscaler.program import find_program
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.planes_port import Key
from lowtide.local.controlplane.planes import Plane
from lowtide.local.controlplane.processes import Starter


class Launchers:
    """Implements ``status.Autoscalers``. Thread-safe; must not be called under the box's lock.

    ``autoscaler`` names the upstream program; None leaves the choice to ``program.find_program``.
    """

    def __init__(self, box: Box, autoscaler: Path | None, url: str) -> None:
        self._box = box
        find_program(autoscaler)  # one that cannot be run is told at the start
        self._autoscaler = autoscaler
        self._url = url
        self._starter = Starter()
        self._lock = threading.Lock()
        self._launchers: dict[Key, Launcher] = {}
        self._is_closed = False

    def cluster_up(self, key: Key, plane: Plane) -> None:
        """Follow a cluster whose control plane serves."""
        self.cluster_down(key)
        place = Place(box=self._box, key=key, plane=plane, url=self._url)
        program = find_program(self._autoscaler, minor=plane.minor)
        launcher = Launcher(place, program, self._starter)
        with self._lock:
            if self._is_closed:
                return
            self._launchers[key] = launcher
            launcher.start()

    def cluster_down(self, key: Key) -> None:
        """Stop a cluster's autoscaler; one that does not run is no error."""
        with self._lock:
            launcher = self._launchers.pop(key, None)
        if launcher is not None:
            launcher.stop()

    def close(self) -> None:
        """Stop all; nothing starts afterwards."""
        with self._lock:
            self._is_closed = True
        for key in list(self._launchers):
            self.cluster_down(key)
        self._starter.close()

    def describe(self, cluster: Key) -> Mapping[str, Any] | None:
        """Return a cluster's autoscaler as JSON values, None where none is deployed."""
        with self._lock:
            launcher = self._launchers.get(cluster)
        running = launcher.running if launcher else None
        return running.document() if running else None
