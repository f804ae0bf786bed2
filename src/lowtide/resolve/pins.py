"""Which image a node group's nodes start from: the one that its stack keeps, or the newest.

Why it exists: an SSM parameter in a template is looked up at every update of its stack, so that any change would replace the image of
all groups. ``up`` writes the image itself into the stack, and beside it where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An image id, and the search or parameter that gave it."""

    image_id: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The image to be used; ``newer`` is what the same source gives now, where that is another."""

    pin: Pin
    newer: str = ""


def chosen_image(kept: Pin | None, current: Pin, *, refresh: bool) -> Choice:
    """Return the image for a group's stack.

    Args:
        kept: what the stack has, None where there is no stack or no image in it.
        current: what the group's source gives now.
        refresh: take the newest, as the user asked for.
    """
    if kept is None or not kept.image_id or kept.source != current.source or refresh:
        return Choice(pin=current)
    newer = current.image_id if current.image_id != kept.image_id else ""
    return Choice(pin=kept, newer=newer)
