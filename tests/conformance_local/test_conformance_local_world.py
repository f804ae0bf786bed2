"""Two of the recorded set-ups in a real box: ``make conformance-local`` runs all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance_local.__main__ import outcome
from tests.programs import programs_or_skip

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries


@pytest.fixture(scope="module")
def programs() -> Binaries:
    """The programs of a control plane; skips the test where they are missing."""
    return programs_or_skip()


# No pod runs on a fresh node in these two, so nothing in them is a matter of chance.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ice-all-zones", "no-toleration"])
@pytest.mark.usefixtures("programs")
def test_a_recorded_fault_has_the_same_deciding_events_here(
    name: str, shared_data: Callable[[str], Path]
) -> None:
    found = outcome(shared_data("live-recordings/broken"), None, name)
    assert not found.problem
    assert found.surplus == frozenset()
    assert found.missing == frozenset()
