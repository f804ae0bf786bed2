"""``local status`` and ``local logs``: what the box in the background does and says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, is_for_people, say_next, show
from lowtide.cli.verb import Verb

_WORDS = {
    "absent": "No box runs, and none is kept.",
    "stopped": "The box is stopped; what is in it is kept.",
    "killed": "The box was killed; what is in it is kept. The next start cleans up after it.",
    "hanging": "A box runs, but it does not answer.",
}


@click.command(
    "status",
    cls=Verb,
    epilog="""\b
Examples:
  lowtide local status
  lowtide local status -o json
""",
)
@output_option
@debug_option
def status() -> None:
    """Show the box in the background: its clusters, their programs, and which autoscaler runs."""
    from lowtide.app.local_status import RUNNING
    from lowtide.app.local_status import status as look

    found = look()
    if not is_for_people():
        emit({"schema": "lowtide.local-status/v1", **found})
        return
    if found["state"] != RUNNING:
        pid = f" (pid {found['pid']})" if found.get("pid") else ""
        show(f"{_WORDS[found['state']]}{pid}\n  {found['folder']}")
        say_next("lowtide local down --keep" if found["state"] == "hanging" else "lowtide local up")
        return
    show("\n".join(_lines(found)))


@click.command(
    "logs",
    cls=Verb,
    epilog="""\b
Examples:
  lowtide local logs                              the box itself
  lowtide local logs -f kube-scheduler
  lowtide local logs all -n 5 --cluster noble-gpu-example
""",
)
@click.argument("part", default="box")
@click.option("--cluster", default="", help="Of this cluster [default: of all].")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="The last lines of each.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@debug_option
def logs(*, part: str, cluster: str, lines: int, follow: bool) -> None:
    """Print what a part of the box wrote.

    PART is box, all, or a program of a cluster: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok,
    cluster-autoscaler.
    """
    from lowtide.app import local_logs

    found = local_logs.logs(part, cluster=cluster)

    for log, line in local_logs.read(found, lines=lines, follow=follow):
        show(f"{log.label} | {line}" if len(found) > 1 else line)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"The box runs at {found['url']} for {_time(found['up_seconds'])} (pid {found['pid']})"
    yield f"  account {found['account']}, region {found['region']}, speed {found['speed']:g}, faults {found['faults']}"
    yield f"  {found['folder']}"
    if not found["clusters"]:
        yield "  no cluster yet"
    for cluster in found["clusters"]:
        yield ""
        yield from _cluster(cluster)
    if found["not_joined"]:
        yield ""
        yield "instances that are no nodes:"
    for instance, why in found["not_joined"].items():
        yield f"  {instance}  {why}"


def _cluster(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"{one['name']} ({one['region']}): {one['status']}, Kubernetes {one['version']}"
    if one["endpoint"]:
        yield f"  API server  {one['endpoint']}"
    for problem in filter(None, (one["health"], one["failure"])):
        yield f"  problem     {problem}"
    running = ", ".join(f"{name} {pid}" for name, pid in one["processes"].items())
    if not running and not one["failure"]:
        # A cluster that is new or that a box took up again: whether its autoscaler is applied is not known before.
        yield "  programs    none yet"
        return
    yield f"  programs    {running or 'none'}"
    yield f"  autoscaler  {_autoscaler(one['autoscaler'])}"


def _autoscaler(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "none: its Deployment is not applied"
    who = (
        f"upstream's program, {one['program']}"
        if one["kind"] == "upstream"
        else "lowtide's own engine"
    )
    pid = f", pid {one['pid']}" if one.get("pid") else ""
    return f"{who}: {one['state']}{pid}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
