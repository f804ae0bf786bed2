"""What an AWS service says when it says no.

Why it exists: every service raises one kind of error with AWS's own code and words; only the front
knows how each protocol writes it.
"""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An AWS error: its code, message and HTTP status, and further fields of the error's shape."""

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields
