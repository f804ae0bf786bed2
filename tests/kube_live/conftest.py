"""A real API server for the tests of the Kubernetes client, one for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.programs import programs_or_skip

if TYPE_CHECKING:
    from lowtide.kube.live.client import Cluster
    from lowtide.local.controlplane.planes import Plane

STAGES = "tests/local/controlplane/stages.yaml"


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane; skips the test where its programs are missing."""
    from lowtide.local.controlplane.planes import Planes, PlaneSpec
    from lowtide.local.controlplane.releases import DEFAULT_MINOR
    from tests.conftest import ROOT

    binaries = programs_or_skip()
    folder = tmp_path_factory.mktemp("kube-live")
    planes = Planes(folder, binaries=lambda _: binaries, stages=ROOT / STAGES)
    try:
        yield planes.start(PlaneSpec(name="live", region="us-west-2", minor=DEFAULT_MINOR))
    finally:
        planes.stop_all()


@pytest.fixture
def cluster(plane: Plane) -> Iterator[Cluster]:
    """A connection to it, as admin."""
    from lowtide.kube.live.client import Cluster

    with Cluster.connect(plane.admin_kubeconfig) as connected:
        yield connected
