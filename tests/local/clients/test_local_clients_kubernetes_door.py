"""The door of a cluster: whatever is sent, the answer is a Status of Kubernetes, and nobody gets in without a token."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local.clients.conftest import NAME, Served

PODS = "/api/v1/namespaces/default/pods"


class Door:
    """Sends bare requests to the API server of the cluster."""

    def __init__(self, served: Served) -> None:
        written = Path(served.environment["KUBECONFIG"]).read_text(encoding="utf-8")
        document = yaml.safe_load(written)
        found = document["clusters"][0]["cluster"]
        self.address = urlsplit(found["server"])
        authority = base64.b64decode(found["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        said = served.shell(f"aws eks get-token --cluster-name {NAME}")
        self.token = json.loads(said.stdout)["status"]["token"]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Return status and body; ``token`` is the user's own where nothing else is given, none where it is empty."""
        token = self.token if token is None else token
        whole = {"Content-Type": content_type, **(headers or {})}
        if token:
            whole["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPSConnection(
            self.address.hostname or "", self.address.port, timeout=120, context=self.tls
        )
        try:
            connection.request(method, path, body, whole)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def door(cluster: Served) -> Door:
    return Door(cluster)


def _status(said: bytes) -> Any:
    found = json.loads(said)
    assert found["kind"] == "Status", found
    return found


def test_the_users_own_token_opens_the_door(door: Door) -> None:
    status, said = door.ask("GET", PODS)
    assert status == 200
    assert json.loads(said)["kind"] == "PodList"


@pytest.mark.parametrize("path", ["/api", PODS, "/version", "/metrics", "/openapi/v3", "/nothing"])
def test_nobody_gets_in_without_a_token_or_with_a_wrong_one(door: Door, path: str) -> None:
    altered = door.token[:-6] + "AAAAAA"
    for token in ("", "x", "k8s-aws-v1.", "k8s-aws-v1.####", altered):
        status, said = door.ask("GET", path, token=token)
        assert status == 401
        assert _status(said)["reason"] == "Unauthorized"


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("POST", PODS, b"{", "application/json", 400),
        ("POST", PODS, b"\xff\xfe", "application/json", 400),
        ("POST", PODS, b"{}", "text/plain", 415),
        ("POST", PODS, b"{}", "application/x-www-form-urlencoded", 415),
        ("PATCH", PODS + "/a", b"{}", "application/json", 415),
        ("POST", PODS, b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"A b"}}', "application/json", 422),
        ("POST", PODS, b'{"kind":"Node","apiVersion":"v1"}', "application/json", 400),
        ("GET", "/api/v1/namespaces/default/pods/..%2f..%2fsecrets", b"", "application/json", 404),
        ("GET", PODS + "?limit=many", b"", "application/json", 400),
        ("ODD", PODS, b"", "application/json", 405),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_a_status_of_kubernetes(
    door: Door, method: str, path: str, body: bytes, content_type: str, status: int
) -> None:
    found, said = door.ask(method, path, body, content_type=content_type)
    assert found == status, said
    assert _status(said)["code"] == status


def test_an_object_that_is_too_large_is_refused(door: Door) -> None:
    data = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "big"}, "data": {}}
    for size, expected in ((2_000_000, 422), (4_000_000, 413)):
        body = json.dumps({**data, "data": {"a": "x" * size}}).encode()
        status, said = door.ask("POST", "/api/v1/namespaces/default/configmaps", body)
        assert status == expected
        assert _status(said)["status"] == "Failure"


def test_a_client_that_sends_half_a_request_holds_up_nobody(door: Door) -> None:
    host, port = door.address.hostname or "", door.address.port or 0
    with (
        socket.create_connection((host, port), timeout=120) as plain,
        door.tls.wrap_socket(plain, server_hostname=host) as slow,
    ):
        slow.sendall(b"POST /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        assert door.ask("GET", PODS)[0] == 200


def test_plain_http_is_answered_with_words_and_not_with_data(door: Door) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", door.address.port or 0, timeout=120)
    connection.request("GET", PODS)
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"HTTPS" in answer.read()
    connection.close()


_PATHS = st.sampled_from(["/", "//", "/api/v1/../../etc/passwd", "/api/v1/namespaces/%00/pods", PODS, "/apis/apps/v1/deployments", "/api/v1/nodes/x/proxy/", "/api/v1/namespaces/default/services/https:x:y/proxy/", "/logs/../", "/%2e%2e/"])  # fmt: skip
_BODIES = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    path=_PATHS,
    body=_BODIES,
    content_type=st.sampled_from(["application/json", "application/yaml", "application/cbor", "application/merge-patch+json", "text/plain", ""]),
    is_known=st.booleans(),
)  # fmt: skip
def test_fuzzed_requests_break_nothing_and_let_nobody_in(
    door: Door, method: str, path: str, body: bytes, content_type: str, is_known: bool
) -> None:
    if method == "DELETE" and path in {PODS, "/apis/apps/v1/deployments"}:
        body = b"["  # a collection is not to be deleted in earnest
    status, said = door.ask(
        method, path, body, content_type=content_type, token=None if is_known else ""
    )
    assert b"goroutine" not in said
    if is_known:
        assert 200 <= status < 504
        assert status != 500, said
    else:
        assert status in {301, 307, 400, 401}, said
