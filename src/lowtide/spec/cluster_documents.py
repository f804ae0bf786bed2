"""Tells the documents of a cluster file apart: the ClusterConfig, and a Policy where one stands in the same file.

Why it exists: ``lowtide plan -o yaml`` writes both into one file, and what it writes is input again. eksctl reads the first
document alone, so the ClusterConfig comes first there.

What it must not know: what either of them says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lowtide.spec import document as doc
from lowtide.spec.clusterconfig import facts
from lowtide.spec.words import quoted

_CLUSTER, _POLICY = facts.KIND, "Policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDocuments:
    """The documents of a cluster file; ``policy`` None where it holds a ClusterConfig alone, as eksctl's users write it."""

    cluster: doc.Document
    policy: doc.Document | None


def load_documents(path: str) -> ClusterDocuments:
    """Return the documents of a cluster file on disk, ``-`` for standard input.

    Raises:
        InputError: unreadable, or not a ClusterConfig and at most one Policy.
    """
    return documents_of(doc.read_text(path), "<stdin>" if path == "-" else path)


def documents_of(text: str, file: str) -> ClusterDocuments:
    """Return the documents of a cluster file's text; ``file`` is the name that findings show.

    Raises:
        InputError: not a ClusterConfig and at most one Policy.
    """
    documents = doc.parse(text, file)
    found: dict[str, doc.Document] = {}
    problems = doc.Problems(documents[0])
    for document in documents:
        here = doc.Problems(document)
        kind = _kind(document.data)
        if not kind:
            _refuse_kind(document.data, here, alone=len(documents) == 1)
        elif kind in found:
            _refuse_second(kind, found[kind], here)
        found.setdefault(kind, document)
        problems.extend(here.findings)
    if _CLUSTER not in found and not problems.has_errors:
        fix = "give the cluster file with -f, and this one with --policy"
        problems.add(
            *doc.WRONG_KIND, "this is a Policy, and no ClusterConfig is beside it", (), fix
        )
    problems.raise_if_any(cannot_read(file))
    return ClusterDocuments(cluster=found[_CLUSTER], policy=found.get(_POLICY))


def cannot_read(file: str) -> str:
    """Return what failed, for every error about a cluster file."""
    return f"cannot read {file} as a ClusterConfig"


def _kind(data: Any) -> str:
    """Return which of the two a document is, empty for neither."""
    if not isinstance(data, dict):
        return ""
    is_eksctls = data.get("apiVersion") == facts.API_VERSION
    if data.get("kind") == _CLUSTER and is_eksctls:
        return _CLUSTER
    return _POLICY if data.get("kind") == _POLICY and not is_eksctls else ""


def _refuse_kind(data: Any, problems: doc.Problems, *, alone: bool) -> None:
    if not isinstance(data, dict):
        fix = "lowtide init writes a first cluster.yaml"
        problems.add(*doc.WRONG_KIND, "this is no mapping, so no ClusterConfig", (), fix)
        return
    is_meant = data.get("kind") == _CLUSTER or data.get("apiVersion") == facts.API_VERSION
    if not alone and not is_meant:
        message = f"kind is {quoted(data.get('kind', ''))}: a cluster file holds a ClusterConfig and at most a Policy"
        fix = "put it into a file of its own; lowtide simulate -w takes workloads"
        problems.add(*doc.WRONG_KIND, message, ("kind",), fix)
        return
    for key, wanted in (("kind", _CLUSTER), ("apiVersion", facts.API_VERSION)):
        found = data.get(key)
        if found != wanted:
            said = f"{key} is {quoted(found)}" if key in data else f"{key} is missing"
            message = f"this is no ClusterConfig: {said}"
            problems.add(*doc.WRONG_KIND, message, (key,), f"write {key}: {wanted}")


def _refuse_second(kind: str, first: doc.Document, problems: doc.Problems) -> None:
    fix = (
        "keep one ClusterConfig per file; lowtide compare takes several files"
        if kind == _CLUSTER
        else "keep one of them"
    )
    message = f"a second {kind}; the first begins on line {first.mark().line}"
    problems.add(*doc.WRONG_KIND, message, (), fix)
