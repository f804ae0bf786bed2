"""Instance types by name. An unknown name is an error that helps, never a default."""

from __future__ import annotations

import functools

from lowtide.catalog.tables import autoscaler_shape, autoscaler_table, type_table
from lowtide.model.catalog import InstanceShape, InstanceType
from lowtide.model.errors import InputError

#: What to take instead of a type that is no longer usable: the cheapest one-GPU NVIDIA type.
REPLACEMENT = "g4dn.xlarge"


def instance_type(name: str) -> InstanceType:
    """Return the type of that name, retired ones included.

    Raises:
        InputError: the catalog does not know it; names the nearest types and how to add one.
    """
    found = type_table().get(name)
    if found is None:
        raise unknown_type(name)
    return found


def runnable_type(name: str) -> InstanceType:
    """Return the type of that name if a node of it can be worked out.

    Raises:
        InputError: unknown, or retired so long ago that its maximum of pods is not known.
    """
    found = instance_type(name)
    if found.max_pods is None:
        raise unknown_type(name)
    return found


@functools.cache
def instance_types() -> tuple[InstanceType, ...]:
    """Return every known type, retired ones included, by family and size."""
    return tuple(type_table().values())


@functools.cache
def nvidia_types() -> tuple[InstanceType, ...]:
    """Return the types in service that offer whole NVIDIA GPUs."""
    return tuple(one for one in instance_types() if one.nvidia_gpus and not one.retired_on)


def shape(name: str) -> InstanceShape | None:
    """Return the autoscaler's static entry of a type (list of 2026-01-22), None where it has none.

    It counts the GPUs of every vendor, so AMD and Habana types look as if they had nvidia.com/gpu, and it lacks newer
    types such as p5e, g7 and p6-b300.
    """
    return autoscaler_table().get(name)


def described_shape(name: str) -> InstanceShape:
    """Return the entry the autoscaler gets from DescribeInstanceTypes at start-up, its default.

    Args:
        name: a known type; GPUs of every vendor count here too, fractional ones as 0, Neuron devices not at all.

    Raises:
        InputError: the catalog does not know the type.
    """
    listed = shape(name)
    if listed is not None:
        return listed
    one = instance_type(name)
    counted = one.gpu is not None and one.gpu.manufacturer != "AWS" and not one.gpu.fractional
    return autoscaler_shape(one, one.gpu.count if one.gpu and counted else 0)


def unknown_type(name: str) -> InputError:
    """Return the error for a type that cannot be used for want of figures."""
    gone = type_table().get(name)
    if gone is not None and gone.retired_on:
        return InputError(
            f"instance type {name} cannot be used: retired on {gone.retired_on}",
            why=gone.retired_why,
            fix=f"use {REPLACEMENT}, or another type that `lowtide prices` lists",
        )
    nearest = _nearest(name)
    hint = f"did you mean {', '.join(nearest)}? " if nearest else ""
    return InputError(
        f"unknown instance type {name!r}",
        why=f"the bundled catalog knows {len(type_table())} types, and a guess would cost money",
        fix=f"{hint}`lowtide prices` lists every known type; a new one needs its rows in the"
        " catalog's data files (catalog/data/README.md says which) or an issue that names it",
    )


def _nearest(name: str) -> list[str]:
    import difflib  # noqa: PLC0415 - needed for an error message alone

    return difflib.get_close_matches(name, type_table(), n=3, cutoff=0.5)
