"""Reads a cluster file: eksctl's ClusterConfig, strictly, with every mistake of the file at once.

Why it exists: eksctl stops at the first error and names no line. Here single values are checked first (by the models),
then the rules between them, on everything that is sound by itself; each finding has its line, its column and its fix.

What it must not know: instance types, prices, and how lowtide would rather have the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lowtide.model.findings import Mark
from lowtide.spec import document as doc
from lowtide.spec.cluster_documents import cannot_read, documents_of
from lowtide.spec.clusterconfig import cluster_rules, group_rules
from lowtide.spec.clusterconfig.cluster import ClusterConfig, GroupAt
from lowtide.spec.clusterconfig.group_rules import Broken
from lowtide.spec.clusterconfig.nodegroups import ManagedNodeGroup, NodeGroup

__all__ = [
    "ClusterConfig",
    "ClusterFile",
    "GroupAt",
    "ManagedNodeGroup",
    "NodeGroup",
    "cluster_of",
    "read_cluster",
]

_LISTS = ("nodeGroups", "managedNodeGroups")
#: Stands in for metadata with a mistake in it.
_ANY_HEAD = {"name": "any", "region": "us-west-2"}
_OLDEST, _NEWEST = (1, 0), (1, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFile:
    """A cluster file that eksctl would accept, and where everything in it stands."""

    config: ClusterConfig
    document: doc.Document

    def mark(self, path: doc.PathInFile = ()) -> Mark:
        """Return where the value at a path stands, such as ``("nodeGroups", 0, "minSize")``."""
        return self.document.mark(path)


def read_cluster(text: str, file: str) -> ClusterFile:
    """Read the ClusterConfig of a text; ``file`` is the name that findings show.

    Raises:
        InputError: not a ClusterConfig that lowtide supports; carries all findings.
    """
    return cluster_of(documents_of(text, file).cluster)


def cluster_of(document: doc.Document) -> ClusterFile:
    """Read the ClusterConfig in a document.

    Raises:
        InputError: lowtide does not support it; carries all findings.
    """
    file = document.file
    problems = doc.Problems(document)
    try:
        config = ClusterConfig.model_validate(document.data)
    except ValidationError as error:
        problems.extend(doc.findings_from_pydantic(document, error, ClusterConfig))
        _apply_rules_to_sound_part(document.data, error, problems)
        raise doc.error_from(cannot_read(file), problems.findings) from None
    _add_broken(problems, _broken(config, config.all_groups))
    problems.raise_if_any(cannot_read(file))
    return ClusterFile(config=config, document=document)


def _apply_rules_to_sound_part(
    data: dict[str, Any], error: ValidationError, problems: doc.Problems
) -> None:
    """Look for broken rules in every section and every group that holds no wrong value."""
    wrong = {
        one["loc"][:2] if one["loc"][0] in _LISTS else one["loc"][:1] for one in error.errors()
    }
    sound = {key: value for key, value in data.items() if (key,) not in wrong}
    positions: dict[str | int, list[int]] = {}
    for key in _LISTS:
        items = sound.get(key, [])
        positions[key] = [index for index in range(len(items)) if (key, index) not in wrong]
        if key in sound:
            sound[key] = [items[index] for index in positions[key]]
    has_head = "metadata" in sound
    config = ClusterConfig.model_validate({"metadata": _ANY_HEAD, **sound})
    groups = tuple(
        GroupAt((key, positions[key][int(index)]), group)
        for (key, index), group in config.all_groups
    )
    if has_head:
        _add_broken(problems, _broken(config, groups))
    else:  # without region and version only the rules inside a group have all they need
        _add_broken(problems, _broken_groups(groups, _OLDEST))


def _add_broken(problems: doc.Problems, broken: Iterator[Broken]) -> None:
    for path, why, fix in broken:
        problems.add(*doc.CONFLICT, f"{doc.path_text(path)}: {why}", path, fix)


def _broken(config: ClusterConfig, groups: tuple[GroupAt, ...]) -> Iterator[Broken]:
    yield from cluster_rules.broken_rules(config)
    yield from cluster_rules.broken_between_groups(config, groups)
    yield from _broken_groups(groups, _minor(config.version))


def _broken_groups(groups: tuple[GroupAt, ...], minor: tuple[int, int]) -> Iterator[Broken]:
    for path, group in groups:
        for below, why, fix in group_rules.broken_rules(group, minor):
            yield Broken((*path, *below), why, fix)


def _minor(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if minor else _NEWEST
