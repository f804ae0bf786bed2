"""``local fault``: what goes wrong in a running box."""

from __future__ import annotations

import click

from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, is_for_people, say, show
from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide local fault throttling --service ec2 --times 3
  lowtide local fault access-denied --service eks --operation DescribeNodegroup
  lowtide local fault error --service cloudformation --code InternalFailure --times 1
  lowtide local fault capacity --instance-type g4dn.xlarge --zone us-east-1a
  lowtide local fault quota --code L-3819A6DF --value 0
  lowtide local fault slow --service eks --seconds 5
  lowtide local fault fail-resource --resource GpuA --message 'no such luck'
  lowtide local fault slow-resource --resource Cluster --seconds 1800
  lowtide local fault expired-token
  lowtide local fault drop-connection --times 1
  lowtide local fault clock-skew --seconds 600
  lowtide local fault interrupt i-0123456789abcdef0
  lowtide local fault list
  lowtide local fault clear f-1                 without an id: all of them
  lowtide local fault stop                      ends the box
""",
)
@click.argument("kind")
@click.argument("target", default="")
@click.option("--service", help="Only calls of this service (ec2, eks, autoscaling, ...).")
@click.option("--operation", help="Only calls of this operation (CreateVpc, ...).")
@click.option("--times", type=click.IntRange(min=1), help="How often [default: until cleared].")
@click.option("--code", help="AWS's error code, or a quota's code.")
@click.option("--message", help="AWS's sentence.")
@click.option("--instance-type", help="The type that has no capacity; * for all.")
@click.option("--zone", help="The zone that has no capacity [default: all].")
@click.option("--resource", help="A CloudFormation type or logical id.")
@click.option("--seconds", type=float, help="How long, or how far.")
@click.option("--value", type=float, help="The quota's value.")
@click.option("--region", help="Where the interrupted instance is.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="The box's port [default: of AWS_ENDPOINT_URL, or the only box].",
)
@output_option
@debug_option
def fault(*, kind: str, target: str, port: int, region: str | None, **given: object) -> None:
    """Let something go wrong in a running box, exactly as often as asked.

    KIND is throttling, access-denied, error, capacity, quota, slow, fail-resource, slow-resource, expired-token,
    drop-connection or clock-skew; or list, clear, interrupt, stop.
    """
    from lowtide.app.local_door import ask_door

    if target and kind not in ("clear", "interrupt"):
        raise InputError(
            f"{kind} takes no {target!r}",
            where="lowtide local fault",
            why="only clear and interrupt are followed by a name",
            fix="lowtide local fault --help",
        )
    if kind == "list":
        said = ask_door("GET", "/faults", port=port)
    elif kind == "clear":
        said = ask_door("DELETE", f"/faults/{target}" if target else "/faults", port=port)
    elif kind == "interrupt":
        document = {"instance_id": target, **({"region": region} if region else {})}
        said = ask_door("POST", "/interruptions", document, port=port)
    elif kind == "stop":
        said = ask_door("POST", "/stop", port=port)
    else:
        asked = {name: value for name, value in given.items() if value is not None}
        said = ask_door("POST", "/faults", {"kind": kind, **asked}, port=port)
    if not is_for_people():
        emit({"schema": "lowtide.local-fault/v1", **said})
        return
    rows = said["faults"] if kind == "list" else [said]
    for row in rows:
        show("  ".join(f"{name}={value}" for name, value in row.items()))
    if not rows:
        say("No fault is in force.")
