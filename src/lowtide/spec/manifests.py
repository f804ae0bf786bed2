"""Reads Kubernetes manifests into the objects that the twin's controllers act on.

Why it exists: workloads stay what their owners apply on EKS, and what the API server would refuse is refused here, all of it
at once and with its place. An object of a kind that the twin does not act on (RBAC, Services, Namespaces, custom resources)
is accepted as it is.

What it must not know: what happens to the objects.

Beside the codes of :mod:`lowtide.spec.document`:

| code  | name                   | what is wrong                                                            |
|-------|------------------------|--------------------------------------------------------------------------|
| LT101 | selector-mismatch      | a controller's selector does not select its own template                 |
| LT102 | extended-resource      | a GPU or another extended resource that is no integer or not its limit   |
| LT103 | request-above-limit    | a request above its limit                                                |
| LT104 | unknown-priority-class | a priority class that nothing defines                                    |
| LT105 | bad-name               | no DNS-1123 name, no label key, no label value                           |
| LT106 | restart-policy         | a restartPolicy that the controller does not allow                       |
| LT107 | no-such-kind           | the kind is not in that apiVersion                                       |
| LT108 | bad-run-seconds        | lowtide.dev/run-seconds that is no number, or not on the pods            |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowtide.model.errors import InputError
from lowtide.model.findings import Finding
from lowtide.model.workload import KubeObject
from lowtide.spec import document as doc
from lowtide.spec.manifests_kinds import convert, priority_class
from lowtide.spec.manifests_shape import Part, checked, field_tables
from lowtide.spec.podspec import BUILT_IN, Priority, PriorityClasses
from lowtide.spec.yamltree import Place

NO_SUCH_KIND = ("LT107", "no-such-kind")

SUFFIXES = (".yaml", ".yml", ".json")
# Groups whose every workload kind is in the tables; objects of other groups are somebody's custom resources.
_GROUPS = {"", "apps", "batch", "extensions", "policy", "scheduling.k8s.io"}
_KNOWN_WHOLE = {"apps", "batch", "extensions"}
_OUR_OWN = {
    "eksctl.io": "this is a cluster file: give it with -f",
    "lowtide.dev": "this is not a Kubernetes object: a Scenario goes to -w alone, a Policy is lowtide.yaml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """One object as it stands in a file; ``kind`` is its type in the field tables, empty for other kinds."""

    part: Part
    kind: str


def read_manifests(text: str, file: str) -> tuple[KubeObject, ...]:
    """Return the objects of a YAML or JSON text with any number of documents and Lists.

    Raises:
        InputError: with every finding of the text.
    """
    return _read_all([doc.parse(text, file)])[0]


def load_manifests(path: str | Path) -> tuple[KubeObject, ...]:
    """Return the objects of a file, or of every .yaml, .yml and .json file right in a directory, by name.

    Raises:
        InputError: with every finding of all files.
    """
    return load_manifest_sets([path])[0]


def load_manifest_sets(paths: Sequence[str | Path]) -> tuple[tuple[KubeObject, ...], ...]:
    """Return the objects of each path; a priority class of one counts for the pods of all.

    Raises:
        InputError: with every finding of all files.
    """
    findings: list[Finding] = []
    sets = [_documents(Path(path), findings) for path in paths]
    return _read_all(sets, findings)


def objects_from(dicts: Iterable[Mapping[str, Any]]) -> tuple[KubeObject, ...]:
    """Return objects that were rendered here and stand in no file.

    Raises:
        InputError: as read_manifests, without places.
    """
    documents = [doc.Document(file="", data=one, places=Place(0, 0)) for one in dicts]
    return _read_all([documents])[0]


def _documents(path: Path, findings: list[Finding]) -> list[doc.Document]:
    documents: list[doc.Document] = []
    is_directory = doc.is_directory(path)
    for file in _files(path) if is_directory else [path]:
        try:
            documents.extend(doc.parse(doc.read_text(file), str(file)))
        except InputError as error:
            # kubectl skips files of a directory that hold nothing but comments.
            if not (is_directory and error.findings[0].name == doc.EMPTY[1]):
                findings.extend(error.findings)
    if is_directory and not documents and not findings:
        raise InputError(
            f"cannot read {path}",
            where=str(path),
            why="the directory holds no manifest",
            fix=f"put files that end in {', '.join(SUFFIXES)} right into it",
        )
    return documents


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(
            one for one in directory.iterdir() if one.suffix in SUFFIXES and one.is_file()
        )
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(
            f"cannot read {directory}",
            where=str(directory),
            why=why,
            fix="check that you may read the directory",
        ) from error


def _read_all(
    sets: Sequence[Sequence[doc.Document]], findings: Iterable[Finding] = ()
) -> tuple[tuple[KubeObject, ...], ...]:
    """Convert the documents of all sets, with one view of the priority classes, or raise with all findings."""
    every = [(document, doc.Problems(document)) for documents in sets for document in documents]
    problems = {id(document): one for document, one in every}
    sources = [
        [
            source
            for document in documents
            for source in _sources(_root(document, problems[id(document)]))
        ]
        for documents in sets
    ]
    classes = _classes(source for one in sources for source in one)
    objects = tuple(
        tuple(convert(source.part, source.kind, classes) for source in one) for one in sources
    )
    found = [*findings, *(finding for _, one in every for finding in one.findings)]
    if found:
        ordered = doc.in_order(found)
        files = dict.fromkeys(finding.mark.file for finding in ordered)
        raise doc.error_from(f"cannot use the manifests in {', '.join(files)}", ordered)
    return objects


def _root(document: doc.Document, problems: doc.Problems) -> Part:
    return Part(document.data, document, problems)


def _sources(part: Part) -> Iterator[_Source]:
    """Yield the objects of a document, those inside Lists too; what is no object becomes a finding."""
    if not isinstance(part.value, Mapping):
        part.refuse(
            doc.WRONG_TYPE, "this is no Kubernetes object", fix="write apiVersion:, kind: ..."
        )
        return
    given = {key: part.value.get(key) for key in ("apiVersion", "kind")}
    for key, value in given.items():
        if not value:
            part.missing(key)
        elif not isinstance(value, str):
            part.refuse(doc.WRONG_TYPE, "must be text", key)
    version, kind = given.values()
    if not (isinstance(version, str) and isinstance(kind, str) and version and kind):
        return
    if kind.endswith("List") and isinstance(part.value.get("items"), list):
        for index, item in enumerate(part.value["items"]):
            yield from _sources(
                Part(item, part.document, part.problems, (*part.path, "items", index))
            )
    else:
        yield from _source(part, version, kind)


def _source(part: Part, version: str, kind: str) -> Iterator[_Source]:
    group = version.rpartition("/")[0]
    if group in _OUR_OWN:
        message = f"{kind} of {version} is no Kubernetes object"
        part.refuse(doc.WRONG_KIND, message, "kind", fix=_OUR_OWN[group])
    elif f"{version} {kind}" in field_tables().kinds:
        yield _Source(part=checked(part, kind), kind=kind)
    elif right := _right_kind(group, kind):
        message = f'no matches for kind "{kind}" in version "{version}"'
        fix = "write apiVersion: {}, kind: {}".format(*right.split(" "))
        part.refuse(NO_SUCH_KIND, message, "kind", fix=fix)
    else:
        yield _Source(part=part, kind="")


def _right_kind(group: str, kind: str) -> str:
    """Return ``apiVersion Kind`` that was meant by a kind of a built-in group that is not there."""
    by_kind = {one.split(" ")[1]: one for one in sorted(field_tables().kinds)}
    if group not in _GROUPS:
        return ""
    same = next((one for one in by_kind if one.lower() == kind.lower()), None)
    if same is None and group in _KNOWN_WHOLE:
        same = doc.nearest(kind, by_kind)
    return by_kind[same] if same else ""


def _classes(sources: Iterable[_Source]) -> PriorityClasses:
    by_name = dict(BUILT_IN)
    default, default_name = Priority(), ""
    for source in sources:
        if source.kind == "PriorityClass":
            one = priority_class(source.part)
            given = Priority(value=one.value, preemption_policy=one.preemption_policy)
            by_name[one.meta.name] = given
            if one.is_default:
                default, default_name = given, one.meta.name
    return PriorityClasses(by_name=by_name, default=default, default_name=default_name)
