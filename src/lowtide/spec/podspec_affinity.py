"""Where a pod may run: selectors, node affinity, pod affinity, topology spread, tolerations.

Sources: pkg/apis/core/validation for what the API server refuses, k8s.io/api/core/v1/types.go for what an
absent field means (an absent label selector matches nothing, an empty one everything).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lowtide.model.kube import (
    Affinity,
    LabelSelector,
    NodeSelectorTerm,
    PodAffinityTerm,
    PreferredTerm,
    Requirement,
    Toleration,
    TopologySpread,
)
from lowtide.spec.document import CONFLICT, NOT_SUPPORTED, WRONG_VALUE, nearest
from lowtide.spec.manifests_names import check_label_key, check_labels
from lowtide.spec.manifests_shape import Part
from lowtide.spec.words import quoted

#: Matches no object: no object has a label with an empty key.
NOTHING = LabelSelector(requirements=(Requirement(key="", operator="In"),))

_LABEL_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_NODE_OPERATORS = (*_LABEL_OPERATORS, "Gt", "Lt")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_POLICIES = ("Honor", "Ignore")
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def one_of(part: Part, key: str, allowed: tuple[str, ...], default: str) -> str:
    """Return a text field that must be one of a few words, the default when it is not given or wrong."""
    value = part.text(key, default)
    if value in allowed:
        return value
    shown = ", ".join(allowed)
    close = nearest(value, allowed)
    fix = f"write {close}" if close else ""
    part.refuse(
        WRONG_VALUE, f"{quoted(value)} is not supported; supported values: {shown}", key, fix=fix
    )
    return default


def label_selector(part: Part) -> LabelSelector:
    """Return a label selector (matchLabels and matchExpressions)."""
    labels = check_labels(part, "matchLabels")
    equal = tuple(_equals(key, value) for key, value in labels.items())
    expressions = _requirements(part, "matchExpressions", _LABEL_OPERATORS)
    return LabelSelector(requirements=equal + expressions)


def tolerations(pod: Part) -> tuple[Toleration, ...]:
    """Return the tolerations of a pod spec (ValidateTolerations)."""
    return tuple(_toleration(one) for one in pod.parts("tolerations"))


def affinity(pod: Part, labels: Mapping[str, str]) -> Affinity:
    """Return node affinity, pod affinity and pod anti-affinity of a pod spec whose pods have these labels."""
    node = pod.part("affinity").part("nodeAffinity")
    near, apart = (pod.part("affinity").part(f"pod{one}") for one in ("Affinity", "AntiAffinity"))
    required = node.part(_REQUIRED)
    if required.has("nodeSelectorTerms") and not required.value["nodeSelectorTerms"]:
        required.refuse(
            WRONG_VALUE, "must have at least one node selector term", "nodeSelectorTerms"
        )
    return Affinity(
        node_required=tuple(_node_term(one) for one in required.parts("nodeSelectorTerms")),
        node_preferred=tuple(
            PreferredTerm(weight=_weight(one), term=_node_term(one.part("preference")))
            for one in node.parts(_PREFERRED)
        ),
        pod_required=_pod_terms(near, labels),
        pod_preferred=_weighted_pod_terms(near, labels),
        anti_required=_pod_terms(apart, labels),
        anti_preferred=_weighted_pod_terms(apart, labels),
    )


def topology_spread(pod: Part, labels: Mapping[str, str]) -> tuple[TopologySpread, ...]:
    """Return the topology spread constraints of a pod spec whose pods have these labels."""
    return tuple(_spread(one, labels) for one in pod.parts("topologySpreadConstraints"))


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _equals(key: str, value: str) -> Requirement:
    return Requirement(key=key, operator="In", values=(value,))


def _toleration(part: Part) -> Toleration:
    key, value = part.text("key"), part.text("value")
    operator = one_of(part, "operator", ("Equal", "Exists"), "Equal")
    effect = one_of(part, "effect", _EFFECTS, "") if part.text("effect") else ""
    if key:
        check_label_key(part, key, "key")
    elif operator != "Exists":
        message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        part.refuse(
            CONFLICT, message, *_given(part, "operator"), fix="add key:, or operator: Exists"
        )
    if operator == "Exists" and value:
        message = "value must be empty when `operator` is 'Exists'"
        fix = "remove value:, or write operator: Equal"
        part.refuse(CONFLICT, message, "value", fix=fix)
    if part.has("tolerationSeconds") and effect != "NoExecute":
        message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        part.refuse(CONFLICT, message, *_given(part, "effect"), fix="remove tolerationSeconds:")
    return Toleration(key=key, operator=operator, value=value, effect=effect)


def _given(part: Part, key: str) -> tuple[str, ...]:
    return (key,) if part.has(key) else ()


def _weight(part: Part) -> int:
    weight = part.whole("weight", 1)
    if not 1 <= weight <= 100:
        part.refuse(WRONG_VALUE, f"{weight} must be in the range 1-100", "weight")
        return 1
    return weight


def _node_term(part: Part) -> NodeSelectorTerm:
    for one in part.parts("matchFields"):
        if one.text("key") not in {"", "metadata.name"}:
            message = f"{quoted(one.text('key'))} is not a valid field selector key; metadata.name is the only one"
            one.refuse(WRONG_VALUE, message, "key")
        elif one.text("operator") in {"In", "NotIn"} and len(one.texts("values")) > 1:
            one.refuse(WRONG_VALUE, "must be only one value for this operator", "values")
    return NodeSelectorTerm(
        expressions=_requirements(part, "matchExpressions", _NODE_OPERATORS),
        fields=_requirements(part, "matchFields", ("In", "NotIn")),
    )


def _requirements(part: Part, key: str, operators: tuple[str, ...]) -> tuple[Requirement, ...]:
    return tuple(_requirement(one, operators) for one in part.parts(key))


def _requirement(part: Part, operators: tuple[str, ...]) -> Requirement:
    key, values = part.text("key"), part.texts("values")
    if key:
        check_label_key(part, key, "key")
    operator = one_of(part, "operator", operators, "In") if part.has("operator") else ""
    if operator in {"In", "NotIn"} and not values and part.text("operator") == operator:
        part.refuse(CONFLICT, f"values must be specified when `operator` is {operator}", "values")
    if operator in {"Exists", "DoesNotExist"} and values:
        message = f"values may not be specified when `operator` is {operator}"
        part.refuse(CONFLICT, message, "values", fix="remove values:")
    if operator in {"Gt", "Lt"} and (len(values) != 1 or not _INTEGER.fullmatch(values[0])):
        part.refuse(CONFLICT, f"values must be one whole number for {operator}", "values")
    return Requirement(key=key, operator=operator, values=values)


def _pod_terms(part: Part, labels: Mapping[str, str]) -> tuple[PodAffinityTerm, ...]:
    return tuple(_pod_term(one, labels, weight=0) for one in part.parts(_REQUIRED))


def _weighted_pod_terms(part: Part, labels: Mapping[str, str]) -> tuple[PodAffinityTerm, ...]:
    return tuple(
        _pod_term(one.part("podAffinityTerm"), labels, weight=_weight(one))
        for one in part.parts(_PREFERRED)
    )


def _pod_term(part: Part, labels: Mapping[str, str], *, weight: int) -> PodAffinityTerm:
    if part.has("namespaceSelector"):
        message = "not supported: namespaces by selector, since namespaces have no labels here"
        part.refuse(NOT_SUPPORTED, message, "namespaceSelector", fix="list the namespaces: by name")
    return PodAffinityTerm(
        selector=_own_selector(part, labels),
        topology_key=_topology_key(part),
        namespaces=part.texts("namespaces"),
        weight=weight,
    )


def _own_selector(part: Part, labels: Mapping[str, str]) -> LabelSelector:
    """Return a term's selector with the pod's own values for matchLabelKeys and mismatchLabelKeys.

    Keys that the pod does not have are ignored (KEP-3243, KEP-3633).
    """
    if not part.has("labelSelector"):
        return NOTHING
    selector = label_selector(part.part("labelSelector"))
    own = [_equals(key, labels[key]) for key in part.texts("matchLabelKeys") if key in labels]
    others = [
        Requirement(key=key, operator="NotIn", values=(labels[key],))
        for key in part.texts("mismatchLabelKeys")
        if key in labels
    ]
    return LabelSelector(requirements=(*selector.requirements, *own, *others))


def _topology_key(part: Part) -> str:
    key = part.text("topologyKey")
    if key:
        check_label_key(part, key, "topologyKey")
    return key


def _spread(part: Part, labels: Mapping[str, str]) -> TopologySpread:
    for key in ("maxSkew", "minDomains"):
        if part.whole(key, 1) < 1:
            part.refuse(WRONG_VALUE, f"{part.value[key]} must be greater than zero", key)
    unsatisfiable = one_of(
        part, "whenUnsatisfiable", ("DoNotSchedule", "ScheduleAnyway"), "DoNotSchedule"
    )
    if part.has("minDomains") and unsatisfiable != "DoNotSchedule":
        message = "can only use minDomains if whenUnsatisfiable=DoNotSchedule"
        part.refuse(CONFLICT, message, "minDomains", fix="remove minDomains:")
    return TopologySpread(
        max_skew=part.whole("maxSkew", 1),
        topology_key=_topology_key(part),
        selector=_own_selector(part, labels),
        when_unsatisfiable=unsatisfiable,
        min_domains=part.whole("minDomains", 1),
        node_affinity_policy=one_of(part, "nodeAffinityPolicy", _POLICIES, "Honor"),
        node_taints_policy=one_of(part, "nodeTaintsPolicy", _POLICIES, "Ignore"),
    )
