"""The sentence a person reads for each way in which a pod finds no node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lowtide.explain.causes import Surroundings, cause_sentence
from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU

GPU_SHORT = ("Insufficient nvidia.com/gpu",)
AT_MAX = ("max node group size reached",)
GPU_GROUPS = ("gpu-a", "gpu-b", "gpu-c")
ONE_GPU = Surroundings(
    groups=GPU_GROUPS,
    asked={NVIDIA_GPU: 1, CPU: 500, MEMORY: GIB},
    offered={NVIDIA_GPU: 1, CPU: 3_900, MEMORY: 15 * GIB},
)
GENERAL = {"node/general-1": GPU_SHORT, "group/general": GPU_SHORT}


def answers(words: str) -> dict[str, tuple[str, ...]]:
    """All three GPU groups answer alike, and the general group has no GPUs as always."""
    return {**GENERAL, **{f"group/{name}": (words,) for name in GPU_GROUPS}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "max node group size reached",
            "Every node group that could be tried is at its maximum size (maxSize): gpu-a, gpu-b and gpu-c.",
        ),
        (
            "in backoff after failed scale-up",
            "AWS did not deliver nodes for gpu-a, gpu-b and gpu-c, and the autoscaler waits before it tries again.",
        ),
        (
            "not ready for scale-up",
            "The autoscaler adds no node to gpu-a, gpu-b and gpu-c: nodes there are unhealthy, or it does not know the instance type.",
        ),
        (
            "node(s) had untolerated taint {team: vision}",
            "It does not tolerate the taint {team: vision} of gpu-a, gpu-b and gpu-c.",
        ),
        (  # kube-scheduler 1.36 no longer names it
            "node(s) had untolerated taint(s)",
            "It does not tolerate a taint of gpu-a, gpu-b and gpu-c.",
        ),
        (
            "node(s) didn't match Pod's node affinity/selector",
            "As the autoscaler sees them, nodes of gpu-a, gpu-b and gpu-c do not have the labels that its node selector or affinity asks for.",
        ),
        (  # fits by itself, but not beside the pods that every node runs
            "Insufficient memory",
            "A new node of gpu-a, gpu-b and gpu-c would not have enough memory for it.",
        ),
    ],
)
def test_what_the_gpu_groups_answer_is_the_cause(words: str, sentence: str) -> None:
    assert cause_sentence(answers(words), around=ONE_GPU) == sentence


def test_without_facts_every_group_that_answered_could_matter() -> None:
    reasons = {**GENERAL, "group/gpu-a": AT_MAX}

    assert cause_sentence(reasons) == (
        "Every node group that could be tried is at its maximum size (maxSize): gpu-a."
    )


def test_more_gpus_than_any_node_has_is_the_cause_even_where_groups_are_full() -> None:
    around = Surroundings(groups=GPU_GROUPS, asked={NVIDIA_GPU: 2}, offered={NVIDIA_GPU: 1})

    assert cause_sentence(answers("max node group size reached"), around=around) == (
        "It asks for 2 nvidia.com/gpu, and the largest node of its groups offers 1 nvidia.com/gpu."
    )


def test_more_memory_than_a_node_can_give_is_said_with_both_figures() -> None:
    around = Surroundings(
        groups=GPU_GROUPS,
        asked={NVIDIA_GPU: 1, MEMORY: 31 * GIB // 2},
        offered={NVIDIA_GPU: 1, MEMORY: 57 * GIB // 4},
    )

    assert cause_sentence(answers("Insufficient memory"), around=around) == (
        "It asks for 15.50 GiB of memory, and the largest node of its groups offers 14.25 GiB of memory."
    )


def test_a_file_without_gpus_is_the_cause_for_a_pod_that_asks_for_one() -> None:
    around = Surroundings(asked={NVIDIA_GPU: 1})

    assert cause_sentence(GENERAL, around=around) == (
        "It asks for 1 nvidia.com/gpu, and no node group of the file has any."
    )


def test_nodes_that_never_offered_gpus_point_to_the_device_plugin() -> None:
    around = replace(ONE_GPU, silent_groups=("gpu-b",))
    reasons = {**answers("max node group size reached"), "node/gpu-b-1": GPU_SHORT}

    assert cause_sentence(reasons, around=around) == (
        "Nodes of gpu-b joined but never offered nvidia.com/gpu: "
        "no device plugin pod runs on them (is it applied, and does it tolerate their taints?)."
    )


def test_nodes_without_gpus_in_a_group_the_pod_may_not_use_are_not_its_cause() -> None:
    around = replace(ONE_GPU, silent_groups=("gpu-b",))

    assert cause_sentence(
        answers("node(s) had untolerated taint {team: vision}"), around=around
    ).startswith("It does not tolerate the taint {team: vision}")


def test_no_autoscaler_is_the_cause_when_nothing_can_add_a_node() -> None:
    reasons = {"node/general-1": GPU_SHORT, "cluster": ("no autoscaler is running",)}

    assert cause_sentence(reasons, around=ONE_GPU) == (
        "No autoscaler is running, so no node is added for it."
    )


def test_what_stops_the_autoscaler_as_a_whole_is_quoted() -> None:
    reasons = {**answers("max node group size reached"), "cluster": ("Cluster is unhealthy",)}

    assert cause_sentence(reasons, around=ONE_GPU) == (
        "The autoscaler adds no node anywhere: Cluster is unhealthy."
    )


def test_groups_that_a_run_found_undiscovered_are_named_with_the_reason() -> None:
    words = "not discovered by the autoscaler: tag k8s.io/cluster-autoscaler/noble is missing"

    assert cause_sentence(answers(words), around=ONE_GPU) == (
        "The autoscaler does not know gpu-a, gpu-b and gpu-c: tag k8s.io/cluster-autoscaler/noble is missing."
    )


def test_an_undiscovered_group_beside_others_that_answer_is_not_the_first_cause() -> None:
    reasons = {
        "group/gpu-a": ("not discovered by the autoscaler: tag x is missing",),
        "group/gpu-b": AT_MAX,
    }

    assert cause_sentence(reasons, around=ONE_GPU).endswith("maximum size (maxSize): gpu-b.")


def test_groups_that_are_tagged_and_still_unknown_raise_the_question_of_the_tags() -> None:
    assert cause_sentence(GENERAL, around=ONE_GPU) == (
        "The autoscaler knows other node groups but not gpu-a, gpu-b and gpu-c: do its discovery tags match theirs?"
    )


def test_reasons_that_fit_no_rule_are_quoted_with_their_counts() -> None:
    reasons = {
        "node/a": ("node(s) didn't match pod anti-affinity rules",),
        "node/b": ("node(s) didn't match pod anti-affinity rules",),
        "node/c": ("Too many pods",),
    }

    assert cause_sentence(reasons) == (
        "No node and no node group took it: 2 node(s) didn't match pod anti-affinity rules, 1 Too many pods."
    )


def test_silence_of_the_autoscaler_is_not_taken_for_groups_that_it_does_not_know() -> None:
    assert cause_sentence({"node/general-1": GPU_SHORT}, around=ONE_GPU) == (
        "No node and no node group took it: 1 Insufficient nvidia.com/gpu."
    )


def test_a_pod_that_nothing_has_looked_at_is_said_to_be_that() -> None:
    assert cause_sentence({}) == "Nothing had looked at it when the run ended."


def test_a_long_list_of_groups_is_cut_short() -> None:
    reasons = {f"group/gpu-{letter}": AT_MAX for letter in "abcdef"}

    assert cause_sentence(reasons).endswith(": gpu-a, gpu-b, gpu-c and 3 more.")


def test_the_sentence_does_not_depend_on_the_order_of_the_reasons() -> None:
    reasons = answers("node(s) had untolerated taint {team: vision}")

    assert cause_sentence(dict(reversed(reasons.items())), around=ONE_GPU) == cause_sentence(
        reasons, around=ONE_GPU
    )


def test_a_scheduler_of_its_own_that_does_not_run_is_the_cause() -> None:
    reasons = {"scheduler": ("no scheduler named volcano runs",)}
    assert cause_sentence(reasons) == (
        "Its schedulerName asks for another scheduler: no scheduler named volcano runs."
    )
