"""Manifests as plain dicts, and as YAML that a person likes to read.

Why it exists: addons are built as the dicts that the Kubernetes API takes, in the key order of its
documentation, so that the same value is applied, rendered to a file and compared in a test.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from lowtide.model.meta import Meta

#: One Kubernetes object as its JSON form.
Manifest = dict[str, Any]

#: Wide enough that no flag or label is folded.
_WIDTH = 200
#: A list of words up to this many characters is written on one line.
_LINE = 90

_TEXT_TAG = "tag:yaml.org,2002:str"

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""A container's security context as the Pod Security Standard "restricted" wants it, and read-only."""


def manifest(api_version: str, kind: str, name: str, **content: Any) -> Manifest:
    """Return an object; ``namespace``, ``labels`` and ``annotations`` go into its metadata."""
    metadata = {"name": name}
    for key in ("namespace", "labels", "annotations"):
        if content.get(key):
            metadata[key] = content[key]
        content.pop(key, None)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def key(obj: Mapping[str, Any]) -> Meta:
    """Return an object's identity; without a namespace it is ``default``, as for kubectl."""
    metadata = obj["metadata"]
    return Meta(
        kind=obj["kind"], name=metadata["name"], namespace=metadata.get("namespace", "default")
    )


def to_yaml(
    objects: Iterable[Mapping[str, Any]], *, notes: Mapping[Meta, str] | None = None
) -> str:
    """Return one YAML document per object, keys in their own order, with a note above where given."""
    notes = notes or {}
    documents = (_commented(notes.get(key(one), "")) + yaml_text(one) for one in objects)
    return "---\n".join(documents)


def yaml_text(document: Mapping[str, Any]) -> str:
    """Return one document as YAML that reads well, keys in their own order."""
    text: str = yaml.dump(
        dict(document), Dumper=_Readable, sort_keys=False, width=_WIDTH, allow_unicode=True
    )
    return text


def _commented(note: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in note.splitlines())


class _Readable(yaml.SafeDumper):
    """Indented lists, short lists on one line, double quotes, literal blocks, no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def analyze_scalar(self, scalar: str) -> Any:
        return _analysis(scalar)


_ANALYST = yaml.SafeDumper(io.StringIO(), allow_unicode=True)


@functools.lru_cache(maxsize=4096)
def _analysis(text: str) -> Any:
    """Return how a text may be written; PyYAML looks at each character, and most texts are keys that come again.

    Saves 13 of the 77 ms that the example's files take. libyaml would be quicker still, but it does not indent lists.
    """
    return _ANALYST.analyze_scalar(text)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tag = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call] # PyYAML's stubs leave it out
    plain = tag == _TEXT_TAG
    style = "|" if "\n" in text else None if plain and text else '"'
    return dumper.represent_scalar(_TEXT_TAG, text, style=style)


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    """Words such as verbs and resources on one line; arguments and objects each on their own."""
    words = all(isinstance(item, str) and not item.startswith("-") for item in items)
    short = words and sum(len(item) + 2 for item in items) <= _LINE
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Readable.add_representer(str, _represent_text)
_Readable.add_representer(list, _represent_list)
