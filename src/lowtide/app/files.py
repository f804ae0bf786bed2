"""Reads everything that belongs to one cluster and gathers all that is wrong, so that one run shows the whole list.

The readers of policies and workloads are imported when there is one to read: they are half of what ``check`` would
import otherwise.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lowtide.app.price_cache import fresh_prices
from lowtide.app.stack_names import stack_name_findings
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.policy import Policy
from lowtide.resolve import resolve_cluster
from lowtide.spec.cluster_documents import ClusterDocuments, load_documents
from lowtide.spec.clusterfile import ClusterFile, cluster_of, read_cluster
from lowtide.spec.document import CONFLICT, Document, Problems, error_from

if TYPE_CHECKING:
    from lowtide.model.scenario import Scenario

DEFAULT_CLUSTER = "cluster.yaml"
POLICY_FILE = "lowtide.yaml"
STDIN = "-"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Paths as the user gave them; ``policy`` and ``workload`` None mean the defaults."""

    cluster: str
    policy: str | None = None
    workload: str | None = None

    @property
    def policy_path(self) -> str | None:
        """The policy file to read: the one named, or lowtide.yaml beside the cluster file if there is one.

        A link to nothing and a folder count: that they cannot be read has to be said.
        """
        if self.policy is not None:
            return self.policy
        beside = Path(self.cluster).parent / POLICY_FILE
        return str(beside) if os.path.lexists(beside) else None

    @property
    def names(self) -> tuple[str, ...]:
        """The files that are read."""
        return tuple(name for name in (self.cluster, self.policy_path, self.workload) if name)

    @property
    def options(self) -> str:
        """The command line's options that name these files, ready for a shell."""
        options = [] if self.cluster == DEFAULT_CLUSTER else ["-f", self.cluster]
        options += ["-w", self.workload] if self.workload is not None else []
        options += ["--policy", self.policy] if self.policy is not None else []
        return shlex.join(options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was read; a part is None when it has errors, and ``findings`` says which.

    ``scenario`` is None, too, when no workload was named: what runs then is for the caller to say.
    ``readable`` is False when a file is not what it should be at all, True when only its meaning is wrong.
    """

    inputs: Inputs
    cluster: ResolvedCluster | None
    policy: Policy | None
    scenario: Scenario | None
    findings: tuple[Finding, ...]
    readable: bool
    file: ClusterFile | None = None


def load(inputs: Inputs) -> Loaded:
    """Read the cluster file, the policy and the workload, and resolve the cluster."""
    reading = _Reading()
    documents = reading.attempt(lambda: _documents(inputs.cluster), inputs.cluster)
    file = inside = None
    if documents is not None:
        found, inside = documents.cluster, documents.policy
        file = reading.attempt(lambda: cluster_of(found), inputs.cluster)
    policy, marks = reading.attempt(
        lambda: _policy(inputs, inside), inputs.policy_path or inputs.cluster
    ) or (None, {})
    workload = inputs.workload
    scenario = None if workload is None else reading.attempt(lambda: _workload(workload), workload)
    readable = not reading.findings
    cluster = None
    if file is not None and policy is not None:
        cluster = reading.attempt(lambda: _resolved(file, policy), inputs.cluster)
    if cluster is not None:
        reading.findings.extend(cluster.warnings)
    if file is not None:
        long_names = tuple(stack_name_findings(file))
        reading.findings.extend(long_names)
        cluster = None if long_names else cluster
    if cluster is not None and policy is not None and policy.autoscaler.flags:
        wrong_flags = _wrong_flags(cluster, policy, marks)
        reading.findings.extend(wrong_flags)
        cluster = None if wrong_flags else cluster
    if cluster is not None and scenario is not None and workload is not None:
        unknown = _unknown_places(scenario, cluster, workload)
        reading.findings.extend(unknown)
        scenario = None if unknown else scenario
    return Loaded(
        inputs=inputs,
        cluster=cluster,
        policy=policy,
        scenario=scenario,
        findings=tuple(sorted(reading.findings, key=_place)),
        readable=readable,
        file=file,
    )


def refusal(loaded: Loaded, done: str) -> InputError:
    """Return the error for files that lead nowhere; it speaks of the first of their errors.

    Args:
        loaded: what was read, with at least one error.
        done: what was to be done with it, as ``was simulated``.
    """
    errors = [one for one in loaded.findings if one.severity is Severity.ERROR]
    first = errors[0]
    everything = f"lowtide check {loaded.inputs.options}".rstrip()
    many = len(errors) > 1
    return InputError(
        f"Nothing {done}: the files have {f'{len(errors)} errors' if many else 'an error'}",
        where=str(first.mark) or loaded.inputs.cluster,
        why=first.message,
        fix=f"{everything} shows them all" if many else first.fix or everything,
        findings=loaded.findings,
    )


def refuse_unresolvable(text: str, file: str) -> None:
    """Read and resolve a cluster file that is not written yet, with the lowtide.yaml beside its place.

    Raises:
        InputError: with every finding; of lowtide.yaml first.
    """
    beside = Inputs(cluster=file).policy_path if file != STDIN else None
    policy, _ = _policy_file(beside)
    _resolved(read_cluster(text, file), policy)


def _resolved(file: ClusterFile, policy: Policy) -> ResolvedCluster:
    return resolve_cluster(file, policy, fresh_prices(file.config.region))


@dataclass(slots=True)
class _Reading:
    findings: list[Finding] = field(default_factory=list)

    def attempt(self, read: Callable[[], Value], file: str) -> Value | None:
        """Return what ``read`` returns, or None with its findings kept."""
        try:
            return read()
        except InputError as error:
            self.findings.extend(error.findings or (_finding_of(error, file),))
            return None


def _documents(path: str) -> ClusterDocuments:
    try:
        return load_documents(path)
    except InputError as error:
        if path == STDIN or Path(path).exists():
            raise
        raise InputError(
            f"There is no cluster file {path}",
            where=path,
            why="No such file or directory",
            fix="lowtide init writes one; lowtide demo needs none",
        ) from error


def _policy(inputs: Inputs, inside: Document | None) -> tuple[Policy, Mapping[str, Mark]]:
    """Return the policy, in the cluster file or in one of its own, and where each of its autoscaler flags stands."""
    path = inputs.policy_path
    if inside is None:
        return _policy_file(path)
    if path is not None:
        raise _two_policies(inputs, inside, path)
    from lowtide.spec.policy import flag_marks, policy_of  # noqa: PLC0415 - see the module's docstring

    return policy_of(inside), flag_marks(inside)


def _policy_file(path: str | None) -> tuple[Policy, Mapping[str, Mark]]:
    if path is None:
        return Policy(), {}
    from lowtide.spec.policy import load_policy  # noqa: PLC0415 - as above

    return load_policy(path)


def _two_policies(inputs: Inputs, inside: Document, path: str) -> InputError:
    problems = Problems(inside)
    message = f"{inside.file} holds a Policy, and {path} is one, too"
    other = "leave --policy out" if inputs.policy is not None else f"move {path} away"
    problems.add(*CONFLICT, message, (), f"remove this document, or {other}")
    return error_from("two policies for one cluster", problems.findings)


def _wrong_flags(
    cluster: ResolvedCluster, policy: Policy, marks: Mapping[str, Mark]
) -> tuple[Finding, ...]:
    from lowtide.app.autoscaler_flags import flag_findings  # noqa: PLC0415 - as above

    return flag_findings(cluster, policy.autoscaler.flags, marks)


def _unknown_places(scenario: Scenario, cluster: ResolvedCluster, file: str) -> tuple[Finding, ...]:
    from lowtide.app.fault_places import place_findings  # noqa: PLC0415 - as above

    return place_findings(scenario, cluster, file)


def _workload(path: str) -> Scenario:
    from lowtide.spec.workloads import load_workload  # noqa: PLC0415 - as above

    return load_workload(path)


def _finding_of(error: InputError, file: str) -> Finding:
    """Return an error about a whole file (missing, a folder, not text) as a finding like any other."""
    return Finding(
        code="LT007",
        name="missing",
        severity=Severity.ERROR,
        message=f"{error.what}: {error.why}" if error.why else error.what,
        mark=Mark(file=file),
        fix=error.fix,
    )


def _place(one: Finding) -> tuple[str, int, int, str]:
    return (one.mark.file, one.mark.line, one.mark.column, one.code)
