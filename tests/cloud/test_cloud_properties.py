"""Whatever happens to a group, it stays within its bounds and loses no instance."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.cloud import autoscaling
from lowtide.cloud.groups import (
    Change,
    Effect,
    GroupConfig,
    InstanceGone,
    InstanceGoneDue,
    InstanceStarted,
    LaunchDue,
    NoCapacityWindow,
    Offer,
    Rejected,
)
from lowtide.model.asg import Lifecycle

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("desired"), st.integers(-1, 9)),
        st.tuples(st.just("terminate"), st.integers(0, 7)),
        st.tuples(st.just("reclaim"), st.integers(0, 7)),
        st.tuples(st.just("launch"), st.integers(0, 7)),
        st.tuples(st.just("gone"), st.integers(0, 7)),
        st.tuples(st.just("retry"), st.just(0)),
    ),
    max_size=40,
)


class Account:
    """A group with the effects that still have to be carried out."""

    def __init__(self, minimum: int, maximum: int) -> None:
        config = GroupConfig(
            name="gpu",
            min_size=minimum,
            max_size=maximum,
            desired=minimum,
            zones=("us-east-1a", "us-east-1b"),
            offers=(
                Offer(
                    instance_type="g4dn.xlarge",
                    on_demand_usd_per_hour=0.526,
                    spot_usd_per_hour=0.2,
                ),
            ),
            on_demand_percent=0,
        )
        self.state = autoscaling.create((config,), launched_ms=0)
        window = NoCapacityWindow(from_ms=10_000, to_ms=20_000)
        self.state = autoscaling.add_window(self.state, "gpu", window)
        self.due: list[Effect] = []
        self.started = minimum
        self.ended = 0

    def take(self, outcome: Change | Rejected, *, refused: bool = False) -> None:
        """Carry an answer out; ``refused`` says whether AWS has to say no, and then nothing may change."""
        assert isinstance(outcome, Rejected) is refused, outcome
        if isinstance(outcome, Rejected):
            return
        self.state, effects = outcome
        for one in effects:
            self.started += isinstance(one, InstanceStarted)
            self.ended += isinstance(one, InstanceGone)
            if isinstance(one, LaunchDue | InstanceGoneDue):
                self.due.append(one)

    def do(self, what: str, number: int, now_ms: int) -> None:
        instances = self.state.groups["gpu"].instances
        chosen = instances[number % len(instances)].id if instances else "i-none"
        match what:
            case "desired":
                group = self.state.groups["gpu"].config
                outside = not group.min_size <= number <= group.max_size
                outcome = autoscaling.set_desired(self.state, "gpu", number, now_ms)
                self.take(outcome, refused=outside)
            case "terminate":
                refused = self._may_not_terminate(chosen)
                ended = autoscaling.terminate_instance(self.state, "gpu", chosen, now_ms)
                self.take(ended, refused=refused)
            case "reclaim":
                self.take(autoscaling.reclaim(self.state, "gpu", chosen, now_ms))
            case "retry":
                self.take(autoscaling.retry(self.state, "gpu", now_ms))
            case _:
                self._finish(what, number, now_ms)

    def _may_not_terminate(self, chosen: str) -> bool:
        group = self.state.groups["gpu"]
        found = group.instance(chosen)
        if found is None:
            return True
        at_minimum = group.desired == group.config.min_size
        return at_minimum and found.lifecycle is not Lifecycle.TERMINATING

    def _finish(self, what: str, number: int, now_ms: int) -> None:
        kind = LaunchDue if what == "launch" else InstanceGoneDue
        waiting = [one for one in self.due if isinstance(one, kind)]
        if not waiting:
            return
        effect = waiting[number % len(waiting)]
        self.due.remove(effect)
        if isinstance(effect, LaunchDue):
            self.take(autoscaling.complete_launch(self.state, "gpu", effect.launch_id, now_ms))
        elif isinstance(effect, InstanceGoneDue):
            self.take(autoscaling.finish_termination(self.state, "gpu", effect.instance_id))


@settings(max_examples=60)
@given(EVENTS, st.integers(0, 2), st.integers(2, 8))
def test_groups_stay_within_min_and_max_and_no_instance_is_lost(
    events: list[tuple[str, int]], minimum: int, maximum: int
) -> None:
    account = Account(minimum, maximum)
    for index, (what, number) in enumerate(events):
        account.do(what, number, index * 1000)
        group = account.state.groups["gpu"]
        assert minimum <= group.desired <= maximum
        assert group.live + len(group.launches) <= group.desired
        assert len(group.instances) == account.started - account.ended
        assert len({one.id for one in group.instances}) == len(group.instances)
