from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.model.errors import InputError
from lowtide.model.quantity import NVIDIA_GPU
from lowtide.model.scenario import (
    Apply,
    Condition,
    Delete,
    Interrupt,
    NoCapacity,
    Scale,
    Scenario,
    Step,
)
from lowtide.model.workload import Job, Meta
from lowtide.spec.durations import duration_ms
from lowtide.spec.scenario import json_schema, load_scenario, read_scenario
from lowtide.spec.workloads import default_workload, load_workload

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu"
HEAD = "apiVersion: lowtide.dev/v1alpha1\nkind: Scenario\n"
MINUTE = 60_000
HOUR = 60 * MINUTE

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: POD}
spec: {containers: [{name: c, image: i}]}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a Deployment, a pod, and a directory of two pods."""
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "pod.yaml").write_text(POD.replace("POD", "p"))
    (tmp_path / "pods").mkdir()
    for name in ("b", "a"):
        (tmp_path / "pods" / f"{name}.yaml").write_text(POD.replace("POD", name))
    return tmp_path


def refused(text: str, place: Path) -> list[tuple[str, int, int]]:
    with pytest.raises(InputError) as caught:
        read_scenario(text, "s.yaml", place)
    assert caught.value.exit_code == 2
    return [(one.name, one.mark.line, one.mark.column) for one in caught.value.findings]


# Durations.


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("90s", 90_000),
        ("30m", 30 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("0.1s", 100),
        ("250ms", 250),
        ("1us", 1),
        ("0", 0),
        ("0s", 0),
        ("45", 45_000),
        (45, 45_000),
        (0.25, 250),
        (" 5m ", 5 * MINUTE),
    ],
)
def test_a_duration_is_read_as_go_reads_it_and_a_number_as_seconds(
    written: object, expected: int
) -> None:
    assert duration_ms(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        *("", "m", "5 m", "1h 30m", "-5s", -5, "3d", "1e3s", "5min", "ten", "9999999h", "9" * 5000),
        *(True, None, [], float("inf"), float("nan"), 1e30),
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        duration_ms(written)


def test_days_are_answered_with_hours() -> None:
    with pytest.raises(ValueError, match="write 72h"):
        duration_ms("3d")


@given(st.integers(0, 99_999), st.integers(0, 999), st.integers(0, 999), st.integers(0, 9_999))
def test_the_parts_of_a_duration_add_up(
    hours: int, minutes: int, seconds: int, milliseconds: int
) -> None:
    written = f"{hours}h{minutes}m{seconds}s{milliseconds}ms"
    whole_seconds = (hours * 60 + minutes) * 60 + seconds
    assert duration_ms(written) == whole_seconds * 1000 + milliseconds


# What good scenarios become.


def test_a_scenario_without_steps_has_the_defaults_of_the_format(place: Path) -> None:
    assert read_scenario(HEAD, "idle.yaml", place) == Scenario(
        name="idle", addons="default", max_duration_ms=24 * HOUR
    )


def test_every_action_becomes_its_value(place: Path) -> None:
    found = read_scenario(
        HEAD
        + """\
addons: none
maxDuration: none
until: podsRunning >= 3
steps:
  - apply: [web.yaml, pods/]
  - at: 10m
    scale: {target: deployment/web, replicas: 4}
  - delete: pod/a
  - after: {when: "podsPending<2", for: 1h30m}
    fault: {interrupt: {group: gpu-spot-a, count: 2}}
  - fault: {noCapacity: {zone: us-east-1a, for: 30m}}
  - after: {when: gpuNodes == 0}
    delete: [web.yaml, Pod/default/b]
""",
        "s.yaml",
        place,
    )
    web = Meta(kind="Deployment", name="web")
    assert (found.addons, found.max_duration_ms, found.until_ms) == ("none", None, None)
    assert found.until == Condition(metric="podsRunning", operator=">=", value=3)
    applied, *others = found.steps
    assert applied.at_ms == 0
    assert isinstance(applied.action, Apply)
    assert [one.meta.name for one in applied.action.objects] == ["web", "a", "b"]
    assert others == [
        Step(action=Scale(target=web, replicas=4), at_ms=10 * MINUTE),
        Step(action=Delete(targets=(Meta(kind="Pod", name="a"),)), at_ms=10 * MINUTE),
        Step(
            action=Interrupt(group="gpu-spot-a", count=2),
            after=Condition(metric="podsPending", operator="<", value=2),
            hold_ms=90 * MINUTE,
        ),
        Step(action=NoCapacity(zone="us-east-1a", duration_ms=30 * MINUTE), at_ms=10 * MINUTE),
        Step(
            action=Delete(targets=(web, Meta(kind="Pod", name="b"))),
            after=Condition(metric="gpuNodes", operator="==", value=0),
        ),
    ]


@pytest.mark.parametrize(
    ("written", "until_ms"),
    [("2h", 2 * HOUR), ("90", 90_000), ("{at: 5m}", 5 * MINUTE), ("7200", 2 * HOUR)],
)
def test_a_run_may_end_at_a_time(written: str, until_ms: int, place: Path) -> None:
    found = read_scenario(f"{HEAD}until: {written}\n", "s.yaml", place)
    assert (found.until, found.until_ms) == (None, until_ms)


@pytest.mark.parametrize("kind", ["deploy", "deployments", "Deployment", "deployment.apps"])
def test_a_target_is_named_as_for_kubectl(kind: str, place: Path) -> None:
    text = f"{HEAD}steps: [{{apply: web.yaml}}, {{scale: {{target: {kind}/web, replicas: 0}}}}]\n"
    action = read_scenario(text, "s.yaml", place).steps[1].action
    assert action == Scale(target=Meta(kind="Deployment", name="web"), replicas=0)


def test_with_the_addons_their_objects_can_be_scaled(place: Path) -> None:
    scale = "scale: {target: deploy/cluster-autoscaler, namespace: kube-system, replicas: 0}"
    (step,) = read_scenario(f"{HEAD}steps: [{{{scale}}}]\n", "s.yaml", place).steps
    target = Meta(kind="Deployment", name="cluster-autoscaler", namespace="kube-system")
    assert step.action == Scale(target=target, replicas=0)
    assert refused(f"{HEAD}addons: none\nsteps: [{{{scale}}}]\n", place) == [
        ("unknown-target", 4, 26)
    ]


def test_a_priority_class_of_one_step_counts_in_every_other(place: Path) -> None:
    pod = POD.replace("POD", "p").replace("{containers", "{priorityClassName: high, containers")
    (place / "pod.yaml").write_text(pod)
    (place / "class.yaml").write_text(
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 9\n"
    )
    text = f"{HEAD}steps: [{{apply: class.yaml}}, {{apply: pod.yaml}}]\n"
    action = read_scenario(text, "s.yaml", place).steps[1].action
    assert isinstance(action, Apply)
    assert [one.template.priority for one in action.objects if hasattr(one, "template")] == [9]


def test_the_example_goes_up_down_up_and_down() -> None:
    found = load_scenario(EXAMPLE / "scenario.yaml")
    target = Meta(kind="Deployment", name="cudaexample")
    ten_run = Condition(metric="podsRunning", operator="==", value=10)
    none_left = Condition(metric="gpuNodes", operator="==", value=0)
    applied, *others = found.steps
    assert isinstance(applied.action, Apply)
    assert {one.meta.name for one in applied.action.objects} >= {
        "cluster-autoscaler",
        "cudaexample",
    }
    assert (applied.at_ms, found.addons, found.until) == (0, "none", none_left)
    assert others == [
        Step(action=Scale(target=target, replicas=0), after=ten_run, hold_ms=30 * MINUTE),
        Step(action=Scale(target=target, replicas=10), after=none_left, hold_ms=HOUR),
        Step(action=Scale(target=target, replicas=0), after=ten_run, hold_ms=30 * MINUTE),
    ]


# What is refused.

BAD: dict[str, tuple[str, list[tuple[str, int, int]]]] = {
    "another kind": ("apiVersion: lowtide.dev/v1alpha1\nkind: Policy\n", [("wrong-kind", 2, 7)]),
    "unknown key": (HEAD + "addon: none\n", [("unknown-key", 3, 1)]),
    "unknown word": (HEAD + "addons: all\n", [("wrong-value", 3, 9)]),
    "days": (HEAD + "maxDuration: 3d\n", [("wrong-value", 3, 14)]),
    "single equals sign": (HEAD + "until: gpuNodes = 0\n", [("wrong-value", 3, 8)]),
    "unknown metric": (HEAD + "until: nodes == 0\n", [("wrong-value", 3, 8)]),
    "until of something else": (HEAD + "until: {after: 3h}\n", [("wrong-value", 3, 8)]),
    "no action": (HEAD + "steps:\n  - at: 3h\n", [("wrong-value", 4, 5)]),
    "two actions": (
        HEAD + "steps:\n  - apply: pod.yaml\n    delete: pod.yaml\n",
        [("wrong-value", 4, 5)],
    ),
    "two times": (
        HEAD + "steps:\n  - {at: 1h, after: {when: gpuNodes == 0}, apply: pod.yaml}\n",
        [("wrong-value", 4, 5)],
    ),
    "nothing to apply": (HEAD + "steps:\n  - apply: []\n", [("wrong-value", 4, 12)]),
    "file that is not there": (
        HEAD + "steps:\n  - apply: [pod.yaml, pot.yaml]\n",
        [("missing", 4, 23)],
    ),
    "address": (HEAD + "steps:\n  - apply: https://e.com/a.yaml\n", [("missing", 4, 12)]),
    "negative replicas": (
        HEAD + "steps:\n  - apply: web.yaml\n  - scale: {target: deploy/web, replicas: -1}\n",
        [("wrong-value", 5, 43)],
    ),
    "scaling of a pod": (
        HEAD + "steps:\n  - apply: pod.yaml\n  - scale: {target: pod/p, replicas: 1}\n",
        [("wrong-value", 5, 21)],
    ),
    "target that nothing applied": (
        HEAD + "steps:\n  - apply: web.yaml\n  - scale: {target: deploy/wbe, replicas: 1}\n",
        [("unknown-target", 5, 21)],
    ),
    "target that is deleted by then": (
        HEAD + "steps:\n  - apply: web.yaml\n  - delete: deploy/web\n  - delete: deploy/web\n",
        [("unknown-target", 6, 13)],
    ),
    "deletion of what is no name": (
        HEAD + "steps:\n  - delete: everything\n",
        [("wrong-value", 4, 13)],
    ),
    "time before an earlier one": (
        HEAD + "steps:\n  - {at: 2h, apply: pod.yaml}\n  - {at: 1h, apply: web.yaml}\n",
        [("out-of-order", 5, 10)],
    ),
    "two faults": (
        HEAD + "steps:\n  - fault: {interrupt: {group: a}, noCapacity: {group: a, for: 1h}}\n",
        [("wrong-value", 4, 12)],
    ),
    "no capacity nowhere": (
        HEAD + "steps:\n  - fault: {noCapacity: {for: 1h}}\n",
        [("wrong-value", 4, 25)],
    ),
    "no capacity for no time": (
        HEAD + "steps:\n  - fault: {noCapacity: {group: a}}\n",
        [("missing", 4, 25)],
    ),
    "several mistakes": (
        HEAD
        + "maxDuration: x\nsteps:\n  - {}\n  - after: {when: gpuNodes, fo: 1h}\n    apply: a\n",
        [
            ("wrong-value", 3, 14),
            ("wrong-value", 5, 5),
            ("wrong-value", 6, 19),
            ("unknown-key", 6, 29),
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_scenario_is_refused_at_the_place_of_every_mistake(
    text: str, expected: list[tuple[str, int, int]], place: Path
) -> None:
    assert refused(text, place) == expected


def test_mistakes_of_the_manifests_come_with_those_of_the_scenario(place: Path) -> None:
    (place / "pod.yaml").write_text(POD.replace("image", "imgae"))
    text = HEAD + "steps: [{apply: [pod.yaml, gone.yaml]}]\n"
    with pytest.raises(InputError) as caught:
        read_scenario(text, str(place / "s.yaml"), place)
    places = [
        (Path(one.mark.file).name, one.mark.line, one.mark.column, one.name)
        for one in caught.value.findings
    ]
    assert places == [
        ("pod.yaml", 3, 18, "bad-name"),
        ("pod.yaml", 4, 21, "missing"),
        ("pod.yaml", 4, 31, "unknown-key"),
        ("s.yaml", 3, 28, "missing"),
    ]


def test_the_fix_of_a_misspelt_target_is_the_nearest_object(place: Path) -> None:
    text = f"{HEAD}steps: [{{apply: web.yaml}}, {{scale: {{target: deploy/wbe, replicas: 0}}}}]\n"
    with pytest.raises(InputError) as caught:
        read_scenario(text, "s.yaml", place)
    assert caught.value.fix == "did you mean Deployment/default/web?"


def test_the_schema_accepts_the_example_and_refuses_two_actions() -> None:
    schema = json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    example = yaml.safe_load((EXAMPLE / "scenario.yaml").read_text())
    assert list(validator.iter_errors(example)) == []
    example["steps"][0]["delete"] = "a.yaml"
    assert [list(one.absolute_path) for one in validator.iter_errors(example)] == [["steps", 0]]


# What stands behind -w.


def test_the_default_workload_is_ten_pods_of_one_gpu_for_half_an_hour() -> None:
    (step,) = default_workload().steps
    assert isinstance(step.action, Apply)
    (job,) = step.action.objects
    assert isinstance(job, Job)
    assert (job.parallelism, job.completions, job.template.run_seconds) == (10, 10, 1800.0)
    assert job.template.requests == {NVIDIA_GPU: 1}
    assert step.at_ms == 0


def test_plain_manifests_are_applied_at_the_start(place: Path) -> None:
    for argument, pods in (("pod.yaml", ["p"]), ("pods", ["a", "b"])):
        found = load_workload(str(place / argument))
        (step,) = found.steps
        assert isinstance(step.action, Apply)
        assert [one.meta.name for one in step.action.objects] == pods
        assert (found.name, step.at_ms) == (Path(argument).stem, 0)


def test_a_scenario_file_is_known_by_its_kind(place: Path) -> None:
    (place / "run.yaml").write_text(HEAD + "steps: [{apply: pod.yaml}]\n")
    assert load_workload(str(place / "run.yaml")) == load_scenario(place / "run.yaml")


def test_a_workload_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DEPLOYMENT.encode())))
    (step,) = load_workload("-").steps
    assert isinstance(step.action, Apply)
    assert [str(one.meta) for one in step.action.objects] == ["Deployment/default/web"]


def test_a_trace_has_no_maximal_duration(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("submit_s,run_s,gpus,cpu,memory_mib\n5,60,1,4,1024\n")
    found = load_workload(str(tmp_path / "t.csv"))
    assert (found.name, len(found.trace), found.max_duration_ms) == ("t", 1, None)


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("gone.yaml", "No such file or directory"),
        ("gone.csv", "No such file or directory"),
        ("philly:gone.csv.gz", "No such file or directory"),
        (str(EXAMPLE / "cluster.yaml"), "ClusterConfig"),
    ],
)
def test_what_is_no_workload_is_refused(argument: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        load_workload(argument)
    assert why in caught.value.why


# Nothing but InputError, whatever stands in the file.

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.sampled_from(["gpuNodes == 0", "1h", "web.yaml", "pods", "deploy/web", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["at", "after", "when", "for", "apply", "delete", "scale", "target"])
            | st.sampled_from(["replicas", "fault", "interrupt", "noCapacity", "group", "zone"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["until", "maxDuration", "addons"]), JUNK, max_size=1),
    st.lists(JUNK, max_size=3),
)
def test_a_broken_scenario_is_read_or_refused_and_nothing_else(
    more: dict[str, Any], steps: list[Any]
) -> None:
    head = {"apiVersion": "lowtide.dev/v1alpha1", "kind": "Scenario"}
    assert _reads_or_refuses(yaml.safe_dump(head | more | {"steps": steps}))


def _reads_or_refuses(text: str) -> bool:
    try:
        return isinstance(read_scenario(text, "s.yaml", EXAMPLE), Scenario)
    except InputError as error:
        return bool(error.findings) and all(one.mark.line for one in error.findings)
