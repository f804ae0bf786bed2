"""What a service of the embedded AWS is: named operations and timers over a state that can be kept.

Why it exists: each service is a table of plain functions. The front turns HTTP into a ``Call`` and the
answer back into HTTP by botocore's published models, so no service knows a wire format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who signed a request."""

    account: str
    arn: str
    user_id: str
    access_key_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``params`` has the shape of botocore's input model of the operation."""

    service: str
    operation: str
    params: Mapping[str, Any]
    region: str
    caller: Caller


#: Answers in the shape of botocore's output model, or raises AwsError. It runs under the box's lock and must not wait.
Operation = Callable[["Box", Call], Mapping[str, Any]]
#: What happens when a timer of the service runs out, under the box's lock.
Timer = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service by botocore's name for it (``autoscaling``, ``eks``, …).

    ``state`` makes the empty state, which must be picklable: it is kept in the state file. ``whole`` services refuse
    operations that they lack; of the others the operations that are missing here are moto's.
    """

    name: str
    operations: Mapping[str, Operation]
    timers: Mapping[str, Timer] = field(default_factory=dict)
    state: Callable[[], Any] = dict
    whole: bool = False
