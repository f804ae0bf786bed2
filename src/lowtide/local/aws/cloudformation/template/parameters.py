"""Parameters: what a template declares, what the caller gave, and what it comes to.

Why it exists: CloudFormation checks a value against its declaration before any resource is made, and parameters of type
``AWS::SSM::Parameter::Value<...>`` are names whose values the Parameter Store holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.local.aws.cloudformation.template.intrinsics import as_text
from lowtide.local.aws.cloudformation.template.patterns import matches
from lowtide.local.aws.cloudformation.template.refused import invalid, malformed

_MASK = "****"
_STORED = re.compile(r"^AWS::SSM::Parameter::Value<(.+)>$")
_NUMBER = re.compile(r"[-+]?([0-9]{1,300}\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?")
_LENGTH = re.compile(r"[0-9]{1,9}")
_LIST = re.compile(r"^List<(.+)>$")
#: Types whose values are ids or names in the account (user guide, "CloudFormation-supplied parameter types").
_SUPPLIED = frozenset(
    {
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::EC2::Volume::Id",
        "AWS::Route53::HostedZone::Id",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A parameter's value: the text as it was given, what Ref yields, and the stored value where there is one."""

    text: str
    value: Any
    resolved: str | None = None
    no_echo: bool = False

    def shown(self) -> str:
        """Return the text that descriptions may show."""
        return _MASK if self.no_echo else self.text


def known_type(name: str) -> bool:
    """Whether CloudFormation knows a parameter type."""
    stored = _STORED.match(name)
    if stored is not None:
        return stored[1] != "Number" and known_type(stored[1])
    listed = _LIST.match(name)
    if listed is not None:
        return listed[1] in {"Number", "String", *_SUPPLIED}
    return name in {"String", "Number", "CommaDelimitedList", "AWS::SSM::Parameter::Name"} | (
        _SUPPLIED
    )


def parameters(
    template: Mapping[str, Any], given: Mapping[str, str], stored: Callable[[str], str]
) -> dict[str, Given]:
    """Return every declared parameter's value.

    Args:
        template: checked already.
        given: values by name; those that are missing have their default.
        stored: looks a name up in the Parameter Store.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    declared = template.get("Parameters", {})
    extra = sorted(given.keys() - declared.keys())
    if extra:
        raise invalid(f"Parameters: [{', '.join(extra)}] do not exist in the template")
    texts = {
        name: as_text(given.get(name, one.get("Default")))
        for name, one in declared.items()
        if name in given or "Default" in one
    }
    missing = sorted(declared.keys() - texts.keys())
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _given(name, declared[name], text, stored) for name, text in texts.items()}


def _given(
    name: str, declared: Mapping[str, Any], text: str, stored: Callable[[str], str]
) -> Given:
    kind = declared["Type"]
    _check(name, declared, text)
    in_store = _STORED.match(kind)
    resolved = stored(text) if in_store else None
    used = text if resolved is None else resolved
    listed = kind == "CommaDelimitedList" or "List<" in kind or "CommaDelimitedList" in kind
    value = [one.strip() for one in used.split(",")] if listed else used
    if kind == "List<Number>" and not all(map(_is_number, value)):
        raise invalid(f"Parameter '{name}' must be a list of numbers")
    return Given(text=text, value=value, resolved=resolved, no_echo=_true(declared.get("NoEcho")))


def _check(name: str, declared: Mapping[str, Any], text: str) -> None:
    """Hold a text against its declaration (user guide, "Parameters", properties)."""
    if declared["Type"] == "Number":
        _check_number(name, declared, text)
    allowed = declared.get("AllowedValues")
    listed = declared["Type"] == "CommaDelimitedList"
    each = [one.strip() for one in text.split(",")] if listed else [text]
    if allowed is not None and not {as_text(one) for one in allowed}.issuperset(each):
        raise invalid(f"Parameter '{name}' must be one of AllowedValues")
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not all(matches(str(pattern), one) for one in each):
        told = declared.get("ConstraintDescription")
        why = told or f"must match pattern {pattern}"
        raise invalid(f"Parameter {name} failed to satisfy constraint: {why}")
    if int(as_text(declared.get("MinLength", 0))) > len(text):
        raise invalid(
            f"Parameter '{name}' must contain at least {declared['MinLength']} characters"
        )
    if len(text) > int(as_text(declared.get("MaxLength", len(text)))):
        raise invalid(f"Parameter '{name}' must contain at most {declared['MaxLength']} characters")


def _check_number(name: str, declared: Mapping[str, Any], text: str) -> None:
    if not _is_number(text):
        raise invalid(f"Parameter '{name}' must be a number")
    if float(text) < float(as_text(declared.get("MinValue", text))):
        raise invalid(f"Parameter '{name}' must be a number not less than {declared['MinValue']}")
    if float(text) > float(as_text(declared.get("MaxValue", text))):
        raise invalid(
            f"Parameter '{name}' must be a number not greater than {declared['MaxValue']}"
        )


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _true(value: Any) -> bool:
    return as_text(value).lower() == "true"


def check_declarations(template: Mapping[str, Any]) -> None:
    """Refuse declarations that CloudFormation does not know.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    known = {
        *("AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description"),
        *("MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type"),
    }
    for name, declared in template.get("Parameters", {}).items():
        if not isinstance(declared, Mapping) or not isinstance(declared.get("Type"), str):
            raise malformed("Every Parameters object must contain a Type member.")
        for key in declared:
            if key not in known:
                raise invalid(f"Invalid template parameter property '{key}'")
        if not known_type(declared["Type"]):
            raise malformed(f"Unrecognized parameter type: {declared['Type']}")
        default = declared.get("Default", "")
        if isinstance(default, list | Mapping):
            raise malformed(f"Every Default member must be a string. ({name})")
        _check_constraints(name, declared)


def _check_constraints(name: str, declared: Mapping[str, Any]) -> None:
    """Refuse constraints that cannot be read, so that checking a value cannot fail on them."""
    lengths, values = ("MinLength", "MaxLength"), ("MinValue", "MaxValue")
    are_whole = all(_LENGTH.fullmatch(as_text(declared.get(key, 0))) for key in lengths)
    if not are_whole or not all(_is_number(as_text(declared.get(key, 0))) for key in values):
        raise malformed(f"Constraints of parameter {name} must be numbers")
    if not isinstance(declared.get("AllowedValues", []), list):
        raise malformed("Every AllowedValues member must be a list.")
    try:
        re.compile(str(declared.get("AllowedPattern", "")))
    except (re.error, OverflowError, RecursionError) as error:
        raise malformed(f"AllowedPattern of parameter {name} is no regular expression") from error
