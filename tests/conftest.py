"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import settings

from tests.programs import in_one_place

# A deadline measures the machine, not the code: with other work beside it any example can be late.
settings.register_profile("lowtide", deadline=None)
settings.load_profile("lowtide")

# Prices that whoever runs the tests has refreshed must not change a figure of theirs.
os.environ["LOWTIDE_PRICES"] = "bundled"

# Tests that were started in the background ignore Ctrl-C, and so would every command that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Each session of boto3 reads its services' models by itself: half a second and tens of megabytes, in hundreds of tests.
# They are the same files, which nobody changes.
_botocore: Any = botocore.session
_create_loader = _botocore.create_loader
_MODELS: dict[str | None, dict[Any, Any]] = {}


def _loader_with_shared_models(search_path: str | None = None) -> Any:
    loader = _create_loader(search_path)
    loader._cache = _MODELS.setdefault(search_path, {})
    return loader


_botocore.create_loader = _loader_with_shared_models

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say once, and not once per test, that the programs of a control plane are missing."""
    report = yield
    in_one_place(report)
    return report


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
