"""``lowtide local up --autoscaler PATH``: the program that is named runs as upstream's would in its pod."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from lowtide.kube.addons import cluster_autoscaler
from lowtide.kube.live.client import Cluster
from tests.local.autoscaler_process.conftest import deploy, has_node, wait_for
from tests.local.life.eks_parts import create_cluster
from tests.local.life.home import Home

#: Takes the place of upstream's program: it writes down what it was given, and stays.
SCRIPT = """#!/bin/sh
printf '%s\\n' "$@" > '{folder}/arguments'
/usr/bin/env > '{folder}/environment'
: > '{folder}/written'
exec /bin/sleep 600
"""
FLAGS = (
    "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/demo",
    "--expander=least-waste",
    "--v=4",
)


def active(home: Home, name: str) -> bool:
    status = home.aws("eks").describe_cluster(name=name)["cluster"]["status"]
    return str(status) == "ACTIVE"


def autoscaler_of(home: Home) -> Any:
    (cluster,) = home.document("local", "status")["clusters"]
    return cluster["autoscaler"]


def is_private(path: str) -> bool:
    return stat.S_IMODE(Path(path).stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_named_autoscaler_is_started_with_its_deployments_flags_and_what_it_needs_of_the_box(
    home: Home, tmp_path: Path
) -> None:
    program = tmp_path / "my-autoscaler"
    program.write_text(SCRIPT.format(folder=tmp_path))
    program.chmod(0o755)
    home.up("--autoscaler", str(program), "--speed", "100")
    create_cluster(home, "demo")
    wait_for(lambda: active(home, "demo"))
    config = next(home.folder.glob("clusters/*/access/admin.kubeconfig"))
    with Cluster.connect(config) as cluster:
        for one in cluster_autoscaler.access():
            cluster.apply(dict(one))
        wait_for(lambda: has_node(cluster))
        assert autoscaler_of(home) is None
        deploy(cluster, *FLAGS)
        wait_for((tmp_path / "written").exists)
        found = wait_for(lambda: (one := autoscaler_of(home)) and one["pid"] and one)
        assert (found["kind"], found["program"]) == ("upstream", str(program))
        assert found["state"] == "running"

        arguments = (tmp_path / "arguments").read_text().splitlines()
        assert arguments[:4] == ["--cloud-provider=aws", *FLAGS]
        named = dict(one.removeprefix("--").partition("=")[::2] for one in arguments)
        assert named["aws-use-static-instance-list"] == "true"
        assert is_private(named["kubeconfig"])
        assert is_private(named["cloud-config"])
        configured = Path(named["cloud-config"]).read_text()
        assert configured.count(f"URL = {home.environment['AWS_ENDPOINT_URL']}\n") == 3
        environment = dict(
            one.split("=", 1) for one in (tmp_path / "environment").read_text().splitlines()
        )
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            assert environment[name] == home.environment[name]

        deploy(cluster, *FLAGS, replicas=0)
        wait_for(lambda: autoscaler_of(home) is None)
    assert not Path(f"/proc/{found['pid']}").exists()
