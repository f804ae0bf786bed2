"""Names the program that listens on a port of this machine.

Why it exists: "address already in use" helps only together with the name of who uses it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

#: Where Linux lists sockets (proc_net(5)): the second field is the local address, the fourth the state, the tenth the inode.
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN = "0A"


def listener_on(port: int) -> str:
    """Return "(by NAME, process PID)"; empty where nobody listens, or where the system does not say who."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        with contextlib.suppress(OSError):  # another user's process, or one that ended meanwhile
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) in wanted and process.name != str(os.getpid()):
                    name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                    return f"(by {name}, process {process.name})"
    return ""


def _inodes(port: int) -> set[str]:
    found = set()
    for table in _TABLES:
        with contextlib.suppress(OSError):
            for row in Path(table).read_text(encoding="utf-8").splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
