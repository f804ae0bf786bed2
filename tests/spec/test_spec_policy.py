from __future__ import annotations

import dataclasses
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.model.errors import InputError
from lowtide.model.policy import AutoscalerPolicy, Policy, Timings
from lowtide.model.rules import fix_of
from lowtide.spec.document import parse
from lowtide.spec.policy import dump, flag_marks, json_schema, load_policy, read_policy

HEAD = "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\n"

WHOLE = (
    HEAD
    + """\
autoscalerTags: asFile
autoscaler:
  image: registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1
  flags:
    expander: least-waste,priority
    balance-similar-node-groups: true
    scale-down-utilization-threshold: 0.4
    balancing-label: [a, b]
devicePlugin: {image: plugin:1}
spot: {discount: {g4dn.xlarge: 0.6}}
nodes: {measuredAllocatableMiB: {g4dn.xlarge: 15000}}
timings: {spotLaunchSeconds: 20, imagePullMiBPerSecond: 80.5, imageSizesMiB: {nvidia/cuda: 120}}
admission: {extendedResourceToleration: false}
budget: {maxUsdPerHour: 12.5}
seed: 7
"""
)


def test_every_section_ends_in_its_field_of_the_policy() -> None:
    assert read_policy(WHOLE, "lowtide.yaml") == Policy(
        autoscaler=AutoscalerPolicy(
            image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
            tags="asFile",
            flags={
                "expander": "least-waste,priority",
                "balance-similar-node-groups": "true",
                "scale-down-utilization-threshold": "0.4",
                "balancing-label": "a\nb",
            },
        ),
        device_plugin_image="plugin:1",
        timings=Timings(
            spot_launch_s=20.0, image_pull_mib_per_s=80.5, image_sizes_mib={"nvidia/cuda": 120.0}
        ),
        spot_discount={"g4dn.xlarge": 0.6},
        measured_allocatable_mib={"g4dn.xlarge": 15000},
        extended_resource_toleration=False,
        max_usd_per_hour=12.5,
        seed=7,
    )


def test_a_policy_that_says_nothing_is_the_default_policy() -> None:
    assert read_policy(HEAD, "lowtide.yaml") == Policy()


def test_autoscaler_tags_may_stand_in_the_autoscaler_section() -> None:
    found = read_policy(HEAD + "autoscaler: {tags: asFile}\n", "lowtide.yaml")
    assert found.autoscaler.tags == "asFile"


@pytest.mark.parametrize("text", [HEAD, WHOLE])
def test_the_dump_of_a_policy_is_a_policy_file_of_the_same_meaning(text: str) -> None:
    policy = read_policy(text, "lowtide.yaml")
    assert read_policy(yaml.safe_dump(dump(policy)), "dump.yaml") == policy


def test_the_dump_names_every_timing() -> None:
    timings = dump(Policy())["timings"]
    assert len(timings) == len(dataclasses.fields(Timings))
    assert timings["gpuRegisterSeconds"] == Timings().gpu_register_s
    assert timings["imagePullMiBPerSecond"] == Timings().image_pull_mib_per_s
    assert timings["imageMiB"] == Timings().image_mib


BAD = {
    "of another kind": (
        "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n",
        [("wrong-kind", 2, 7)],
    ),
    "no mapping": ("- a\n", [("wrong-type", 1, 1)]),
    "no kind": ("apiVersion: lowtide.dev/v1alpha1\n", [("missing", 1, 1)]),
    "another version": (
        "apiVersion: lowtide.dev/v2\nkind: Policy\n",
        [("wrong-value", 1, 13)],
    ),
    "unknown key": (HEAD + "autoscalerTag: full\n", [("unknown-key", 3, 1)]),
    "unknown key inside": (HEAD + "budget:\n  maxUsd: 3\n", [("unknown-key", 4, 3)]),
    "field name of the model": (
        HEAD + "timings: {spot_launch_s: 3}\n",
        [("unknown-key", 3, 11)],
    ),
    "unknown word": (HEAD + "autoscalerTags: asfile\n", [("wrong-value", 3, 17)]),
    "text for a number": (HEAD + 'timings: {readySeconds: "10"}\n', [("wrong-type", 3, 25)]),
    "number for text": (HEAD + "devicePlugin: {image: 3}\n", [("wrong-type", 3, 23)]),
    "negative time": (HEAD + "timings: {readySeconds: -1}\n", [("wrong-value", 3, 25)]),
    "pull rate of zero": (
        HEAD + "timings: {imagePullMiBPerSecond: 0}\n",
        [("wrong-value", 3, 34)],
    ),
    "discount in percent": (
        HEAD + "spot: {discount: {g4dn.xlarge: 60}}\n",
        [("wrong-value", 3, 32)],
    ),
    "memory of zero": (
        HEAD + "nodes: {measuredAllocatableMiB: {g4dn.xlarge: 0}}\n",
        [("wrong-value", 3, 47)],
    ),
    "negative seed": (HEAD + "seed: -1\n", [("wrong-value", 3, 7)]),
    "flag with dashes": (
        HEAD + "autoscaler: {flags: {--expander: random}}\n",
        [("wrong-value", 3, 22)],
    ),
    "flag without a value": (
        HEAD + "autoscaler: {flags: {expander: []}}\n",
        [("wrong-value", 3, 32)],
    ),
    "flag that is a mapping": (
        HEAD + "autoscaler: {flags: {expander: {a: b}}}\n",
        [("wrong-value", 3, 32)],
    ),
    "two answers": (
        HEAD + "autoscalerTags: full\nautoscaler: {tags: asFile}\n",
        [("conflict", 4, 20)],
    ),
    "two documents": (HEAD + "---\na: b\n", [("conflict", 4, 1)]),
    "several mistakes": (
        HEAD + "seed: x\nbudget: 3\nnode: {}\n",
        [("wrong-type", 3, 7), ("wrong-type", 4, 9), ("unknown-key", 5, 1)],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_policy_is_refused_at_the_place_of_every_mistake(
    text: str, expected: list[tuple[str, int, int]]
) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(text, "lowtide.yaml")
    found = [(one.name, one.mark.line, one.mark.column) for one in caught.value.findings]
    assert found == expected


@pytest.mark.parametrize(
    ("section", "fix"),
    [
        ("timings: {gpuRegisterSeconds: 3m}", "write 180"),
        ("timings: {imageSizesMiB: {cuda: 8Gi}}", "write 8192"),
        ("timings: {imageMiB: 2GB}", "write 1907"),
        ("timings: {imageMiB: large}", fix_of("LT005")),
        ("timings: {readySeconds: soon}", fix_of("LT005")),
        ('timings: {readySeconds: "10"}', "write it without quotes"),
        ("spot: {discount: {g4dn.xlarge: 60}}", "write 0.6 (1 would be all)"),
        ("spot: {discount: {g4dn.xlarge: 50%}}", "write 0.5"),
        ("spot: {discount: {g4dn.xlarge: 600}}", fix_of("LT006")),
    ],
)
def test_a_number_with_its_unit_is_answered_with_the_number(section: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(f"{HEAD}{section}\n", "lowtide.yaml")
    assert [one.fix for one in caught.value.findings] == [fix]


def test_every_flag_has_its_place() -> None:
    (document,) = parse(HEAD + "autoscaler:\n  flags:\n    expander: random\n    v: 4\n", "p.yaml")
    marks = flag_marks(document)
    assert {name: (mark.line, mark.column) for name, mark in marks.items()} == {
        "": (4, 3),
        "expander": (5, 15),
        "v": (6, 8),
    }


def test_an_unknown_key_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(InputError) as caught:
        read_policy(HEAD + "timings: {spotLaunchSecond: 3}\n", "lowtide.yaml")
    assert caught.value.fix == "did you mean spotLaunchSeconds?"


def test_a_policy_is_loaded_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "lowtide.yaml"
    path.write_text(WHOLE)
    assert load_policy(path)[0].seed == 7
    with pytest.raises(InputError) as caught:
        load_policy(tmp_path / "other.yaml")
    assert caught.value.why == "No such file or directory"


def test_the_schema_accepts_what_the_reader_accepts_and_refuses_typing_errors() -> None:
    schema = json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    assert list(validator.iter_errors(yaml.safe_load(WHOLE))) == []
    assert list(validator.iter_errors(dump(Policy()))) == []
    (wrong,) = validator.iter_errors(yaml.safe_load(HEAD + "autoscalerTag: full\n"))
    assert "autoscalerTag" in wrong.message


def test_the_schema_says_what_each_timing_is() -> None:
    timings = json_schema()["$defs"]["TimingsSection"]["properties"]
    assert timings["spotLaunchSeconds"]["description"] == "Spot request to a running instance."
    assert all(one["description"] for one in timings.values())


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*dump(Policy()), "autoscaler", "spotLaunch", "Seed"])


@settings(max_examples=150)
@given(st.dictionaries(KEYS, JUNK, max_size=5))
def test_a_broken_policy_is_read_or_refused_and_nothing_else(more: dict[str, object]) -> None:
    text = yaml.safe_dump({"apiVersion": "lowtide.dev/v1alpha1", "kind": "Policy"} | more)
    assert _reads_back_or_refuses(text)


def _reads_back_or_refuses(text: str) -> bool:
    try:
        policy = read_policy(text, "lowtide.yaml")
    except InputError as error:
        return all(one.mark.line for one in error.findings)
    return read_policy(yaml.safe_dump(dump(policy)), "dump.yaml") == policy
