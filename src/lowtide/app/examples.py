"""Finds the example that comes with lowtide.

An installed package carries it beside its modules (pyproject, force-include); in a source checkout, where the
package is installed as editable, it lies at ``examples/`` of the checkout.
"""

from __future__ import annotations

from pathlib import Path

import lowtide
from lowtide.model.errors import LowtideError

EXAMPLE = "noble-gpu"


def example_folder() -> Path:
    """Return the folder of the example, with ``cluster.yaml`` and ``scenario.yaml``.

    Raises:
        LowtideError: the installation lacks it.
    """
    package = Path(lowtide.__file__).parent
    places = (package / "examples" / EXAMPLE, package.parent.parent / "examples" / EXAMPLE)
    for place in places:
        if (place / "cluster.yaml").is_file():
            return place
    raise LowtideError(
        "The example is missing",
        where=str(places[0]),
        why="this installation of lowtide has no examples beside its modules",
        fix="pip install --force-reinstall lowtide",
    )
