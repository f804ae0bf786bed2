"""Values that are too long, too large or too many end in an ordinary error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lowtide.model.errors import InputError
from lowtide.model.go_values import parse_duration_ms, parse_float, parse_int
from lowtide.spec import document as doc
from lowtide.spec.clusterfile import read_cluster
from lowtide.spec.durations import duration_ms
from lowtide.spec.manifests import load_manifests, read_manifests
from lowtide.spec.policy import json_schema, read_policy
from lowtide.spec.scenario import read_scenario
from lowtide.spec.workloads import load_workload

POLICY = "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\n"
SCENARIO = "apiVersion: lowtide.dev/v1alpha1\nkind: Scenario\n"
CLUSTER = (
    "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n"
    "metadata: {name: a, region: us-east-1}\nnodeGroups:\n  - name: g\n"
)
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - {name: c, image: i"


def policy(text: str) -> object:
    return read_policy(POLICY + text, "f")


def scenario(text: str) -> object:
    return read_scenario(SCENARIO + text, "f", ".")


def cluster(text: str) -> object:
    return read_cluster(CLUSTER + text, "f")


def resources(text: str) -> object:
    return read_manifests(f"{POD}, resources: {{limits: {{{text}}}}}}}\n", "f")


def refused(read: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        read()
    error = caught.value
    assert error.what
    assert error.why
    assert len(error.why) <= 600
    return error


@pytest.mark.parametrize("parse", [parse_duration_ms, parse_float, parse_int])
def test_a_flag_of_200000_digits_is_no_value(parse: Callable[[str], float]) -> None:
    with pytest.raises(ValueError, match="parse error"):
        parse("1" * 200_000 + "x")
    with pytest.raises(ValueError, match="parse error"):
        parse("1" * 101)


def test_a_duration_of_200000_digits_is_none() -> None:
    with pytest.raises(ValueError, match=r"^'1{56}\.\.\. is not a duration"):
        duration_ms("1" * 200_000 + "x")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (cluster, "    maxSize: 0x" + "f" * 5000),
        (policy, "seed: 0x" + "f" * 5000),
        (scenario, "until: 0x" + "f" * 3000),
        (scenario, "steps: [{fault: {interrupt: {group: a, count: 0x" + "f" * 5000 + "}}}]"),
        (resources, "memory: 0x" + "f" * 4000),
        (resources, "memory: 0o" + "7" * 5000),
        (resources, "memory: 0b" + "1" * 20_000),
    ],
)
def test_a_number_of_more_than_64_bits_is_text(read: Callable[[str], object], text: str) -> None:
    refused(lambda: read(text))


def test_64_bits_are_a_number() -> None:
    (document,) = doc.parse("a: 0xffffffffffffffff\nb: 0x" + "0" * 50 + "1\n", "f")
    assert document.data == {"a": 2**64 - 1, "b": 1}


@pytest.mark.parametrize(
    "timing",
    [
        "podGraceSeconds: 1e306",
        "podGraceSeconds: 604801",
        "imageMiB: 1e306",
        "imageMiB: 0",
        "imageSizesMiB: {nvidia/cuda: 1e308}",
        "imagePullMiBPerSecond: 1e-320",
        "launchRetrySeconds: 1e-9",
        "autoscalerLoopSeconds: 1e306",
        "autoscalerLoopSeconds: 0",
        "autoscalerLoopSeconds: 1e-9",
    ],
)
def test_a_timing_out_of_all_proportion_is_refused_at_its_line(timing: str) -> None:
    error = refused(lambda: policy(f"timings:\n  {timing}\n"))
    assert error.findings[0].mark.line == 4


def test_the_schema_has_the_bounds_of_the_timings() -> None:
    timings = json_schema()["$defs"]["TimingsSection"]["properties"]
    loop, grace = timings["autoscalerLoopSeconds"], timings["podGraceSeconds"]
    assert (loop["minimum"], loop["maximum"]) == (0.001, 604_800)
    assert (grace["minimum"], grace["maximum"]) == (0, 604_800)


@pytest.mark.parametrize("text", ["1" + "0" * 400, "9223372036854775808", "8Ei"])
def test_a_quantity_that_no_int64_holds_is_refused(text: str) -> None:
    assert "int64" in refused(lambda: resources(f'memory: "{text}"')).why
    prefix = "k8s.io/cluster-autoscaler/node-template/resources"
    error = refused(lambda: cluster(f'    tags: {{{prefix}/memory: "{text}"}}'))
    assert "int64" in error.why


def test_the_largest_int64_is_a_quantity() -> None:
    resources('memory: "9223372036854775807"')


@pytest.mark.parametrize(
    "step",
    [
        "scale: {target: deployment/a, replicas: 2147483648}",
        "fault: {interrupt: {group: a, count: 2147483648}}",
        'fault: {interrupt: {group: ""}}',
        'fault: {noCapacity: {group: "", for: 1h}}',
        'fault: {noCapacity: {zone: "", for: 1h}}',
    ],
)
def test_a_step_of_too_many_or_of_no_name_is_refused(step: str) -> None:
    (finding,) = refused(lambda: scenario(f"steps:\n  - {step}\n")).findings
    assert (finding.name, finding.mark.line) == ("wrong-value", 4)


@pytest.mark.parametrize("kind", [cluster, lambda text: read_manifests(POD + "}\n" + text, "f")])
def test_of_many_unknown_keys_the_first_get_a_suggestion(
    kind: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def suggest(word: str, _: object) -> str:
        asked.append(word)
        return "a fix"

    monkeypatch.setattr(doc, "did_you_mean", suggest)
    indent = "    " if kind is cluster else "  "
    error = refused(lambda: kind("".join(f"{indent}wrong{i}: 1\n" for i in range(300))))
    assert len(asked) == doc.MAX_SUGGESTIONS
    assert len(error.findings) == doc.MAX_FINDINGS
    assert error.fix == "a fix"


def test_an_anchor_may_be_defined_again_inside_itself() -> None:
    (document,) = doc.parse("b: &a [&a [2], *a]\nc: *a\n", "f")
    assert document.data == {"b": [[2], [2]], "c": [2]}


def test_an_anchor_that_contains_itself_is_refused() -> None:
    assert refused(lambda: doc.parse("b: &a [1, *a]\n", "f")).why == "anchor &a contains itself"


@pytest.mark.parametrize("read", [load_workload, load_manifests, doc.read_text])
def test_a_name_that_the_system_refuses_is_an_input_error(read: Callable[[str], object]) -> None:
    error = refused(lambda: read("a" * 300))
    assert error.why == "File name too long"
    assert error.fix


def test_a_folder_that_may_not_be_entered_is_an_input_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stat(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", stat)
    assert refused(lambda: load_workload("locked/pods")).why == "Permission denied"


def test_a_workload_without_a_name_is_not_the_current_directory() -> None:
    assert refused(lambda: load_workload("")).why == "its name is empty"
    assert refused(lambda: load_workload("philly:")).why == "the name is empty"


def test_a_long_value_is_quoted_in_part() -> None:
    error = refused(lambda: cluster("    ami: " + "x" * 100_000))
    assert "x" * 50 in error.why
    assert "x" * 61 not in error.why
