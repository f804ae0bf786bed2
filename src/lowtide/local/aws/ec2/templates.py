"""Launch templates: moto's, with what it loses put right.

Why it exists: moto ignores SourceVersion, mixes the template's own tags into its data, and falls over a version that is
no number. A node's labels and taints are in this data, so that nothing of it may get lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import beneath
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

_NAMED = ("LaunchTemplateId", "LaunchTemplateName")
_WORDS = ("$Latest", "$Default")


def create(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateLaunchTemplate."""
    if not call.params.get("LaunchTemplateData"):
        raise AwsError(
            "MissingParameter", "The request must contain the parameter LaunchTemplateData"
        )
    return beneath(box, call)


def create_version(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateLaunchTemplateVersion: what is not given comes from SourceVersion, where there is one."""
    params = dict(call.params)
    source, which = params.pop("SourceVersion", None), _which(params)
    if source is not None:
        known = launch_data(box, call.region, {**which, "Version": source})
        params["LaunchTemplateData"] = {**known, **params.get("LaunchTemplateData", {})}
    answer = beneath(box, call, params=params)
    answer["LaunchTemplateVersion"] = _clean(answer["LaunchTemplateVersion"])
    return answer


def describe_versions(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeLaunchTemplateVersions."""
    for one in call.params.get("Versions", []):
        if one not in _WORDS and not (one.isascii() and one.isdigit()):
            raise AwsError(
                "InvalidLaunchTemplateVersion",
                f"Launch template versions can only be a number, $Latest or $Default, not '{one}'.",
            )
    answer = beneath(box, call)
    answer["LaunchTemplateVersions"] = [_clean(one) for one in answer["LaunchTemplateVersions"]]
    return answer


def launch_version(box: Box, region: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a version of a launch template, named as LaunchTemplateSpecification names it ($Default without a version)."""
    version = str(template.get("Version") or "$Default")
    params = {**_which(template), "Versions": [version]}
    answer = box.call("ec2", "DescribeLaunchTemplateVersions", params, region=region)
    return dict(answer["LaunchTemplateVersions"][0])


def launch_data(box: Box, region: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a version of a launch template."""
    return dict(launch_version(box, region, template)["LaunchTemplateData"])


def _which(params: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: params[name] for name in _NAMED if params.get(name)}
    if not found:
        raise AwsError(
            "MissingParameter",
            "The request must contain the parameter LaunchTemplateId or LaunchTemplateName",
        )
    return found


def _clean(version: Mapping[str, Any]) -> dict[str, Any]:
    data = dict(version.get("LaunchTemplateData", {}))
    kept = [
        one
        for one in data.get("TagSpecifications", [])
        if one.get("ResourceType") != "launch-template"
    ]
    if "TagSpecifications" in data:
        data["TagSpecifications"] = kept
    return {**version, "LaunchTemplateData": {key: data[key] for key in data if data[key] != []}}
