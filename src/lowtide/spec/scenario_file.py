"""The form of Scenario files: keys, durations, conditions, and what excludes what.

Why it exists: the form is also the JSON Schema that editors get; what a scenario means is in :mod:`lowtide.spec.scenario`.

What it must not know: files beside the scenario, and objects.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from lowtide.model.scenario import Condition
from lowtide.spec import document as doc
from lowtide.spec.durations import duration_ms
from lowtide.spec.own_files import Section, refusal, schema_of
from lowtide.spec.words import quoted

#: The most that an int32 holds, which replicas are (pkg/apis/apps/types.go).
_LARGEST_COUNT = 2**31 - 1
METRICS = ("gpuNodes", "podsRunning", "podsPending", "podsFinished")
DEFAULT_MAX_DURATION_MS = 24 * 3600 * 1000

_CONDITION = re.compile(r"\s*([A-Za-z]+)\s*(==|!=|<=|>=|<|>)\s*([0-9]{1,9})\s*", re.ASCII)


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
        raise refusal(f"{quoted(value)} is no condition", fix)
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


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[
    list[Name],
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
    replicas: Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]
    namespace: str = "default"


class InterruptSection(Section):
    """Spot takes instances of a group back."""

    group: Name
    count: Annotated[int, Field(ge=1, le=_LARGEST_COUNT)] = 1


class NoCapacitySection(Section):
    """EC2 has no capacity for a node group, or for all groups of a zone, for a while."""

    group: Name | None = None
    zone: Name | None = None
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
