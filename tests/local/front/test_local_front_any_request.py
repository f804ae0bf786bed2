"""Whatever the model of a service can spell is answered or refused by the box, and never an internal failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.local.aws import credentials
from lowtide.local.aws.box import Box
from lowtide.local.aws.front.dispatch import respond
from lowtide.local.aws.front.models import SERVED, model_of, old_protocol_of
from lowtide.local.aws.front.sigv4 import SignedRequest
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import open_box

#: Words that mean something somewhere, and words that are seldom thought of.
WORDS = (
    "", "1", "0", "-1", "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT THREE}", "NaN", "1e400", "MA==", "$Latest", "[", "*",
    "a/b", "..", "%2F", "\0", "\n", "\N{SNOWMAN}", "x" * 300, "{}", "[]", "null", "arn:aws:iam::123456789012:role/x", "arn::",
    "us-east-1a", "10.0.0.0/16", "g4dn.xlarge", "ec2", "key", "tag:k", "vpc-id", "i-0123456789abcdef0", "vpc-0123456789abcdef0",
)  # fmt: skip
SIGNED_AS = {
    "resourcegroupstaggingapi": "tagging",
    "service-quotas": "servicequotas",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    one = open_box(Settings(folder=tmp_path_factory.mktemp("box"), speed=0.01))
    yield one
    one.stop()


def shaped(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values of a botocore shape; even what is required may be missing."""
    kind = shape.type_name
    if kind == "structure":
        deep = depth > 4
        members = {} if deep else {n: shaped(one, depth + 1) for n, one in shape.members.items()}
        return st.fixed_dictionaries({}, optional=members)
    if kind == "list":
        return st.lists(shaped(shape.member, depth + 1), max_size=2)
    if kind == "map":
        return st.dictionaries(st.sampled_from(WORDS), shaped(shape.value, depth + 1), max_size=2)
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "long"):
        return st.sampled_from((0, 1, 5, 60, -1, -(2**31), 2**31 - 1, 2**31, 2**70))
    if kind in ("float", "double"):
        return st.floats()
    if kind == "timestamp":
        return st.datetimes()
    if kind == "blob":
        return st.binary(max_size=8)
    known = getattr(shape, "enum", None) or ["x"]
    return st.sampled_from(WORDS) | st.sampled_from(known)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any]:
    service = draw(st.sampled_from(sorted(SERVED)))
    model = model_of(service)
    operation = model.operation_model(draw(st.sampled_from(sorted(model.operation_names))))
    params = draw(shaped(operation.input_shape)) if operation.input_shape else {}
    if service == "sqs":
        params.pop("WaitTimeSeconds", None)  # it would wait
    return service, operation.name, params


def written(box: Box, service: str, operation: str, params: Any) -> SignedRequest | None:
    """Return a signed request as a client writes it that checks nothing, None where it cannot be written."""
    model = model_of(service).operation_model(operation)
    serializer = create_serializer(old_protocol_of(service), include_validation=False)
    try:
        fields = serializer.serialize_to_request(params, model)
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError):
        return None
    body, query = fields["body"], fields["query_string"]
    headers = {"Host": "127.0.0.1", **fields["headers"]}
    if isinstance(body, dict):
        body = urlencode(body)
    text = urlencode(query, doseq=True) if isinstance(query, dict) else query
    request = AWSRequest(
        fields["method"],
        f"http://127.0.0.1{fields['url_path']}" + (f"?{text}" if text else ""),
        headers=headers,
        data=body,
    )
    admin = credentials.admin(box)
    key = Credentials(admin.caller.access_key_id, admin.secret_access_key)
    SigV4Auth(key, SIGNED_AS.get(service, service), "us-east-1").add_auth(request)
    return SignedRequest(
        method=fields["method"],
        path=fields["url_path"],
        query=text,
        headers=tuple((name.lower(), str(value)) for name, value in request.headers.items()),
        body=body.encode() if isinstance(body, str) else bytes(body or b""),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=requests())
def test_any_request_that_a_model_can_spell_is_answered_or_refused(
    box: Box, asked: tuple[str, str, Any]
) -> None:
    request = written(box, *asked)
    if request is None:
        return
    reply = respond(box, request)
    assert reply.answer.status < 500, reply.answer.body
