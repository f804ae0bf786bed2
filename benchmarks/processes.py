"""What processes take: memory and CPU, read from Linux's /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path


def print_usage(pids: Mapping[str, int], *, over_s: float, label: str) -> None:
    """Print memory of each process, and its share of a core over so many seconds."""
    if not Path("/proc/self/stat").exists():
        return
    before = _cpu_s(pids)
    time.sleep(over_s)
    after = _cpu_s(pids)
    resident = {name: _resident_mib(pid) for name, pid in pids.items()}
    for name in pids:
        cpu = 100 * (after[name] - before[name]) / over_s
        print(f"  {name:25} {resident[name]:6.0f} MiB  {cpu:5.1f} % of a core {label}")
    total = 100 * (sum(after.values()) - sum(before.values())) / over_s
    print(f"  {'all':25} {sum(resident.values()):6.0f} MiB  {total:5.1f} %", flush=True)


def _cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    tick = os.sysconf("SC_CLK_TCK")
    found = {}
    for name, pid in pids.items():
        # proc(5): fields 14 and 15 are user and system time; field 3 is the first after the name.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        found[name] = (int(fields[11]) + int(fields[12])) / tick
    return found


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
