"""What is told of a run of many minutes: every stack, what failed, what took long, and how far it is."""

from __future__ import annotations

import io
import time

import pytest

from lowtide.cli.main import run
from lowtide.cli.progress import WIPE_LINE
from lowtide.cli.telling import COUNT_S, LONG_S, UNCHANGED_S, Teller
from lowtide.model.live_plan import Progress

STACK = "lowtide-demo-cluster"


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Screen(io.StringIO):
    """A terminal of 80 columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _stack(status: str, reason: str = "") -> Progress:
    return Progress(subject=STACK, status=status, reason=reason)


def _part(name: str, status: str = "CREATE_COMPLETE", reason: str = "") -> Progress:
    return Progress(subject=STACK, part=name, status=status, reason=reason)


def _told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_stack_is_a_line_at_its_start_and_one_at_its_end(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    tell = Teller(totals={STACK: 3}, clock=clock)
    tell(_stack("CREATE_IN_PROGRESS"))
    for seconds, name in enumerate(["Vpc", "Subnet", "Route"], start=1):
        clock.now_s = seconds
        tell(_part(name))
    clock.now_s = 65.0
    tell(_stack("CREATE_COMPLETE"))
    tell(Progress(subject="DaemonSet/nvidia-device-plugin", status="applied"))
    assert _told(capsys) == [
        f"  0m00s  {STACK}: CREATE_IN_PROGRESS",
        f"  1m05s  {STACK}: CREATE_COMPLETE  3/3 resources  65 s",
    ]


def test_verbose_tells_everything(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    tell = Teller(verbose=True, clock=clock)
    tell(_stack("UPDATE_IN_PROGRESS"))
    tell(_part("Vpc", "UPDATE_COMPLETE"))
    tell(_stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    tell(_stack("UPDATE_COMPLETE"))
    tell(Progress(subject="Service/web", status="applied"))
    assert _told(capsys) == [
        f"  0m00s  {STACK}: UPDATE_IN_PROGRESS",
        f"  0m00s  {STACK} Vpc: UPDATE_COMPLETE",
        f"  0m00s  {STACK}: UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        f"  0m00s  {STACK}: UPDATE_COMPLETE  1 resource  0 s",
        "  0m00s  Service/web: applied",
    ]


def test_what_failed_is_told_and_not_what_was_cancelled_for_it(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    tell = Teller(totals={STACK: 3}, clock=clock)
    tell(_stack("CREATE_IN_PROGRESS"))
    tell(_part("Role", "CREATE_FAILED", "no permission"))
    tell(_part("Vpc", "CREATE_FAILED", "Resource creation cancelled"))
    tell(_stack("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Role]."))
    tell(_part("Vpc", "DELETE_COMPLETE"))
    tell(_stack("ROLLBACK_COMPLETE"))
    assert [line[9:].removeprefix(STACK) for line in _told(capsys)] == [
        ": CREATE_IN_PROGRESS",
        " Role: CREATE_FAILED (no permission)",
        ": ROLLBACK_IN_PROGRESS (The following resource(s) failed to create: [Role].)",
        ": ROLLBACK_COMPLETE  1 resource  0 s",
    ]


def test_a_resource_that_was_long_waited_for_is_told_with_the_wait(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    tell = Teller(clock=clock)
    tell(_stack("CREATE_IN_PROGRESS"))
    clock.now_s = LONG_S - 1
    tell(_part("Vpc"))
    clock.now_s += 552
    tell(_part("ControlPlane"))
    assert _told(capsys)[-1:] == [f" 10m11s  {STACK} ControlPlane: CREATE_COMPLETE  after 552 s"]


def test_a_log_gets_a_count_now_and_then(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    tell = Teller(totals={STACK: 31}, clock=clock)
    tell(_stack("CREATE_IN_PROGRESS"))
    for number in range(1, 4):
        clock.now_s += COUNT_S / 2
        tell(_part(f"Part{number}"))
    assert _told(capsys)[1:] == [f"  0m15s  stack {STACK}  2/31 resources  15 s"]
    clock.now_s += COUNT_S
    tell.tick()
    tell.tick()
    assert _told(capsys) == [f"  0m37s  stack {STACK}  3/31 resources  38 s"]
    clock.now_s += UNCHANGED_S - 1
    tell.tick()
    assert _told(capsys) == [], "nothing is new"
    clock.now_s += 1
    tell.tick()
    assert len(_told(capsys)) == 1, "but it is still at work"


def test_stacks_at_work_at_the_same_time_share_a_count(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    tell = Teller(totals={"a": 2}, clock=clock)
    tell(Progress(subject="a", status="CREATE_IN_PROGRESS"))
    tell(Progress(subject="b", status="DELETE_IN_PROGRESS"))
    clock.now_s = UNCHANGED_S
    tell.tick()
    assert _told(capsys)[2:] == [
        "  1m00s  stack a  0/2 resources  60 s; stack b  0 resources  60 s"
    ]


def test_a_terminal_has_one_line_that_is_redrawn_and_wiped(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("lowtide.cli.telling.TICK_S", 0.001)
    with Teller(totals={STACK: 31}, clock=clock) as tell:
        tell(_stack("CREATE_IN_PROGRESS"))
        clock.now_s = 12.0
        tell(_part("Vpc"))
        before = len(screen.getvalue())
        while len(screen.getvalue()) == before:  # the clock alone redraws it
            time.sleep(0.001)
    drawn = screen.getvalue()
    assert f"  0m12s  stack {STACK}  1/31 resources  12 s" in drawn
    assert "Vpc" not in drawn
    assert drawn.endswith(WIPE_LINE)
    assert drawn.count("\n") == 1, "the line of the stack's start"


def test_a_live_line_is_no_longer_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "30")
    Teller(clock=clock)(_stack("CREATE_IN_PROGRESS"))
    last = screen.getvalue().rsplit("\n", 1)[-1]
    assert last == "  0m00s  stack lowtide-demo-c"


@pytest.mark.parametrize("verb", ["up", "down"])
def test_the_verbs_offer_every_event(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert "-v, --verbose" in capsys.readouterr().out
