"""What Ctrl-C means to the command line.

Why it exists: it can come before anything else is imported, so what answers it imports nothing.

What it must not know: any verb.
"""

from __future__ import annotations

#: 128 + SIGINT, as shells have it.
INTERRUPTED = 130
WORD = "Interrupted."


def is_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C is behind an error.

    Libraries wrap it: Python makes a RuntimeError of one that lands in ``__set_name__`` (until 3.12), and pydantic
    builds classes in such calls while it is imported.
    """
    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        if isinstance(chain, KeyboardInterrupt):
            return True
        seen.add(id(chain))
        chain = chain.__cause__ or chain.__context__
    return False
