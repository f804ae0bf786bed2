"""Turns what stands behind ``-w`` into a Scenario: a scenario file, plain manifests, or a trace.

Why it exists: the person names a file, and every kind of file becomes the one input that a run has.

What it must not know: what the files contain; their readers know.
"""

from __future__ import annotations

from pathlib import Path

from lowtide.model.errors import InputError
from lowtide.model.names import RUN_SECONDS
from lowtide.model.quantity import NVIDIA_GPU
from lowtide.model.scenario import Apply, Scenario, Step, TraceJob
from lowtide.model.workload import KubeObject
from lowtide.spec import document as doc
from lowtide.spec.manifests import load_manifests, objects_from, read_manifests
from lowtide.spec.scenario import read_scenario
from lowtide.spec.traces import read_openb, read_philly, read_trace

_TRACES = {"philly": read_philly, "openb": read_openb}
_TABLES = (".csv", ".csv.gz", ".parquet")


def load_workload(argument: str) -> Scenario:
    """Return the run that an argument of ``-w`` asks for.

    It is a Scenario file; a manifest file or directory, applied at the start, whose pods run until they are deleted
    where no annotation says otherwise; ``-`` for either on standard input; a trace (.csv, .csv.gz, .parquet); or
    ``philly:PATH`` and ``openb:PATH``.

    Raises:
        InputError: with every finding of the files.
    """
    if not argument:
        fix = "name a file or a directory, or leave the option out"
        raise InputError("cannot read the workload", why="its name is empty", fix=fix)
    form, colon, path = argument.partition(":")
    if colon and form in _TRACES:
        return _replay(path, _TRACES[form](path))
    if argument.lower().endswith(_TABLES):
        return _replay(argument, read_trace(argument))
    if doc.is_directory(argument):
        return _apply_at_start(Path(argument).resolve().name, load_manifests(argument))
    text = doc.read_text(argument)
    file = "<stdin>" if argument == "-" else argument
    if _is_scenario(text, file):
        return read_scenario(text, file, Path(argument).parent)
    return _apply_at_start(Path(file).stem, read_manifests(text, file))


def default_workload(gpus: int = 1, pods: int = 10, run_seconds: int = 1800) -> Scenario:
    """Return the run without ``-w``: a Job of pods that each hold some GPUs for a while.

    A Job, because the pods of a Deployment start again when they end.
    """
    pod = {
        "restartPolicy": "Never",
        "tolerations": [{"key": NVIDIA_GPU, "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            {
                "name": "main",
                "image": "nvidia/cuda:12.4.1-base-ubuntu22.04",
                "resources": {"limits": {NVIDIA_GPU: gpus}},
            }
        ],
    }
    template = {"metadata": {"annotations": {RUN_SECONDS: str(run_seconds)}}, "spec": pod}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "default-workload"},
        "spec": {"parallelism": pods, "completions": pods, "template": template},
    }
    return _apply_at_start("default", objects_from([job]))


def _apply_at_start(name: str, objects: tuple[KubeObject, ...]) -> Scenario:
    return Scenario(name=name, steps=(Step(action=Apply(objects=objects), at_ms=0),))


def _replay(path: str, jobs: tuple[TraceJob, ...]) -> Scenario:
    """Return a run over a whole trace; it may take months, so it has no maximum."""
    name = Path(path).name.partition(".")[0]
    return Scenario(name=name, trace=jobs, max_duration_ms=None)


def _is_scenario(text: str, file: str) -> bool:
    return any(
        isinstance(one.data, dict)
        and one.data.get("kind") == "Scenario"
        and str(one.data.get("apiVersion", "")).startswith("lowtide.dev/")
        for one in doc.parse(text, file)
    )
