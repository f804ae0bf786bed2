"""What the documents show is what lowtide does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from lowtide.app.up_file import Short, written_file
from lowtide.cli.main import VERBS
from lowtide.model.policy import Policy
from lowtide.spec.policy import dump
from tests.cli.conftest import Run as Lowtide

ROOT = Path(__file__).resolve().parents[2]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_shows_what_the_commands_really_print() -> None:
    """`python scripts/readme.py` brings it up to date."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "readme.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_readme_lists_exactly_the_verbs_that_exist() -> None:
    listed = re.findall(r"^\| `lowtide (\w+)", text_of("README.md"), re.MULTILINE)
    assert sorted(listed) == sorted(VERBS)


def test_the_fidelity_page_lists_every_timing_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", text_of("docs/fidelity.md"), re.MULTILINE)
    shown = {key: float(value) for key, value in rows}
    timings = dump(Policy())["timings"]
    assert shown == {key: value for key, value in timings.items() if not isinstance(value, dict)}


def test_every_link_of_the_documents_leads_to_a_file() -> None:
    pages = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    ]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text_of(page)):
            assert ((ROOT / page).parent / target).exists(), (page, target)


def test_the_cluster_that_the_readme_makes_without_a_file_is_sound(
    lowtide: Lowtide, tmp_path: Path
) -> None:
    (command,) = re.findall(r"`lowtide up (--node-type [^`]+)`", text_of("README.md"))
    options = shlex.split(command)
    short = Short(name=options[-1], region="us-east-1", node_types=(options[1],))
    assert options == ["--node-type", *short.node_types, "--name", short.name]
    assert written_file(short, str(tmp_path / "cluster.yaml"))
    assert lowtide("check").code == 0
