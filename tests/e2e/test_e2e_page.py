"""docs/walk-through.md says what ``render`` writes and what the walk-through's test runs."""

from __future__ import annotations

from pathlib import Path

from lowtide.cli.main import run
from tests.e2e.guide_blocks import ROOT, blocks, page


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("cd ")]


def test_the_pages_stack_commands_are_those_of_the_readme_that_render_wrote(tmp_path: Path) -> None:
    example = str(ROOT / "examples" / "noble-gpu" / "cluster.yaml")
    assert run(["render", str(tmp_path / "rendered"), "-f", example]) == 0
    written = blocks((tmp_path / "rendered" / "README.md").read_text())
    deployed = "".join(
        written[title]
        for title in (
            "Cluster and nodes",
            "Access",
            "What needs nodes, and the queue of interruptions",
        )
    )
    assert _lines(page()["The stacks"]) == _lines(deployed)
