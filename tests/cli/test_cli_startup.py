"""What a command costs before it does anything: modules that it does not need, plugins and cycles that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"

#: Pods, runs and what acts on them: a simulation's alone.
OF_A_SIMULATION = frozenset(
    {
        "lowtide.cloud",
        "lowtide.engine",
        "lowtide.model.asg",
        "lowtide.model.kube",
        "lowtide.model.run",
        "lowtide.model.workload",
        "lowtide.twin",
    }
)
#: Templates and manifests, and what they are made from.
OF_TEMPLATES = frozenset(
    {"lowtide.aws", "lowtide.kube", "lowtide.model.blueprint", "lowtide.resolve.blueprint"}
)


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["check"], OF_A_SIMULATION | OF_TEMPLATES | {"lowtide.explain", "rich"}),
        (["plan"], OF_A_SIMULATION),
        (["plan", "-o", "json"], OF_A_SIMULATION | {"rich"}),
        (["render", "out"], OF_A_SIMULATION | {"lowtide.explain", "lowtide.report", "rich"}),
    ],
    ids=["check", "plan", "plan as JSON", "render"],
)
def test_a_verb_imports_only_what_it_needs(
    arguments: list[str], unwanted: frozenset[str], tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lowtide", *arguments, "-f", str(EXAMPLE)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if "|" in line}
    assert "lowtide.resolve.cluster" in loaded
    assert loaded & unwanted == set()


def test_a_plugin_of_pydantic_is_not_run(tmp_path: Path) -> None:
    package = tmp_path / "plugin-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[pydantic]\nplugin = plugin:VALUE\n")
    (tmp_path / "plugin.py").write_text("print('the plugin runs')\nVALUE = None\n")
    ran = subprocess.run(
        [sys.executable, "-m", "lowtide", "check", "-f", str(EXAMPLE)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert "the plugin runs" not in ran.stdout + ran.stderr


def test_a_process_ends_without_looking_for_cycles_in_what_it_imported(tmp_path: Path) -> None:
    program = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print('left to look at:', len(gc.get_objects())))\n"
        "from lowtide.__main__ import main\n"
        "sys.argv = ['lowtide', 'version']\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    left = int(ran.stdout.rpartition("left to look at:")[2])
    assert left < 1000  # tens of thousands otherwise
