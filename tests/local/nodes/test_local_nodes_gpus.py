"""Which nodes offer their GPUs, by what a watch says of nodes and pods, in whatever order it says it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from lowtide.kube.live.client import Cluster
from lowtide.local.aws.settings import Settings
from lowtide.local.aws.ssm.images import images
from lowtide.local.nodes.gpus import Gpus
from lowtide.local.nodes.machines import Machine
from lowtide.local.nodes.worker import Worker
from lowtide.model.quantity import NVIDIA_GPU


def machine(image: str) -> Machine:
    """Return an instance with one GPU that runs an image of AWS's with the word in its name."""
    return Machine(
        region="eu-west-1",
        id="i-0123456789abcdef0",
        instance_type="g5.2xlarge",
        zone="eu-west-1c",
        zone_id="euw1-az3",
        private_ip="10.0.3.77",
        image=next(one for one in images("eu-west-1").values() if image in one.name),
        role_arn="arn:aws:iam::123456789012:role/node",
        disk_gib=100,
        user_data="",
    )


AMAZON = machine("al2023-x86_64-nvidia-580-1.35")
NAME = AMAZON.name
PLUGIN: dict[str, Any] = {
    "metadata": {"name": "plugin-x", "uid": "u-1"},
    "spec": {
        "nodeName": NAME,
        "containers": [{"image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.4"}],
    },
    "status": {"phase": "Running"},
}


@dataclass
class Nodes:
    """The nodes of an API server, as far as GPUs are looked for and patched."""

    status: dict[str, dict[str, Any]] = field(default_factory=dict)

    def register(self) -> None:
        self.status[NAME] = {"capacity": {}, "allocatable": {}}

    def get(self, _kind: object, name: str) -> dict[str, Any] | None:
        return {"status": self.status[name]} if name in self.status else None

    def patch(self, _kind: object, name: str, patch: dict[str, Any], *, status: bool) -> None:
        assert status
        for part, amounts in patch["status"].items():
            self.status[name][part].update(amounts)

    def offered(self) -> str | None:
        amount: str | None = self.status[NAME]["allocatable"].get(NVIDIA_GPU)
        return amount


@dataclass
class Manager:
    """A device manager at work on those nodes, whose machines are all ``machine``."""

    nodes: Nodes
    worker: Worker
    gpus: Gpus
    machine: Machine = AMAZON

    def settled(self) -> str | None:
        """Return what the node offers once all that was due has been done."""
        done = threading.Event()
        self.worker.after(0.05, done.set)
        assert done.wait(20)
        return self.nodes.offered()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    nodes, worker = Nodes(), Worker("test")
    nodes.register()
    settings = Settings(folder=tmp_path, speed=100_000.0)
    found: list[Manager] = []
    gpus = Gpus(cast("Cluster", nodes), worker, settings, lambda _name: found[0].machine)
    found.append(Manager(nodes=nodes, worker=worker, gpus=gpus))
    worker.start()
    yield found[0]
    worker.stop()


def test_a_node_that_takes_over_the_name_and_the_pods_of_one_just_gone_offers_its_gpus(
    manager: Manager,
) -> None:
    manager.gpus.on_node(NAME, ready=True)
    manager.gpus.on_pod(PLUGIN, gone=False)
    assert manager.settled() == "1"
    manager.gpus.on_node(NAME, ready=False)
    manager.nodes.register()
    # The plugin's pod has not been collected yet: it is the same one, and no watch says anything of it.
    manager.gpus.on_node(NAME, ready=True)
    assert manager.settled() == "1"


def test_without_its_plugin_a_node_offers_nothing_however_often_it_becomes_ready(
    manager: Manager,
) -> None:
    manager.gpus.on_node(NAME, ready=True)
    assert manager.settled() is None
    manager.gpus.on_pod(PLUGIN, gone=False)
    manager.gpus.on_pod(PLUGIN, gone=True)
    manager.gpus.on_node(NAME, ready=False)
    manager.nodes.register()
    manager.gpus.on_node(NAME, ready=True)
    assert manager.settled() is None


def test_an_image_that_brings_its_plugin_needs_no_pod(manager: Manager) -> None:
    manager.machine = machine("bottlerocket-aws-k8s-1.36-nvidia")
    manager.gpus.on_node(NAME, ready=True)
    assert manager.settled() == "1"
