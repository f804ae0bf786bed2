"""A box that is killed with SIGKILL while clusters start, run and stop: what the next start finds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.controlplane.ownership import Process, is_alive
from tests.local.life.eks_parts import create_cluster, wait_for
from tests.local.life.home import PYTHON, Home

pytestmark = pytest.mark.slow


def _kill(home: Home, pid: int) -> list[Process]:
    """Kill the box and return the programs that it had."""
    children = home.children()
    os.kill(pid, signal.SIGKILL)
    return children


def _status(home: Home, name: str) -> str:
    eks = home.aws("eks")
    try:
        status: str = eks.describe_cluster(name=name)["cluster"]["status"]
    except eks.exceptions.ResourceNotFoundException:
        return "gone"
    return status


def _kubectl(home: Home, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    made = home.shell("aws", "eks", "update-kubeconfig", "--name", name)
    assert made.returncode == 0, made.stderr
    return home.shell("kubectl", *arguments)


def _assert_clean_start(home: Home, children: list[Process], before: dict[str, Any]) -> int:
    after = home.up()
    assert not any(is_alive(child) for child in children)
    assert after["environment"] == before["environment"]
    status = home.document("local", "status")
    assert status["state"] == "running"
    pid: int = status["pid"]
    return pid


# After so many recorded programs of the first cluster, or at any moment (seeded by pytest-randomly).
@pytest.mark.parametrize("moment", [0, 1, 2, 4, "any"])
def test_killed_while_clusters_start_both_become_active_at_the_next_start(
    home: Home, moment: int | str
) -> None:
    before = home.up("--speed", "1000")
    for name in ("one", "two"):
        create_cluster(home, name)
    if moment == "any":
        time.sleep(random.uniform(0, 8))  # noqa: S311 - a moment, not a secret
    else:
        wait_for(lambda: len(home.children()) >= int(moment))
    children = _kill(home, before["pid"])
    _assert_clean_start(home, children, before)
    for name in ("one", "two"):
        wait_for(lambda name=name: _status(home, name) == "ACTIVE")  # type: ignore[misc]
        assert _kubectl(home, name, "get", "ns").returncode == 0
    assert len({one.pid for one in home.children()}) == 10


def test_killed_while_a_cluster_runs_its_address_objects_and_kubeconfig_are_the_same_afterwards(
    home: Home,
) -> None:
    before = home.up("--speed", "1000")
    create_cluster(home, "one")
    wait_for(lambda: _status(home, "one") == "ACTIVE")
    made = _kubectl(home, "one", "create", "configmap", "kept", "--from-literal=a=b")
    assert made.returncode == 0, made.stderr
    for _ in range(3):
        time.sleep(random.uniform(0, 3))  # noqa: S311 - a moment, not a secret
        pid = home.document("local", "status")["pid"]
        children = _kill(home, pid)
        _assert_clean_start(home, children, before)
    # The kubeconfig that was written before the kills is used as it is.
    command = ("kubectl", "get", "configmap", "kept", "-o", "jsonpath={.data.a}")
    wait_for(lambda: home.shell(*command).stdout == "b")


@pytest.mark.parametrize("later_s", [0.0, 0.3, 1.0, "any"])
def test_killed_while_a_cluster_is_deleted_it_is_gone_after_the_next_start(
    home: Home, later_s: float | str
) -> None:
    before = home.up("--speed", "1000")
    for name in ("one", "two"):
        create_cluster(home, name)
    wait_for(lambda: {_status(home, name) for name in ("one", "two")} == {"ACTIVE"})
    home.aws("eks").delete_cluster(name="one")
    time.sleep(random.uniform(0, 5) if later_s == "any" else float(later_s))  # noqa: S311
    children = _kill(home, before["pid"])
    _assert_clean_start(home, children, before)
    wait_for(lambda: _status(home, "one") == "gone")
    assert not (home.folder / "clusters" / "us-east-1.one").exists()
    wait_for(lambda: _kubectl(home, "two", "get", "ns").returncode == 0)


@pytest.mark.parametrize("later_s", [0.2, 1.0])
def test_killed_while_the_box_stops_it_goes_on_at_the_next_start(
    home: Home, later_s: float
) -> None:
    before = home.up("--speed", "1000")
    create_cluster(home, "one")
    wait_for(lambda: _status(home, "one") == "ACTIVE")
    with subprocess.Popen(
        [*PYTHON, "local", "down", "--keep"], env=home.environment, stderr=subprocess.DEVNULL
    ) as stopping:
        time.sleep(later_s)
        children = home.children()
        if _still_runs(before["pid"]):
            os.kill(before["pid"], signal.SIGKILL)
        assert stopping.wait(120) == 0
    _assert_clean_start(home, children, before)
    wait_for(lambda: _status(home, "one") == "ACTIVE")
    wait_for(lambda: _kubectl(home, "one", "get", "ns").returncode == 0)


def _still_runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_several_clusters_run_side_by_side_and_go_one_by_one(home: Home) -> None:
    home.up("--speed", "1000")
    for name in ("one", "two"):
        create_cluster(home, name)
    for name in ("one", "two"):
        wait_for(_becomes(home, name, "ACTIVE"))
        made = _kubectl(home, name, "create", "namespace", f"in-{name}")
        assert made.returncode == 0, made.stderr
    seen = _kubectl(home, "two", "get", "ns", "-o", "name").stdout.split()
    assert "namespace/in-two" in seen
    assert "namespace/in-one" not in seen
    pids = {one["name"]: set(one["processes"].values()) for one in _clusters(home)}
    assert {len(found) for found in pids.values()} == {5}
    home.aws("eks").delete_cluster(name="one")
    wait_for(_becomes(home, "one", "gone"))
    assert {one["name"]: set(one["processes"].values()) for one in _clusters(home)} == {
        "two": pids["two"]
    }
    children = home.children()
    home.run("local", "down")
    assert not any(is_alive(child) for child in children)


def _becomes(home: Home, name: str, status: str) -> Callable[[], bool]:
    return lambda: _status(home, name) == status


def _clusters(home: Home) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = home.document("local", "status")["clusters"]
    return found
