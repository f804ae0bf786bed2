"""What a request says of a stack: template, parameters, tags and capabilities, read and checked.

Why it exists: CreateStack, UpdateStack and CreateChangeSet take the same things and refuse the same mistakes, before
anything of a stack changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.lookups import stored_value
from lowtide.local.aws.cloudformation.records import Stack, Wanted
from lowtide.local.aws.cloudformation.resources.table import KINDS
from lowtide.local.aws.cloudformation.template.capabilities import demand
from lowtide.local.aws.cloudformation.template.checking import check
from lowtide.local.aws.cloudformation.template.dependencies import refuse_left_out
from lowtide.local.aws.cloudformation.template.intrinsics import conditions
from lowtide.local.aws.cloudformation.template.parameters import Given, parameters
from lowtide.local.aws.cloudformation.template.reading import read
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.cloudformation.template.scope import Scope, pseudo_parameters
from lowtide.local.aws.service import Call

#: The form of a stack's name, and how long it may be (API reference, CreateStack, StackName).
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_LONGEST_NAME = 128
#: Tags of one stack (user guide, "Understand CloudFormation quotas" and "Resource tag").
_MOST_TAGS = 50
#: What CloudFormation has and the embedded one does not keep to; asking for it is refused, not ignored.
_NOT_KEPT = (
    *("StackPolicyBody", "StackPolicyURL", "StackPolicyDuringUpdateBody"),
    *("StackPolicyDuringUpdateURL", "ResourcesToImport", "ImportExistingResources"),
)

#: Update policies that are kept to; nothing sends the signals for which creation policies wait.
_POLICIES = frozenset({"AutoScalingScheduledAction"})


def check_name(name: str) -> None:
    """Refuse a name that no stack can have.

    Raises:
        AwsError: ValidationError.
    """
    if len(name) > _LONGEST_NAME:
        raise _constraint(name, "stackName", f"length less than or equal to {_LONGEST_NAME}")
    if not _NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_NAME.pattern}"
        )


def _constraint(value: str, where: str, must: str) -> Exception:
    return invalid(
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: "
        f"Member must have {must}"
    )


def body_of(params: Mapping[str, Any], stack: Stack | None) -> str:
    """Return the text of the template that a request names.

    Raises:
        AwsError: ValidationError; also for a template in S3, which the embedded AWS does not have.
    """
    if params.get("UsePreviousTemplate"):
        if params.get("TemplateBody") or params.get("TemplateURL"):
            raise invalid(
                "You cannot specify both usePreviousTemplate and Template Body/Template URL."
            )
        if stack is None:
            raise invalid("UsePreviousTemplate needs a stack that exists")
        return stack.wanted.text
    if params.get("TemplateURL"):
        raise invalid("TemplateURL must reference a valid S3 object to which you have access.")
    if params.get("TemplateBody") is None:
        raise invalid("Either Template URL or Template Body must be specified.")
    return str(params["TemplateBody"])


def wanted_by(box: Box, call: Call, stack: Stack | None) -> Wanted:
    """Return what a request wants a stack to be.

    Args:
        box: where the Parameter Store is.
        call: with the input of CreateStack, UpdateStack or CreateChangeSet.
        stack: as it is, or None for a new one; what the request leaves out stays as it is there.

    Raises:
        AwsError: ValidationError or InsufficientCapabilitiesException with CloudFormation's words.
    """
    params = call.params
    _refuse_not_kept(params)
    text = body_of(params, stack)
    template = read(text)
    check(template)
    _refuse_unmade(template, params.get("ResourceTypes"))
    before = None if stack is None else stack.wanted
    given = _texts(params.get("Parameters") or [], before)
    values = parameters(template, given, lambda name: stored_value(box, call.region, name))
    _refuse_left_out(call, template, values)
    capabilities = tuple(params.get("Capabilities") or ())
    demand(template, capabilities)
    return Wanted(
        text=text,
        template=template,
        parameters=values,
        tags=_tags(params.get("Tags"), before),
        capabilities=capabilities,
        role_arn=params.get("RoleARN") or ("" if before is None else before.role_arn),
        notification_arns=_topics(params.get("NotificationARNs"), before),
    )


def _refuse_left_out(call: Call, template: Mapping[str, Any], values: Mapping[str, Given]) -> None:
    scope = Scope(
        pseudo=pseudo_parameters(
            call.region, call.caller.account, "", str(call.params["StackName"]), []
        ),
        parameters={name: one.value for name, one in values.items()},
        mappings=template.get("Mappings", {}),
    )
    refuse_left_out(template, conditions(template, scope))


def _refuse_not_kept(params: Mapping[str, Any]) -> None:
    triggers = (params.get("RollbackConfiguration") or {}).get("RollbackTriggers")
    asked = [name for name in _NOT_KEPT if params.get(name)]
    if asked or triggers:
        name = asked[0] if asked else "RollbackConfiguration"
        raise invalid(f"The embedded AWS does not serve {name}.")


def _refuse_unmade(template: Mapping[str, Any], allowed: list[str] | None) -> None:
    types = sorted({one["Type"] for one in template["Resources"].values()})
    for name, one in template["Resources"].items():
        asked = sorted({*one.get("UpdatePolicy", {}), *one.get("CreationPolicy", {})} - _POLICIES)
        if asked:
            raise invalid(f"The embedded AWS does not serve {asked[0]}, which {name} asks for.")
    unmade = [one for one in types if one not in KINDS]
    if unmade:
        raise invalid(f"The embedded AWS does not make resources of type {', '.join(unmade)}.")
    for one in types if allowed else ():
        if not any(_is_covered(one, pattern) for pattern in allowed or ()):
            raise invalid(
                f"Resource type {one} is not allowed by parameter ResourceTypes [{', '.join(allowed or ())}]"
            )


def _is_covered(resource_type: str, pattern: str) -> bool:
    return resource_type == pattern or (
        pattern.endswith("*") and resource_type.startswith(pattern[:-1])
    )


def _texts(given: list[Mapping[str, Any]], before: Wanted | None) -> dict[str, str]:
    """Return the given parameters' texts by name, those of the stack where it says UsePreviousValue."""
    texts = {}
    for one in given:
        name = str(one.get("ParameterKey", ""))
        if one.get("UsePreviousValue"):
            if one.get("ParameterValue") is not None:
                raise invalid(
                    f"Invalid input for parameter key {name}. Either UsePreviousValue can be true, "
                    "or ParameterValue be set, not both"
                )
            if before is None or name not in before.parameters:
                raise invalid(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true "
                    "for a parameter key not in the previous template"
                )
            texts[name] = before.parameters[name].text
        elif one.get("ParameterValue") is not None:
            texts[name] = str(one["ParameterValue"])
    return texts


def _tags(given: list[Mapping[str, str]] | None, before: Wanted | None) -> dict[str, str]:
    if given is None:
        return {} if before is None else dict(before.tags)
    tags = {str(one["Key"]): str(one["Value"]) for one in given}
    if len(tags) > _MOST_TAGS:
        raise _constraint(str(len(tags)), "tags", f"length less than or equal to {_MOST_TAGS}")
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid("Tag keys that begin with aws: are reserved for AWS's own use")
    return tags


def _topics(given: list[str] | None, before: Wanted | None) -> tuple[str, ...]:
    if given is None:
        return () if before is None else before.notification_arns
    return tuple(given)
