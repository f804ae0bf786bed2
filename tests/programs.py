"""The programs of a control plane, which many tests need and not every machine has.

Why it exists: where they are missing, all those tests are skipped for this one reason, which pytest then says in one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lowtide.model.errors import LowtideError

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries


REASON = "needs the programs of a control plane: lowtide local build"


def programs_or_skip(minor: str = "") -> Binaries:
    """Return the programs of a minor, of the default one unless one is named; skip the test where they are missing."""
    from lowtide.local.controlplane.binaries import find_binaries
    from lowtide.local.controlplane.releases import DEFAULT_MINOR

    try:
        return find_binaries(minor or DEFAULT_MINOR)
    except LowtideError:
        pytest.skip(f"{REASON} --download --kubernetes {minor}" if minor else REASON)


def in_one_place(report: pytest.TestReport) -> None:
    """Let a test that was skipped for want of the programs name this file, so that all of them are one line."""
    if isinstance(report.longrepr, tuple) and REASON in str(report.longrepr[2]):
        report.longrepr = (__file__, None, report.longrepr[2])  # type: ignore[assignment] # pytest prints a line of None as none
