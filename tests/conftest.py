"""Fixtures shared by all tests."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from hypothesis import settings

# A deadline measures the machine, not the code: with other work beside it any example can be late.
settings.register_profile("lowtide", deadline=None)
settings.load_profile("lowtide")

# Prices that whoever runs the tests has refreshed must not change a figure of theirs.
os.environ["LOWTIDE_PRICES"] = "bundled"

# Each session of boto3 reads its services' models by itself: half a second and tens of megabytes, in hundreds of tests.
# They are the same files, which nobody changes.
_loaders: Any = botocore.loaders
_loaders.create_loader = functools.cache(_loaders.create_loader)

ROOT = Path(__file__).resolve().parent.parent


def find_shared(relative: str) -> Path | None:
    """Return a file of the shared data, or None where this machine has none."""
    places = [os.environ.get("LOWTIDE_DATA"), str(ROOT.parent / "shared" / "data")]
    for place in places:
        if place and (Path(place) / relative).exists():
            return Path(place) / relative
    return None


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """A function from a relative path to a file of the shared data; skips the test without it."""

    def find(relative: str) -> Path:
        found = find_shared(relative)
        if found is None:
            pytest.skip(f"needs shared data {relative} (set LOWTIDE_DATA)")
        return found

    return find
