"""The commands of a rendered README, section by section, as a person copies them."""

from __future__ import annotations

import re

_SECTION = re.compile(r"^## (?:\d+\. )?(.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(readme: str) -> dict[str, str]:
    """Return title -> the shell lines of that section, in the order of the file."""
    _, *parts = _SECTION.split(readme)
    return {
        title: "".join(_BLOCK.findall(text))
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
