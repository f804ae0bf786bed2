"""The commands of a page, section by section, as a person copies them."""

from __future__ import annotations

import re
from pathlib import Path

_SECTION = re.compile(r"^## (?:\d+\. )?(.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(readme: str) -> dict[str, str]:
    """Return title -> the shell lines of that section, in the order of the file."""
    _, *parts = _SECTION.split(readme)
    return {
        title: "".join(_BLOCK.findall(text))
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


ROOT = Path(__file__).resolve().parents[2]


def page() -> dict[str, str]:
    """Return the blocks of docs/walk-through.md."""
    return blocks((ROOT / "docs" / "walk-through.md").read_text(encoding="utf-8"))
