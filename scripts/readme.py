"""Paste what lowtide really prints into README.md, so that the page never shows a figure that is not so.

Every block that opens with ``$ lowtide …`` between ``<!-- printed … -->`` marks is run again.
Run ``python scripts/readme.py`` after a change of the twin; with ``--check`` nothing is written and a difference is
an error, which is what the tests do.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(
    r"(?P<mark><!-- printed(?: until (?P<until>[^>]+?))? -->\n```\n)\$ (?P<command>[^\n]+)\n.*?(?=```)",
    re.DOTALL,
)


def printed(block: re.Match[str]) -> str:
    """Return a block with what its command prints, up to the line that starts with the mark's words."""
    command = [sys.executable, "-m", *shlex.split(block["command"])]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "LOWTIDE_PRICES": "bundled"}
    ran = subprocess.run(  # noqa: S603 - our own commands, from our own page
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    lines = (ran.stdout or ran.stderr).rstrip().splitlines()
    if block["until"]:
        end = next(
            place for place, line in enumerate(lines) if line.lstrip().startswith(block["until"])
        )
        lines = [*lines[:end], "…"]
    return f"{block['mark']}$ {block['command']}\n" + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    page = README.read_text(encoding="utf-8")
    fresh = BLOCK.sub(printed, page)
    if fresh == page:
        return 0
    if "--check" in arguments:
        sys.stderr.write("README.md shows old output: run python scripts/readme.py\n")
        return 1
    README.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
