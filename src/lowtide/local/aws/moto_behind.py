"""moto behind the box: it answers what the box's own services do not.

Why it exists: VPCs, roles, parameters, queues and rules are not what lowtide is about, and moto keeps them well. It is
called in this process, through the wire format that it reads, so that both sides of the border are botocore's models.

moto keeps its state in the process: one box at a time has it, and a new one starts from a new account. To survive a
restart, calls that change something are kept and made again, each with the random seed that it had (moto draws all
its ids from one seeded source), and at the time that it had.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from lowtide.local.aws.box import READS
from lowtide.local.aws.credentials import Credential
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.models import model_of, old_protocol_of, operation_of
from lowtide.local.aws.service import Call, Caller

_log = logging.getLogger(__name__)

#: Services that have one endpoint for all regions.
_GLOBAL = ("iam",)
#: What every signature ends with; moto reads the key and the region from it and checks nothing.
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A call that changed moto's state: made again at ``at`` with that seed, it changes it in the same way."""

    at: float
    seed: str
    call: Call


class MotoBehind:
    """Implements ``box.Behind`` and ``credentials.KeyHolder``. Called under the box's lock: moto knows no threads."""

    def __init__(self, account: str, *, keep: Callable[[Entry], None] | None = None) -> None:
        # moto is a second to import: only a box that is opened pays for it.
        from moto.core.base_backend import BackendDict  # noqa: PLC0415
        from moto.core.botocore_stubber import BotocoreStubber  # noqa: PLC0415
        from moto.core.config import default_user_config  # noqa: PLC0415

        default_user_config["iam"]["load_aws_managed_policies"] = True
        _forget_all()
        self._backends: Any = BackendDict
        self._answers = BotocoreStubber().process_request
        self._account = account
        self._keep = keep
        self._opened = 0

    def call(self, call: Call) -> Mapping[str, Any]:
        """Answer in the shape of botocore's output model, or raise AwsError."""
        entry = Entry(
            at=dt.datetime.now(tz=dt.UTC).timestamp(), seed=secrets.token_hex(8), call=call
        )
        is_kept = False
        try:
            answer = self._ask(entry)
            is_kept = _changes(call, answer)
        finally:
            # The first look into a region makes its default VPC, with ids of that moment.
            opened = self._count_opened()
            is_kept = is_kept or opened != self._opened
            self._opened = opened
            if is_kept and self._keep is not None:
                self._keep(entry)
        return answer

    def replay(self, entries: Iterable[Entry]) -> None:
        """Make kept calls again."""
        for entry in entries:
            with suppress(AwsError):
                self._ask(entry)
        self._opened = self._count_opened()

    def credential(self, access_key_id: str) -> Credential | None:
        """Return a key that iam:CreateAccessKey or sts:AssumeRole made, or None."""
        from moto.iam.models import iam_backends  # noqa: PLC0415
        from moto.sts.models import sts_backends  # noqa: PLC0415

        if access_key_id.startswith("ASIA"):
            role = sts_backends[self._account]["aws"].get_assumed_role_from_access_key(
                access_key_id
            )
            if role is None:
                return None
            ends = role.expiration.replace(tzinfo=dt.UTC).timestamp()
            return Credential(
                secret_access_key=role.secret_access_key,
                session_token=role.session_token,
                expires_at=ends,
                caller=self._caller(role.arn, role.user_id, access_key_id),
            )
        iam = iam_backends[self._account]["aws"]
        for user in iam.users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status == "Active":
                    return Credential(
                        secret_access_key=key.secret_access_key,
                        caller=self._caller(user.arn, user.id, access_key_id),
                    )
        return None

    def _count_opened(self) -> int:
        used: Any = self._backends._instances  # noqa: SLF001
        return sum(len(regions) for one in used for regions in one.values())

    def _caller(self, arn: str, user_id: str, key: str) -> Caller:
        return Caller(account=self._account, arn=arn, user_id=user_id, access_key_id=key)

    def _ask(self, entry: Entry) -> Mapping[str, Any]:
        from moto.moto_api._internal import mock_random  # noqa: PLC0415

        call = entry.call
        operation = operation_of(call.service, call.operation)
        if operation is None:
            raise AwsError("InvalidAction", f"{call.service} has no operation {call.operation}.")
        protocol = old_protocol_of(call.service)
        mock_random.seed(entry.seed)
        try:
            request = _http(call, protocol, self._account)
            with _moto_time(entry.at):
                found = self._answers(request)
            if found is not None and (found[0] != 404 or found[2] != "Not yet implemented"):
                return _answer(operation, protocol, found)
        except AwsError:
            raise
        except (NotImplementedError, ImportError):
            pass  # moto has no such operation, or needs for the service a library that the extra leaves out
        except Exception as error:
            if isinstance(error, KeyError) and error.args == (call.region,):
                raise AwsError(
                    "InvalidAction", f"{call.service} is not available in {call.region}."
                ) from None
            raise _not_understood(call, protocol, error) from error
        raise AwsError(
            "InvalidAction", f"The embedded AWS does not serve {call.service}:{call.operation}."
        )


def _not_understood(call: Call, protocol: str, error: Exception) -> AwsError:
    """Return the refusal of a value that has not the form that moto expects: it falls over it where AWS refuses it."""
    _log.warning("moto cannot read %s of %s", call.operation, call.service, exc_info=error)
    codes = {"ec2": "InvalidParameterValue", "query": "ValidationError"}
    return AwsError(
        codes.get(protocol, "ValidationException"),
        f"A value in the request is not understood: {error}",
    )


def _forget_all() -> None:
    """Let go of everything that moto holds; its own reset makes all anew first, and keeps each object in a list."""
    from moto.core import base_backend  # noqa: PLC0415
    from moto.core.model_instances import reset_model_data  # noqa: PLC0415

    every: Any = base_backend
    used = every.BackendDict._instances  # noqa: SLF001
    for backends in used:
        for regions in backends.values():
            for one in regions.values():
                if type(one).reset is not every.BaseBackend.reset:  # it has open files, as S3's has
                    one.reset()
            regions.clear()  # moto's cache of region names holds on to it
        backends.clear()
    used.clear()
    subnets: Any = sys.modules.get("moto.ec2.models.subnets")
    if subnets is not None:  # a cache of the class holds each subnet, and that its whole region
        subnets.Subnet._base_avail_ip_iterator.cache_clear()  # noqa: SLF001
    reset_model_data()


def _http(call: Call, protocol: str, account: str) -> Any:
    model = model_of(call.service)
    operation = model.operation_model(call.operation)
    fields = create_serializer(protocol, include_validation=False).serialize_to_request(
        dict(call.params), operation
    )
    host = model.metadata["endpointPrefix"]
    if call.service not in _GLOBAL:
        host = f"{host}.{call.region}"
    headers = {
        **fields["headers"],
        "Authorization": _AUTHORIZATION.format(
            key=call.caller.access_key_id or "AKIA0000000000000000",
            region=call.region,
            service=model.metadata.get("signingName") or model.metadata["endpointPrefix"],
        ),
        "x-moto-account-id": account,
    }
    return AWSRequest(
        method=fields["method"],
        url=f"https://{host}.amazonaws.com{fields['url_path']}",
        params=fields["query_string"],
        headers=headers,
        data=fields["body"],
    ).prepare()


def _answer(operation: Any, protocol: str, found: tuple[Any, ...]) -> Mapping[str, Any]:
    status, headers, body = found
    lower = HTTPHeaders()
    for name, value in headers.items():
        lower[name] = str(value)
    response: Any = {
        "status_code": int(status),
        "headers": lower,
        "body": body.encode() if isinstance(body, str) else body or b"",
        "context": {},
    }
    parser = create_parser(protocol)
    parsed: dict[str, Any] = parser.parse(response, operation.output_shape)
    parsed.pop("ResponseMetadata", None)
    if int(status) < 300:
        return parsed
    failed = parsed.get("Error", {})
    code = str(failed.get("Code", "InternalFailure"))
    shape = operation.service_model.shape_for_error_code(code)
    further = parser.parse(response, shape) if shape is not None else {}
    raise AwsError(
        code,
        str(failed.get("Message", "")),
        status=int(status),
        **{
            name: value
            for name, value in further.items()
            if name
            not in ("ResponseMetadata", "Error", "Message", "message", "Code", "code", "status")
        },
    )


def _changes(call: Call, answer: Mapping[str, Any]) -> bool:
    if call.operation == "ReceiveMessage":
        return bool(answer.get("Messages"))
    return not call.operation.startswith(READS)


@contextmanager
def _moto_time(at: float) -> Iterator[None]:
    """Let moto's clock stand at a moment: almost all that it stamps goes through one function of one module."""
    import moto.core.utils  # noqa: PLC0415

    utils: Any = moto.core.utils

    real = utils.datetime

    class Then(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime.fromtimestamp(at, tz)

    utils.datetime = SimpleNamespace(**{**vars(real), "datetime": Then})
    try:
        yield
    finally:
        utils.datetime = real
