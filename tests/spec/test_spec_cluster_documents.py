"""A cluster file holds a ClusterConfig and, where its owner wants, a Policy; everything else in it is refused by name."""

from __future__ import annotations

import pytest

from lowtide.model.errors import InputError
from lowtide.spec.cluster_documents import documents_of

CLUSTER = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: a}\n"
POLICY = "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nseed: 7\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def file_of(*documents: str) -> str:
    return "---\n".join(documents)


@pytest.mark.parametrize("documents", [(CLUSTER, POLICY), (POLICY, CLUSTER)])
def test_a_cluster_config_and_a_policy_stand_in_either_order(documents: tuple[str, ...]) -> None:
    found = documents_of(file_of(*documents), "c.yaml")

    assert found.cluster.data["kind"] == "ClusterConfig"
    assert found.policy is not None
    assert found.policy.data["seed"] == 7
    line = file_of(*documents).split("seed")[0].count("\n") + 1
    assert str(found.policy.mark(("seed",))) == f"c.yaml:{line}:7"


def test_a_file_of_one_document_has_no_policy() -> None:
    assert documents_of(CLUSTER, "c.yaml").policy is None


@pytest.mark.parametrize(
    ("documents", "findings"),
    [
        (
            (CLUSTER, CLUSTER),
            [
                (
                    5,
                    "a second ClusterConfig; the first begins on line 1",
                    "keep one ClusterConfig per file; lowtide compare takes several files",
                )
            ],
        ),
        (
            (POLICY, CLUSTER, POLICY),
            [(9, "a second Policy; the first begins on line 1", "keep one of them")],
        ),
        (
            (CLUSTER, POD),
            [
                (
                    6,
                    "kind is 'Pod': a cluster file holds a ClusterConfig and at most a Policy",
                    "put it into a file of its own; lowtide simulate -w takes workloads",
                )
            ],
        ),
        (
            (POLICY,),
            [
                (
                    1,
                    "this is a Policy, and no ClusterConfig is beside it",
                    "give the cluster file with -f, and this one with --policy",
                )
            ],
        ),
        (
            (POLICY, CLUSTER.replace("v1alpha5", "v1alpha4")),
            [
                (
                    5,
                    "this is no ClusterConfig: apiVersion is 'eksctl.io/v1alpha4'",
                    "write apiVersion: eksctl.io/v1alpha5",
                )
            ],
        ),
        (
            (CLUSTER, "- a\n"),
            [
                (
                    5,
                    "this is no mapping, so no ClusterConfig",
                    "lowtide init writes a first cluster.yaml",
                )
            ],
        ),
    ],
    ids=["two clusters", "two policies", "a pod", "a policy alone", "old eksctl", "a list"],
)
def test_what_does_not_belong_is_refused_with_its_line_and_a_way_out(
    documents: tuple[str, ...], findings: list[tuple[int, str, str]]
) -> None:
    with pytest.raises(InputError) as caught:
        documents_of(file_of(*documents), "c.yaml")

    assert [(one.mark.line, one.message, one.fix) for one in caught.value.findings] == findings
    assert {one.code for one in caught.value.findings} == {"LT009"}
