"""How AWS's refusals are told, without any AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("boto3")

from botocore import parsers
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.model import StructureShape

from lowtide.aws.live import session
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import find_cluster
from lowtide.model.errors import AwsError


def _refusing(code: str, message: str, operation: str = "CreateStack") -> Any:
    def call(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    return call


@pytest.mark.parametrize(
    ("code", "message", "what", "fix"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "expired", "renew"),
        ("ExpiredTokenException", "The token has expired", "expired", "renew"),
        ("RequestExpired", "Request has expired.", "clock is wrong", "renew"),
        ("RequestExpired", "Request has expired.", "credentials have expired", "set the clock"),
        ("InvalidClientTokenId", "The security token is invalid", "does not know", "renew"),
        ("AuthFailure", "AWS was not able to validate the credentials", "does not know", "renew"),
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261124T000000Z is now earlier than 20261124T001000Z",
            "clock",
            "set the clock",
        ),
        ("RequestTimeTooSkewed", "The difference is too large.", "clock", "set the clock"),
        (
            "AccessDenied",
            "User: arn:aws:iam::1:user/u is not authorized to perform: cloudformation:CreateStack on x",
            "denied cloudformation:CreateStack",
            "cloudformation:CreateStack",
        ),
        ("UnauthorizedOperation", "You are not allowed.", "denied CreateStack", "CreateStack"),
        ("ValidationError", "Stack x does not exist", "refused", ""),
    ],
)  # fmt: skip
def test_a_refusal_says_what_it_means_and_what_to_do(
    code: str, message: str, what: str, fix: str
) -> None:
    with pytest.raises(AwsError) as raised:
        session.ask(_refusing(code, message))
    error = raised.value
    assert what in error.what
    assert fix in error.fix
    assert error.why == f"{code}: {message}"
    assert error.code == code
    assert error.where == "CreateStack"


@pytest.mark.parametrize(
    ("status", "what", "word"), [(500, "AWS failed", "health"), (400, "AWS refused", "put right")]
)
def test_a_refusal_without_a_known_meaning_still_says_what_to_do(
    status: int, what: str, word: str
) -> None:
    def call() -> None:
        answer = {"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "Do")  # type: ignore[arg-type]

    with pytest.raises(AwsError, match=what) as told:
        session.ask(call)
    assert word in told.value.fix


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (NoCredentialsError(), session.NO_CREDENTIALS),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), session.UNREACHABLE),
    ],
)
def test_an_error_that_never_reached_aws_has_a_code_of_ours(cause: Exception, code: str) -> None:
    def call() -> Any:
        raise cause

    with pytest.raises(AwsError) as raised:
        session.ask(call)
    assert raised.value.code == code


PAGE = b"<!DOCTYPE html><p>Sign in"


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("query", PAGE),
        ("query", b""),
        ("query", b"{}"),
        ("query", b"<A/>"),
        ("ec2", PAGE),
        ("ec2", b"[1]"),
        ("json", b"\xa7\x00"),
        ("rest-json", b"\xa7\x00"),
    ],
)
def test_an_answer_that_is_not_in_the_form_of_aws_is_told_as_that(
    protocol: str, body: bytes
) -> None:
    model = {"type": "structure", "members": {}, "resultWrapper": "Result"}

    def call() -> Any:
        answer = {"status_code": 200, "headers": {}, "body": body}
        return parsers.create_parser(protocol).parse(answer, StructureShape("Answer", model))

    with pytest.raises(AwsError, match="What answered is not AWS") as raised:
        session.ask(call)
    assert "AWS_ENDPOINT_URL" in raised.value.fix
    assert raised.value.code == session.UNREACHABLE


def test_a_page_of_a_web_server_is_no_cluster() -> None:
    class Eks:
        def describe_cluster(self, **_: Any) -> dict[str, str]:
            return {}

    account = Account("us-east-1")
    account._clients["eks"] = Eks()
    with pytest.raises(AwsError, match="is not AWS"):
        find_cluster(account, "demo")


def test_an_error_of_ours_in_a_call_is_not_blamed_on_aws() -> None:
    with pytest.raises(KeyError):
        session.ask(lambda: dict[str, str]()["x"])


@pytest.mark.parametrize("endpoint", ["garbage", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_told(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(AwsError, match="cannot be reached") as raised:
        Account("us-east-1").client("sts")
    assert "AWS_ENDPOINT_URL" in raised.value.fix


def test_a_configuration_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "config"
    broken.write_text("[default\nx")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    with pytest.raises(AwsError, match="configuration cannot be read") as raised:
        Account("us-east-1").client("sts")
    assert str(broken) in raised.value.why


def test_an_unknown_profile_is_told_with_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AwsError) as raised:
        Account("us-east-1", "no-such-profile").client("sts")
    assert raised.value.code == session.NO_CREDENTIALS
    assert "no-such-profile" in raised.value.why


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::123456789012:assumed-role/Admin/me", "Admin"),
        ("arn:aws:iam::123456789012:user/me", None),
        ("arn:aws:iam::123456789012:root", None),
    ],
)
def test_the_role_behind_a_session_is_known(
    arn: str, role: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account("us-east-1")

    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Account": "123456789012", "Arn": arn, "UserId": "AIDA"}

    account._clients["sts"] = Sts()
    assert account.identity().role_name == role
    assert account.client("sts") is account.client("sts")
