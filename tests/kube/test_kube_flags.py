from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.engine.options import AutoscalerOptions
from lowtide.kube.flag_table import KINDS, NEWEST_MINOR, Kind, kind_of
from lowtide.kube.flags import (
    autoscaler_options,
    defaults_for,
    image_minor,
    image_name,
    is_autoscaler,
    is_device_plugin,
    not_modelled,
    parse_flags,
    template_options,
)
from lowtide.model.kube import Container, PodSpec

COMMAND = ["/cluster-autoscaler"]
AWS = "--cloud-provider=aws"


def options_of(*args: str) -> AutoscalerOptions:
    options, problems = autoscaler_options(COMMAND, [AWS, *args])
    assert problems == ()
    return options


def problems_of(*args: str, minor: str = NEWEST_MINOR) -> tuple[str, ...]:
    return autoscaler_options(COMMAND, [AWS, *args], minor=minor)[1]


def test_flags_are_read_in_every_form_of_pflag() -> None:
    args = ["--scan-interval=20s", "--max-nodes-total", "7", "--balance-similar-node-groups"]
    args += ["-v=4", "--skip_nodes_with_system_pods=false", "word", "--", "--not-a-flag"]

    assert parse_flags(args) == {
        "scan-interval": ["20s"],
        "max-nodes-total": ["7"],
        "balance-similar-node-groups": ["true"],
        "v": ["4"],
        "skip-nodes-with-system-pods": ["false"],
    }


@pytest.mark.parametrize("args", [["-v=4"], ["-v4"], ["-v", "4"], ["--v=4"], ["--v", "4"]])
def test_verbosity_has_five_spellings(args: list[str]) -> None:
    assert parse_flags(args) == {"v": ["4"]}


def test_a_boolean_takes_no_separate_word() -> None:
    assert options_of("--scale-down-enabled", "false").scale_down_enabled is True
    assert options_of("--scale-down-enabled=false").scale_down_enabled is False


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--scan-intervall=10s"], "unknown flag: --scan-intervall"),
        (["-scan-interval=10s"], "unknown shorthand flag: 's' in -scan-interval=10s"),
        (["--max-nodes-total"], "flag needs an argument: --max-nodes-total"),
        (["-v"], "flag needs an argument: 'v' in -v"),
        (["---v=4"], "bad flag syntax: ---v=4"),
        (["--=4"], "bad flag syntax: --=4"),
        (["--help"], "pflag: help requested"),
        (["-h"], "pflag: help requested"),
        (
            ["--scan-interval=10"],
            'invalid argument "10" for "--scan-interval" flag: parse error',
        ),
        (
            ["--balance-similar-node-groups=yes"],
            'invalid argument "yes" for "--balance-similar-node-groups" flag: parse error',
        ),
        (["--max-nodes-total=many"], 'invalid argument "many" for "--max-nodes-total" flag'),
        (["-v=loud"], 'invalid argument "loud" for "-v, --v" flag'),
    ],
)
def test_what_the_binary_refuses_keeps_the_container_from_running(
    args: list[str], message: str
) -> None:
    (problem,) = problems_of(*args)

    assert problem.startswith(message)


def test_the_last_of_a_flag_given_twice_wins_and_lists_keep_all() -> None:
    options = options_of(
        "--max-nodes-total=5",
        "--max-nodes-total=9",
        "--balancing-label=pool",
        "--balancing-label=team",
        "--balancing-ignore-label=build",
    )

    assert options.max_nodes_total == 9
    assert options.balancing_labels == ("pool", "team")
    assert options.balancing_ignore_labels == ("build",)


def test_discovery_tags_of_all_specs_are_one_set_in_which_the_last_value_wins() -> None:
    options = options_of(
        "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,team=blue",
        "--node-group-auto-discovery=asg:tag=team=red",
    )

    assert options.discovery_tags == (
        ("k8s.io/cluster-autoscaler/enabled", ""),
        ("team", "red"),
    )


@pytest.mark.parametrize("spec", ["mig:namePrefix=x", "asg:tag=", "asg:tags=a", "a,b", "asg"])
def test_a_discovery_spec_that_aws_does_not_know_is_a_problem(spec: str) -> None:
    (problem,) = problems_of(f"--node-group-auto-discovery={spec}")

    assert problem.startswith("Failed to create AWS Manager")
    assert spec in problem


def test_static_groups_are_named_as_not_supported() -> None:
    assert "not supported by the twin" in problems_of("--nodes=0:10:my-group")[0]


def test_values_that_upstream_refuses_at_start_are_problems() -> None:
    clash = ["--drain-priority-config=0:60", "--max-graceful-termination-sec=30"]

    assert problems_of("--estimator=guess") == ("unknown estimator: guess",)
    assert "--drain-priority-config together with" in problems_of(*clash)[0]


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("cheapest", "Expander cheapest not supported"),
        ("price", "Couldn't access cloud provider pricing"),
        ("least-waste,price", "Couldn't access cloud provider pricing"),
        ("grpc", "not supported by the twin"),
        ("random,least-waste", "came after an expander random"),
        ("priority,priority", "was given twice"),
        ("", "Expander  not supported"),
    ],
)
def test_an_expander_that_upstream_refuses_is_a_problem(chain: str, words: str) -> None:
    assert words in problems_of(f"--expander={chain}")[0]


def test_a_chain_of_expanders_keeps_its_order() -> None:
    assert options_of("--expander=priority,least-waste").expander == ("priority", "least-waste")


def test_without_a_cloud_provider_upstream_takes_gce_and_cannot_run() -> None:
    _, problems = autoscaler_options(COMMAND, [])

    assert 'cloud provider "gce" cannot run here' in problems[0]


@pytest.mark.parametrize(
    ("command", "args", "words"),
    [
        ([], [AWS], "args alone replace the program"),
        (["sh", "-c", "/cluster-autoscaler"], [], "has no shell"),
        (["/autoscaler"], [AWS], "no such file"),
    ],
)
def test_a_command_that_the_image_does_not_hold_is_a_problem(
    command: list[str], args: list[str], words: str
) -> None:
    assert words in autoscaler_options(command, args)[1][0]


def test_upstreams_example_command_runs() -> None:
    command = ["./cluster-autoscaler", "--v=4", "--stderrthreshold=info", AWS]

    assert autoscaler_options(command, [])[1] == ()


def test_defaults_follow_the_minor() -> None:
    assert defaults_for("1.32").expander == ("random",)
    assert defaults_for("1.33").expander == ("least-waste",)
    assert [defaults_for(one).frequent_loops_enabled for one in ("1.34", "1.35")] == [False, True]
    assert defaults_for("1.36") == AutoscalerOptions()


def test_flags_come_and_go_with_minors() -> None:
    assert problems_of("--max-empty-bulk-delete=5", minor="1.32") == ()
    assert problems_of("--max-empty-bulk-delete=5", minor="1.33") == (
        "unknown flag: --max-empty-bulk-delete",
    )
    assert problems_of("--max-node-startup-time=5m", minor="1.34") == (
        "unknown flag: --max-node-startup-time",
    )
    assert problems_of("--max-node-startup-time=5m", minor="1.35") == ()


def _example_values(option: Any) -> tuple[str, Any]:
    """Return a flag's text that differs from the option's default, and the value it must give."""
    default = option.default
    if isinstance(default, bool):
        return str(not default).lower(), not default
    if option.name.endswith("_ms"):
        return "90s", 90_000
    if isinstance(default, int):
        return "17", 17
    if isinstance(default, float):
        return "0.25", 0.25
    if isinstance(default, tuple):
        return "some-label", ("some-label",)
    return "some-name", "some-name"


def test_every_option_of_the_engine_has_its_flag() -> None:
    """Each option but the seed can be set by exactly one flag, and by that flag alone."""
    unset = {"seed", "discovery_tags", "expander"}
    for option in dataclasses.fields(AutoscalerOptions):
        if option.name in unset:
            continue
        text, value = _example_values(option)
        setters = []
        for flag in KINDS:
            if kind_of(flag) is None:
                continue
            try:
                changed = autoscaler_options(COMMAND, [AWS, f"--{flag}={text}"])[0]
            except ValueError:
                continue
            if getattr(changed, option.name) != option.default:
                setters.append(flag)
                assert getattr(changed, option.name) == value, flag
        assert len(setters) == 1, option.name


def test_flags_that_change_decisions_and_are_not_modelled_are_named() -> None:
    args = [AWS, "--startup-taint=my/taint", "--scale-up-from-zero=true", "--v=4"]

    assert not_modelled(COMMAND, args) == ("--startup-taint=my/taint",)
    assert not_modelled(COMMAND, ["--no-such-flag"]) == ()


@given(st.lists(st.text(max_size=12) | st.sampled_from(["--v", "-v", "--expander=", "--", "-"])))
def test_any_arguments_give_options_or_a_problem(args: list[str]) -> None:
    options, problems = autoscaler_options(COMMAND, args)

    assert isinstance(options, AutoscalerOptions)
    assert all(isinstance(one, str) and one for one in problems)


@given(st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers(0, 999), max_size=8))
def test_flags_survive_being_written_and_read(numbers: dict[str, int]) -> None:
    form = {Kind.BOOL: "true", Kind.DURATION: "{}s"}
    written = {
        name: form.get(KINDS[name], "{}").format(number)
        for name, number in numbers.items()
        if kind_of(name) is not None
    }

    read = parse_flags([f"--{name}={value}" for name, value in written.items()])

    assert read == {name: [value] for name, value in written.items()}


@pytest.mark.parametrize(
    ("image", "minor"),
    [
        ("registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1", "1.36"),
        ("localhost:5000/cluster-autoscaler:1.33", "1.33"),
        ("registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.2@sha256:abc", "1.35"),
        ("localhost:5000/cluster-autoscaler", None),
        ("cluster-autoscaler:latest", None),
        ("cluster-autoscaler@sha256:abc", None),
        ("cluster-autoscaler:v1.34.5-amd64", "1.34"),
    ],
)
def test_the_minor_is_read_from_the_images_tag(image: str, minor: str | None) -> None:
    assert image_minor(image) == minor


def test_an_images_name_is_its_last_word() -> None:
    assert image_name("localhost:5000/a/b-c:v1@sha256:d") == "b-c"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (Container(image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1"), True),
        (Container(image="mirror/ca:1", command=("./cluster-autoscaler", AWS)), True),
        (Container(image="mirror/cluster-autoscaler-amd64:1"), True),
        (Container(image="cluster-autoscaler.example.com/other:1"), False),
        (Container(image="busybox:1", args=("cluster-autoscaler",)), False),
    ],
)
def test_an_autoscaler_is_known_by_image_or_command(container: Container, expected: bool) -> None:
    assert is_autoscaler(PodSpec(containers=(container,))) is expected


def test_the_device_plugin_is_known_by_its_image() -> None:
    plugin = Container(image="nvcr.io/nvidia/k8s-device-plugin:v0.20.0")

    assert is_device_plugin(PodSpec(containers=(Container(image="a:1"), plugin)))
    assert not is_device_plugin(PodSpec(containers=(Container(image="k8s-device-plugin/a:1"),)))


def test_a_template_is_read_with_the_defaults_of_its_image() -> None:
    old = Container(image="x/cluster-autoscaler:v1.32.1", command=("/cluster-autoscaler", AWS))

    options, problems = template_options(PodSpec(containers=(old,)))

    assert problems == ()
    assert options.expander == ("random",)
    with pytest.raises(ValueError, match="no container"):
        template_options(PodSpec(containers=(Container(image="a:1"),)))
