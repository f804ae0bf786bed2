"""The process of the box in the background: serves from its start until it is told to stop.

Why it exists: it outlives the command that started it. What went wrong at its start it leaves as values for that
command to tell.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lowtide.app.local_aws import ended_by_signals
from lowtide.app.local_home import (
    FAILURE_FILE,
    PORT_FILE,
    STATE_FILE,
    Wanted,
    last_port,
    read_wanted,
)
from lowtide.local.controlplane.ports import is_free, unused_port
from lowtide.local.controlplane.private_files import write_private
from lowtide.local.serve import Serving
from lowtide.model.errors import LowtideError

_log = logging.getLogger("lowtide.box")


def main(arguments: Sequence[str]) -> int:
    """Serve the box in the folder that is named; return the exit code."""
    folder = Path(arguments[0])
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        _serve(folder, read_wanted(folder) or Wanted())
    except LowtideError as error:
        _log.critical("%s: %s", error.what, error.why)
        said = {name: getattr(error, name) for name in ("what", "where", "why", "fix")}
        write_private(folder / FAILURE_FILE, json.dumps(said))
        return 1
    return 0


def _serve(folder: Path, wanted: Wanted) -> None:
    settings = replace(wanted, state_file=folder / STATE_FILE).settings(folder)
    port = wanted.port or _again(folder)
    with Serving(settings, port=port, planes="real") as served, ended_by_signals(served):
        write_private(folder / PORT_FILE, str(served.port))
        _log.info("serving at %s", served.door.url)
        served.stop_asked.wait()
        _log.info("stopping")
    _log.info("stopped")


def _again(folder: Path) -> int:
    """Return the port of the latest start while it is free, so that lines pasted then hold; else a new one."""
    port = last_port(folder)
    return port if port and is_free(port) else unused_port()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
