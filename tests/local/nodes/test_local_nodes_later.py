"""Boxes of their own: who lets a node in later, and what a box finds that was stopped."""

from __future__ import annotations

import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.controlplane.binaries import Binaries
from tests.local.nodes.nodes_box import (
    FLAGS,
    Cloud,
    cloud,
    gpus,
    has_gpu,
    is_ready,
    plugin,
    stays,
    wait_for,
)

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl on PATH")


@pytest.mark.slow
def test_a_node_joins_once_its_role_has_an_access_entry_or_a_line_in_aws_auth(
    tmp_path: Path, binaries: Binaries
) -> None:
    with cloud(tmp_path / "box", speed=5.0) as whole:
        instance_id = whole.launch(whole.node_config())
        assert whole.served._nodes is not None
        why = wait_for(lambda: whole.served._nodes.refused().get(instance_id))  # type: ignore[union-attr]
        assert why.endswith(":role/node has no access entry of type EC2_LINUX and no line in aws-auth")  # fmt: skip
        assert stays(lambda: whole.node_of(instance_id) is None, for_s=1)
        rows = f"- rolearn: {whole.role('node')}\n  username: system:node:{{{{EC2PrivateDNSName}}}}\n  groups: [system:bootstrappers, system:nodes]\n"
        metadata = {"name": "aws-auth", "namespace": "kube-system"}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mapRoles": rows}}  # fmt: skip
        whole.kubectl("create", "-f", "-", document=document)
        wait_for(lambda: whole.node_of(instance_id))
        whole.kubectl("delete", "configmap", "aws-auth", "-n", "kube-system")
        second = whole.launch(whole.node_config())
        wait_for(lambda: second in whole.served._nodes.refused())  # type: ignore[union-attr]
        whole.admit()
        wait_for(lambda: whole.node_of(second))
        assert whole.served._nodes.refused() == {}


@pytest.mark.slow
def test_a_box_that_was_stopped_finds_its_nodes_again_and_removes_those_whose_instances_went(
    tmp_path: Path, binaries: Binaries
) -> None:
    state = tmp_path / "state.db"
    with cloud(tmp_path / "box", state_file=state) as whole:
        whole.admit()
        stays_there = whole.launch(whole.node_config(FLAGS))
        goes = whole.launch(whole.node_config(FLAGS))
        whole.kubectl("create", "-f", "-", document=plugin())
        for instance_id in (stays_there, goes):
            wait_for(partial(has_gpu, whole, instance_id))
        before = whole.node_of(stays_there)
        assert before is not None
        # Unheard: the box stops before anybody tells the cluster.
        whole.served._nodes.close()  # type: ignore[union-attr]
        whole("ec2", "TerminateInstances", InstanceIds=[goes])
        unheard = whole.launch(whole.node_config())
        by_hand = {"name": "by-hand", "annotations": {"kwok.x-k8s.io/node": "fake"}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": by_hand}
        whole.kubectl("create", "-f", "-", document=node)
    with cloud(tmp_path / "box", state_file=state) as whole:
        wait_for(lambda: whole.node_of(goes) is None)
        whole.kubectl("get", "node", "by-hand")
        wait_for(lambda: is_ready(whole.node_of(unheard)))
        after = whole.node_of(stays_there)
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert gpus(after) == "1"
        whole.kubectl("delete", "daemonset", "plugin", "-n", "kube-system")
        wait_for(lambda: gpus(whole.node_of(stays_there)) == "0")


@pytest.mark.slow
def test_instances_that_come_and_go_while_the_api_server_is_away_are_caught_up_with(
    tmp_path: Path, binaries: Binaries
) -> None:
    with cloud(tmp_path / "box") as whole:
        whole.admit()
        goes = whole.launch(whole.node_config())
        wait_for(lambda: is_ready(whole.node_of(goes)))
        assert whole.plane is not None
        os.kill(whole.plane.pids["kube-apiserver"], signal.SIGKILL)
        comes = whole.launch(whole.node_config(FLAGS))
        whole.terminate(goes)
        wait_for(partial(answers, whole))
        wait_for(lambda: is_ready(whole.node_of(comes)))
        wait_for(lambda: whole.node_of(goes) is None)
        whole.kubectl("create", "-f", "-", document=plugin())
        wait_for(partial(has_gpu, whole, comes))


def answers(whole: Cloud) -> bool:
    """Return whether the API server serves again."""
    try:
        whole.kubectl("get", "namespaces")
    except AssertionError:
        return False
    return True
