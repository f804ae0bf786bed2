"""Writes a cluster down as files: templates, manifests or Helm values, and a README that needs no lowtide.

Why it exists: what lowtide would create can be read, kept in version control and applied by ``aws`` and ``kubectl`` alone.

What it must not know: the folder that the files go to (``rendered_folder``).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.render_guide import OBJECTS, STACKS, guide
from lowtide.aws.templates.cfn import Stack
from lowtide.kube.addons import render_files
from lowtide.kube.addons.helm import Chart, charts, helm_files
from lowtide.kube.addons.termination_handler import termination_handler_files
from lowtide.kube.objects import to_yaml, yaml_text
from lowtide.model.errors import InputError

README = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to render.

    ``helm`` writes values for the upstream charts in place of the add-ons' manifests. ``only`` are selectors, none of them for
    everything. ``account_id`` fills in what only the account knows.
    """

    helm: bool = False
    only: tuple[str, ...] = ()
    account_id: str = ""


def render(inputs: Inputs, choice: Choice | None = None) -> dict[str, str]:
    """Return the text of every file by its path below the folder.

    Raises:
        InputError: a file cannot be read or resolved, or a selector matches nothing.
    """
    return render_design(design(inputs), choice or Choice())


def render_design(designed: Design, choice: Choice) -> dict[str, str]:
    """Return the files of a cluster that was designed already; the README is of the whole alone.

    Raises:
        InputError: a selector matches nothing.
    """
    found = {**_stack_parts(designed), **_object_parts(designed, choice)}
    parts = {name: part for name, part in found.items() if part}
    wanted = _selected(parts, choice.only)
    files = {path: text for part in wanted for path, text in parts[part].items()}
    if choice.only:
        return files
    helm = design_charts(designed, account_id=choice.account_id) if choice.helm else ()
    url = queue_url(designed, choice.account_id)
    return {README: guide(designed, files, charts=helm, queue_url=url), **files}


def _stack_parts(designed: Design) -> dict[str, dict[str, str]]:
    """Return each stack's file by the name that a selector has for it."""
    prefix = f"lowtide-{designed.cluster.name}-"
    return {
        stack.name.removeprefix(prefix).replace("nodegroup-", "nodegroup/", 1): {
            stack_path(stack): template_text(stack)
        }
        for stack in designed.stacks
    }


def stack_path(stack: Stack) -> str:
    """Return where a stack's template is written."""
    return f"{STACKS}/{stack.file}"


def template_text(stack: Stack) -> str:
    """Return a template as YAML under one line of what it is for."""
    head = f"# Stack {stack.name}: {stack.why}.\n"
    return head + yaml_text(stack.template)


def _object_parts(designed: Design, choice: Choice) -> dict[str, dict[str, str]]:
    files = {} if choice.helm else _manifests(designed, choice)
    accounts = designed.accounts
    if accounts:
        files = {"1-accounts.yaml": to_yaml(accounts), **files}
    parts = {"kubernetes": {f"{OBJECTS}/{path}": text for path, text in files.items()}}
    if choice.helm:
        parts["helm"] = helm_files(design_charts(designed, account_id=choice.account_id))
    return parts


def _manifests(designed: Design, choice: Choice) -> dict[str, str]:
    files = render_files(designed.cluster, identities=designed.blueprint.identities)
    if not designed.needs_device_plugin:
        files.pop("nvidiplugin.yaml")
    if designed.interruptions is not None:
        files |= termination_handler_files(
            designed.cluster, queue_url=queue_url(designed, choice.account_id)
        )
    return files


def design_charts(designed: Design, *, account_id: str) -> tuple[Chart, ...]:
    """Return the Helm charts of a cluster's add-ons."""
    return charts(
        designed.cluster,
        plugin=designed.needs_device_plugin,
        interruptions=designed.interruptions is not None,
        queue_url=queue_url(designed, account_id),
    )


def queue_url(designed: Design, account_id: str) -> str:
    """Return the URL of the interruption queue in an account, empty without either.

    Form: SQS developer guide, "Amazon SQS queue and message identifiers".
    """
    stack = designed.interruptions
    if stack is None or not account_id:
        return ""
    resources = stack.template["Resources"].values()
    queue = next(one for one in resources if one["Type"] == "AWS::SQS::Queue")
    region = designed.cluster.region
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sqs.{region}.{domain}/{account_id}/{queue['Properties']['QueueName']}"


def _selected(parts: Mapping[str, Any], selectors: tuple[str, ...]) -> list[str]:
    """Return the parts that any selector names, in order; all of them without selectors.

    Raises:
        InputError: a selector matches nothing.
    """
    chosen: set[str] = set()
    for selector in selectors:
        pattern = "nodegroup/*" if selector == "nodegroups" else selector
        matched = fnmatch.filter(parts, pattern)
        if not matched:
            raise InputError(
                f"--only {selector} matches nothing",
                where="--only",
                why=f"there are {', '.join(parts)}",
                fix="name one of them, or a pattern such as 'nodegroup/gpu-*'",
            )
        chosen.update(matched)
    return [one for one in parts if one in chosen or not selectors]
