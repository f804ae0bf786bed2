"""The autoscaler's and the device plugin's containers, read as their programs read them.

Why it exists: what the autoscaler does is decided by the arguments of the Deployment that the user
really applied. The twin takes its options from there, so a misspelt flag fails as on a cluster.

What it must not know: how flags came into the manifest, and what the engine does with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from lowtide.engine.options import AutoscalerOptions
from lowtide.kube.flag_table import NEWEST_MINOR, Kind, kind_of, version_key
from lowtide.model.go_values import parse_bool, parse_duration_ms, parse_float, parse_int
from lowtide.model.kube import Container, PodSpec

_PARSERS: dict[Kind, Callable[[str], Any]] = {
    Kind.BOOL: parse_bool,
    Kind.INT: parse_int,
    Kind.FLOAT: parse_float,
    Kind.DURATION: parse_duration_ms,
    Kind.TEXT: str,
    Kind.LIST: str,
}

#: Flags whose option has another name than the flag with underscores (and ``_ms`` for durations).
_OPTION_NAMES = {
    "balancing-ignore-label": "balancing_ignore_labels",
    "balancing-label": "balancing_labels",
    "blocking-system-pod-distruption-timeout": "blocking_system_pod_disruption_ms",
    "force-ds": "force_daemonsets",
    "initial-node-group-backoff-duration": "initial_backoff_ms",
    "max-node-group-backoff-duration": "max_backoff_ms",
    "node-group-backoff-reset-timeout": "backoff_reset_ms",
    "node-info-cache-expire-time": "node_info_cache_expire_ms",
    "scale-down-unneeded-time": "scale_down_unneeded_ms",
    "scale-down-unready-time": "scale_down_unready_ms",
    "unremovable-node-recheck-timeout": "unremovable_node_recheck_ms",
}

#: Flags that change decisions and that the engine does not model, with upstream's default.
_NOT_MODELLED = {
    "allowed-scheduler-names": "",
    "async-node-groups": "false",
    "bypassed-scheduler-names": "",
    "capacity-buffer-pod-injection-enabled": "false",
    "capacity-quotas-enabled": "false",
    "cores-total": "0:320000",
    "daemonset-eviction-for-empty-nodes": "false",
    "drain-priority-config": "",
    "enable-csi-node-aware-scheduling": "false",
    "enable-proactive-scaleup": "false",
    "enable-provisioning-requests": "false",
    "enforce-node-group-min-size": "false",
    "fastpath-binpacking-enabled": "false",
    "force-delete-failed-nodes": "false",
    "force-delete-unregistered-nodes": "false",
    "gpu-total": "",
    "ignore-taint": "",
    "memory-total": "0:6400000",
    "namespace": "kube-system",
    "node-deletion-batcher-interval": "0s",
    "node-deletion-candidate-ttl": "0s",
    "salvo-scale-up": "false",
    "scale-from-unschedulable": "false",
    "scale-up-from-zero": "true",
    "scheduler-config-file": "",
    "startup-taint": "",
    "startup-taint-prefix": "",
    "status-taint": "",
}

# expander/factory/expander_factory.go: "price" and "grpc" are known but end the process here.
_EXPANDERS = ("random", "most-pods", "least-waste", "least-nodes", "price", "priority", "grpc")

_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_TAG = re.compile(r"v?(\d+)\.(\d+)(?:\.|$|[-+])")


def parse_flags(args: Sequence[str], *, minor: str = NEWEST_MINOR) -> dict[str, list[str]]:
    """Return each flag's values in the order given, read by the rules of pflag.

    Known are ``--a=b``, ``--a b``, ``--bool``, ``-v=4``, ``-v4`` and ``--``; underscores count as dashes
    (component-base, WordSepNormalizeFunc). Words that are no flags are ignored, as the autoscaler does.

    Raises:
        ValueError: the real binary would exit; the text is what it prints.
    """
    flags: dict[str, list[str]] = {}
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            name, value = _long(word, rest, minor)
        elif word.startswith("-") and word != "-":
            name, value = _short(word, rest)
        else:
            continue
        _check_value(name, value, minor)
        flags.setdefault(name, []).append(value)
    return flags


def _long(word: str, rest: list[str], minor: str) -> tuple[str, str]:
    written, equals, value = word[2:].partition("=")
    if not written or written[0] == "-":
        raise ValueError(f"bad flag syntax: {word}")
    name = written.replace("_", "-")
    kind = kind_of(name, minor)
    if kind is None:
        if name == "help":
            raise ValueError("pflag: help requested")
        raise ValueError(f"unknown flag: --{written}")
    if equals:
        return name, value
    if kind is Kind.BOOL:
        return name, "true"
    if not rest:
        raise ValueError(f"flag needs an argument: --{written}")
    return name, rest.pop(0)


def _short(word: str, rest: list[str]) -> tuple[str, str]:
    """Read a one-dash word; ``v`` is the only flag of one letter."""
    letters = word[1:]
    if letters[0] == "h":
        raise ValueError("pflag: help requested")
    if letters[0] != "v":
        raise ValueError(f"unknown shorthand flag: {letters[0]!r} in {word}")
    if len(letters) > 1:
        return "v", letters[2:] if letters[1] == "=" and len(letters) > 2 else letters[1:]
    if not rest:
        raise ValueError("flag needs an argument: 'v' in -v")
    return "v", rest.pop(0)


def _check_value(name: str, value: str, minor: str) -> None:
    kind = kind_of(name, minor)
    try:
        _PARSERS[kind or Kind.TEXT](value)
    except ValueError as error:
        shown = "-v, --v" if name == "v" else f"--{name}"
        raise ValueError(f'invalid argument "{value}" for "{shown}" flag: {error}') from error


def defaults_for(minor: str) -> AutoscalerOptions:
    """Return the options of an autoscaler of that minor with no flag given.

    The expander was random until 1.32, frequent loops were off until 1.34.
    """
    here = version_key(minor)
    return AutoscalerOptions(
        expander=("random",) if here <= (1, 32) else ("least-waste",),
        frequent_loops_enabled=here >= (1, 35),
    )


def autoscaler_options(
    command: Sequence[str], args: Sequence[str], *, minor: str = NEWEST_MINOR
) -> tuple[AutoscalerOptions, tuple[str, ...]]:
    """Read a container's command and args into options, and the problems that keep it from running.

    With a problem the real container exits (CrashLoopBackOff), or the twin cannot play it; the first
    one is what its log says. Known flags that change nothing here are accepted; ``not_modelled`` names
    those that would change a decision.
    """
    options = defaults_for(minor)
    problem = _start_problem(command, args)
    if problem:
        return options, (problem,)
    try:
        flags = parse_flags([*command[1:], *args], minor=minor)
    except ValueError as error:
        return options, (str(error),)
    options = replace(options, **_plain_options(flags))
    expander, expander_problems = _expander(flags, options.expander)
    tags, tag_problems = _discovery(flags.get("node-group-auto-discovery", ()))
    problems = (*_provider_problems(flags), *tag_problems, *expander_problems)
    return replace(options, expander=expander, discovery_tags=tags), problems


def _start_problem(command: Sequence[str], args: Sequence[str]) -> str:
    """Say why the program would not even start.

    The image is distroless and has CMD, not ENTRYPOINT (cluster-autoscaler/Dockerfile): args alone
    replace the program, and there is no shell.
    """
    program = [*command, *args][:1]
    if not program or PurePosixPath(program[0]).name == "cluster-autoscaler":
        return ""
    if PurePosixPath(program[0]).name in _SHELLS:
        return f'exec: "{program[0]}": the image of the cluster-autoscaler has no shell'
    if not command:
        return f'exec: "{program[0]}": write command: ["/cluster-autoscaler"], args alone replace the program'
    return f'exec: "{program[0]}": no such file in the image of the cluster-autoscaler'


def _plain_options(flags: dict[str, list[str]]) -> dict[str, Any]:
    """Return the options that are a flag's value and nothing more; the last value of a flag wins."""
    known = AutoscalerOptions.__dataclass_fields__
    result: dict[str, Any] = {}
    for flag, values in flags.items():
        kind = kind_of(flag) or Kind.TEXT
        option = _option_name(flag, kind)
        if option not in known or flag == "expander":
            continue
        parse = _PARSERS[kind]
        result[option] = tuple(values) if kind is Kind.LIST else parse(values[-1])
    return result


def _option_name(flag: str, kind: Kind) -> str:
    if flag in _OPTION_NAMES:
        return _OPTION_NAMES[flag]
    return flag.replace("-", "_") + ("_ms" if kind is Kind.DURATION else "")


def _provider_problems(flags: dict[str, list[str]]) -> tuple[str, ...]:
    """Check what the AWS provider and start-up refuse (flags.go, builder_all.go at 1.36.1)."""
    problems = []
    provider = flags.get("cloud-provider", ["gce"])[-1]
    if provider != "aws":
        problems.append(f'cloud provider "{provider}" cannot run here: write --cloud-provider=aws')
    if "nodes" in flags:
        problems.append(
            "--nodes is not supported by the twin: write --node-group-auto-discovery=asg:tag=..."
        )
    if flags.get("estimator", ["binpacking"])[-1] != "binpacking":
        problems.append(f"unknown estimator: {flags['estimator'][-1]}")
    if "drain-priority-config" in flags and "max-graceful-termination-sec" in flags:
        problems.append(
            "Invalid configuration, could not use --drain-priority-config together with "
            "--max-graceful-termination-sec"
        )
    return tuple(problems)


def _expander(
    flags: dict[str, list[str]], default: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Check the chain of expanders as expander_factory.go (Build) does."""
    if "expander" not in flags:
        return default, ()
    names = tuple(flags["expander"][-1].split(","))
    for index, name in enumerate(names):
        before = names[:index]
        if name in before:
            return default, (f"Failed to create autoscaler: Expander {name} was given twice",)
        if "random" in before:
            return default, (
                f"Failed to create autoscaler: Expander {name} came after an expander random",
            )
        if name not in _EXPANDERS:
            return default, (f"Failed to create autoscaler: Expander {name} not supported",)
        if name == "price":
            return default, (
                "Couldn't access cloud provider pricing for price expander: Not implemented",
            )
        if name == "grpc":
            return default, ("the grpc expander is not supported by the twin",)
    return names, ()


def _discovery(specs: Sequence[str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Merge the tags of all specs into one set that is ANDed (auto_scaling_groups.go, buildAsgTags)."""
    tags: dict[str, str] = {}
    problems = []
    for spec in specs:
        listed = spec.removeprefix("asg:tag=")
        if listed == spec or not listed:
            problems.append(
                f"Failed to create AWS Manager: invalid node group auto discovery spec: {spec} "
                "(write asg:tag=KEY[=VALUE],...)"
            )
            continue
        for pair in listed.split(","):
            key, _, value = pair.partition("=")
            tags[key] = value
    return tuple(tags.items()), tuple(problems)


def not_modelled(
    command: Sequence[str], args: Sequence[str], *, minor: str = NEWEST_MINOR
) -> tuple[str, ...]:
    """Return the flags, as written, that would change a decision and that the engine does not model."""
    try:
        flags = parse_flags([*command[1:], *args], minor=minor)
    except ValueError:
        return ()
    return tuple(
        f"--{name}={values[-1]}"
        for name, values in flags.items()
        if name in _NOT_MODELLED and values[-1] != _NOT_MODELLED[name]
    )


def image_minor(image: str) -> str | None:
    """Return ``1.36`` for ``registry/cluster-autoscaler:v1.36.1``, None where no tag tells."""
    last = image.partition("@")[0].rpartition("/")[2]
    found = _TAG.match(last.partition(":")[2])
    return f"{found[1]}.{found[2]}" if found else None


def image_name(image: str) -> str:
    """Return the last word of an image's path, without registry, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def autoscaler_container(template: PodSpec) -> Container | None:
    """Return the container that is a Cluster Autoscaler, by image name or command, None without one."""
    for container in template.containers:
        program = container.command[0] if container.command else ""
        if "cluster-autoscaler" in image_name(container.image) or "cluster-autoscaler" in program:
            return container
    return None


def is_autoscaler(template: PodSpec) -> bool:
    """Return whether a pod of this template is a Cluster Autoscaler."""
    return autoscaler_container(template) is not None


def is_device_plugin(template: PodSpec) -> bool:
    """Return whether a pod of this template is NVIDIA's device plugin."""
    return any(image_name(one.image) == "k8s-device-plugin" for one in template.containers)


def template_options(template: PodSpec) -> tuple[AutoscalerOptions, tuple[str, ...]]:
    """Read an autoscaler's pod template, with the defaults of its image's minor.

    Raises:
        ValueError: no container of the template is a Cluster Autoscaler.
    """
    container = autoscaler_container(template)
    if container is None:
        raise ValueError("no container of this pod is a Cluster Autoscaler")
    minor = image_minor(container.image) or NEWEST_MINOR
    return autoscaler_options(container.command, container.args, minor=minor)
