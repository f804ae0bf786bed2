"""The tokens by which lists go on: where the next page starts, in a form that says nothing else."""

from __future__ import annotations

import base64
import binascii


def token_of(start: int) -> str:
    """Return the token of the page that starts there."""
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def start_of(token: str | None) -> int | None:
    """Return where the page of a token starts, 0 without one, or None where it is no token of ours."""
    if not token:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        return None
    return start if start >= 0 else None
