"""checkov on what the example renders to: each failed check has its reason here, and each reason its failed check."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lowtide.app.files import Inputs
from lowtide.app.render import render

CHECKOV = Path(".venv-checkov/bin/checkov")

PLUGIN = "DaemonSet.kube-system.nvidia-device-plugin-daemonset"
HANDLER = "Deployment.kube-system.aws-node-termination-handler"
AUTOSCALER = "Deployment.kube-system.cluster-autoscaler"
EVERY = {PLUGIN, HANDLER, AUTOSCALER}

#: Check -> the resources that may fail it, and why that is right.
REASONS: dict[str, tuple[set[str], str]] = {
    "CKV_AWS_27": (
        {"AWS::SQS::Queue.Queue"},
        "SQS encrypts it itself (SqsManagedSseEnabled), which this check does not count, and it holds instance ids only",
    ),
    "CKV_AWS_58": (
        {"AWS::EKS::Cluster.Cluster"},
        "EKS encrypts all API data by its own key since 1.28; a key of the user's is what secretsEncryption asks for",
    ),
    "CKV_K8S_8": (
        {PLUGIN},
        "the plugin serves no health endpoint; its kubelet socket is watched instead",
    ),
    "CKV_K8S_9": (EVERY, "no Service sends traffic to them, so readiness would decide nothing"),
    "CKV_K8S_11": (
        EVERY,
        "a CPU limit throttles a control loop when it is needed most; requests are set",
    ),
    "CKV_K8S_15": (
        EVERY,
        "the tag is a full version, and a registry that is away must not stop a restart",
    ),
    "CKV_K8S_22": (
        {PLUGIN},
        "as NVIDIA publishes it; it keeps its state below /var/lib/kubelet/device-plugins",
    ),
    "CKV_K8S_23": ({PLUGIN}, "the kubelet's device plugin socket belongs to root"),
    "CKV_K8S_29": ({PLUGIN}, "its container has a security context, its pod must run as root"),
    "CKV_K8S_38": (
        {HANDLER, AUTOSCALER},
        "both talk to the API, each by an account of its own",
    ),
    "CKV_K8S_40": (
        {PLUGIN, HANDLER},
        "the plugin runs as root; the handler's image is built for user 1000 (upstream's chart)",
    ),
    "CKV_K8S_43": (
        EVERY,
        "versions are pinned; a digest would name one architecture, and nodes are arm64 and amd64",
    ),
    "CKV2_K8S_6": (
        {
            "Pod.kube-system.aws-node-termination-handler",
            "Pod.kube-system.cluster-autoscaler",
            "Pod.kube-system.nvidia-device-plugin-daemonset",
        },
        "a policy acts only where the CNI's network policy agent is switched on; nothing connects to them",
    ),
}


@pytest.mark.slow
def test_every_failed_check_of_checkov_has_a_written_reason(tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip("checkov is not installed: scripts/setup-checkov does it")
    for path, text in render(Inputs(cluster="examples/noble-gpu/cluster.yaml")).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = _failed(tmp_path)
    assert {check: sorted(resources) for check, resources in found.items()} == {
        check: sorted(resources) for check, (resources, _) in REASONS.items()
    }


def _failed(folder: Path) -> dict[str, set[str]]:
    """Return the resources that fail, by check; a pod is named without its labels."""
    command = [str(CHECKOV), "-d", str(folder), "--framework", "cloudformation", "kubernetes"]
    done = subprocess.run(
        [*command, "--compact", "--quiet", "--skip-download", "-o", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,  # it exits 1 when a check fails
    )
    reports: list[dict[str, Any]] = json.loads(done.stdout)
    assert {one["check_type"] for one in reports} == {"cloudformation", "kubernetes"}
    assert all(
        one["summary"]["passed"] > 50 and not one["summary"]["parsing_errors"] for one in reports
    )
    found: dict[str, set[str]] = {}
    for report in reports:
        for one in report["results"]["failed_checks"]:
            name = (
                ".".join(one["resource"].split(".")[:3])
                if one["resource"].startswith("Pod.")
                else one["resource"]
            )
            found.setdefault(one["check_id"], set()).add(name)
    return found
