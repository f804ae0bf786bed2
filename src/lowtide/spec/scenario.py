"""Reads a Scenario: what is applied, scaled, deleted and broken in a simulated run, and when.

Why it exists: a run is told in the words of the person at the terminal (``apply`` these files, ``scale`` that Deployment once
all pods run), so that the same story can be played on a real cluster.

What it must not know: how a step is carried out, and whether a condition holds.

Beside the codes of :mod:`lowtide.spec.document`, and those of :mod:`lowtide.spec.manifests` for what is applied:

| code  | name           | what is wrong                                                     |
|-------|----------------|-------------------------------------------------------------------|
| LT301 | unknown-target | scales or deletes an object that no earlier step applied          |
| LT302 | out-of-order   | a time before the time of an earlier step                         |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lowtide.model import names
from lowtide.model.errors import InputError
from lowtide.model.scenario import (
    Action,
    Apply,
    Condition,
    Delete,
    Interrupt,
    NoCapacity,
    Scale,
    Scenario,
    Step,
)
from lowtide.model.workload import KubeObject, Meta
from lowtide.spec import document as doc
from lowtide.spec.manifests import SUFFIXES, load_manifest_sets
from lowtide.spec.own_files import validated
from lowtide.spec.scenario_file import (
    FaultSection,
    ScaleSection,
    ScenarioFile,
    StepSection,
    json_schema,
)
from lowtide.spec.words import quoted

__all__ = ["json_schema", "load_scenario", "read_scenario"]

UNKNOWN_TARGET = ("LT301", "unknown-target")
OUT_OF_ORDER = ("LT302", "out-of-order")

_IDENTITY = re.compile(r"[A-Za-z][A-Za-z0-9.]*(/[a-z0-9][-a-z0-9.:]*){1,2}", re.ASCII)
# What kubectl accepts for the kinds that a scenario is likely to name.
_SHORT_KINDS = {
    "cm": "ConfigMap",
    "deploy": "Deployment",
    "ds": "DaemonSet",
    "ns": "Namespace",
    "pc": "PriorityClass",
    "pdb": "PodDisruptionBudget",
    "po": "Pod",
    "rc": "ReplicationController",
    "rs": "ReplicaSet",
    "sa": "ServiceAccount",
    "sts": "StatefulSet",
    "svc": "Service",
}
_KINDS = {
    spelling: kind
    for kind in (*_SHORT_KINDS.values(), "Job")
    for spelling in (kind.lower(), f"{kind.lower()}s", f"{kind.lower()}es")
} | _SHORT_KINDS
_SCALABLE = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")


def load_scenario(path: str | Path) -> Scenario:
    """Return the Scenario of a file; the paths in it are relative to its directory.

    Raises:
        InputError: with every finding of the file, or of the manifests that it applies.
    """
    return read_scenario(doc.read_text(path), str(path), Path(path).parent)


def read_scenario(text: str, file: str, base_dir: str | Path) -> Scenario:
    """Return the Scenario of a YAML text; the paths in it are relative to ``base_dir``.

    Raises:
        InputError: as load_scenario.
    """
    _, problems, found = validated(text, file, ScenarioFile)
    problems.raise_if_any(f"cannot use the scenario {file}")
    assert found is not None
    steps = _StepReader(found, problems, Path(base_dir)).steps()
    problems.raise_if_any(f"cannot use the scenario {file}")
    until = found.until
    return Scenario(
        name=Path(file).stem,
        steps=steps,
        until=until if isinstance(until, Condition) else None,
        until_ms=until if isinstance(until, int) else None,
        addons=found.addons,
        max_duration_ms=found.max_duration_ms,
    )


class _StepReader:
    """Turns the steps into values, and keeps what exists between them."""

    def __init__(self, found: ScenarioFile, problems: doc.Problems, base_dir: Path) -> None:
        self._found = found
        self._problems = problems
        self._base_dir = base_dir
        self._files = self._load_files()
        self._present: dict[Meta, None] = {}
        self._latest_ms = 0

    def steps(self) -> tuple[Step, ...]:
        """Return all steps; what is wrong with them becomes findings."""
        return tuple(self._step(index, one) for index, one in enumerate(self._found.steps))

    def _step(self, index: int, step: StepSection) -> Step:
        path = ("steps", index)
        action = self._action(path, step)
        if step.after:
            return Step(action=action, after=step.after.when, hold_ms=step.after.hold_ms)
        at_ms = self._latest_ms if step.at is None else step.at
        if at_ms < self._latest_ms:
            message = "this is before the time of an earlier step, and steps run in order"
            self._problems.add(*OUT_OF_ORDER, message, (*path, "at"), "move the step up")
        self._latest_ms = max(at_ms, self._latest_ms)
        return Step(action=action, at_ms=at_ms)

    def _action(self, path: doc.PathInFile, step: StepSection) -> Action:
        if step.apply is not None:
            objects = self._objects((*path, "apply"), step.apply)
            self._present |= dict.fromkeys(one.meta for one in objects)
            return Apply(objects=objects)
        if step.delete is not None:
            return self._delete((*path, "delete"), step.delete)
        if step.scale is not None:
            return self._scale((*path, "scale"), step.scale)
        assert step.fault is not None
        return _fault(step.fault)

    def _load_files(self) -> dict[Path, tuple[KubeObject, ...]]:
        """Load every file of every step at once: a priority class of one counts for the pods of all."""
        wanted = [
            self._base_dir / one
            for step in self._found.steps
            for one in (*(step.apply or ()), *filter(self._is_path, step.delete or ()))
        ]
        paths = [one for one in dict.fromkeys(wanted) if _exists(one)]
        try:
            return dict(zip(paths, load_manifest_sets(paths), strict=True))
        except InputError as error:
            if not error.findings:
                raise
            self._problems.extend(error.findings)
            return dict.fromkeys(paths, ())

    def _objects(self, path: doc.PathInFile, given: Sequence[str]) -> tuple[KubeObject, ...]:
        objects: list[KubeObject] = []
        for index, one in enumerate(given):
            place = self._base_dir / one
            if place in self._files:
                objects.extend(self._files[place])
            else:
                fix = "paths are relative to the scenario file"
                if "://" in one:
                    fix = "download it first: lowtide fetches nothing"
                message = f"there is no file or directory {place}"
                self._problems.add(*doc.MISSING, message, (*path, index), fix)
        return tuple(objects)

    def _is_path(self, text: str) -> bool:
        return text.endswith((*SUFFIXES, "/")) or _exists(self._base_dir / text)

    def _delete(self, path: doc.PathInFile, given: Sequence[str]) -> Delete:
        targets: list[Meta] = []
        for index, one in enumerate(given):
            place = (*path, index)
            if self._is_path(one):
                targets.extend(each.meta for each in self._objects(path, [one]))
            elif _IDENTITY.fullmatch(one):
                targets.append(self._known(_meta(one), place))
            else:
                fix = "write Kind/name, Kind/namespace/name, or a file that was applied"
                self._problems.add(*doc.WRONG_VALUE, f"{quoted(one)} names no object", place, fix)
        for target in targets:
            self._present.pop(target, None)
        return Delete(targets=tuple(targets))

    def _scale(self, path: doc.PathInFile, given: ScaleSection) -> Scale:
        place = (*path, "target")
        meta = Meta(kind="", name="")
        if given.target.count("/") == 1 and _IDENTITY.fullmatch(given.target):
            meta = _meta(given.target, given.namespace)
        if meta.kind in _SCALABLE:
            meta = self._known(meta, place)
        else:
            fix = f"write deployment/NAME; kinds with replicas: {', '.join(_SCALABLE)}"
            self._problems.add(
                *doc.WRONG_VALUE, f"{quoted(given.target)} cannot be scaled", place, fix
            )
        return Scale(target=meta, replicas=given.replicas)

    def _known(self, meta: Meta, path: doc.PathInFile) -> Meta:
        """Refuse an object that no step before this one applied, unless it may be an addon."""
        is_addon = self._found.addons == "default" and meta.namespace == names.SYSTEM_NAMESPACE
        if meta not in self._present and not is_addon and not self._problems.has_errors:
            shown = [str(one) for one in self._present]
            message = f"no step before this one applies {meta}"
            fix = doc.did_you_mean(str(meta), shown) if shown else "apply it first"
            self._problems.add(*UNKNOWN_TARGET, message, path, fix)
        return meta


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for the system, or with a NUL
        return False


def _meta(identity: str, namespace: str = "default") -> Meta:
    kind, *between, name = identity.split("/")
    kind = kind.partition(".")[0]  # deployment.apps
    kind = _KINDS.get(kind.lower(), kind)
    return Meta(kind=kind, name=name, namespace=between[0] if between else namespace)


def _fault(given: FaultSection) -> Action:
    if given.interrupt:
        return Interrupt(group=given.interrupt.group, count=given.interrupt.count)
    assert given.no_capacity is not None
    one = given.no_capacity
    return NoCapacity(group=one.group or "", zone=one.zone or "", duration_ms=one.duration_ms)
