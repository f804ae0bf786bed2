"""Answers that come in pages.

Why it exists: services name the mark of the next page differently, and a loop forgotten is a list cut short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.aws.live.session import ask


def pages(call: Any, /, *, token: str = "NextToken", **params: Any) -> Iterator[Mapping[str, Any]]:  # noqa: S107 - a field's name
    """Yield every page of an answer; ``token`` is the field by which pages are continued, the same in request and answer.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    more: dict[str, str] = {}
    while True:
        page = ask(call, **params, **more)
        yield page
        if not page.get(token):
            return
        more = {token: page[token]}
