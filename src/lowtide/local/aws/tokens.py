"""The tokens by which lists go on: where the next page starts, in a form that says nothing else."""

from __future__ import annotations

import base64
import binascii


def token_of(*place: int) -> str:
    """Return the token of the page that starts at a place, which is one number or several."""
    return base64.urlsafe_b64encode(".".join(map(str, place)).encode()).decode()


def place_of(token: str, numbers: int) -> tuple[int, ...] | None:
    """Return the place that a token of so many numbers stands for, or None where ``token_of`` never wrote it."""
    try:
        text = base64.urlsafe_b64decode(token).decode("ascii")
        place = tuple(int(one) for one in text.split("."))
    except (ValueError, binascii.Error):
        return None
    # What is read more than one way (spaces, signs, other padding) is a token of somebody else.
    is_ours = len(place) == numbers and min(place) >= 0 and token_of(*place) == token
    return place if is_ours else None


def start_of(token: str | None) -> int | None:
    """Return where the page of a token starts, 0 without one, or None where it is no token of ours."""
    if not token:
        return 0
    place = place_of(token, 1)
    return None if place is None else place[0]
