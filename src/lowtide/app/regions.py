"""Regions as they are typed at a terminal."""

from __future__ import annotations

from lowtide.model.errors import InputError
from lowtide.spec.clusterconfig.facts import REGIONS


def checked_region(region: str, *, where: str, command: str) -> str:
    """Return the region if there is such a one.

    Args:
        region: as it was typed.
        where: the option that it was given by.
        command: what to run again, up to the region.

    Raises:
        InputError: there is none; names the nearest.
    """
    if region in REGIONS:
        return region
    from lowtide.spec.document import nearest  # noqa: PLC0415 - loads a YAML library for an error message

    close = nearest(region, sorted(REGIONS))
    raise InputError(
        f"{region!r} is not a region",
        where=where,
        why="no AWS region with EKS has that name",
        fix=f"did you mean: {command} {close}" if close else f"{command} us-east-1",
    )
