"""An answer or an error becomes an HTTP response, as the service's protocol writes it.

Why it exists: answers are written by moto's model-driven serializers; errors are written here, because those warn
about every code that a model does not list, and most of AWS's codes are listed nowhere.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from botocore.serialize import RpcV2CBORSerializer
from moto.core.serialize import SerializationContext, get_serializer_class

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.models import CBOR, model_of

if TYPE_CHECKING:
    from moto.core.model import OperationModel

#: What XML 1.0 cannot hold, in any spelling.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back over the wire."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(
    service: str,
    protocol: str,
    operation: OperationModel,
    result: Mapping[str, Any],
    request_id: str,
) -> Answer:
    """Write a result in the shape of the operation's output model."""
    if protocol == CBOR:
        return _cbor_answer(operation, result, request_id)
    serializer = get_serializer_class(service, protocol)(
        operation, context=SerializationContext(request_id)
    )
    written = serializer.serialize(result)
    text = written["body"]
    body = _clean(text, protocol).encode() if isinstance(text, str) else text
    return Answer(
        status=written["status_code"],
        body=body,
        headers={**written["headers"], "x-amzn-RequestId": request_id},
    )


def error(service: str, protocol: str, failed: AwsError, request_id: str) -> Answer:
    """Write an error: code, message and further fields, where botocore and the other SDKs look for them."""
    if protocol in ("query", "ec2"):
        text = _xml_error(service, protocol, failed, request_id)
        headers = {"Content-Type": "text/xml;charset=UTF-8"}
        body = _clean(text, protocol).encode()
    elif protocol == CBOR:
        written = bytearray()
        _write_cbor(written, {"__type": failed.code, "message": failed.message})
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        body = bytes(written)
    else:
        headers, document = _json_error(service, protocol, failed)
        body = json.dumps(document, default=_plain).encode()
    return Answer(
        status=failed.status, body=body, headers={**headers, "x-amzn-RequestId": request_id}
    )


def _xml_error(service: str, protocol: str, failed: AwsError, request_id: str) -> str:
    inner = f"<Code>{escape(failed.code)}</Code><Message>{escape(failed.message)}</Message>"
    inner += "".join(
        f"<{name}>{escape(str(value))}</{name}>"
        for name, value in failed.fields.items()
        if isinstance(value, str | int | float)
    )
    if protocol == "ec2":
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error>{inner}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    namespace = model_of(service).metadata.get("xmlNamespace", "") if service else ""
    fault = "Sender" if failed.status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type>{inner}</Error>'
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _json_error(
    service: str, protocol: str, failed: AwsError
) -> tuple[dict[str, str], dict[str, Any]]:
    metadata = model_of(service).metadata if service else {}
    code = failed.code
    headers: dict[str, str] = {}
    if "awsQueryCompatible" in metadata:
        # https://smithy.io/2.0/aws/protocols/aws-query-protocol.html: the old code goes into a header.
        headers["x-amzn-query-error"] = f"{code};{'Sender' if failed.status < 500 else 'Receiver'}"
        code = _name_of_old_code(service, code)
    document = {"message": failed.message, **failed.fields}
    if protocol == "rest-json":
        headers["Content-Type"] = "application/json"
        headers["x-amzn-ErrorType"] = code
    else:
        headers["Content-Type"] = f"application/x-amz-json-{metadata.get('jsonVersion', '1.1')}"
        document["__type"] = code
    return headers, document


def _name_of_old_code(service: str, code: str) -> str:
    for shape in model_of(service).error_shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            return str(shape.name)
    return code


def _cbor_answer(operation: OperationModel, result: Mapping[str, Any], request_id: str) -> Answer:
    body = b"\xbf\xff"
    if operation.output_shape is not None:
        # An answer is written as a request is: botocore's writer of requests takes the output's shape as input.
        written = RpcV2CBORSerializer().serialize_to_request(
            result,
            SimpleNamespace(  # type: ignore[arg-type] # all that the writer looks at
                input_shape=operation.output_shape,
                service_model=operation.service_model,
                name=operation.name,
                http=operation.http,
                has_event_stream_input=False,
                has_event_stream_output=False,
                get_event_stream_input=lambda: None,
                metadata=operation.metadata,
            ),
        )
        body = written["body"]
    headers = {
        "Content-Type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "x-amzn-RequestId": request_id,
    }
    return Answer(status=200, body=body, headers=headers)


def _write_cbor(into: bytearray, fields: Mapping[str, str]) -> None:
    into.append(0xA0 + len(fields))
    for key, value in fields.items():
        for text in (key, value):
            data = text.encode()
            into += b"\x79" + len(data[:65535]).to_bytes(2, "big") + data[:65535]


def _clean(text: str, protocol: str) -> str:
    return (
        text
        if protocol in ("json", "rest-json")
        else _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return str(value)
