"""Clusters of other minors than the default: started where their programs are, refused in words where they are not."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.releases import DEFAULT_MINOR, RELEASES
from lowtide.model.errors import LowtideError
from tests.local.life.eks_parts import create_cluster, wait_for
from tests.local.life.home import Home
from tests.programs import programs_or_skip

OTHERS = [one.minor for one in RELEASES if one.minor != DEFAULT_MINOR]


def described(home: Home) -> Any:
    return home.aws("eks").describe_cluster(name="tide")["cluster"]


def created(home: Home, minor: str) -> Any:
    """Create a cluster of a minor and return what it became."""
    home.up("--speed", "100")
    create_cluster(home, "tide", version=minor)
    wait_for(lambda: described(home)["status"] != "CREATING")
    return described(home)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl on PATH")
@pytest.mark.parametrize("minor", OTHERS)
def test_a_cluster_of_another_minor_is_served_by_the_programs_of_that_minor(
    home: Home, minor: str
) -> None:
    programs_or_skip(minor)
    found = created(home, minor)
    assert (found["status"], found["version"]) == ("ACTIVE", minor), found["health"]
    config = next(home.folder.glob("clusters/*/access/admin.kubeconfig"))
    asked = subprocess.run(
        ["kubectl", f"--kubeconfig={config}", "version", "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    server = json.loads(asked.stdout)["serverVersion"]
    assert f"{server['major']}.{server['minor']}" == minor


def missing_here() -> str:
    """Return a minor whose programs this machine lacks."""
    for minor in OTHERS:
        try:
            find_binaries(minor)
        except LowtideError:
            return minor
    pytest.skip("this machine has the programs of every minor")


@pytest.mark.slow
def test_a_cluster_whose_programs_are_missing_fails_and_says_how_to_get_them(home: Home) -> None:
    minor = missing_here()
    found = created(home, minor)
    assert found["status"] == "FAILED"
    (issue,) = found["health"]["issues"]
    assert f"Kubernetes {minor} cannot be started here" in issue["message"]
    assert f"lowtide local build --download --kubernetes {minor}" in issue["message"]
