"""Where a stack's names get their values: other stacks' exports, the Parameter Store, EC2's zones, the stack's resources.

Why it exists: evaluating a template needs services; the template room must not know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.records import SERVICE, Resource, Stack, State, Wanted
from lowtide.local.aws.cloudformation.template.dependencies import single
from lowtide.local.aws.cloudformation.template.intrinsics import conditions, evaluate
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.cloudformation.template.scope import (
    Made,
    Scope,
    Unknown,
    pseudo_parameters,
)
from lowtide.local.aws.errors import AwsError


def state_of(box: Box) -> State:
    """Return CloudFormation's state."""
    state: State = box.state(SERVICE)
    return state


def stored_value(box: Box, region: str, name: str) -> str:
    """Return a value of the Parameter Store.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    try:
        answer = box.call("ssm", "GetParameter", {"Name": name}, region=region)
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise
        raise invalid(
            f"Unable to fetch parameters [{name}] from parameter store for this account."
        ) from error
    return str(answer["Parameter"]["Value"])


def zones_of(box: Box, region: str) -> list[str]:
    """Return the names of a region's availability zones, in order."""
    answer = box.call("ec2", "DescribeAvailabilityZones", {}, region=region)
    return sorted(
        one["ZoneName"]
        for one in answer["AvailabilityZones"]
        if one.get("ZoneType", "availability-zone") == "availability-zone"
    )


def export_value(box: Box, region: str, name: str) -> str:
    """Return what a stack of the region exports under a name.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    for stack in state_of(box).of_region(region):
        for output in stack.outputs if stack.is_there else ():
            if output.export == name:
                return output.value
    raise invalid(f"No export named {name} found.")


def importers(box: Box, region: str, name: str) -> list[str]:
    """Return the names of the stacks that import an export."""
    those = state_of(box).of_region(region)
    return [one.name for one in those if one.is_there and name in one.imports]


def base_scope(box: Box, stack: Stack, wanted: Wanted) -> Scope:
    """Return the scope of a template without its resources, conditions evaluated."""
    region = stack.region
    scope = Scope(
        pseudo=pseudo_parameters(
            region, stack.account, stack.id, stack.name, list(wanted.notification_arns)
        ),
        parameters={name: one.value for name, one in wanted.parameters.items()},
        mappings=wanted.template.get("Mappings", {}),
        imported=lambda name: export_value(box, region, name),
        zones=lambda asked: zones_of(box, asked),
        stored=lambda name: stored_value(box, region, name),
    )
    return _with(scope, conditions=conditions(wanted.template, scope))


def made(resources: Mapping[str, Resource]) -> dict[str, Made]:
    """Return what others see of resources."""
    return {
        name: Made(physical_id=one.physical_id, attributes=one.attributes)
        for name, one in resources.items()
    }


def is_living(resource: Resource) -> bool:
    """Whether a resource is there: it was made and is not being deleted."""
    return bool(resource.physical_id) and not resource.status.startswith("DELETE")


def living(stack: Stack) -> dict[str, Resource]:
    """Return the resources of a stack that are there."""
    return {name: one for name, one in stack.resources.items() if is_living(one)}


def scope_of(
    box: Box, stack: Stack, wanted: Wanted, resources: Mapping[str, Made | Unknown]
) -> Scope:
    """Return the scope of a template with these resources."""
    return _with(base_scope(box, stack, wanted), resources=resources)


def _with(scope: Scope, **parts: Any) -> Scope:
    fields = {name: getattr(scope, name) for name in Scope.__dataclass_fields__}
    return Scope(**{**fields, **parts})


def active(wanted: Wanted, scope: Scope, section: str = "Resources") -> dict[str, dict[str, Any]]:
    """Return those members of a section whose condition holds."""
    return {
        name: one
        for name, one in wanted.template.get(section, {}).items()
        if scope.conditions.get(one.get("Condition", ""), True)
    }


def imported_names(value: Any, scope: Scope) -> set[str]:
    """Return the names of the exports that a part of a template imports; what a false condition leaves out is none."""
    call = single(value)
    if call is not None and call[0] == "Fn::ImportValue":
        return {str(evaluate(call[1], scope))}
    if call is not None and call[0] == "Fn::If":
        return imported_names(call[1][1 if scope.conditions[call[1][0]] else 2], scope)
    parts = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    )
    return set().union(*(imported_names(one, scope) for one in parts))
