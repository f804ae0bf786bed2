"""How far the stacks are that are at work: resources done, of how many, for how long.

What it must not know: where that is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.model.live_plan import Progress
from lowtide.report.wording import count_text, printable

#: CloudFormation still tidies up behind these, but the stack is what it was to become.
_TIDYING = "_COMPLETE_CLEANUP_IN_PROGRESS"
_MOVING = "_IN_PROGRESS"
_PLANNED = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


def is_of_stack(progress: Progress) -> bool:
    """Return whether something is told of a stack itself, in CloudFormation's words."""
    return not progress.part and progress.status.isupper() and "_" in progress.status


def is_tidying(progress: Progress) -> bool:
    """Return whether a stack has come to its end but for what CloudFormation tidies up."""
    return progress.status.endswith(_TIDYING)


@dataclass(slots=True)
class _Work:
    started_s: float
    heard_s: float
    total: int = 0
    done: set[str] = field(default_factory=set)

    def text(self, now_s: float) -> str:
        count = len(self.done)
        of = f"{count}/{self.total} resources" if self.total >= max(count, 1) else ""
        return f"{of or count_text(count, 'resource')}  {now_s - self.started_s:.0f} s"


class StackCounts:
    """Stacks at work, by name; ``totals`` are the numbers of resources that are known beforehand."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._totals = dict(totals)
        self._works: dict[str, _Work] = {}

    @property
    def done(self) -> int:
        """Resources that are done in all stacks at work."""
        return sum(len(one.done) for one in self._works.values())

    def hear(self, progress: Progress, now_s: float) -> tuple[float, str]:
        """Take notice of a stack or a resource of it.

        Returns:
            For how many seconds nothing had come of the stack, and what became of it since its start if this is its end, else nothing.
        """
        work = self._works.get(progress.subject)
        is_start = is_of_stack(progress) and progress.status.endswith(_MOVING)
        if work is None or (is_start and not is_tidying(progress)):
            # Of what a rollback or a removal takes back nobody knows the number beforehand.
            is_planned = progress.status.startswith(_PLANNED)
            total = self._totals.get(progress.subject, 0) if is_planned else 0
            work = _Work(started_s=now_s, heard_s=now_s, total=total)
            self._works[progress.subject] = work
        silent_s, work.heard_s = now_s - work.heard_s, now_s
        if progress.part and progress.status.endswith("_COMPLETE"):
            work.done.add(progress.part)
        if is_of_stack(progress) and not is_start:
            self._works.pop(progress.subject)
            return silent_s, work.text(now_s)
        return silent_s, ""

    def text(self, now_s: float) -> str:
        """Return all stacks at work on one line, empty where none is."""
        parts = (f"stack {name}  {one.text(now_s)}" for name, one in self._works.items())
        return printable("; ".join(parts))
