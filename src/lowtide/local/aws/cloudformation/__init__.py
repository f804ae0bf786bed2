"""CloudFormation of our own: stacks that are created, updated, rolled back and deleted as AWS's are.

Why it exists: moto's CloudFormation ignores types that it does not know, has no events and no rollback; lowtide's
promise is that the templates that it writes create a cluster. ``template`` reads and checks, ``planning`` orders,
``engine`` runs tasks by timers, ``phases`` says what follows, and the rest answers calls.
"""

from __future__ import annotations

from functools import partial

from lowtide.local.aws.cloudformation import change_sets, engine, phases, reads, stacks, summaries
from lowtide.local.aws.cloudformation import records as _records
from lowtide.local.aws.service import Service

SERVICE = Service(
    name=_records.SERVICE,
    operations={
        **change_sets.OPERATIONS,
        **reads.OPERATIONS,
        **stacks.OPERATIONS,
        **summaries.OPERATIONS,
    },
    timers={
        "advance": partial(engine.advance, endings=phases.ENDINGS),
        "compare": change_sets.compare,
        "expire": phases.expire,
        "look": engine.look,
    },
    state=_records.State,
    whole=True,
)
