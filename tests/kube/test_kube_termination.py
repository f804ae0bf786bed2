from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from lowtide.kube.addons.accounts import (
    ROLE_ANNOTATION,
    account_manifests,
    waiting_for_role,
    with_identities,
)
from lowtide.kube.addons.cluster_autoscaler import access
from lowtide.kube.addons.files import render_files
from lowtide.kube.addons.termination_handler import (
    NAME,
    queue,
    termination_handler,
    termination_handler_files,
)
from lowtide.kube.objects import Manifest, key
from lowtide.model import names
from lowtide.model.blueprint import Identity
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.workload import Meta

URL = "https://sqs.us-east-1.amazonaws.com/111122223333/lowtide-example-interruption"
# What the handler asks of the API server at v1.25.6: drain and cordon (kubectl's drain package), its own events.
NEEDED = [
    ("", "nodes", "get"),
    ("", "nodes", "list"),
    ("", "nodes", "patch"),
    ("", "nodes", "update"),
    ("", "pods", "get"),
    ("", "pods", "list"),
    ("", "pods/eviction", "create"),
    ("", "events", "create"),
    ("", "events", "patch"),
    ("apps", "daemonsets", "get"),
]


def of_kind(objects: list[Manifest], kind: str) -> Manifest:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


def pod(cluster: ResolvedCluster) -> Manifest:
    spec: Manifest = of_kind(termination_handler(cluster), "Deployment")["spec"]["template"]["spec"]
    return spec


def environment(cluster: ResolvedCluster) -> dict[str, Any]:
    (container,) = pod(cluster)["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


@pytest.mark.parametrize("minor", ["1.33", "1.34", "1.35", "1.36"])
def test_every_object_of_the_handler_is_strictly_valid(
    cluster: ResolvedCluster, minor: str
) -> None:
    for one in [*termination_handler(cluster), queue(URL)]:
        assert kubernetes_validate.validate(one, minor, strict=True) == minor


def test_the_handler_may_do_what_it_asks_for_and_nothing_else(cluster: ResolvedCluster) -> None:
    role = of_kind(termination_handler(cluster), "ClusterRole")

    granted = [
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]

    assert sorted(granted) == sorted(NEEDED)


def test_the_handler_reads_the_queue_of_events_and_not_its_own_instance(
    cluster: ResolvedCluster,
) -> None:
    found = environment(cluster)

    assert found["ENABLE_SQS_TERMINATION_DRAINING"] == "true"
    assert found["QUEUE_URL"] == {"configMapKeyRef": {"name": NAME, "key": "queue-url"}}
    assert found["AWS_REGION"] == "us-east-1"


def test_the_handler_leaves_instances_of_other_clusters_alone(cluster: ResolvedCluster) -> None:
    found = environment(cluster)

    assert found["CHECK_TAG_BEFORE_DRAINING"] == "true"
    assert found["MANAGED_TAG"] == "kubernetes.io/cluster/example"


def test_the_handler_knows_its_own_pod_so_that_it_does_not_evict_itself(
    cluster: ResolvedCluster,
) -> None:
    found = environment(cluster)

    assert found["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert found["NODE_NAME"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}


def test_the_handler_stays_off_tainted_gpu_nodes_and_survives_pressure(
    cluster: ResolvedCluster,
) -> None:
    spec = pod(cluster)

    assert "tolerations" not in spec
    assert spec["priorityClassName"] == "system-cluster-critical"


def test_the_handler_does_not_keep_its_node_alive(cluster: ResolvedCluster) -> None:
    template = of_kind(termination_handler(cluster), "Deployment")["spec"]["template"]

    assert template["metadata"]["annotations"] == {names.SAFE_TO_EVICT: "true"}


def test_the_handlers_image_is_a_release_and_no_moving_tag(cluster: ResolvedCluster) -> None:
    (container,) = pod(cluster)["containers"]

    repository, _, tag = container["image"].rpartition(":")

    assert repository == "public.ecr.aws/aws-ec2/aws-node-termination-handler"
    assert tag.startswith("v1.25.")


def test_the_handlers_files_hold_no_account_number_unless_it_is_given(
    cluster: ResolvedCluster,
) -> None:
    plain = termination_handler_files(cluster)
    known = termination_handler_files(cluster, queue_url=URL)

    assert "111122223333" not in "".join(plain.values())
    assert set(known) - set(plain) == {"termination-handler/0-queue.yaml"}
    (config,) = yaml.safe_load_all(known["termination-handler/0-queue.yaml"])
    assert config["data"] == {"queue-url": URL}


def test_the_files_of_the_handler_hold_its_objects_in_order(cluster: ResolvedCluster) -> None:
    files = termination_handler_files(cluster)

    read = [one for path in sorted(files) for one in yaml.safe_load_all(files[path])]

    assert read == termination_handler(cluster)


def test_accounts_come_after_the_namespaces_that_they_live_in() -> None:
    identities = [
        Identity(kind="pod-identity", namespace="jobs", name="trainer", labels={"team": "ml"}),
        Identity(kind="pod-identity", namespace="jobs", name="reader"),
        Identity(kind="pod-identity", namespace="default", name="writer"),
    ]

    found = account_manifests(identities)

    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [
        ("Namespace", "jobs"),
        ("ServiceAccount", "trainer"),
        ("ServiceAccount", "reader"),
        ("ServiceAccount", "writer"),
    ]
    assert found[1]["metadata"]["labels"] == {"team": "ml"}


def test_accounts_that_somebody_else_makes_are_left_out() -> None:
    theirs = Identity(kind="pod-identity", namespace="jobs", name="theirs", create_account=False)
    ours = Identity(kind="pod-identity", namespace="kube-system", name="cluster-autoscaler")
    besides = [Meta(kind="ServiceAccount", name="cluster-autoscaler", namespace="kube-system")]

    assert account_manifests([theirs, ours], besides=besides) == []


def test_an_irsa_account_is_annotated_where_the_file_names_the_role() -> None:
    arn = "arn:aws:iam::111122223333:role/mine"
    given = Identity(kind="irsa", namespace="default", name="given", role_arn=arn)
    made = Identity(kind="irsa", namespace="default", name="made")
    pod_identity = Identity(kind="pod-identity", namespace="default", name="other", role_arn=arn)

    found = account_manifests([given, made, pod_identity])

    assert [one["metadata"].get("annotations") for one in found] == [
        {ROLE_ANNOTATION: arn},
        None,
        None,
    ]
    assert waiting_for_role([given, made, pod_identity]) == (made,)


def test_what_the_file_says_of_the_autoscalers_account_is_written_into_it(
    cluster: ResolvedCluster,
) -> None:
    identity = Identity(
        kind="pod-identity",
        namespace="kube-system",
        name="cluster-autoscaler",
        labels={"team": "platform"},
        annotations={"owner": "ops"},
    )

    text = render_files(cluster, identities=[identity])["autoscaler/1-access.yaml"]

    account = next(one for one in yaml.safe_load_all(text) if one["kind"] == "ServiceAccount")
    assert account["metadata"]["annotations"] == {"owner": "ops"}
    assert account["metadata"]["labels"] == {
        "team": "platform",
        "app.kubernetes.io/name": "cluster-autoscaler",
    }


def test_objects_without_an_identity_stay_as_they_are() -> None:
    assert [key(one) for one in with_identities(access(), [])] == [key(one) for one in access()]
    assert with_identities(access(), []) == access()
