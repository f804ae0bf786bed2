"""Reads a Scenario: what is applied, scaled, deleted and broken in a simulated run, and when.

Why it exists: a run is told in the words of the person at the terminal (``apply`` these files, ``scale`` that Deployment once
all pods run), so that the same story can be played on a real cluster.

What it must not know: how a step is carried out, and whether a condition holds.

Beside the codes of :mod:`lowtide.spec.document`, and those of :mod:`lowtide.spec.manifests` for what is applied:

| code  | name           | what is wrong                                                     |
|-------|----------------|-------------------------------------------------------------------|
| LT301 | unknown-target | scales or deletes an object that no earlier step applied          |
| LT302 | out-of-order   | a time before the time of an earlier step                         |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from lowtide.model import names
from lowtide.model.errors import InputError
from lowtide.model.scenario import (
    Action,
    Apply,
    Condition,
    Delete,
    Interrupt,
    NoCapacity,
    Scale,
    Scenario,
    Step,
)
from lowtide.model.workload import KubeObject, Meta
from lowtide.spec import document as doc
from lowtide.spec.durations import duration_ms
from lowtide.spec.manifests import SUFFIXES, load_manifest_sets
from lowtide.spec.own_files import Section, refusal, schema_of, validated

UNKNOWN_TARGET = ("LT301", "unknown-target")
OUT_OF_ORDER = ("LT302", "out-of-order")

METRICS = ("gpuNodes", "podsRunning", "podsPending", "podsFinished")
DEFAULT_MAX_DURATION_MS = 24 * 3600 * 1000

_CONDITION = re.compile(r"\s*([A-Za-z]+)\s*(==|!=|<=|>=|<|>)\s*([0-9]{1,9})\s*", re.ASCII)
_IDENTITY = re.compile(r"[A-Za-z][A-Za-z0-9.]*(/[a-z0-9][-a-z0-9.:]*){1,2}", re.ASCII)
# What kubectl accepts for the kinds that a scenario is likely to name.
_SHORT_KINDS = {
    "cm": "ConfigMap",
    "deploy": "Deployment",
    "ds": "DaemonSet",
    "ns": "Namespace",
    "pc": "PriorityClass",
    "pdb": "PodDisruptionBudget",
    "po": "Pod",
    "rc": "ReplicationController",
    "rs": "ReplicaSet",
    "sa": "ServiceAccount",
    "sts": "StatefulSet",
    "svc": "Service",
}
_KINDS = {
    spelling: kind
    for kind in (*_SHORT_KINDS.values(), "Job")
    for spelling in (kind.lower(), f"{kind.lower()}s", f"{kind.lower()}es")
} | _SHORT_KINDS
_SCALABLE = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")


def _duration(value: Any) -> int:
    try:
        return duration_ms(value)
    except ValueError as error:
        raise refusal(str(error)) from None


def _condition(value: Any) -> Condition:
    form = f"write it like gpuNodes == 0, with one of {', '.join(METRICS)}"
    if not isinstance(value, str):
        raise refusal("a condition is text", form)
    found = _CONDITION.fullmatch(value)
    if found is None:
        single = re.sub(r"(?<![=!<>])=(?!=)", "==", value)
        fix = f"write {single}" if _CONDITION.fullmatch(single) else form
        raise refusal(f"{value!r} is no condition", fix)
    metric, operator, number = found.groups()
    if metric not in METRICS:
        raise refusal(f"{metric} is nothing that can be counted", doc.did_you_mean(metric, METRICS))
    return Condition(metric=metric, operator=operator, value=int(number))


def _until(value: Any) -> Condition | int:
    if isinstance(value, dict):
        if set(value) != {"at"}:
            raise refusal("a mapping here has the key at: alone", "write {at: 2h}")
        return _duration(value["at"])
    if isinstance(value, str) and re.search(r"[=<>]", value):
        return _condition(value)
    return _duration(value)


def _max_duration(value: Any) -> int | None:
    return None if value == "none" else _duration(value)


_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^([0-9.]+(ns|us|ms|s|m|h))+$|^[0-9.]+$"},
        {"type": "number", "minimum": 0},
    ],
    "description": "90s, 30m or 1h30m; a plain number is seconds",
}
_CONDITION_SCHEMA = {
    "type": "string",
    "pattern": rf"^\s*({'|'.join(METRICS)})\s*(==|!=|<=|>=|<|>)\s*[0-9]+\s*$",
}
Duration = Annotated[int, PlainValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
When = Annotated[Condition, PlainValidator(_condition), WithJsonSchema(_CONDITION_SCHEMA)]
Until = Annotated[
    Condition | int,
    PlainValidator(_until),
    WithJsonSchema(
        {
            "anyOf": [
                _CONDITION_SCHEMA,
                *_DURATION_SCHEMA["anyOf"],
                {
                    "type": "object",
                    "properties": {"at": _DURATION_SCHEMA},
                    "required": ["at"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
MaxDuration = Annotated[
    int | None,
    PlainValidator(_max_duration),
    WithJsonSchema({"anyOf": [{"const": "none"}, *_DURATION_SCHEMA["anyOf"]]}),
]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "minItems": 1, "items": {"type": "string"}},
            ]
        }
    ),
]


class AfterSection(Section):
    """A condition, and how long it must have held."""

    when: When
    hold_ms: Duration = Field(default=0, alias="for")


class ScaleSection(Section):
    """As ``kubectl scale``."""

    target: str = Field(description="deployment/NAME, or another kind with replicas.")
    replicas: Annotated[int, Field(ge=0)]
    namespace: str = "default"


class InterruptSection(Section):
    """Spot takes instances of a group back."""

    group: str
    count: Annotated[int, Field(ge=1)] = 1


class NoCapacitySection(Section):
    """EC2 has no capacity for a node group, or for all groups of a zone, for a while."""

    group: str | None = None
    zone: str | None = None
    duration_ms: Duration = Field(alias="for")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.group is None) == (self.zone is None):
            raise refusal("needs exactly one of group and zone")
        return self


class FaultSection(Section):
    """Something breaks."""

    interrupt: InterruptSection | None = None
    no_capacity: NoCapacitySection | None = Field(default=None, alias="noCapacity")

    @model_validator(mode="after")
    def _one_fault(self) -> Self:
        if (self.interrupt is None) == (self.no_capacity is None):
            raise refusal("needs exactly one of interrupt and noCapacity")
        return self


class StepSection(Section):
    """One action, at a time from the start, after a condition, or right after the step before it."""

    at: Duration | None = None
    after: AfterSection | None = None
    apply: Names | None = Field(
        default=None, description="Files or directories beside the scenario file."
    )
    delete: Names | None = Field(
        default=None, description="Kind/name, Kind/namespace/name, or files."
    )
    scale: ScaleSection | None = None
    fault: FaultSection | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        given = [
            key for key in ("apply", "delete", "scale", "fault") if getattr(self, key) is not None
        ]
        if len(given) != 1:
            here = f", here {' and '.join(given)}" if given else ""
            raise refusal(f"a step has exactly one of apply, delete, scale and fault{here}")
        if self.at is not None and self.after is not None:
            raise refusal("a step has one of at and after, not both", "make two steps of it")
        return self


class ScenarioFile(Section):
    """A Scenario."""

    api_version: Literal["lowtide.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Scenario"]
    addons: Literal["default", "none"] = Field(
        default="default", description="default: what lowtide up installs exists from the start."
    )
    max_duration_ms: MaxDuration = Field(default=DEFAULT_MAX_DURATION_MS, alias="maxDuration")
    until: Until | None = None
    steps: list[StepSection] = Field(default_factory=list)


def load_scenario(path: str | Path) -> Scenario:
    """Return the Scenario of a file; the paths in it are relative to its directory.

    Raises:
        InputError: with every finding of the file, or of the manifests that it applies.
    """
    return read_scenario(doc.read_text(path), str(path), Path(path).parent)


def read_scenario(text: str, file: str, base_dir: str | Path) -> Scenario:
    """Return the Scenario of a YAML text; the paths in it are relative to ``base_dir``.

    Raises:
        InputError: as load_scenario.
    """
    _, problems, found = validated(text, file, ScenarioFile)
    problems.raise_if_any(f"cannot use the scenario {file}")
    assert found is not None
    steps = _StepReader(found, problems, Path(base_dir)).steps()
    problems.raise_if_any(f"cannot use the scenario {file}")
    until = found.until
    return Scenario(
        name=Path(file).stem,
        steps=steps,
        until=until if isinstance(until, Condition) else None,
        until_ms=until if isinstance(until, int) else None,
        addons=found.addons,
        max_duration_ms=found.max_duration_ms,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of Scenario files for editors."""
    schema = schema_of(ScenarioFile, "lowtide Scenario")
    exclusive = {
        "StepSection": ("apply", "delete", "scale", "fault"),
        "FaultSection": ("interrupt", "noCapacity"),
        "NoCapacitySection": ("group", "zone"),
    }
    for name, keys in exclusive.items():
        schema["$defs"][name]["oneOf"] = [{"required": [key]} for key in keys]
    return schema


class _StepReader:
    """Turns the steps into values, and keeps what exists between them."""

    def __init__(self, found: ScenarioFile, problems: doc.Problems, base_dir: Path) -> None:
        self._found = found
        self._problems = problems
        self._base_dir = base_dir
        self._files = self._load_files()
        self._present: dict[Meta, None] = {}
        self._latest_ms = 0

    def steps(self) -> tuple[Step, ...]:
        """Return all steps; what is wrong with them becomes findings."""
        return tuple(self._step(index, one) for index, one in enumerate(self._found.steps))

    def _step(self, index: int, step: StepSection) -> Step:
        path = ("steps", index)
        action = self._action(path, step)
        if step.after:
            return Step(action=action, after=step.after.when, hold_ms=step.after.hold_ms)
        at_ms = self._latest_ms if step.at is None else step.at
        if at_ms < self._latest_ms:
            message = "this is before the time of an earlier step, and steps run in order"
            self._problems.add(*OUT_OF_ORDER, message, (*path, "at"), "move the step up")
        self._latest_ms = max(at_ms, self._latest_ms)
        return Step(action=action, at_ms=at_ms)

    def _action(self, path: doc.PathInFile, step: StepSection) -> Action:
        if step.apply is not None:
            objects = self._objects((*path, "apply"), step.apply)
            self._present |= dict.fromkeys(one.meta for one in objects)
            return Apply(objects=objects)
        if step.delete is not None:
            return self._delete((*path, "delete"), step.delete)
        if step.scale is not None:
            return self._scale((*path, "scale"), step.scale)
        assert step.fault is not None
        return _fault(step.fault)

    def _load_files(self) -> dict[Path, tuple[KubeObject, ...]]:
        """Load every file of every step at once: a priority class of one counts for the pods of all."""
        wanted = [
            self._base_dir / one
            for step in self._found.steps
            for one in (*(step.apply or ()), *filter(self._is_path, step.delete or ()))
        ]
        paths = [one for one in dict.fromkeys(wanted) if _exists(one)]
        try:
            return dict(zip(paths, load_manifest_sets(paths), strict=True))
        except InputError as error:
            if not error.findings:
                raise
            self._problems.extend(error.findings)
            return dict.fromkeys(paths, ())

    def _objects(self, path: doc.PathInFile, given: Sequence[str]) -> tuple[KubeObject, ...]:
        objects: list[KubeObject] = []
        for index, one in enumerate(given):
            place = self._base_dir / one
            if place in self._files:
                objects.extend(self._files[place])
            else:
                fix = "paths are relative to the scenario file"
                if "://" in one:
                    fix = "download it first: lowtide fetches nothing"
                message = f"there is no file or directory {place}"
                self._problems.add(*doc.MISSING, message, (*path, index), fix)
        return tuple(objects)

    def _is_path(self, text: str) -> bool:
        return text.endswith((*SUFFIXES, "/")) or _exists(self._base_dir / text)

    def _delete(self, path: doc.PathInFile, given: Sequence[str]) -> Delete:
        targets: list[Meta] = []
        for index, one in enumerate(given):
            place = (*path, index)
            if self._is_path(one):
                targets.extend(each.meta for each in self._objects(path, [one]))
            elif _IDENTITY.fullmatch(one):
                targets.append(self._known(_meta(one), place))
            else:
                fix = "write Kind/name, Kind/namespace/name, or a file that was applied"
                self._problems.add(*doc.WRONG_VALUE, f"{one!r} names no object", place, fix)
        for target in targets:
            self._present.pop(target, None)
        return Delete(targets=tuple(targets))

    def _scale(self, path: doc.PathInFile, given: ScaleSection) -> Scale:
        place = (*path, "target")
        meta = Meta(kind="", name="")
        if given.target.count("/") == 1 and _IDENTITY.fullmatch(given.target):
            meta = _meta(given.target, given.namespace)
        if meta.kind in _SCALABLE:
            meta = self._known(meta, place)
        else:
            fix = f"write deployment/NAME; kinds with replicas: {', '.join(_SCALABLE)}"
            self._problems.add(*doc.WRONG_VALUE, f"{given.target!r} cannot be scaled", place, fix)
        return Scale(target=meta, replicas=given.replicas)

    def _known(self, meta: Meta, path: doc.PathInFile) -> Meta:
        """Refuse an object that no step before this one applied, unless it may be an addon."""
        is_addon = self._found.addons == "default" and meta.namespace == names.SYSTEM_NAMESPACE
        if meta not in self._present and not is_addon and not self._problems.has_errors:
            shown = [str(one) for one in self._present]
            message = f"no step before this one applies {meta}"
            fix = doc.did_you_mean(str(meta), shown) if shown else "apply it first"
            self._problems.add(*UNKNOWN_TARGET, message, path, fix)
        return meta


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for the system, or with a NUL
        return False


def _meta(identity: str, namespace: str = "default") -> Meta:
    kind, *between, name = identity.split("/")
    kind = kind.partition(".")[0]  # deployment.apps
    kind = _KINDS.get(kind.lower(), kind)
    return Meta(kind=kind, name=name, namespace=between[0] if between else namespace)


def _fault(given: FaultSection) -> Action:
    if given.interrupt:
        return Interrupt(group=given.interrupt.group, count=given.interrupt.count)
    assert given.no_capacity is not None
    one = given.no_capacity
    return NoCapacity(group=one.group or "", zone=one.zone or "", duration_ms=one.duration_ms)
