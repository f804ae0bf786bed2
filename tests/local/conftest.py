"""What tests of the local cluster share: the programs of a control plane, where this machine has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.programs import programs_or_skip

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """The programs of the default minor; skips the test where they are missing."""
    return programs_or_skip()
