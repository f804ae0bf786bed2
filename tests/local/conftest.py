"""What tests of the local cluster share: the programs of a control plane, where this machine has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lowtide.model.errors import LowtideError

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """The programs of the default minor; skips the test where they are missing."""
    from lowtide.local.controlplane.binaries import find_binaries
    from lowtide.local.controlplane.releases import DEFAULT_MINOR

    try:
        return find_binaries(DEFAULT_MINOR)
    except LowtideError:
        pytest.skip("needs the programs of a control plane: lowtide local build")
