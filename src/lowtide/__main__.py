"""The way in: ``lowtide`` and ``python -m lowtide`` both begin here.

Why it exists: the command line takes a tenth of a second to import, and Ctrl-C in that time is an interrupt like any
other, not a traceback.

What it must not know: any verb.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from lowtide.cli.interrupts import INTERRUPTED, WORD, is_interrupt


def main() -> NoReturn:
    """Run the command line of this process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # `nohup` and `&` ignore it
        signal.signal(signal.SIGINT, _interrupt)
    try:
        from lowtide.cli.main import main as command_line  # noqa: PLC0415 - see the module's docstring

        command_line()
    except (Exception, KeyboardInterrupt) as error:
        if not is_interrupt(error):
            raise
        sys.stderr.write(f"\n{WORD}\n")
        sys.exit(INTERRUPTED)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Raise once; a second Ctrl-C ends the process at once, whatever it is busy with."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
