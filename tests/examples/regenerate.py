"""Writes the example's generated manifests anew: ``.venv/bin/python tests/examples/regenerate.py``.

They are what ``lowtide up`` installs for examples/noble-gpu/cluster.yaml. Needed after a change of an image, a flag or a
manifest; test_examples_manifests.py says when.
"""

from __future__ import annotations

from pathlib import Path

from lowtide.app.files import Inputs, load
from lowtide.kube.addons import render_files

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu"


def rendered() -> dict[Path, str]:
    """Return the text of each generated file of the example."""
    loaded = load(Inputs(cluster=str(EXAMPLE / "cluster.yaml")))
    assert loaded.cluster is not None, loaded.findings
    return {EXAMPLE / path: text for path, text in render_files(loaded.cluster).items()}


if __name__ == "__main__":
    for path, text in rendered().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
