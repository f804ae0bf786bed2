"""Availability zones by name: which a region has for certain, and which names can be one."""

from __future__ import annotations

import re

#: Zone letters where an account does not simply have a, b, c (AWS, "Regions and Zones").
_LETTERS = {"ap-northeast-1": "acd", "ca-central-1": "abd", "us-west-1": "ac"}
#: eksctl takes two zones in us-east-1, where one of the first three may refuse a control plane.
_TWO_ZONES = frozenset({"us-east-1"})


def chosen_zones(region: str) -> tuple[str, ...]:
    """Return the zones taken where the file names none; eksctl takes them at random."""
    letters = _LETTERS.get(region, "abc")
    return tuple(region + letter for letter in letters[: 2 if region in _TWO_ZONES else 3])


def usual_zones(region: str) -> tuple[str, ...]:
    """Return up to three zones that an account has there."""
    return tuple(region + letter for letter in _LETTERS.get(region, "abc"))


def is_zone_of(zone: str, region: str) -> bool:
    """Return whether a name has the form of an availability zone of the region (no Local Zone)."""
    return re.fullmatch(re.escape(region) + "[a-z]", zone) is not None
