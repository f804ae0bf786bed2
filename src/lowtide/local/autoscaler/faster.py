"""The autoscaler's duration flags in a box whose time runs faster.

Why it exists: nobody wants to wait ten minutes for a node to go. But two times are fixed in the autoscaler, 30 s for a GPU pod and 60 s
between two looks at the Auto Scaling groups, and where other times fall below them things happen that no real cluster shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lowtide.kube.flags import parse_flags
from lowtide.model.go_values import parse_duration_ms

#: Flag -> upstream's default (config/flags at 1.36.1) and the least that it is divided to, both in seconds. Above
#: 60 s stay the times that are compared with what was seen of the groups; the rest only must not spin.
_TIMES: Mapping[str, tuple[int, int]] = {
    "scan-interval": (10, 5),
    "scale-down-unneeded-time": (600, 65),
    "scale-down-unready-time": (1200, 65),
    "scale-down-delay-after-add": (600, 10),
    "scale-down-delay-after-failure": (180, 10),
    "max-node-provision-time": (900, 120),
    "max-node-startup-time": (900, 120),
    "initial-node-group-backoff-duration": (300, 65),
    "max-node-group-backoff-duration": (1800, 65),
    "node-group-backoff-reset-timeout": (10800, 195),
    "unremovable-node-recheck-timeout": (300, 30),
}
#: Flags that came with a minor: an older program exits on them.
_SINCE = {"max-node-startup-time": (1, 35)}


def faster(flags: Sequence[str], *, minor: str, speed: float) -> tuple[str, ...]:
    """Return flags to add at the end, where pflag lets the last one win.

    What was given below the least stays as it was given. Flags that cannot be read get nothing added: the program
    shall say what is wrong with them.
    """
    if speed <= 1:
        return ()
    try:
        given = parse_flags(flags, minor=minor)
        return tuple(
            f"--{name}={_shorter(_given_s(given.get(name), default), least, speed):g}s"
            for name, (default, least) in _TIMES.items()
            if _version(minor) >= _SINCE.get(name, (0, 0))
        )
    except ValueError:
        return ()


def _given_s(values: Sequence[str] | None, default: int) -> float:
    return parse_duration_ms(values[-1]) / 1000 if values else default


def _shorter(wanted_s: float, least_s: float, speed: float) -> float:
    return min(wanted_s, max(least_s, wanted_s / speed))


def _version(minor: str) -> tuple[int, ...]:
    return tuple(int(word) for word in minor.split("."))
