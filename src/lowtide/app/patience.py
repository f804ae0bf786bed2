"""Waiting: longer and longer between looks, not for ever, and through short troubles of the line.

Why it exists: everything that ``up`` and ``down`` wait for is asked for again and again, and each wait must end with a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lowtide.aws.live.session import UNREACHABLE
from lowtide.kube.live.client import TooManyRequests, Unreachable
from lowtide.model.errors import AwsError, KubernetesError, LowtideError

Answer = TypeVar("Answer")

#: Seconds between two looks, from the first to the longest.
SHORTEST_S, LONGEST_S = 1.0, 10.0
_GROWTH = 1.5
#: For so long AWS may be silent, or ask for fewer calls, before a wait is given up.
_TROUBLE_S = 120.0
#: AWS asks for fewer calls, and has done nothing; botocore has tried several times by then.
_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
    }
)
#: These, or a trouble of the line or of AWS's own: nobody knows what has been done.
_PASSING = _THROTTLED | frozenset(
    {
        UNREACHABLE,
        "InternalFailure",
        "InternalError",
        "InternalServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)


class Patience:
    """A wait with an end.

    Args:
        timeout_s: seconds after which it is given up.
        command: what a person runs to go on, for the error.
        sleep: how to wait that many seconds.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        timeout_s: float,
        command: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._ends = clock() + timeout_s
        self._command = command
        self._sleep = sleep
        self._next_s = SHORTEST_S

    @property
    def left_s(self) -> float:
        """Seconds until it is given up, below 0 afterwards."""
        return self._ends - self._clock()

    def pause(self, what: str, *, has_news: bool = False, why: str = "") -> None:
        """Wait before the next look; news make the looks quick again.

        Raises:
            LowtideError: the time is over; ``what`` was waited for, and ``why`` is what is known of it.
        """
        if has_news:
            self._next_s = SHORTEST_S
        if self._clock() > self._ends:
            raise LowtideError(
                f"It took longer than {self._timeout_s / 60:g} min",
                where=what,
                why=why or "it is still under way",
                fix=f"{self._command} goes on from here; --timeout gives it more time",
            )
        self._sleep(self._next_s)
        self._next_s = min(self._next_s * _GROWTH, LONGEST_S)


def patiently(patience: Patience, look: Callable[[], Answer], *, acts: bool = False) -> Answer:
    """Return what a look gives; short troubles of AWS, of the API server or of the line are waited out.

    ``acts``: it changes something, and is done again only where it was surely not done.

    Raises:
        AwsError: AWS refused, or the trouble lasted.
        KubernetesError: the API server refused, or the trouble lasted.
    """
    ends = time.monotonic() + _TROUBLE_S
    while True:
        try:
            return look()
        except (AwsError, KubernetesError) as error:
            if not _passes(error, acts=acts) or time.monotonic() > ends:
                raise
            patience.pause(error.where, why=error.why)


def _passes(error: AwsError | KubernetesError, *, acts: bool) -> bool:
    if isinstance(error, AwsError):
        return error.code in (_THROTTLED if acts else _PASSING)
    return isinstance(error, Unreachable | TooManyRequests)
