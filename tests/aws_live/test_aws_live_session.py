"""How AWS's refusals are told, without any AWS."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("boto3")

from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from lowtide.aws.live import session
from lowtide.aws.live.account import Account
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
