"""An HTTP request becomes an operation with parameters in the shape of botocore's input model.

Why it exists: seven wire formats end here. Whatever a client sends, the outcome is parameters that fit the model or
an error in AWS's words.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import RpcV2CBORParser
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator
from moto.core.parse import PROTOCOL_PARSERS
from werkzeug.datastructures import Headers, MultiDict

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.models import (
    CBOR,
    model_of,
    operation_of,
    protocols_of,
    route,
)
from lowtide.local.aws.front.sigv4 import MOST_FIELDS, SignedRequest

if TYPE_CHECKING:
    from moto.core.model import OperationModel

#: Whole numbers are signed; how many bits their size has (smithy.io, "Simple types").
_BITS = {"integer": 31, "long": 63}
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for. ``fields`` are the query's, with the form's where the body is one."""

    service: str
    protocol: str
    operation: OperationModel
    request: SignedRequest
    fields: MultiDict[str, str]
    path_values: Mapping[str, str]


def fields_of(request: SignedRequest) -> MultiDict[str, str]:
    """Return the fields of the query and, of a form, of the body.

    Raises:
        AwsError: there are too many, or they are no text.
    """
    pairs = [request.query]
    if request.header("content-type").partition(";")[0].strip().lower() == _FORM:
        pairs.append(request.body.decode("utf-8", "replace"))
    try:
        found = [
            pair
            for text in pairs
            for pair in parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
        ]
    except ValueError:
        raise AwsError(
            "MalformedQueryString", "The query string contains a syntax error.", status=404
        ) from None
    return MultiDict(found)


def protocol_in(service: str, request: SignedRequest) -> str:
    """Return the protocol in which a request speaks to a service, by its headers."""
    spoken = protocols_of(service)
    if CBOR in spoken and request.header("smithy-protocol") == "rpc-v2-cbor":
        return CBOR
    return next(one for one in spoken if one != CBOR)


def asked_by(service: str, request: SignedRequest, fields: MultiDict[str, str]) -> Asked:
    """Return what a request asks of a service.

    Raises:
        AwsError: there is no such operation.
    """
    protocol = protocol_in(service, request)
    path_values: Mapping[str, str] = {}
    if protocol in ("query", "ec2"):
        name = fields.get("Action", "")
    elif protocol == "json":
        target, _, name = request.header("x-amz-target").rpartition(".")
        if target != model_of(service).metadata["targetPrefix"]:
            name = ""
    elif protocol == CBOR:
        name = _cbor_operation(service, request.path)
    else:
        name, path_values = route(service, request.method, request.path) or ("", {})
    operation = operation_of(service, name) if name else None
    if operation is None:
        raise _unknown_operation(service, protocol, name, request)
    return Asked(
        service=service,
        protocol=protocol,
        operation=operation,
        request=request,
        fields=fields,
        path_values=path_values,
    )


def params_of(asked: Asked) -> Mapping[str, Any]:
    """Return the parameters of a request, which fit the model of its operation.

    Raises:
        AwsError: the body cannot be read, or does not fit.
    """
    try:
        params = _parsed(asked)
    except AwsError:
        raise
    except Exception as error:
        # The parser was written for clients that mean well: whatever it trips over is the client's text.
        raise _unreadable(asked) from error
    shape = asked.operation.input_shape
    if shape is not None:
        _check(asked, shape, params)
    return params


def _parsed(asked: Asked) -> dict[str, Any]:
    if asked.protocol == CBOR:
        return _parsed_cbor(asked)
    if asked.protocol in ("json", "rest-json") and asked.request.body:
        body = json.loads(asked.request.body)
        if not isinstance(body, dict):
            raise _unreadable(asked)
    parser = PROTOCOL_PARSERS[asked.protocol](asked.operation, timestamp_parser=_timestamp)
    found = parser.parse(
        {
            "body": asked.request.body,
            "headers": Headers(list(asked.request.headers)),
            "method": asked.request.method,
            "url_params": dict(asked.path_values),
            "url_path": asked.request.path,
            "values": asked.fields,
        }
    )
    return dict(found or {})


def _parsed_cbor(asked: Asked) -> dict[str, Any]:
    # A request body is written as a response body is: botocore's reader of answers reads it.
    if asked.operation.input_shape is None:
        return {}
    response = {
        "body": asked.request.body,
        "headers": {"smithy-protocol": "rpc-v2-cbor"},
        "status_code": 200,
        "context": {},
    }
    found: dict[str, Any] = RpcV2CBORParser().parse(response, asked.operation.input_shape)
    found.pop("ResponseMetadata", None)
    return found


def _timestamp(value: str | float) -> dt.datetime:
    parsed = parse_timestamp(value)  # type: ignore[arg-type] # it reads numbers, too
    return parsed.astimezone(dt.UTC) if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _cbor_operation(service: str, path: str) -> str:
    prefix = f"/service/{model_of(service).metadata['targetPrefix']}/operation/"
    return path.removeprefix(prefix) if path.startswith(prefix) else ""


def _check(asked: Asked, shape: StructureShape, params: Mapping[str, Any]) -> None:
    absent = _absent(shape, params, "")
    if absent and asked.protocol == "ec2":
        raise AwsError("MissingParameter", f"The request must contain the parameter {absent[0]}")
    if absent:
        words = "; ".join(
            f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
            for path in absent
        )
        raise _invalid(asked, f"{_count(len(absent))} detected: {words}")
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        lines = report.generate_report().splitlines()
        raise _invalid(asked, f"{_count(len(lines))} detected: {'; '.join(lines)}")
    if not _fits(shape, params):
        raise _unreadable(asked)


def _fits(shape: Shape, value: Any) -> bool:
    """Return whether every whole number fits the bits of its type, which botocore leaves to the service."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return all(_fits(members[name], one) for name, one in value.items() if name in members)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return all(_fits(shape.member, one) for one in value)
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return all(_fits(shape.value, one) for one in value.values())
    bits = _BITS.get(shape.type_name)
    return bits is None or not isinstance(value, int) or -(2**bits) <= value < 2**bits


def _count(errors: int) -> str:
    return f"{errors} validation error{'' if errors == 1 else 's'}"


def _absent(shape: Shape, value: Any, path: str) -> list[str]:
    """Return the paths of required members that are not there."""
    found: list[str] = []
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        found += [f"{path}{name}" for name in shape.required_members if value.get(name) is None]
        for name, member in shape.members.items():
            if value.get(name) is not None:
                found += _absent(member, value[name], f"{path}{name}.")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for place, item in enumerate(value, start=1):
            found += _absent(shape.member, item, f"{path}{place}.member.")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, item in value.items():
            found += _absent(shape.value, item, f"{path}{key}.member.")
    return found


def _invalid(asked: Asked, message: str) -> AwsError:
    if asked.protocol == "ec2":
        return AwsError("InvalidParameterValue", message)
    if asked.protocol == "query":
        return AwsError("ValidationError", message)
    known = {shape.name for shape in asked.operation.error_shapes}
    code = "ValidationException"
    if code not in known and "InvalidParameterException" in known:
        code = "InvalidParameterException"
    return AwsError(code, message)


def _unreadable(asked: Asked) -> AwsError:
    if asked.protocol == "ec2":
        return AwsError(
            "InvalidParameterValue",
            "A value of the request cannot be read as the type of its parameter.",
        )
    if asked.protocol == "query":
        return AwsError(
            "MalformedInput", "A value of the request cannot be read as the type of its parameter."
        )
    return AwsError("SerializationException", "The request's body cannot be read.")


def _unknown_operation(service: str, protocol: str, name: str, request: SignedRequest) -> AwsError:
    version = model_of(service).metadata["apiVersion"]
    shown = name[:80]
    if protocol == "ec2":
        return AwsError("InvalidAction", f"The action {shown} is not valid for this web service.")
    if protocol == "query" and not name:
        return AwsError(
            "MissingAction", "The request is missing an action or a required parameter."
        )
    if protocol == "query":
        return AwsError("InvalidAction", f"Could not find operation {shown} for version {version}")
    if protocol == "rest-json":
        return AwsError(
            "UnknownOperationException",
            f"There is no operation at {request.method} {request.path[:200]}.",
            status=404,
        )
    return AwsError("UnknownOperationException", f"There is no operation {shown!r}.")
