"""What a change of the cluster file does to files that were rendered before, property by property.

Why it exists: a line of cluster.yaml may replace a VPC or only move a tag; whoever reviews the change sees which.

Tags, environment variables and other lists of named things are compared by name, not by position.
"""

from __future__ import annotations

import difflib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lowtide.app.render import README
from lowtide.app.rendered_folder import LISTING, folder_of, listed
from lowtide.aws import replacement
from lowtide.kube.objects import key
from lowtide.model.errors import InputError, LowtideError
from lowtide.model.plan import FileChange, PropertyChange, RenderedDiff
from lowtide.spec.document import parse, read_text

#: Members of an object that name it among its siblings, the most telling one first.
_NAMES = ("Key", "name", "Sid", "key", "DeviceName", "ResourceType", "Id")
#: Longer values are shown by their difference alone.
_LONGEST = 72
_MISSING = object()

#: Names of properties down to a value, list positions and names of members in brackets.
Steps = tuple[str, ...]


def diff(folder: str | Path, files: Mapping[str, str], *, partial: bool = False) -> RenderedDiff:
    """Return what writing ``files`` into the folder would change; ``partial`` leaves its other files alone.

    Raises:
        InputError: the folder holds nothing that was rendered, or a file in it is no YAML.
        LowtideError: a file in it cannot be read.
    """
    root = folder_of(folder)
    try:
        return _diff(root, files, partial=partial)
    except OSError as error:
        raise LowtideError(
            f"{folder} cannot be compared",
            where=str(error.filename or folder),
            why=error.strerror or str(error),
            fix="render into a folder of your own",
        ) from error


def _diff(root: Path, files: Mapping[str, str], *, partial: bool) -> RenderedDiff:
    earlier = listed(root)
    if not earlier:
        raise InputError(
            f"Nothing was rendered into {root}",
            where=str(root / LISTING),
            why="there is no list of rendered files",
            fix=shlex.join(["lowtide", "render", str(root)]),
        )
    paths = sorted({*files, *(() if partial else earlier)} - {README})
    found = [_file_change(root, path, files.get(path)) for path in paths]
    return RenderedDiff(
        folder=str(root),
        files=tuple(one for one in found if one is not None),
        facts=replacement.facts(),
    )


def _file_change(root: Path, path: str, text: str | None) -> FileChange | None:
    place = root / path
    if not os.path.lexists(place):
        return None if text is None else FileChange(path=path, kind="added")
    if text is None:
        return FileChange(path=path, kind="removed")
    try:
        before = read_text(place)
        if before == text:
            return None
        parts = _parts(before, str(place))
    except InputError as error:
        raise _not_comparable(place, root, error) from error
    return FileChange(path=path, kind="changed", changes=tuple(_changes(parts, _parts(text, path))))


def _not_comparable(place: Path, root: Path, error: InputError) -> InputError:
    return InputError(
        f"{place} cannot be compared",
        where=error.where,
        why=error.why,
        fix=shlex.join(["lowtide", "render", "--force", str(root)]) + " writes it anew",
    )


def _parts(text: str, file: str) -> dict[str, Any]:
    """Return the documents of a file by name: a template as it is, an object by its kind and name."""
    parts: dict[str, Any] = {}
    for document in parse(text, file):
        data = document.data
        is_object = isinstance(data, dict) and "kind" in data and "metadata" in data
        parts[f"{data['kind']} {key(data).name}" if is_object else ""] = data
    return parts


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[PropertyChange]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, _MISSING), after.get(name, _MISSING)
        if name == "" and _is_template(old) and _is_template(new):
            yield from _template_changes(old, new)
            continue
        for steps, one, other in _moved(old, new):
            yield _change((name, *steps) if name else steps, one, other)


def _is_template(data: Any) -> bool:
    return isinstance(data, dict) and "AWSTemplateFormatVersion" in data


def _template_changes(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[PropertyChange]:
    for section in dict.fromkeys((*before, *after)):
        old, new = before.get(section, {}), after.get(section, {})
        if section != "Resources":
            for steps, one, other in _moved(old, new):
                yield _change((section, *steps), one, other)
            continue
        for name in dict.fromkeys((*old, *new)):
            yield from _resource_changes(name, old.get(name), new.get(name))


def _resource_changes(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[PropertyChange]:
    if before is None or after is None:
        yield PropertyChange(
            where=name,
            before=None if before is None else before["Type"],
            after=None if after is None else after["Type"],
            replaces="creates" if before is None else "deletes",
        )
        return
    for steps, old, new in _moved(before, after):
        yield _change((name, *steps), old, new, _replaces(after["Type"], steps))


def _replaces(resource_type: str, steps: Steps) -> str:
    if steps[0] == "Type":
        return replacement.ALWAYS
    if steps[0] != "Properties":
        return replacement.NEVER
    return replacement.replaces(
        resource_type, [step for step in steps[1:] if not step.startswith("[")]
    )


def _moved(before: Any, after: Any) -> Iterator[tuple[Steps, Any, Any]]:
    """Yield the smallest parts that differ, with the steps to them."""
    if before == after:
        return
    old, new = _members(before), _members(after)
    if old is None or new is None:
        yield (), before, after
        return
    for step in dict.fromkeys((*old, *new)):
        for steps, one, other in _moved(old.get(step, _MISSING), new.get(step, _MISSING)):
            yield (step, *steps), one, other


def _members(data: Any) -> dict[str, Any] | None:
    """Return what can be compared one by one; None for a value, and for a reference or a list without names."""
    if isinstance(data, dict):
        is_function = len(data) == 1 and next(iter(data)).startswith(("Fn::", "Ref"))
        return None if is_function else data
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        return None
    for name in _NAMES:
        members = {f"[{one[name]}]": one for one in data if name in one}
        if len(members) == len(data):
            return members
    return {f"[{position}]": one for position, one in enumerate(data)}


def _change(steps: Steps, before: Any, after: Any, replaces: str = "") -> PropertyChange:
    old, new = _text(before), _text(after)
    if old is not None and new is not None and max(len(old), len(new)) > _LONGEST:
        old, new = _differing(old, new)
    return PropertyChange(
        where=".".join(steps).replace(".[", "["), before=old, after=new, replaces=replaces
    )


def _text(data: Any) -> str | None:
    if data is _MISSING:
        return None
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def _differing(before: str, after: str) -> tuple[str, str]:
    """Return the lines, or else the stretches, in which two long texts differ."""
    if "\n" in before and "\n" in after:
        lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
        return (
            "\n".join(one[2:] for one in lines if one.startswith("- ")),
            "\n".join(one[2:] for one in lines if one.startswith("+ ")),
        )
    start = next(
        (
            place
            for place, (one, other) in enumerate(zip(before, after, strict=False))
            if one != other
        ),
        min(len(before), len(after)),
    )
    start = max(0, start - 20)
    return tuple(  # type: ignore[return-value] # two texts make two stretches
        ("…" if start else "")
        + one[start : start + _LONGEST]
        + ("…" if len(one) > start + _LONGEST else "")
        for one in (before, after)
    )
