"""Which autoscaler is active in a cluster, read from its pods; and what its process is started with."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import Any

import pytest

from lowtide.local.autoscaler.crash_loop import Restarts, waiting_status
from lowtide.local.autoscaler.deployed import Deployed, leader, start_problem
from lowtide.local.autoscaler.faster import faster
from lowtide.local.autoscaler.hand_over import write_cloud_config
from lowtide.local.autoscaler.process import endpoints
from lowtide.local.autoscaler.program import Program, find_program
from lowtide.model.errors import InputError

IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.2"


def pod(
    name: str = "cluster-autoscaler-1",
    *,
    phase: str = "Running",
    created: str = "2026-01-01T00:00:00Z",
    image: str = IMAGE,
    env: list[dict[str, Any]] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    container = {
        "name": "cluster-autoscaler",
        "image": image,
        "command": ["/cluster-autoscaler"],
        "args": ["--cloud-provider=aws", "--scan-interval=20s"],
        "env": env or [],
    }
    return {
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "uid": f"uid-{name}",
            "creationTimestamp": created,
            **metadata,
        },
        "spec": {
            "serviceAccountName": "autoscaler",
            "nodeName": "node-1",
            "containers": [{"name": "sidecar", "image": "busybox"}, container],
        },
        "status": {"phase": phase},
    }


def only(*pods: dict[str, Any]) -> Deployed:
    found = leader(pods)
    assert found is not None
    return found


def test_a_running_pod_is_read_with_the_minor_of_its_image() -> None:
    found = only(pod())
    assert (found.pod, found.account, found.minor) == ("cluster-autoscaler-1", "autoscaler", "1.35")
    assert found.flags == ("--cloud-provider=aws", "--scan-interval=20s")


@pytest.mark.parametrize(
    "waiting",
    [
        pod(phase="Pending"),
        pod(phase="Succeeded"),
        pod(deletionTimestamp="2026-01-01T00:10:00Z"),
        pod(image="busybox") | {"spec": {"containers": [{"name": "a", "image": "busybox"}]}},
    ],
    ids=["no node yet", "ended", "being deleted", "another program"],
)
def test_no_autoscaler_runs_without_a_running_pod_of_it(waiting: dict[str, Any]) -> None:
    assert leader([waiting]) is None


def test_of_two_replicas_the_older_leads_and_goes_on_leading() -> None:
    first = pod("first", created="2026-01-01T00:00:00Z")
    second = pod("second", created="2026-01-02T00:00:00Z")
    assert only(second, first).pod == "first"
    still = leader([first, second], now="uid-second")
    assert still is not None
    assert still.pod == "second"


def test_variables_are_values_and_fields_of_the_pod_and_none_that_load_code() -> None:
    given: list[dict[str, Any]] = [
        {"name": "AWS_REGION", "value": "eu-west-1"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "LD_PRELOAD", "value": "evil.so"},
        {"name": "PYTHONPATH", "value": "evil"},
        {"name": "PATH", "value": "evil"},
    ]
    found = only(pod(env=given)).environment
    assert found == {"AWS_REGION": "eu-west-1", "NODE": "node-1"}


@pytest.mark.parametrize(
    ("command", "arguments", "starts"),
    [
        (("./cluster-autoscaler",), ("--v=4",), True),
        ((), (), True),
        (("/bin/sh", "-c"), ("./cluster-autoscaler",), False),
        ((), ("--v=4",), False),
    ],
    ids=["upstream's path", "the image's own", "a shell", "arguments alone"],
)
def test_a_container_starts_only_by_the_program_of_its_image(
    command: tuple[str, ...], arguments: tuple[str, ...], starts: bool
) -> None:
    found = only(pod())
    problem = start_problem(
        Deployed(
            **{
                name: getattr(found, name)
                for name in ("pod", "namespace", "uid", "account", "container", "image", "minor")
            },
            command=command,
            arguments=arguments,
        )
    )
    assert (problem == "") is starts


def test_times_are_divided_and_unneeded_time_stays_above_the_groups_refresh() -> None:
    found = dict(one.removeprefix("--").split("=") for one in faster((), minor="1.36", speed=10))
    assert found["scale-down-unneeded-time"] == "65s"
    assert found["max-node-provision-time"] == "120s"
    assert found["scale-down-delay-after-add"] == "60s"
    assert found["scan-interval"] == "5s"


def test_a_time_that_was_given_below_the_least_stays_as_given() -> None:
    given = ("--scale-down-unneeded-time=30s", "--scale-down-delay-after-add=5m")
    found = dict(one.removeprefix("--").split("=") for one in faster(given, minor="1.36", speed=10))
    assert found["scale-down-unneeded-time"] == "30s"
    assert found["scale-down-delay-after-add"] == "30s"


def test_at_speed_one_and_with_flags_that_cannot_be_read_nothing_is_added() -> None:
    assert faster((), minor="1.36", speed=1) == ()
    assert faster(("--no-such-flag=1",), minor="1.36", speed=10) == ()


def test_a_flag_that_an_older_minor_does_not_know_is_not_added() -> None:
    old = faster((), minor="1.34", speed=10)
    assert not any(one.startswith("--max-node-startup-time") for one in old)


def test_the_cloud_configuration_names_the_endpoint_of_each_service_of_the_provider(
    tmp_path: Path,
) -> None:
    file = write_cloud_config(tmp_path / "cloud.conf", region="us-west-2", url="http://127.0.0.1:1")
    assert file.stat().st_mode & 0o777 == 0o600
    parser = configparser.ConfigParser()
    parser.read(file)
    services = [parser[one] for one in parser.sections() if one.startswith("ServiceOverride")]
    assert {one["Service"] for one in services} == {"autoscaling", "ec2", "eks"}
    for one in services:
        assert (one["Region"], one["URL"]) == ("us-west-2", "http://127.0.0.1:1")
        assert one["SigningRegion"] == "us-west-2"
    assert endpoints(file.read_text("utf-8"))["eks"] == ("us-west-2", "http://127.0.0.1:1")


def started(program: Program) -> tuple[str, ...]:
    return program.command(
        only(pod()),
        kubeconfig=Path("/k"),
        cloud_config=Path("/c"),
        environment={},
        speed=1.0,
    ).arguments


def test_the_upstream_program_gets_the_pods_flags_and_listens_on_loopback_alone() -> None:
    flags = started(Program(which="upstream", path=Path("/ca")))
    assert flags[:2] == ("--cloud-provider=aws", "--scan-interval=20s")
    assert flags[2:] == (
        "--kubeconfig=/k",
        "--cloud-config=/c",
        "--namespace=kube-system",
        "--leader-elect=false",
        "--address=127.0.0.1:0",
        "--aws-use-static-instance-list=true",
    )


def test_our_engine_gets_the_same_flags_and_the_minor_whose_defaults_hold() -> None:
    upstream = started(Program(which="upstream", path=Path("/ca")))
    engine = started(Program(which="engine", path=Path(sys.executable)))
    assert engine == ("-I", "-m", "lowtide.local.autoscaler.process", "1.35", *upstream)


def test_a_named_program_is_taken_then_path_then_our_engine(tmp_path: Path) -> None:
    program = tmp_path / "cluster-autoscaler"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o700)
    empty = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert find_program(program, {"PATH": ""}) == Program(which="upstream", path=program)
    assert find_program(None, {"PATH": str(tmp_path)}) == Program(which="upstream", path=program)
    assert find_program(None, {"PATH": "/nowhere", **empty}).which == "engine"


def test_a_named_program_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        find_program(tmp_path / "missing", {})
    assert "leave --autoscaler out" in refused.value.fix


def test_restarts_wait_ten_seconds_doubled_to_five_minutes_and_again_after_ten_good_ones() -> None:
    restarts, waits = Restarts(), []
    for _ in range(7):
        restarts = restarts.after_end(lived_s=1.0, speed=1.0)
        waits.append(restarts.wait_s)
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert restarts.after_end(lived_s=601.0, speed=1.0) == Restarts(count=8, wait_s=10.0)


def test_a_container_that_was_killed_shows_128_and_the_signal() -> None:
    one = only(pod())
    status = waiting_status(one, Restarts(count=1, wait_s=10), code=-9, said="", lived_s=1.0)
    (container,) = status["containerStatuses"]
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
