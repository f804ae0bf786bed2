"""What is applied into a live cluster: the rendered objects, completed with what only the account knows."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("boto3")

from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.inside import live_objects
from lowtide.kube.objects import key
from lowtide.model.meta import Meta
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "noble-gpu" / "cluster.yaml"
QUEUE = "https://sqs.us-east-1.amazonaws.com/1/queue"
OUTPUTS = {"lowtide-noble-gpu-example-interruption": {"QueueUrl": QUEUE}}


def _designed(path: Path) -> Design:
    return design(Inputs(cluster=str(path)))


def test_the_objects_are_those_of_render_and_the_queue_before_its_reader() -> None:
    designed = _designed(EXAMPLE)
    found = live_objects(designed, OUTPUTS, with_addons=True)
    queue = Meta(kind="ConfigMap", name="aws-node-termination-handler", namespace="kube-system")
    keys = [key(one) for one in found]
    assert [one for one in keys if one != queue] == list(designed.objects)
    assert keys.index(queue) < keys.index(
        Meta(kind="Deployment", name=queue.name, namespace=queue.namespace)
    )
    made = next(one for one in found if key(one) == queue)
    assert made["data"] == {"queue-url": QUEUE}


def test_without_addons_only_the_accounts_of_the_file_are_left(tmp_path: Path) -> None:
    assert live_objects(_designed(EXAMPLE), OUTPUTS, with_addons=False) == []
    found = live_objects(_with_irsa(tmp_path), {}, with_addons=False)
    assert [key(one) for one in found] == [
        Meta(kind="Namespace", name="jobs", namespace="default"),
        Meta(kind="ServiceAccount", name="reader", namespace="jobs"),
    ]


def test_an_account_of_irsa_gets_the_role_that_its_stack_made(tmp_path: Path) -> None:
    outputs = {"lowtide-noble-gpu-example-cluster": {"RoleJobsReaderArn": "arn:aws:iam::1:role/r"}}
    found = live_objects(_with_irsa(tmp_path), outputs, with_addons=True)
    account = next(one for one in found if one["metadata"]["name"] == "reader")
    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"
    }


def _with_irsa(folder: Path) -> Design:
    text = EXAMPLE.read_text("utf-8").replace(
        "  podIdentityAssociations:",
        "  serviceAccounts:\n"
        "    - metadata: {name: reader, namespace: jobs}\n"
        "      attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]\n"
        "  podIdentityAssociations:",
    )
    path = folder / "cluster.yaml"
    path.write_text(text, "utf-8")
    return _designed(path)
