"""What Ctrl-C and SIGTERM mean to the command line.

Why it exists: either can come before anything else is imported, so what answers it imports nothing.

What it must not know: any verb.
"""

from __future__ import annotations

from collections.abc import Iterator

#: 128 + SIGINT and 128 + SIGTERM, as shells have it.
INTERRUPTED, TERMINATED = 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM: whoever ends a run from outside gets the same words and the same tidy end as Ctrl-C."""


def is_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C or SIGTERM is behind an error.

    Libraries wrap it: Python makes a RuntimeError of one that lands in ``__set_name__`` (until 3.12), and pydantic
    builds classes in such calls while it is imported.
    """
    return any(isinstance(one, KeyboardInterrupt) for one in _chain(error))


def told(error: BaseException) -> tuple[str, int]:
    """Return the word for what is behind an error, and its exit code."""
    if any(isinstance(one, Terminated) for one in _chain(error)):
        return "Terminated.", TERMINATED
    return "Interrupted.", INTERRUPTED


def _chain(error: BaseException) -> Iterator[BaseException]:
    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        yield chain
        seen.add(id(chain))
        chain = chain.__cause__ or chain.__context__
