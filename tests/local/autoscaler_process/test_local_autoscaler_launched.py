"""The autoscaler beside a real cluster: it runs while its pod does, as what was deployed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lowtide.kube.live import kinds
from lowtide.local.autoscaler.leftovers import FOLDER, sweep
from lowtide.local.controlplane.ownership import is_alive, read_record, write_record
from lowtide.local.controlplane.processes import Command, Starter
from tests.local.autoscaler_process.conftest import CLUSTER, KEY, REGION, Deck, wait_for

DISCOVERY = "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/demo"


def state(deck: Deck) -> str:
    found = deck.running()
    return str(found["state"]) if found else ""


def running(deck: Deck, flag: str = "") -> Any:
    """Wait until an autoscaler with that flag runs, and return what the box says of it."""

    def found() -> Any:
        one = deck.running()
        is_there = one and one["pid"] and flag in command_line(one["pid"])
        return one if is_there else None

    return wait_for(found)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text("utf-8").replace("\0", " ")


def environment(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/environ").read_text("utf-8")
    return dict(one.split("=", 1) for one in text.split("\0") if one)


def status_of(deck: Deck) -> Any:
    found = deck.cluster.get(kinds.CONFIG_MAP, "cluster-autoscaler-status", "kube-system") or {}
    return yaml.safe_load(found.get("data", {}).get("status", "{}"))


def pods(deck: Deck) -> list[Any]:
    labels = {"app": "cluster-autoscaler"}
    return list(deck.cluster.list(kinds.POD, namespace="kube-system", labels=labels).items)


def test_an_applied_autoscaler_runs_with_its_flags_and_writes_its_status(deck: Deck) -> None:
    deck.deploy(DISCOVERY, "--v=4")
    found = running(deck, "--v=4")
    assert (found["kind"], found["program"]) == ("lowtide", "lowtide's engine")
    assert DISCOVERY in command_line(found["pid"])
    wait_for(lambda: status_of(deck).get("autoscalerStatus") == "Running")
    assert status_of(deck)["clusterWide"]["health"]["status"] == "Healthy"


def test_its_rights_in_the_cluster_are_those_of_its_service_account(deck: Deck) -> None:
    # A flag of its own: the token of a pod that another test left ends with that pod.
    deck.deploy(DISCOVERY, "--v=3")
    running(deck, "--v=3")
    file = next(deck.folder.glob(f"clusters/*/{FOLDER}/kubeconfig"))
    assert file.stat().st_mode & 0o777 == 0o600
    asked = subprocess.run(
        ["kubectl", f"--kubeconfig={file}", "auth", "whoami", "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    who = json.loads(asked.stdout)["status"]["userInfo"]["username"]
    assert who == "system:serviceaccount:kube-system:cluster-autoscaler"


def test_without_a_role_it_is_the_boxs_administrator_and_with_one_it_is_that_role(
    deck: Deck,
) -> None:
    deck.deploy(DISCOVERY)
    keys = environment(running(deck)["pid"])
    assert keys["AWS_ACCESS_KEY_ID"] == deck.serving.environment()["AWS_ACCESS_KEY_ID"]
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}'
    box = deck.serving.box
    wanted = {"RoleName": "scaler", "AssumeRolePolicyDocument": trust}
    role = box.call("iam", "CreateRole", wanted)["Role"]["Arn"]
    association = {
        "clusterName": CLUSTER,
        "namespace": "kube-system",
        "serviceAccount": "cluster-autoscaler",
        "roleArn": role,
    }
    made = box.call("eks", "CreatePodIdentityAssociation", association, region=REGION)
    try:
        # As on EKS, pods that run already keep what they had.
        deck.deploy(DISCOVERY, "--v=5")
        keys = environment(running(deck, "--v=5")["pid"])
        assert keys["AWS_ACCESS_KEY_ID"].startswith("ASIA")
        assert keys["AWS_SESSION_TOKEN"]
    finally:
        which = {
            "clusterName": CLUSTER,
            "associationId": made["association"]["associationId"],
        }
        box.call("eks", "DeletePodIdentityAssociation", which, region=REGION)


@pytest.mark.slow
def test_scaled_to_zero_it_stops_and_changed_flags_start_another(deck: Deck) -> None:
    deck.deploy(DISCOVERY, "--max-nodes-total=7")
    first = running(deck, "--max-nodes-total=7")["pid"]
    deck.deploy(DISCOVERY, "--max-nodes-total=9")
    second = running(deck, "--max-nodes-total=9")["pid"]
    assert second != first
    assert not Path(f"/proc/{first}").exists()
    deck.deploy(DISCOVERY, "--max-nodes-total=9", replicas=0)
    wait_for(lambda: deck.running() is None)
    assert not Path(f"/proc/{second}").exists()


@pytest.mark.slow
def test_a_misspelt_flag_ends_it_in_a_crash_loop_that_kubectl_shows(deck: Deck) -> None:
    deck.deploy("--scale-down-unneded-time=1m")
    found = wait_for(lambda: state(deck) == "CrashLoopBackOff" and deck.running())
    assert found["said"].endswith("unknown flag: --scale-down-unneded-time")

    def waiting() -> Any:
        for one in pods(deck):
            for container in one["status"].get("containerStatuses", ()):
                if container["restartCount"] > 1:
                    return container
        return None

    container = wait_for(waiting)
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 1
    events = deck.cluster.list(kinds.EVENT, namespace="kube-system").items
    (back_off,) = {
        one["message"].split(" in pod ")[0] for one in events if one["reason"] == "BackOff"
    }
    assert back_off == "Back-off restarting failed container cluster-autoscaler"


@pytest.mark.slow
def test_a_pod_in_a_crash_loop_goes_when_it_is_deleted(deck: Deck) -> None:
    deck.deploy("--no-such-flag")
    wait_for(lambda: state(deck) == "CrashLoopBackOff")
    deck.deploy("--no-such-flag", replicas=0)
    wait_for(lambda: pods(deck) == [], within_s=120)
    assert deck.running() is None


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_its_pod_says_how_often(deck: Deck) -> None:
    deck.deploy(DISCOVERY, "--v=6")
    first = running(deck, "--v=6")["pid"]
    os.kill(first, signal.SIGKILL)
    again = wait_for(lambda: (one := deck.running()) and one["pid"] not in (None, first) and one)
    assert again["restarts"] == 1
    wait_for(
        lambda: [one["status"]["containerStatuses"][0]["restartCount"] for one in pods(deck)] == [1]
    )


def test_an_autoscaler_without_its_service_account_does_not_run(deck: Deck) -> None:
    deck.deploy(DISCOVERY, replicas=0)
    wait_for(lambda: deck.running() is None)
    deck.cluster.delete(kinds.SERVICE_ACCOUNT, "cluster-autoscaler", namespace="kube-system")
    deck.deploy(DISCOVERY)

    def refused() -> list[str]:
        events = deck.cluster.list(kinds.EVENT, namespace="kube-system").items
        return [one["message"] for one in events if one["reason"] == "FailedCreate"]

    assert 'serviceaccount "cluster-autoscaler" not found' in wait_for(refused)[0]
    assert deck.running() is None
    metadata = {"name": "cluster-autoscaler", "namespace": "kube-system"}
    deck.cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})


def test_what_a_killed_box_left_running_is_found_and_killed(tmp_path: Path) -> None:
    starter = Starter()
    folder = tmp_path / "us-west-2.demo" / FOLDER
    folder.mkdir(parents=True)
    command = Command(
        name="cluster-autoscaler",
        program=Path(sys.executable),
        arguments=("-c", "import time; time.sleep(600)"),
    )
    child = starter.start(command, folder=folder, log=tmp_path / "log")
    try:
        write_record(folder, [child.identity])
        assert sweep(tmp_path) == [], "its box still lives"
        record = json.loads((folder / "processes.json").read_text("utf-8"))
        record["owner"]["started"] = "another time"
        (folder / "processes.json").write_text(json.dumps(record), encoding="utf-8")
        assert sweep(tmp_path) == [f"cluster-autoscaler of us-west-2.demo (pid {child.pid})"]
        assert not is_alive(child.identity)
        assert read_record(folder) is None
    finally:
        child.end(0)
        starter.close()


@pytest.mark.parametrize("key", [KEY, ("eu-west-1", "nowhere")])
def test_a_cluster_without_an_autoscaler_has_none(deck: Deck, key: tuple[str, str]) -> None:
    deck.cluster.delete(kinds.DEPLOYMENT, "cluster-autoscaler", namespace="kube-system")
    wait_for(lambda: deck.serving.box.ports["autoscalers"].describe(key) is None)
