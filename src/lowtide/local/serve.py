"""A box, opened and wired: every service of the embedded AWS, moto behind, control planes, state kept, and the door.

Why it exists: the services know one another by name only; this is the one place that knows all of them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal, Self

from lowtide.local.autoscaler import launchers, leftovers
from lowtide.local.aws import credentials, faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.absent_planes import DeadPlanes
from lowtide.local.aws.eks.access import token_review
from lowtide.local.aws.eks.live_objects import LiveObjects
from lowtide.local.aws.eks.plane_threads import PlaneThreads
from lowtide.local.aws.eks.planes_port import (
    OBJECTS_PORT,
    PLANES_PORT,
    Key,
    PlaneRequest,
    PlaneUp,
)
from lowtide.local.aws.eks.state import eks_state
from lowtide.local.aws.front.admin import STATUS_PORT, TOKEN_REVIEW_PORT, admin_door
from lowtide.local.aws.front.app import application
from lowtide.local.aws.front.server import Server
from lowtide.local.aws.moto_behind import MotoBehind
from lowtide.local.aws.service import Service
from lowtide.local.aws.settings import Settings
from lowtide.local.aws.state_file import StateFile
from lowtide.local.box_folder import CLUSTERS, DOOR_FILE, Door, lock
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.planes import Planes, PlaneSpec
from lowtide.local.nodes.bridge import Nodes
from lowtide.local.nodes.pacing import write_stages
from lowtide.local.status import AUTOSCALERS_PORT, status_of

#: ``real`` clusters have a control plane; with ``none`` they become active with an address where nobody answers.
ControlPlaneKind = Literal["real", "none"]
_SERVICES = (
    "autoscaling", "cloudformation", "ec2", "eks", "iam", "pricing", "resourcegroupstaggingapi", "servicequotas",
    "ssm", "sts",
)  # fmt: skip


def open_box(settings: Settings) -> Box:
    """Return a box with all services, and with what its state file has kept; its clusters have no control plane.

    Raises:
        InputError: the state file cannot be used.
    """
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = StateFile(settings.state_file) if settings.state_file else None
    try:
        behind = MotoBehind(settings.account, keep=kept.note_call if kept else None)
        box = Box(settings, _services(), behind=behind)
        box.faults.append(faults.refuse)
        box.ports[PLANES_PORT] = DeadPlanes()
        box.ports[TOKEN_REVIEW_PORT] = partial(token_review, box)
        if kept is not None:
            kept.load(box)
            behind.replay(kept.calls())
            box.on_change = partial(kept.save, box)
            box.on_close = kept.close
    except BaseException:
        if kept is not None:
            kept.close()
        raise
    return box


class Serving:
    """A box that serves on a loopback port, from entering to leaving ``with``."""

    def __init__(
        self, settings: Settings, *, port: int = 0, planes: ControlPlaneKind = "none"
    ) -> None:
        self._lock = lock(settings.folder)
        try:
            self._server = Server(port)
        except BaseException:
            os.close(self._lock)
            raise
        self.stop_asked = threading.Event()
        self._planes: Planes | None = None
        self._threads: PlaneThreads | None = None
        self._objects: LiveObjects | None = None
        self._nodes: Nodes | None = None
        self._autoscalers: launchers.Launchers | None = None
        try:
            self.box = open_box(settings)
            if planes == "real":
                self._planes = Planes(
                    settings.folder / CLUSTERS,
                    admission=settings.admission,
                    binaries=partial(find_binaries, folder=settings.binaries),
                    stages=write_stages(settings.folder / "stages.yaml", settings),
                )
                self._planes.sweep()
                leftovers.sweep(settings.folder / CLUSTERS)
                _forget_deleted(self.box, settings.folder / CLUSTERS)
                self._threads = PlaneThreads(self._start_plane, self._stop_plane)
                self._objects = LiveObjects(self._kubeconfig)
                self.box.ports[PLANES_PORT] = self._threads
                self.box.ports[OBJECTS_PORT] = self._objects
                self._nodes = Nodes(self.box, self._bridge_kubeconfig)
                self._autoscalers = launchers.Launchers(
                    self.box, settings.autoscaler, self._server.url
                )
                self.box.ports[AUTOSCALERS_PORT] = self._autoscalers
        except BaseException:
            self._server.stop()
            os.close(self._lock)
            raise
        self.box.ports[STATUS_PORT] = partial(
            status_of, self.box, self._planes, self._nodes, time.time()
        )
        self.port = self._server.port
        self.door = Door(
            url=self._server.url,
            token=secrets.token_urlsafe(32),
            pid=os.getpid(),
            environment=self.environment(),
        )

    def environment(self) -> Mapping[str, str]:
        """Return the variables by which AWS's clients find the box and are let in."""
        key = credentials.admin(self.box)
        return {"AWS_ENDPOINT_URL": self._server.url, **key.environment(self.box.settings.region)}

    def __enter__(self) -> Self:
        """Start timers and door, and the clusters that ran when the box was stopped."""
        admin = admin_door(self.box, token=self.door.token, stop=self.stop_asked.set)
        self._server.start(application(self.box, admin))
        self.door.write(self.box.settings.folder)
        with self.box.lock:
            self._resume()
        self.box.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything; the state is kept."""
        (self.box.settings.folder / DOOR_FILE).unlink(missing_ok=True)
        self._server.stop()
        if self._objects is not None:
            self._objects.close()
        if self._nodes is not None:
            self._nodes.close()
        if self._autoscalers is not None:
            self._autoscalers.close()
        if self._planes is not None and self._threads is not None:
            self._planes.stop_all()
            self._threads.close()
        self.box.stop()
        os.close(self._lock)

    def _resume(self) -> None:
        if "eks" in self.box.services:
            importlib.import_module("lowtide.local.aws.eks.clusters").resume(self.box)

    def _start_plane(self, request: PlaneRequest) -> PlaneUp:
        assert self._planes is not None
        assert self._nodes is not None
        assert self._autoscalers is not None
        spec = PlaneSpec(
            name=request.name,
            region=request.region,
            minor=request.minor,
            webhook_url=f"{self._server.url}{request.token_review_path}",
            service_cidr=request.service_cidr,
            issuer=request.issuer,
        )
        running = self._planes.plane(spec.key)
        if running is not None and running.minor != spec.minor:  # an upgrade: the data stay
            self._nodes.cluster_down(request.key)
            self._autoscalers.cluster_down(request.key)
            self._planes.stop(spec.key)
        plane = self._planes.start(spec)
        self._nodes.cluster_up(request.key)
        self._autoscalers.cluster_up(request.key, plane)
        return PlaneUp(endpoint=plane.endpoint, ca_pem=plane.ca_pem)

    def _stop_plane(self, key: Key) -> None:
        assert self._planes is not None
        assert self._nodes is not None
        assert self._autoscalers is not None
        region, name = key
        self._nodes.cluster_down(key)
        self._autoscalers.cluster_down(key)
        self._planes.stop(f"{region}.{name}", delete=True)

    def _kubeconfig(self, key: Key) -> Path | None:
        assert self._planes is not None
        region, name = key
        plane = self._planes.plane(f"{region}.{name}")
        return None if plane is None else plane.admin_kubeconfig

    def _bridge_kubeconfig(self, key: Key) -> Path | None:
        assert self._planes is not None
        region, name = key
        plane = self._planes.plane(f"{region}.{name}")
        return None if plane is None else plane.bridge_kubeconfig


def _forget_deleted(box: Box, clusters: Path) -> None:
    """Remove the data of clusters that were deleted while the box was killed."""
    kept = {
        f"{region}.{name}"
        for (region, name), one in eks_state(box).clusters.items()
        if one.status != "DELETING"
    }
    for folder in clusters.iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _services() -> list[Service]:
    found = [credentials.SERVICE, faults.SERVICE]
    for name in _SERVICES:
        module = f"lowtide.local.aws.{name}"
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:  # not written yet: moto answers
            service = getattr(importlib.import_module(module), "SERVICE", None)
            if service is not None:
                found.append(service)
    return found
