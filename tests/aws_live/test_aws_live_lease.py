"""The lease on a cluster: one of two wins, at every way in which their calls can fall between each other."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("boto3")

from botocore.exceptions import ClientError

from lowtide.aws.live.account import Account
from lowtide.aws.live.lease import Holder, Lease, LeaseHeld, LeaseLost, read_leases
from lowtide.model.errors import AwsError

START = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


class Parameters:
    """Systems Manager's parameters, with a clock that a test moves and a hook before each call."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, dt.datetime]] = {}
        self.now = START
        self.calls = 0
        self.before: Callable[[int], None] = lambda _: None

    def _answer(self, **said: Any) -> dict[str, Any]:
        date = email.utils.format_datetime(self.now, usegmt=True)
        return {**said, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def _called(self) -> None:
        self.calls += 1
        self.before(self.calls)

    def put_parameter(self, **params: Any) -> dict[str, Any]:
        self._called()
        name = params["Name"]
        if name in self.kept and not params["Overwrite"]:
            raise ClientError({"Error": {"Code": "ParameterAlreadyExists"}}, "PutParameter")
        self.kept[name] = (params["Value"], self.now)
        return self._answer()

    def get_parameters_by_path(self, **params: Any) -> dict[str, Any]:
        self._called()
        found = [
            {"Name": name, "Value": value, "LastModifiedDate": at}
            for name, (value, at) in self.kept.items()
            if name.startswith(params["Path"] + "/")
        ]
        return self._answer(Parameters=found)

    def delete_parameters(self, **params: Any) -> dict[str, Any]:
        self._called()
        for name in params["Names"]:
            self.kept.pop(name, None)
        return self._answer()


@pytest.fixture
def parameters() -> Parameters:
    return Parameters()


def _lease(parameters: Parameters, name: str, *, is_dead: bool = False, **more: Any) -> Lease:
    account = Account("us-east-1")
    account._clients["ssm"] = parameters
    holder = Holder(id=name, who=f"arn:aws:iam::1:user/{name}", host=f"{name}-desk", verb="up")
    return Lease(account, "tide", holder, is_dead=lambda _: is_dead, **more)


def test_a_lease_that_was_made_when_ctrl_c_came_is_given_back(parameters: Parameters) -> None:
    made = parameters.put_parameter

    def broken_off(**params: Any) -> dict[str, Any]:
        made(**params)
        raise KeyboardInterrupt

    parameters.put_parameter = broken_off  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), _lease(parameters, "ada"):
        pass
    assert parameters.kept == {}


def test_a_lease_whose_answer_was_lost_on_the_way_is_ours(parameters: Parameters) -> None:
    made = parameters.put_parameter

    def tried_twice(**params: Any) -> dict[str, Any]:
        made(**params)  # the answer does not come, and botocore asks again
        return made(**params)

    parameters.put_parameter = tried_twice  # type: ignore[method-assign]
    with _lease(parameters, "ada"):
        assert [one.rpartition("/")[2] for one in parameters.kept] == ["1"]
        with pytest.raises(LeaseHeld, match="another run") as raised, _lease(parameters, "bob"):
            pass
        assert "2026-11-24 12:00:00 UTC" in raised.value.why
    assert not parameters.kept


def test_a_second_run_is_told_who_works_and_since_when(parameters: Parameters) -> None:
    with _lease(parameters, "ada"):
        with pytest.raises(LeaseHeld) as raised, _lease(parameters, "bob"):
            pass
        assert raised.value.exit_code == 1
        assert "another run is at work on cluster tide" in raised.value.what
        assert "lowtide up of arn:aws:iam::1:user/ada on ada-desk" in raised.value.why
        assert "since 2026-11-24 12:00:00 UTC" in raised.value.why
        assert "its lease ends in 120 s" in raised.value.fix


def test_a_lease_that_was_given_back_is_free_and_leaves_nothing(parameters: Parameters) -> None:
    with _lease(parameters, "ada"):
        assert list(parameters.kept) == ["/lowtide/tide/lease/1"]
    assert parameters.kept == {}
    with _lease(parameters, "bob"):
        assert len(parameters.kept) == 1


def test_an_expired_lease_is_taken_over_and_not_before(parameters: Parameters) -> None:
    _lease(parameters, "ada")._try()  # and its process is killed
    parameters.now += dt.timedelta(seconds=119)
    with pytest.raises(LeaseHeld), _lease(parameters, "bob"):
        pass
    parameters.now += dt.timedelta(seconds=2)
    with _lease(parameters, "bob"):
        assert list(parameters.kept) == ["/lowtide/tide/lease/2"]


def test_the_lease_of_a_dead_process_of_this_machine_is_free_at_once(
    parameters: Parameters,
) -> None:
    _lease(parameters, "ada")._try()
    with _lease(parameters, "ada-again", is_dead=True):
        assert list(parameters.kept) == ["/lowtide/tide/lease/2"]


@pytest.mark.parametrize("old", [False, True], ids=["free", "expired"])
@pytest.mark.parametrize("at", range(1, 6))
def test_of_two_who_take_it_at_once_never_both_win(
    at: int, old: bool, parameters: Parameters
) -> None:
    if old:
        _lease(parameters, "dead")._try()
        parameters.now += dt.timedelta(seconds=121)
    won: list[str] = []

    def try_for(name: str) -> None:
        try:
            if _lease(parameters, name)._try():
                won.append(name)
        except LeaseHeld:
            pass

    def between(call: int) -> None:
        if call - calls_before == at:
            parameters.before = lambda _: None
            try_for("bob")

    calls_before = parameters.calls
    parameters.before = between
    try_for("ada")
    assert len(won) <= 1
    living = {
        one.holder.id for one in read_leases(parameters, "/lowtide/tide/lease") if one.left_s > 0
    }
    assert set(won) == living


def test_a_late_one_with_an_old_number_steps_back(parameters: Parameters) -> None:
    """It saw number 3, expired; meanwhile two others came and went and a third holds number 1."""
    _lease(parameters, "dead")._try()
    parameters.now += dt.timedelta(seconds=121)

    def others(call: int) -> None:
        if call - seen == 2:  # it has looked and is about to make number 2
            parameters.before = lambda _: None
            with _lease(parameters, "bob"):
                pass
            _lease(parameters, "cid")._try()

    seen = parameters.calls
    parameters.before = others
    with pytest.raises(LeaseHeld) as raised:
        _lease(parameters, "ada")._try()
    assert "user/cid" in raised.value.why
    assert list(parameters.kept) == ["/lowtide/tide/lease/1"]


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_lease_that_fails_while_it_is_taken_or_given_back_leaves_nothing(
    at: int, parameters: Parameters
) -> None:
    def fail(call: int) -> None:
        if call == at:
            raise ClientError({"Error": {"Code": "InternalFailure"}}, "X")

    parameters.before = fail
    try:
        with _lease(parameters, "ada"):
            pass
    except AwsError:
        pass
    assert parameters.calls >= at
    assert parameters.kept == {}


def test_a_lease_is_renewed_while_it_is_held(parameters: Parameters) -> None:
    lease = _lease(parameters, "ada")
    lease._try()
    parameters.now += dt.timedelta(seconds=100)
    lease._renew()
    parameters.now += dt.timedelta(seconds=100)
    with pytest.raises(LeaseHeld) as raised, _lease(parameters, "bob"):
        pass
    assert "since 2026-11-24 12:00:00 UTC" in raised.value.why, "renewing is no new beginning"


def test_who_lost_the_lease_changes_nothing_more(parameters: Parameters) -> None:
    lease = _lease(parameters, "ada")
    lease._try()
    parameters.now += dt.timedelta(seconds=121)
    with _lease(parameters, "bob"):
        with pytest.raises(LeaseLost):
            lease._renew()
        assert list(parameters.kept) == ["/lowtide/tide/lease/2"]
    slow = _lease(parameters, "cid", life_s=0.04)
    with slow:
        slow.check()
        parameters.kept.clear()
        slow._renewer.join(timeout=10)
        with pytest.raises(LeaseLost):
            slow.check()


def test_a_parameter_of_another_form_is_no_lease(parameters: Parameters) -> None:
    parameters.kept["/lowtide/tide/lease/x"] = ("y", START)
    parameters.kept["/lowtide/tide/lease/3"] = ("{}", START)
    assert read_leases(parameters, "/lowtide/tide/lease") == ()


def test_the_parameter_store_of_the_box_keeps_a_lease(account: Account) -> None:
    holder = Holder(id="1", who="ada", host="desk", verb="up")
    with Lease(account, "tide", holder), pytest.raises(LeaseHeld):
        Lease(account, "tide", holder).__enter__()
    with Lease(account, "tide", holder) as lease:
        lease._renew()
        lease.check()
    assert read_leases(account.client("ssm"), "/lowtide/tide/lease") == ()
