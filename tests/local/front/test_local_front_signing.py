"""Nothing is answered without a key of the box, a right signature and a right clock."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.local.aws import credentials
from lowtide.local.aws.front.sigv4 import Refused, SignedRequest, claim_of, verify
from tests.local.front.conftest import Client

SECRET = "s3cret"
HOST = "127.0.0.1:4566"
text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)


def _signed(request: AWSRequest, *, query: bool = False, token: str | None = None) -> SignedRequest:
    auth: Any = SigV4QueryAuth if query else SigV4Auth
    auth(Credentials("AKIATEST", SECRET, token), "eks", "us-east-1").add_auth(request)
    prepared = request.prepare()
    url = urlsplit(prepared.url)
    headers = {"host": HOST, **{k.lower(): str(v) for k, v in prepared.headers.items()}}
    body: Any = prepared.body or b""
    return SignedRequest(
        method=prepared.method,
        path=url.path,
        query=url.query,
        headers=tuple(headers.items()),
        body=body.encode() if isinstance(body, str) else body,
    )


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(text, max_size=3),
    params=st.dictionaries(text, text, max_size=3),
    body=st.binary(max_size=40),
    query=st.booleans(),
)
def test_what_botocore_signs_is_verified(
    parts: list[str], params: dict[str, str], body: bytes, query: bool
) -> None:
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    request = AWSRequest("POST", f"http://{HOST}{path}", params=params, data=b"" if query else body)
    signed = _signed(request, query=query)
    verify(signed, claim_of(signed), SECRET)
    with pytest.raises(Refused, match="mismatch"):
        verify(signed, claim_of(signed), "another")


def test_a_changed_body_path_query_or_signed_header_is_refused() -> None:
    good = _signed(AWSRequest("POST", f"http://{HOST}/clusters?a=1", data=b"{}"))
    verify(good, claim_of(good), SECRET)
    headers = dict(good.headers)
    for change in (
        {"body": b"{ }"},
        {"path": "/clusters/x"},
        {"query": "a=2"},
        {"method": "PUT"},
        {"headers": (*good.headers, ("x-amz-target", "Other.Operation"))},
        {"headers": tuple({**headers, "host": "localhost:1"}.items())},
    ):
        fields = {
            name: getattr(good, name) for name in ("method", "path", "query", "headers", "body")
        }
        bad = SignedRequest(**{**fields, **change})
        with pytest.raises(Refused) as refused:
            verify(bad, claim_of(bad), SECRET)
        assert refused.value.reason == "mismatch"


def test_a_signature_is_good_for_five_minutes_and_a_presigned_one_for_as_long_as_it_says() -> None:
    now = dt.datetime.now(tz=dt.UTC)
    plain = _signed(AWSRequest("GET", f"http://{HOST}/clusters"))
    verify(plain, claim_of(plain), SECRET, now=now + dt.timedelta(minutes=4))
    presigned = _signed(AWSRequest("GET", f"http://{HOST}/clusters"), query=True)
    verify(presigned, claim_of(presigned), SECRET, now=now + dt.timedelta(minutes=50))
    for signed, minutes, reason in (
        (plain, 6, "expired"),
        (plain, -6, "early"),
        (presigned, 61, "expired"),
    ):
        with pytest.raises(Refused) as refused:
            verify(signed, claim_of(signed), SECRET, now=now + dt.timedelta(minutes=minutes))
        assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "unknown_key", "wrong_secret"),
    [
        ("iam", "list_roles", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("ec2", "describe_vpcs", {}, "AuthFailure", "AuthFailure"),
        (
            "ssm",
            "get_parameter",
            {"Name": "x"},
            "UnrecognizedClientException",
            "InvalidSignatureException",
        ),
        ("eks", "list_clusters", {}, "UnrecognizedClientException", "InvalidSignatureException"),
        (
            "resourcegroupstaggingapi",
            "get_resources",
            {},
            "UnrecognizedClientException",
            "InvalidSignatureException",
        ),
    ],
)
def test_each_protocol_refuses_an_unknown_key_and_a_wrong_secret_in_its_words(
    client: Client,
    service: str,
    operation: str,
    arguments: dict[str, Any],
    unknown_key: str,
    wrong_secret: str,
) -> None:
    for changed, code in (
        ({"aws_access_key_id": "AKIAUNKNOWN000000000"}, unknown_key),
        ({"aws_secret_access_key": "wrong"}, wrong_secret),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(client.aws(service, **changed), operation)(**arguments)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["RequestId"]


def test_an_unsigned_request_gets_nothing(client: Client) -> None:
    status, body, _ = client.http("GET", "/clusters")
    assert status == 403
    assert b"Missing Authentication Token" in body
    status, body, _ = client.http("GET", "/?Action=ListRoles&Version=2010-05-08")
    assert status == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in body


def test_a_session_of_a_role_is_let_in_until_it_expires(client: Client) -> None:
    box = client.served.box
    role = f"arn:aws:iam::{box.settings.account}:role/node"

    def described(key: credentials.Credential, token: str) -> Any:
        return client.aws(
            "ec2",
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            aws_session_token=token,
        ).describe_vpcs()

    fresh = credentials.issue(box, role)
    assert fresh.caller.arn == f"arn:aws:sts::{box.settings.account}:assumed-role/node/lowtide"
    assert described(fresh, fresh.session_token)["Vpcs"]
    with pytest.raises(ClientError, match="AuthFailure"):
        described(fresh, "not its token")
    old = credentials.issue(box, role, lifetime_s=-1)
    with pytest.raises(ClientError, match="RequestExpired"):
        described(old, old.session_token)


def test_keys_that_iam_and_sts_made_are_let_in(client: Client) -> None:
    iam = client.aws("iam")
    iam.create_user(UserName="ann")
    made = iam.create_access_key(UserName="ann")["AccessKey"]
    keys = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
    }
    assert client.aws("sts", **keys).get_caller_identity()["Arn"].endswith(":user/ann")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
    account = client.served.box.settings.account
    session = client.aws("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/worker", RoleSessionName="one"
    )["Credentials"]
    assumed = client.aws(
        "sts",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    assert assumed.get_caller_identity()["Arn"].endswith(":assumed-role/worker/one")


def test_only_loopback_names_are_answered_as_host(client: Client) -> None:
    port = client.served.port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "localhost@evil",
    ):
        status, body, _ = client.http("GET", "/_lowtide/health", headers={"Host": host})
        assert status == 403
        assert b"loopback" in body
    status, _, _ = client.http("GET", "/_lowtide/health", headers={"Host": f"LocalHost:{port}"})
    assert status == 401


def test_only_the_loopback_address_is_bound(client: Client) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [
        row[1]
        for row in rows
        if row[3] == "0A" and int(row[1].split(":")[1], 16) == client.served.port
    ]
    assert listening == [f"0100007F:{client.served.port:04X}"]


def test_a_presigned_url_works_once_it_is_fetched(client: Client) -> None:
    url = client.aws("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    split = urlsplit(url)
    status, body, _ = client.http("GET", f"{split.path}?{split.query}")
    assert status == 200
    assert b"GetCallerIdentityResult" in body
    digest = hashlib.sha256(b"x").hexdigest()
    status, body, _ = client.http("GET", f"{split.path}?{split.query[:-64]}{digest}")
    assert status == 403
    assert b"SignatureDoesNotMatch" in body
