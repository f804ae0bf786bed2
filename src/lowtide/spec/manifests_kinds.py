"""One conversion for each kind of object that the twin acts on, with the rules of its controller.

Sources: pkg/apis/apps/validation, pkg/apis/batch/validation, pkg/apis/policy/validation and
pkg/apis/scheduling/validation of Kubernetes, and the defaults beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lowtide.model.kube import LabelSelector, PodSpec
from lowtide.model.workload import (
    BarePod,
    Budget,
    ConfigMap,
    DaemonSet,
    Job,
    KubeObject,
    Meta,
    OtherObject,
    PriorityClass,
    Replicated,
)
from lowtide.spec.document import CONFLICT, MISSING, NOT_SUPPORTED, WRONG_TYPE, WRONG_VALUE
from lowtide.spec.manifests_names import check_annotations, check_labels, check_name
from lowtide.spec.manifests_shape import Part
from lowtide.spec.podspec import PREEMPT, PriorityClasses, pod_spec, refuse_misplaced_run_seconds
from lowtide.spec.podspec_affinity import NOTHING, label_selector, one_of
from lowtide.spec.words import quoted

SELECTOR_MISMATCH = ("LT101", "selector-mismatch")
RESTART_POLICY = ("LT106", "restart-policy")

#: The highest priority of a class that is not the system's (pkg/apis/scheduling/types.go).
HIGHEST_USER_PRIORITY = 1_000_000_000

_PERCENTAGE = re.compile(r"\d{1,9}%", re.ASCII)


def convert(part: Part, kind: str, classes: PriorityClasses) -> KubeObject:
    """Return the object of a checked part; ``kind`` is empty for kinds that the twin does not act on."""
    if not kind:
        return _other(part)
    return _CONVERSIONS[kind](part, classes)


def priority_class(part: Part) -> PriorityClass:
    """Return a PriorityClass without refusing anything; ``convert`` does that."""
    return PriorityClass(
        meta=Meta(kind="PriorityClass", name=part.part("metadata").text("name")),
        value=part.whole("value", 0),
        is_default=bool(part.value.get("globalDefault", False)),
        preemption_policy=part.text("preemptionPolicy", PREEMPT),
    )


def _meta(part: Part) -> Meta:
    metadata = part.part("metadata")
    if not metadata.text("name"):
        _refuse_no_name(metadata)
    check_name(metadata, "name")
    check_name(metadata, "namespace", label=True)
    check_labels(metadata, "labels")
    check_annotations(metadata)
    namespace = metadata.text("namespace", "default")
    return Meta(kind=part.text("kind"), name=metadata.text("name"), namespace=namespace)


def _refuse_no_name(metadata: Part) -> None:
    if metadata.has("generateName"):
        message = "cannot use generate name with apply"
        metadata.refuse(MISSING, message, "generateName", fix="write name: instead")
    else:
        metadata.missing("name")


def _other(part: Part) -> OtherObject:
    """Return an object whose fields nobody here knows; only its identity is read."""
    kind, metadata = str(part.value["kind"]), part.value.get("metadata")
    name = namespace = None
    if isinstance(metadata, dict):
        name, namespace = metadata.get("name"), metadata.get("namespace")
    for key, value in (("name", name), ("namespace", namespace)):
        if value is not None and not isinstance(value, str):
            part.refuse(WRONG_TYPE, "must be text", "metadata", key)
    if name in (None, ""):
        Part({}, part.document, part.problems, (*part.path, "metadata")).missing("name")
    return OtherObject(meta=Meta(kind=kind, name=str(name), namespace=str(namespace or "default")))


def _template(part: Part, classes: PriorityClasses, mountable: tuple[str, ...] = ()) -> PodSpec:
    refuse_misplaced_run_seconds(part.part("metadata"))
    template = part.part("spec").part("template")
    if part.has("spec") and part.part("spec").has("template"):
        template.require("spec")
    return pod_spec(template, classes, mountable)


def _require_spec(part: Part, *keys: str) -> Part:
    spec = part.part("spec")
    if not part.has("spec"):
        part.missing("spec")
    else:
        for key in keys:
            spec.require(key)
    return spec


def _check_selector(spec: Part, template: PodSpec) -> None:
    """Refuse a selector that is empty or does not match the template's labels."""
    if not (spec.has("selector") and spec.has("template")):
        return
    part = spec.part("selector")
    selector = label_selector(part)
    if not selector.requirements:
        part.refuse(WRONG_VALUE, "empty selector is invalid", fix="add matchLabels:")
    elif not selector.matches(template.labels):
        _refuse_mismatch(spec, selector)


def _refuse_mismatch(spec: Part, selector: LabelSelector) -> None:
    wanted = ", ".join(f"{one.key}: {one.values[0]}" for one in selector.requirements if one.values)
    message = "`selector` does not match template `labels`"
    fix = f"write the labels {{{wanted}}} into the template" if wanted else ""
    at = () if not spec.part("template").part("metadata").has("labels") else ("metadata", "labels")
    spec.part("template").refuse(SELECTOR_MISMATCH, message, *at, fix=fix)


def _check_restart_policy(spec: Part, allowed: tuple[str, ...], default: str) -> None:
    pod = spec.part("template").part("spec")
    given = pod.text("restartPolicy", default)
    if given in allowed or not spec.part("template").has("spec"):
        return
    words = " or ".join(allowed)
    message = f"{given or 'Always, the default,'} is not supported here; it must be {words}"
    steps = ("restartPolicy",) if pod.has("restartPolicy") else ()
    pod.refuse(RESTART_POLICY, message, *steps, fix=f"write restartPolicy: {allowed[-1]}")


def _count(spec: Part, key: str, default: int) -> int:
    number = spec.whole(key, default)
    if number < 0:
        spec.refuse(WRONG_VALUE, f"{number} must be greater than or equal to 0", key)
        return 0
    return number


def _replicated(part: Part, classes: PriorityClasses) -> Replicated:
    spec = _require_spec(part, "template")
    claims = tuple(one.part("metadata").text("name") for one in spec.parts("volumeClaimTemplates"))
    template = _template(part, classes, claims)
    if part.text("kind") != "ReplicationController":
        _check_selector(spec, template)
    _check_restart_policy(spec, ("Always",), "Always")
    return Replicated(
        meta=_meta(part),
        replicas=_count(spec, "replicas", 1),
        template=template,
        volume_claims=claims,
    )


def _replication_controller(part: Part, classes: PriorityClasses) -> Replicated:
    spec = part.part("spec")
    selector = check_labels(spec, "selector")
    labels = spec.part("template").part("metadata").mapping("labels")
    if any(labels.get(key) != value for key, value in selector.items()):
        message = "`selector` does not match template `labels`"
        spec.refuse(SELECTOR_MISMATCH, message, "selector")
    return _replicated(part, classes)


def _daemon_set(part: Part, classes: PriorityClasses) -> DaemonSet:
    spec = _require_spec(part, "template")
    template = _template(part, classes)
    _check_selector(spec, template)
    _check_restart_policy(spec, ("Always",), "Always")
    return DaemonSet(meta=_meta(part), template=template)


def _job(part: Part, classes: PriorityClasses) -> Job:
    spec = _require_spec(part, "template")
    template = _template(part, classes)
    _check_restart_policy(spec, ("OnFailure", "Never"), "")
    for key in ("selector", "manualSelector"):
        if spec.value.get(key):
            message = "not supported: a Job selects its pods by itself"
            spec.refuse(NOT_SUPPORTED, message, key, fix=f"remove {key}:")
    mode = one_of(spec, "completionMode", ("NonIndexed", "Indexed"), "NonIndexed")
    if mode == "Indexed" and not spec.has("completions"):
        spec.missing("completions", fix="an Indexed Job needs completions:")
    completions = _count(spec, "completions", 1) if spec.has("completions") else None
    if completions is None and not spec.has("parallelism"):
        completions = 1  # pkg/apis/batch/v1/defaults.go: neither given means one pod, once
    parallelism = _count(spec, "parallelism", 1)
    if spec.value.get("suspend"):
        parallelism = 0  # a suspended Job starts no pods, which is what parallelism 0 says
    return Job(
        meta=_meta(part),
        parallelism=parallelism,
        completions=completions,
        backoff_limit=_count(spec, "backoffLimit", 6),
        template=template,
    )


def _cron_job(part: Part, classes: PriorityClasses) -> OtherObject:
    """Return an object without effect: nothing here starts Jobs by the calendar; its pods are checked all the same."""
    job = part.part("spec").part("jobTemplate")
    if job.part("spec").has("template"):
        pod_spec(job.part("spec").part("template"), classes)
    return OtherObject(meta=_meta(part))


def _pod(part: Part, classes: PriorityClasses) -> BarePod:
    _require_spec(part)
    return BarePod(meta=_meta(part), template=pod_spec(part, classes))


def _budget(part: Part, classes: PriorityClasses) -> Budget:
    del classes
    spec = part.part("spec")
    least, most = (_int_or_percentage(spec, key) for key in ("minAvailable", "maxUnavailable"))
    if least is not None and most is not None:
        message = "minAvailable and maxUnavailable cannot be both set"
        spec.refuse(CONFLICT, message, "maxUnavailable", fix="remove one of the two")
    if least is None and most is None:
        least = 0  # the API server accepts it, and the controller then protects nothing
    # policy/v1: no selector selects no pod, an empty one every pod of the namespace.
    selector = label_selector(spec.part("selector")) if spec.has("selector") else NOTHING
    return Budget(meta=_meta(part), selector=selector, min_available=least, max_unavailable=most)


def _int_or_percentage(spec: Part, key: str) -> int | str | None:
    value: int | str | None = spec.value.get(key)
    valid = value >= 0 if isinstance(value, int) else value is None or _PERCENTAGE.fullmatch(value)
    if not valid:
        message = f"{quoted(value)} must be zero or more, or a percentage such as 50%"
        spec.refuse(WRONG_VALUE, message, key)
    return value


def _priority_class(part: Part, classes: PriorityClasses) -> PriorityClass:
    del classes
    name = _meta(part).name
    one_of(part, "preemptionPolicy", (PREEMPT, "Never"), PREEMPT)
    if name.startswith("system-"):
        message = "priority class names with 'system-' prefix are reserved for system use only"
        part.refuse(WRONG_VALUE, message, "metadata", "name")
    elif part.whole("value", 0) > HIGHEST_USER_PRIORITY:
        message = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        part.refuse(WRONG_VALUE, message, "value")
    return priority_class(part)


def _config_map(part: Part, classes: PriorityClasses) -> ConfigMap:
    del classes
    return ConfigMap(meta=_meta(part), data=part.mapping("data"))


_CONVERSIONS: dict[str, Callable[[Part, PriorityClasses], KubeObject]] = {
    "ConfigMap": _config_map,
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _replicated,
    "Job": _job,
    "Pod": _pod,
    "PodDisruptionBudget": _budget,
    "PriorityClass": _priority_class,
    "ReplicaSet": _replicated,
    "ReplicationController": _replication_controller,
    "StatefulSet": _replicated,
}
