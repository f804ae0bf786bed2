"""What rendering did to a folder, or would do, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lowtide.model.plan import FileChange, PropertyChange, RenderedDiff
from lowtide.report.blocks import Block, Line, Words, line
from lowtide.report.wording import count_text, printable

DIFF_SCHEMA = "lowtide.render-diff/v1"
#: The folder of templates.
_TEMPLATES = "cloudformation/"
_STYLES = {"added": "green", "removed": "red", "changed": "bold"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_REPLACES = {"always": "replaces the resource", "sometimes": "may replace the resource"}


def diff_text(diff: RenderedDiff, *, width: int, color: bool) -> str:
    """Return the differences file by file, a line for each property."""
    if not diff.files:
        return f"{printable(diff.folder)} is up to date"
    from lowtide.report.screen import draw  # noqa: PLC0415 - loads rich (60 ms), only when drawing

    blocks = [block for file in diff.files for block in _file(file)]
    return draw([*blocks, *_summary(diff)], width=width, color=color)


def _file(file: FileChange) -> Iterable[Block]:
    style = _STYLES[file.kind]
    yield line(f"{_SIGNS[file.kind]} {file.path}", style)
    if file.kind == "changed" and not file.changes:
        yield line("    comments or order of lines alone", "dim")
    for one in file.changes:
        yield _property(one)
    yield line()


def _property(one: PropertyChange) -> Line:
    effect = _REPLACES.get(one.replaces, "")
    mark = Words(f"  ({effect})", "bold red" if one.replaces == "always" else "yellow")
    name = Words(f"    {_sign(one)} {one.where}: ")
    return Line((name, *_values(one), *((mark,) if effect else ())))


def _sign(one: PropertyChange) -> str:
    return "+" if one.before is None else "-" if one.after is None else "~"


def _values(one: PropertyChange) -> tuple[Words, ...]:
    if one.before is None:
        return (Words(one.after or "", "green"),)
    if one.after is None:
        return (Words(one.before, "red"),)
    return (Words(one.before, "red"), Words(" -> "), Words(one.after, "green"))


def _summary(diff: RenderedDiff) -> Iterable[Block]:
    replaced, deleted, perhaps = diff.replaced(), diff.deleted, diff.replaced("sometimes")
    yield line(f"{count_text(len(diff.files), 'file')} would change.", "bold")
    if not replaced:
        yield line("CloudFormation replaces no resource for certain.", "bold")
    for title, names, style in (
        ("replaces", replaced, "bold red"),
        ("may replace", perhaps, "yellow"),
        ("deletes", deleted, "red"),
    ):
        if names:
            yield line(f"CloudFormation {title} {count_text(len(names), 'resource')}:", style)
            yield from (line(f"  {one}", style) for one in names)
    if any(file.kind == "removed" for file in diff.files if file.path.startswith(_TEMPLATES)):
        yield line(
            "The stack of a removed template stays until aws cloudformation delete-stack", "yellow"
        )
    yield line(f"Replacements: {diff.facts}", "dim")


def diff_json(diff: RenderedDiff) -> dict[str, Any]:
    """Return the differences as a plain dict, ready for JSON."""
    return {
        "schema": DIFF_SCHEMA,
        "folder": diff.folder,
        "facts": diff.facts,
        "replaced": list(diff.replaced()),
        "perhaps_replaced": list(diff.replaced("sometimes")),
        "deleted": list(diff.deleted),
        "files": [
            {
                "path": file.path,
                "kind": file.kind,
                "changes": [
                    {
                        "where": one.where,
                        "before": one.before,
                        "after": one.after,
                        "replaces": one.replaces or None,
                    }
                    for one in file.changes
                ],
            }
            for file in diff.files
        ],
    }
