"""Requests held against botocore's published input models, before an operation sees them.

Why it exists: an operation is called by the front and by CloudFormation alike, and neither may hand it a request that
EKS itself would refuse; so no operation needs to check types, enumerations and required members again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.model import ServiceModel  # noqa: TC002 - cheap beside the session
from botocore.validate import ParamValidator

from lowtide.local.aws.eks.refusals import invalid_parameter
from lowtide.local.aws.service import Call, Operation

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box


def checked(name: str, operation: Operation) -> Operation:
    """Return the operation behind the check of its input model."""

    @functools.wraps(operation)
    def whole(box: Box, call: Call) -> Mapping[str, Any]:
        _refuse_what_the_model_forbids(name, call.params)
        return operation(box, call)

    return whole


@functools.cache
def _model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("eks")


def _refuse_what_the_model_forbids(name: str, params: Mapping[str, Any]) -> None:
    shape = _model().operation_model(name).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise invalid_parameter(report.generate_report())
    for problem in _outside_enumerations(shape, params, ""):
        raise invalid_parameter(problem)


def _outside_enumerations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for key, one in value.items():
            yield from _outside_enumerations(shape.members[key], one, f"{path}.{key}".lstrip("."))
    elif shape.type_name == "list":
        for one in value:
            yield from _outside_enumerations(shape.member, one, path)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        yield f"Value '{value}' at '{path}' must be one of: {allowed}"
