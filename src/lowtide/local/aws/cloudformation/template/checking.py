"""Whether a template can be a stack at all: sections, types, references, functions.

Why it exists: CloudFormation refuses such templates before it makes anything, each in its own words; what it refuses
only later, at a resource, is not checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.local.aws.cloudformation.schemas import attribute_exists, is_type
from lowtide.local.aws.cloudformation.template.dependencies import (
    dependencies,
    depends_on,
    references,
    refuse_circles,
    single,
)
from lowtide.local.aws.cloudformation.template.intrinsics import FUNCTIONS
from lowtide.local.aws.cloudformation.template.parameters import check_declarations
from lowtide.local.aws.cloudformation.template.refused import invalid, malformed, wrong
from lowtide.local.aws.cloudformation.template.scope import PSEUDO

#: Entries of a section in one template (user guide, "Understand CloudFormation quotas").
LIMITS: Mapping[str, int] = {"Mappings": 200, "Outputs": 200, "Parameters": 200, "Resources": 500}
_SECTIONS = frozenset(
    {
        *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules"),
        *("Mappings", "Conditions", "Transform", "Resources", "Outputs"),
    }
)
_RESOURCE_KEYS = frozenset(
    {
        *("Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy"),
        *("UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy"),
    }
)
_DELETION = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
#: Functions with a list of a fixed number of parts, and what is said otherwise.
_PARTS: Mapping[str, tuple[range, str]] = {
    "Fn::GetAtt": (
        range(2, 9),
        "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
    ),
    "Fn::Join": (
        range(2, 3),
        (
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings "
            "to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
        ),
    ),
    "Fn::FindInMap": (
        range(3, 4),
        "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value",
    ),
    "Fn::Select": (
        range(2, 3),
        "every Fn::Select object requires two parameters, the index and the list to select from",
    ),
    "Fn::Split": (
        range(2, 3),
        (
            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split "
            "or a function that returns a string to be split."
        ),
    ),
    "Fn::Cidr": (range(2, 4), "every Fn::Cidr object requires two or three parameters"),
    "Fn::If": (range(3, 4), "Fn::If requires a list argument with three elements"),
    "Fn::Equals": (range(2, 3), "every Fn::Equals object requires a list of 2 string parameters."),
    "Fn::Not": (range(1, 2), "every Fn::Not object requires a list with exactly 1 element"),
    "Fn::And": (
        range(2, 11),
        "every Fn::And object requires a list of at least 2 and at most 10 elements",
    ),
    "Fn::Or": (
        range(2, 11),
        "every Fn::Or object requires a list of at least 2 and at most 10 elements",
    ),
}
_SUB = (
    "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, "
    "and an optional second argument to specify a mapping of values to replace in the string"
)
_IN_CONDITIONS = frozenset(
    {
        *("Fn::And", "Fn::Equals", "Fn::FindInMap", "Fn::If", "Fn::Not", "Fn::Or", "Fn::Join"),
        *("Fn::Select", "Fn::Split", "Fn::Sub", "Ref", "Condition"),
    }
)


def check(template: Mapping[str, Any]) -> None:
    """Refuse a template that can be no stack.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    _check_sections(template)
    check_declarations(template)
    _check_mappings(template.get("Mappings", {}))
    resources = template["Resources"]
    for name, resource in resources.items():
        _check_resource(name, resource)
    unknown = sorted({one["Type"] for one in resources.values() if not is_type(one["Type"])})
    if unknown:
        raise malformed(f"Unrecognized resource types: [{', '.join(unknown)}]")
    _check_outputs(template.get("Outputs", {}))
    for place in ("Conditions", "Resources", "Outputs"):
        _check_functions(template.get(place, {}), in_conditions=place == "Conditions")
    _check_references(template)
    refuse_circles(dependencies(resources))


def _check_sections(template: Mapping[str, Any]) -> None:
    unknown = [key for key in template if key not in _SECTIONS]
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    version = template.get("AWSTemplateFormatVersion", "2010-09-09")
    if version != "2010-09-09":
        raise malformed(f"{version} is not a supported value for AWSTemplateFormatVersion.")
    if not isinstance(template.get("Description", ""), str):
        raise malformed("every Description object must be a string.")
    for section in _SECTIONS - {"AWSTemplateFormatVersion", "Description", "Transform"}:
        if not isinstance(template.get(section, {}), Mapping):
            raise malformed(f"{section} must be an object.")
    if "Transform" in template:
        raise invalid(f"No transform named {_first(template['Transform'])} found.")
    if "Rules" in template:
        raise invalid("The embedded AWS does not know the section Rules.")
    if not template.get("Resources"):
        raise malformed("At least one Resources member must be defined.")
    for section, most in LIMITS.items():
        count = len(template.get(section, {}))
        if count > most:
            raise malformed(
                f"Number of {section.lower()}, {count}, is greater than maximum allowed, {most}"
            )


def _first(transform: Any) -> str:
    return str(transform[0] if isinstance(transform, list) and transform else transform)


def _check_mappings(mappings: Mapping[str, Any]) -> None:
    for name, table in mappings.items():
        if not isinstance(table, Mapping) or not all(
            isinstance(one, Mapping) for one in table.values()
        ):
            raise malformed(f"Every Mappings object must be an object of objects. ({name})")


def _check_resource(name: str, resource: Any) -> None:
    if not name.isalnum() or not name.isascii():
        raise malformed(f"Resource name {name} is non alphanumeric.")
    if not isinstance(resource, Mapping):
        raise malformed(f"[/Resources/{name}] resource definition is malformed")
    if not isinstance(resource.get("Type"), str):
        raise malformed(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    for key in resource:
        if key not in _RESOURCE_KEYS:
            raise invalid(f"Invalid template resource property '{key}'")
    _check_condition("Resources", name, resource)
    for part in ("Properties", "UpdatePolicy", "CreationPolicy"):
        if not isinstance(resource.get(part, {}), Mapping):
            raise malformed(f"[/Resources/{name}/{part}] Every {part} member must be an object.")
    for key in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.get(key, "Delete") not in _DELETION:
            raise malformed(f"Unrecognized {key} {resource[key]}")
    needs = resource.get("DependsOn", [])
    if not isinstance(needs, str | list) or not all(isinstance(one, str) for one in needs):
        raise malformed("DependsOn must be a string or list of strings.")


def _check_condition(block: str, name: str, declared: Mapping[str, Any]) -> None:
    if not isinstance(declared.get("Condition", ""), str):
        raise malformed(f"[/{block}/{name}/Condition] Every Condition member must be a string.")


def _check_outputs(outputs: Mapping[str, Any]) -> None:
    for name, one in outputs.items():
        if not isinstance(one, Mapping) or "Value" not in one:
            raise malformed(
                f"Output {name} is malformed. Every Outputs member must contain a Value object"
            )
        _check_condition("Outputs", name, one)
        if not isinstance(one.get("Export", {}), Mapping) or "Name" not in one.get(
            "Export", {"Name": ""}
        ):
            raise malformed(f"Output {name} is malformed. Export must contain a Name")


def _check_functions(value: Any, *, in_conditions: bool) -> None:
    """Refuse functions that are none, or whose argument cannot be theirs."""
    call = single(value)
    if call is not None and call[0].startswith("Fn::"):
        name, argument = call
        if name not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            raise wrong(
                f"Encountered unsupported function: {name} Supported functions are: [{known}]"
            )
        if in_conditions and name not in _IN_CONDITIONS:
            raise wrong(f"Cannot use {name} in Conditions.")
        _check_argument(name, argument)
    for one in (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    ):
        _check_functions(one, in_conditions=in_conditions)


def _check_argument(name: str, argument: Any) -> None:
    if name == "Fn::GetAtt" and isinstance(argument, str):
        argument = argument.split(".")
    lengths, words = _PARTS.get(name, (None, ""))
    if lengths is not None and not (isinstance(argument, list) and len(argument) in lengths):
        raise wrong(words)
    if name == "Fn::GetAtt" and not isinstance(argument[0], str):
        raise wrong(words)
    if name == "Fn::If" and not isinstance(argument[0], str):
        raise wrong("Fn::If requires a condition name as its first element")
    if name == "Fn::Sub" and not (isinstance(argument, str) or _is_pair(argument)):
        raise wrong(_SUB)


def _is_pair(argument: Any) -> bool:
    return (
        isinstance(argument, list)
        and len(argument) == 2
        and isinstance(argument[0], str)
        and isinstance(argument[1], Mapping)
    )


def _check_references(template: Mapping[str, Any]) -> None:
    resources, parameters = template["Resources"], template.get("Parameters", {})
    conditions = template.get("Conditions", {})
    outside = [name for name, _ in references(conditions) if name not in {*parameters, *PSEUDO}]
    if outside:
        raise malformed(
            f"Unresolved dependencies [{_listed(outside)}]. Cannot reference resources in the Conditions block of the template"
        )
    needed = [other for one in resources.values() for other in depends_on(one)]
    absent = [name for name in needed if name not in resources]
    for block in ("Resources", "Outputs"):
        for name, attribute in references(_referring(template.get(block, {}))):
            if attribute is None and name not in {*resources, *parameters, *PSEUDO}:
                absent.append(name)
            elif attribute is not None:
                _check_attribute(name, attribute, resources)
        if absent:
            raise malformed(
                f"Unresolved resource dependencies [{_listed(absent)}] in the {block} block of the template"
            )
    _check_conditions(template)


def _referring(block: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """Return the parts of a block that may refer to something; Metadata may, and is not looked at."""
    return [
        {key: one for key, one in each.items() if key in {"Properties", "Value", "Export"}}
        for each in block.values()
    ]


def _check_attribute(name: str, attribute: str, resources: Mapping[str, Any]) -> None:
    if name not in resources:
        raise wrong(f"instance of Fn::GetAtt references undefined resource {name}")
    if not attribute_exists(resources[name]["Type"], attribute):
        raise wrong(f"resource {name} does not support attribute type {attribute} in Fn::GetAtt")


def _check_conditions(template: Mapping[str, Any]) -> None:
    declared = template.get("Conditions", {})
    for block in ("Resources", "Outputs"):
        named = [one["Condition"] for one in template.get(block, {}).values() if "Condition" in one]
        absent = [str(one) for one in named if one not in declared]
        if absent:
            raise malformed(
                f"Unresolved condition dependencies [{_listed(absent)}] in the {block} block of the template"
            )
        for name in _ifs(template.get(block, {})):
            if name not in declared:
                raise wrong(f"unresolved condition dependency {name} in Fn::If")
    inner = [name for name in _named_conditions(declared) if name not in declared]
    if inner:
        raise malformed(
            f"Unresolved condition dependencies [{_listed(inner)}] in the Conditions block of the template"
        )


def _ifs(value: Any) -> Iterable[str]:
    call = single(value)
    if call is not None and call[0] == "Fn::If":
        yield call[1][0]
    for one in (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    ):
        yield from _ifs(one)


def _named_conditions(value: Any) -> Iterable[str]:
    call = single(value)
    if call is not None and call[0] == "Condition":
        yield str(call[1])
    for one in (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    ):
        yield from _named_conditions(one)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted({str(one) for one in names}))
