"""Whatever comes to the admin door with the right token is answered, and the door stays open."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.local.aws.faults import KINDS
from tests.local.front.conftest import Client

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

words = st.text(max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)

FIELDS = ("service", "operation", "times", "code", "message", "instance_type", "zone", "resource", "seconds", "value", "instance_id", "region")  # fmt: skip
STRANGE = ["\ud800", "\0", "A\r\nX: y", "x" * 200_000, 10**400, -(10**400), 1e308, float("nan"), float("inf"), float("-inf"), True]  # fmt: skip
NESTED = [b"[" * 100_000, b'{"kind":' * 100_000, b'{"kind":"quota","value":' + b"9" * 5_000 + b"}"]
documents = st.dictionaries(
    st.sampled_from(FIELDS) | words, values | st.sampled_from(STRANGE), max_size=4
)
faults = st.builds(
    lambda kind, rest: {**rest, "kind": kind}, st.sampled_from(list(KINDS)) | values, documents
)
bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=300),
    st.sampled_from(NESTED),
    (values | documents | faults).map(lambda one: json.dumps(one).encode()),
)
#: All but the end of the box.
PATHS = ["/health", "/state", "/status", "/faults", "/faults/", "/faults/f-1", "/faults/%00", "/faults/%ff", "/interruptions", "/token-review/us-east-1/a/b", "/token-review/%2e%2e/%00/%ff", "/", "", "//faults", "/nothing"]  # fmt: skip
asked = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "ODD"]),
    st.sampled_from(PATHS),
    bodies,
    st.sampled_from(["", "application/json", "text/plain; charset=x", "multipart/form-data"]),
)


def ask_admin(client: Client, method: str, path: str, body: bytes, kind: str) -> None:
    """Ask with the right token: the answer is JSON, an error says why, and the door stays open."""
    headers = {"Authorization": f"Bearer {client.served.door.token}", "Content-Type": kind}
    status, said, _ = client.http(method, f"/_lowtide{path}", body, headers)
    assert status < 500, (status, said)
    if status in (307, 308):  # the same path without its last slash
        return
    if method != "HEAD" and path:  # without a path it is no matter of the door
        answer = json.loads(said)
        assert status < 400 or answer["error"]
    assert client.admin("GET", "/faults")[0] == 200
    assert client.admin("DELETE", "/faults")[0] == 200
    assert client.admin("GET", "/health")[1]["ready"] is True


@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
@given(drawn=asked)
def test_the_admin_door_answers_whatever_comes_with_its_token(
    client: Client, drawn: tuple[str, str, bytes, str]
) -> None:
    ask_admin(client, *drawn)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=QUIET)
@given(drawn=asked)
def test_two_thousand_requests_to_the_admin_door_are_answered(
    client: Client, drawn: tuple[str, str, bytes, str]
) -> None:
    ask_admin(client, *drawn)


@pytest.mark.parametrize("body", NESTED, ids=["lists", "objects", "digits"])
def test_a_body_without_end_is_refused_by_the_admin_door(client: Client, body: bytes) -> None:
    ask_admin(client, "POST", "/faults", body, "application/json")
