"""What the example renders to: short enough for a review, and valid for every Kubernetes that EKS supports."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from lowtide import catalog
from lowtide.app.files import Inputs
from lowtide.app.render import render

EXAMPLE = "examples/noble-gpu/cluster.yaml"
GOLDEN = Path(__file__).parent / "golden"
#: The cluster's own network, roles and control plane are long; what is particular to this file is in the others.
KEPT = (
    "cloudformation/2-nodegroup-gpu-spot-a.yaml",
    "cloudformation/3-addons.yaml",
    "cloudformation/4-interruption.yaml",
)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Every file of the example by its path."""
    return render(Inputs(cluster=EXAMPLE))


@pytest.mark.parametrize("path", KEPT)
def test_the_example_renders_to_its_golden_file(files: dict[str, str], path: str) -> None:
    """After a wanted change: ``lowtide render DIR -f examples/noble-gpu/cluster.yaml`` and copy the file."""
    golden = GOLDEN / Path(path).name
    assert files[path] == golden.read_text()
    assert len(files[path].splitlines()) < 200


def test_each_golden_file_is_compared() -> None:
    assert {one.name for one in GOLDEN.iterdir()} == {Path(path).name for path in KEPT}


@pytest.mark.parametrize("minor", ["1.33", "1.34", "1.35", "1.36"])
def test_every_manifest_is_valid_for_each_supported_minor(tmp_path: Path, minor: str) -> None:
    catalog.kubernetes_version(minor)  # known, so that this list says no minor that nobody offers
    text = Path(EXAMPLE).read_text()
    document = yaml.safe_load(text)
    document["metadata"]["version"] = minor
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text(yaml.safe_dump(document))
    rendered = render(Inputs(cluster=str(cluster)))
    manifests = [
        one
        for path, content in rendered.items()
        if path.startswith("kubernetes/")
        for one in yaml.safe_load_all(content)
    ]
    assert len(manifests) >= 12
    for one in manifests:
        assert kubernetes_validate.validate(one, minor, strict=True) == minor
