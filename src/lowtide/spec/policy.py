"""Reads a Policy (lowtide.yaml, or a document of a cluster file): what the owner decides beside the cluster.

Why it exists: a ClusterConfig stays eksctl's own, so autoscaler flags, images, spot assumptions, timings and the budget stand
in a second, optional document. Every value has a default, and ``dump`` writes the resolved whole as valid input.

What it must not know: instance types and autoscaler flags that exist; whoever uses the values refuses them, at the
places that ``flag_marks`` tells.

Findings have the codes of :mod:`lowtide.spec.document`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model
from pydantic.alias_generators import to_camel

from lowtide.model.findings import Mark
from lowtide.model.policy import AutoscalerPolicy, Policy, Timings
from lowtide.spec import document as doc
from lowtide.spec.own_files import API_VERSION, Section, refusal, schema_of, validated_document

# The world counts whole milliseconds. A run would not end with less: no image would ever arrive, and the next loop or the next
# try of a failed launch would be in the same moment.
_AT_LEAST_ONE_MS = {"image_pull_mib_per_s", "launch_retry_s", "autoscaler_loop_s"}
_LEAST = 0.001
#: A week; whatever takes longer is broken, and sums of it stay far from any overflow.
LONGEST_TIMING_S = 7 * 24 * 3600
#: 10 TB, more than any image or any node's disk rate.
LARGEST_MIB = 10_000_000


def _flag_value(value: Any) -> str:
    """Return a flag's value as its Deployment will have it; several values are joined by line breaks."""
    if isinstance(value, list):
        if not value:
            raise refusal("an empty list says nothing", "leave the flag out")
        return "\n".join(_flag_value(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, int | str):
        return str(value)
    raise refusal("must be text, a number, true or false, or a list of these")


def _flag_name(value: Any) -> str:
    name = str(value)
    if name.startswith("-"):
        raise refusal("flag names stand here without dashes", f"write {name.lstrip('-')}")
    return name


FlagName = Annotated[str, BeforeValidator(_flag_name)]
FlagValue = Annotated[
    str,
    BeforeValidator(_flag_value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": ["string", "number", "boolean"]},
                },
            ]
        }
    ),
]
Tags = Literal["full", "asFile"]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Mebibytes = Annotated[float, Field(gt=0, le=LARGEST_MIB)]


class AutoscalerSection(Section):
    """The Cluster Autoscaler that is installed."""

    image: str = Field(default="", description="Image; empty: the release of the cluster's minor.")
    tags: Tags | None = Field(default=None, description="The same as autoscalerTags.")
    flags: Mapping[FlagName, FlagValue] = Field(
        default_factory=dict, description="Flags by name without dashes; they win over ours."
    )


class DevicePluginSection(Section):
    """The NVIDIA device plugin that is installed."""

    image: str = Field(default="", description="Image; empty: the pinned release.")


class SpotSection(Section):
    """Assumptions about spot prices."""

    discount: Mapping[str, Share] = Field(
        default_factory=dict,
        description="Share of the on-demand price that spot saves, by instance type (0.6 is 60 %).",
    )


class NodesSection(Section):
    """What was measured on nodes of the owner's own."""

    measured_allocatable_mib: Mapping[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict,
        alias="measuredAllocatableMiB",
        description="Allocatable memory in MiB by instance type, instead of the computed lower bound.",
    )


class AdmissionSection(Section):
    """Admission plugins of the API server."""

    extended_resource_toleration: bool = Field(
        default=True,
        alias="extendedResourceToleration",
        description="EKS gives pods that request nvidia.com/gpu the toleration for a taint of that key.",
    )


class BudgetSection(Section):
    """What may be spent."""

    max_usd_per_hour: Amount | None = Field(
        default=None,
        alias="maxUsdPerHour",
        description="What `lowtide up` (not there yet) refuses to exceed, in USD per hour; a simulation that goes above it says so. Null: no limit.",
    )


def _timing_alias(name: str) -> str:
    """Return a timing's key as Kubernetes writes units: ``spotLaunchSeconds``, ``imagePullMiBPerSecond``."""
    words = name.split("_")
    if words[-1] == "s":
        words[-1] = "second" if "per" in words else "seconds"
    return to_camel("_".join(words)).replace("Mib", "MiB")


def _timing_fields() -> dict[str, Any]:
    """Return a pydantic field for every field of the model's Timings, so that none is forgotten."""
    fields: dict[str, Any] = {}
    for one in dataclasses.fields(Timings):
        alias = _timing_alias(one.name)
        if one.default is dataclasses.MISSING:
            fields[one.name] = (Mapping[str, Mebibytes], Field(default_factory=dict, alias=alias))
        else:
            fields[one.name] = (_timing(one.name), Field(default=one.default, alias=alias))
    return fields


def _timing(name: str) -> Any:
    """Return the numbers that a timing may be: seconds, MiB, or MiB per second."""
    if name == "image_mib":
        return Mebibytes
    most = LARGEST_MIB if name.endswith("_per_s") else LONGEST_TIMING_S
    least = _LEAST if name in _AT_LEAST_ONE_MS else 0
    return Annotated[float, Field(ge=least, le=most)]


if typing.TYPE_CHECKING:
    TimingsSection = Section
else:
    TimingsSection = create_model(
        "TimingsSection",
        __base__=Section,
        __doc__="Delays of the simulated world in seconds, and sizes in MiB.",
        **_timing_fields(),
    )


class PolicyFile(Section):
    """lowtide.yaml."""

    api_version: Literal["lowtide.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Policy"]
    autoscaler_tags: Tags | None = Field(
        default=None,
        alias="autoscalerTags",
        description="full (default): every tag the autoscaler can use; asFile: those that the file would give.",
    )
    autoscaler: AutoscalerSection = AutoscalerSection()
    device_plugin: DevicePluginSection = Field(default=DevicePluginSection(), alias="devicePlugin")
    spot: SpotSection = SpotSection()
    nodes: NodesSection = NodesSection()
    timings: TimingsSection = TimingsSection()
    admission: AdmissionSection = AdmissionSection()
    budget: BudgetSection = BudgetSection()
    seed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Seed of everything random in a run."
    )


def load_policy(path: str | Path) -> tuple[Policy, Mapping[str, Mark]]:
    """Return the policy of a file, and where its autoscaler flags stand.

    Raises:
        InputError: with every finding of the file.
    """
    document, *more = doc.parse(doc.read_text(path), str(path))
    return policy_of(document, beside=more), flag_marks(document)


def read_policy(text: str, file: str) -> Policy:
    """Return the policy of a YAML text.

    Raises:
        InputError: with every finding of the text.
    """
    document, *more = doc.parse(text, file)
    return policy_of(document, beside=more)


def policy_of(document: doc.Document, *, beside: Sequence[doc.Document] = ()) -> Policy:
    """Return the policy of a document; ``beside`` are further ones of a file that should hold this one alone.

    Raises:
        InputError: with every finding of the document.
    """
    _, problems, found = validated_document(document, PolicyFile, beside=beside)
    if found:
        _refuse_two_answers(found, problems)
    problems.raise_if_any(f"cannot use the policy {document.file}")
    assert found is not None
    return _policy_of(found)


def flag_marks(document: doc.Document) -> dict[str, Mark]:
    """Return where each autoscaler flag of a readable policy stands; the empty name stands for all of them."""
    at: doc.PathInFile = ("autoscaler", "flags")
    flags = document.data.get("autoscaler", {}).get("flags", {})
    return {"": document.key_mark(at), **{str(one): document.mark((*at, one)) for one in flags}}


def _refuse_two_answers(found: PolicyFile, problems: doc.Problems) -> None:
    inner, outer = found.autoscaler.tags, found.autoscaler_tags
    if inner and outer and inner != outer:
        message = f"autoscaler.tags is {inner}, but autoscalerTags is {outer}"
        problems.add(*doc.CONFLICT, message, ("autoscaler", "tags"), "remove one of the two")


def _policy_of(found: PolicyFile) -> Policy:
    return Policy(
        autoscaler=AutoscalerPolicy(
            image=found.autoscaler.image,
            tags=found.autoscaler_tags or found.autoscaler.tags or "full",
            flags=dict(found.autoscaler.flags),
        ),
        device_plugin_image=found.device_plugin.image,
        timings=Timings(**found.timings.model_dump()),
        spot_discount=dict(found.spot.discount),
        measured_allocatable_mib=dict(found.nodes.measured_allocatable_mib),
        extended_resource_toleration=found.admission.extended_resource_toleration,
        max_usd_per_hour=found.budget.max_usd_per_hour,
        seed=found.seed,
    )


def dump(policy: Policy) -> dict[str, Any]:
    """Return the whole policy as plain values in the form of the file, which read_policy reads back."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Policy",
        "autoscalerTags": policy.autoscaler.tags,
        "autoscaler": {
            "image": policy.autoscaler.image,
            "flags": {
                name: value.split("\n") if "\n" in value else value
                for name, value in policy.autoscaler.flags.items()
            },
        },
        "devicePlugin": {"image": policy.device_plugin_image},
        "spot": {"discount": dict(policy.spot_discount)},
        "nodes": {"measuredAllocatableMiB": dict(policy.measured_allocatable_mib)},
        "timings": {
            _timing_alias(name): value for name, value in dataclasses.asdict(policy.timings).items()
        },
        "admission": {"extendedResourceToleration": policy.extended_resource_toleration},
        "budget": {"maxUsdPerHour": policy.max_usd_per_hour},
        "seed": policy.seed,
    }


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of lowtide.yaml for editors."""
    schema = schema_of(PolicyFile, "lowtide.yaml")
    timings = schema["$defs"]["TimingsSection"]["properties"]
    for name, description in _timing_descriptions().items():
        timings[_timing_alias(name)]["description"] = description
    return schema


def _timing_descriptions() -> dict[str, str]:
    """Return what the model says of each timing, so that it is written once."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(Timings))).body[0]
    assert isinstance(tree, ast.ClassDef)
    described = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                described[name] = words
    return described
