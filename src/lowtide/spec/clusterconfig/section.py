"""What all objects of a ClusterConfig share: strictness, key names, and the types of their values.

Why strict: eksctl's decoder turns nothing into anything (``version: 1.34`` without quotes is a number, and an error).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lowtide.spec.clusterconfig import facts
from lowtide.spec.words import quoted

_CAPITALS = {
    word.lower(): word
    for word in (
        "ARN",
        "ARNs",
        "ASG",
        "CIDR",
        "CIDRs",
        "CSI",
        "DNS",
        "ID",
        "IDs",
        "IMDS",
        "IMDSv1",
        "IOPS",
        "OIDC",
    )
}


def key_of(attribute: str) -> str:
    """Return the file's key for an attribute: ``propagate_asg_tags`` is ``propagateASGTags``."""
    first, *rest = attribute.split("_")
    return first + "".join(_CAPITALS.get(word, word.capitalize()) for word in rest)


class _Empty:
    """Stands for a key without a value, so that every field refuses it at its own place."""

    def __repr__(self) -> str:
        return "empty"


class Section(BaseModel):
    """One object of the file.

    ``not_supported`` maps keys that eksctl knows here and lowtide does not to a reason (often empty).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=key_of,
        defer_build=True,
    )
    not_supported: ClassVar[Mapping[str, str]] = {}
    #: eksctl drops ``labels:`` without a value, its published schema refuses it, and it is mostly a slip.
    empty_value: ClassVar[str] = "eksctl reads it as if the key were absent"

    @model_validator(mode="before")
    @classmethod
    def _mark_empty(cls, data: Any) -> Any:
        if isinstance(data, dict) and None in data.values():
            return {key: _Empty() if value is None else value for key, value in data.items()}
        return data


SomeSection = TypeVar("SomeSection", bound=Section)


def omitted(section: type[SomeSection]) -> SomeSection:
    """Return a section with all its defaults, for files without it.

    Building it without validation spares each such model a validator of its own (about 1 ms of start-up each).
    """
    return section.model_construct()


def unsupported(*keys: str) -> dict[str, str]:
    """Return a table of keys without a special reason."""
    return dict.fromkeys(keys, "")


def not_supported(what: str, fix: str = "") -> PydanticCustomError:
    """Return the error for a value that eksctl takes and lowtide does not; the finding names the key itself."""
    return PydanticCustomError("not_supported", "{what}", {"what": what, "fix": fix})


def wrong(why: str, fix: str = "") -> PydanticCustomError:
    """Return the error for a value that eksctl refuses too."""
    return PydanticCustomError("wrong_value", "{why}", {"why": why, "fix": fix})


def whole_number(value: Any) -> Any:
    """Return 2 for 2.0: JSON has one kind of number, so eksctl takes both."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_AsWhole = BeforeValidator(whole_number)
#: The range that CloudFormation's integers have.
_MOST = 2**31 - 1
Whole = Annotated[int, Field(ge=-_MOST - 1, le=_MOST), _AsWhole]
Count = Annotated[int, Field(ge=0, le=_MOST), _AsWhole]
AtLeastOne = Annotated[int, Field(ge=1, le=_MOST), _AsWhole]
Percent = Annotated[int, Field(ge=0, le=100), _AsWhole]
_Item = TypeVar("_Item")
#: A list of the file, kept as a tuple; strict mode would take nothing but a tuple.
Many = Annotated[tuple[_Item, ...], Strict(strict=False)]
Texts = Many[str]
Tags = dict[str, str]
#: Free-form content that is passed on as it stands: IAM policies, kubelet and Bottlerocket settings.
FreeForm = dict[str, Any]

_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9-]+\Z")


def qualified_name(key: str) -> str:
    """Return a label or taint key that Kubernetes takes (apimachinery, validation.IsQualifiedName)."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        raise wrong(f"the key {quoted(key)} has more than one '/'")
    if slash and (len(prefix) > 253 or not _DOMAIN.match(prefix)):
        raise wrong(f"the part before '/' in {quoted(key)} must be a lower-case domain name")
    if not _QUALIFIED.match(name):
        why = (
            "must be 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
        )
        raise wrong(f"the key {quoted(key)} {why}")
    return key


def label_key(key: str) -> str:
    """Return a label key that a kubelet may put on its own node."""
    qualified_name(key)
    domain = key.rpartition("/")[0]
    reserved = _is_under(domain, facts.RESERVED_DOMAINS)
    allowed = key in facts.KUBELET_LABELS or _is_under(domain, facts.KUBELET_NAMESPACES)
    if reserved and not allowed:
        raise wrong(
            f"{quoted(key)} is reserved: the API server lets no kubelet set it",
            "use a domain of your own, or node.kubernetes.io/...",
        )
    return key


def _is_under(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith("." + parent) for parent in parents)


def label_value(value: str) -> str:
    """Return a label or taint value that Kubernetes takes (apimachinery, validation.IsValidLabelValue)."""
    if value and not _QUALIFIED.match(value):
        raise wrong(
            f"{quoted(value)} must be at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
        )
    return value


def _resource_name(value: str) -> str:
    if "${" in value:
        raise wrong(
            f"{quoted(value)} holds a variable, and neither eksctl nor lowtide fills one in",
            "fill it in before: envsubst < cluster.yaml > filled.yaml",
        )
    if not _RESOURCE_NAME.match(value):
        fix = re.sub(r"[^A-Za-z0-9-]+", "-", value).strip("-")
        raise wrong(
            f"{quoted(value)} may hold letters, digits and '-' only", f"write {fix}" if fix else ""
        )
    return value


def _arn(value: str) -> str:
    if value.count(":") < 5 or not value.startswith("arn:"):
        raise wrong(f"{quoted(value)} is no ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE)")
    return value


def _cidr(value: str) -> str:
    import ipaddress  # noqa: PLC0415 - 6 ms that most files do not need

    if not value:
        raise not_supported("an empty value", "remove the key")
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise wrong(f"{quoted(value)} is no CIDR such as 10.0.0.0/16") from None
    if not value.rpartition("/")[2].isdigit() or "/" not in value:
        raise wrong(f"{quoted(value)} lacks its prefix length, as in 10.0.0.0/16")
    return value


ResourceName = Annotated[str, AfterValidator(_resource_name)]
Arn = Annotated[str, AfterValidator(_arn)]
Cidr = Annotated[str, AfterValidator(_cidr)]
Cidrs = Many[Cidr]
Arns = Many[Arn]
Labels = dict[
    Annotated[str, AfterValidator(label_key)], Annotated[str, AfterValidator(label_value)]
]
