"""The way in: ``lowtide`` and ``python -m lowtide`` both begin here.

Why it exists: the command line takes a tenth of a second to import, and Ctrl-C or SIGTERM in that time is an interrupt like
any other, not a traceback.

What it must not know: any verb.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from lowtide.cli.interrupts import INTERRUPTED, TERMINATED, Terminated, is_interrupt, told


def main() -> NoReturn:
    """Run the command line of this process."""
    _start_quickly()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # `nohup` and `&` ignore it
        signal.signal(signal.SIGINT, _interrupt)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        from lowtide.cli.main import main as command_line  # noqa: PLC0415 - see the module's docstring

        command_line()
    except (Exception, KeyboardInterrupt) as error:
        if not is_interrupt(error):
            raise
        word, code = told(error)
        sys.stderr.write(f"\n{word}\n")
        sys.exit(code)


def _start_quickly() -> None:
    """Set what Python and pydantic do on their own account, before anything of weight is imported."""
    # Frozen values make no cycles, so that looking for them after every 700 allocations (the default) is wasted:
    # measured on the example, 0.94 s of CPU instead of 1.13 s. Collection stays on for long runs.
    gc.set_threshold(50_000, 20, 20)
    # pydantic would look for plugins in every installed package, and run those that it finds.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Raise once; a second Ctrl-C ends the process at once, whatever it is busy with."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise KeyboardInterrupt


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Raise once, as above: what is held is given back, and the way on is said."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    raise Terminated


if __name__ == "__main__":
    main()
