"""Several clusters on one workload, so that they can be weighed against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lowtide.app.files import Inputs
from lowtide.app.simulate import Progress, simulate
from lowtide.model.simulation import Simulation


def compare(
    files: Sequence[str],
    *,
    workload: str | None,
    seed: int | None,
    progress_of: Callable[[str], Progress],
) -> tuple[tuple[str, Simulation], ...]:
    """Simulate each cluster file with the lowtide.yaml beside it; return the runs by label.

    Raises:
        InputError: a file cannot be read or resolved.
    """
    return tuple(
        (
            label,
            simulate(
                Inputs(cluster=file, workload=workload), seed=seed, progress=progress_of(file)
            ),
        )
        for label, file in zip(labels_of(files), files, strict=True)
    )


def labels_of(files: Sequence[str]) -> tuple[str, ...]:
    """Return a short label for each file: its name without ending, or the whole path where names repeat."""
    stems = [Path(file).stem for file in files]
    return tuple(
        stem if stems.count(stem) == 1 else file for stem, file in zip(stems, files, strict=True)
    )
