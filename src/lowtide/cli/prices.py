"""``prices``: what instance types cost, with the source and date of every figure."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from lowtide.cli.lazy import LazyGroup
from lowtide.cli.options import debug_option, output_option, parts
from lowtide.cli.output import emit, has_color, is_for_people, say, say_next, show, width_of

if TYPE_CHECKING:
    from lowtide.app.prices import PriceList
    from lowtide.model.catalog import PriceRow

#: The shown columns and where the catalog says what each is made from.
SOURCES = {
    "TYPE": "instance_types.csv:name",
    "VCPU, GIB, GPU": "instance_types.csv:vcpu",
    "ON-DEMAND $/H": "on_demand.csv:usd_per_hour",
    "SPOT $/H": "spot.csv:savings_percent",
    "INTERRUPTED/MONTH": "spot.csv:interruption_band",
    "NOTE": "retired.csv:why",
}
BANDS = ("<5 %", "5-10 %", "10-15 %", "15-20 %", ">20 %")


@click.group(
    cls=LazyGroup,
    verbs={
        "refresh": ("lowtide.cli.prices_refresh:refresh", "Ask AWS for the prices of today."),
    },
    invoke_without_command=True,
    subcommand_metavar="[VERB]",
    epilog="""\b
Examples:
  lowtide prices --gpu T4
  lowtide prices --gpu any --region eu-west-1
  lowtide prices --type g5.xlarge,g6.xlarge -o json
  lowtide prices refresh --region eu-west-1
""",
)
@click.option("--region", default="us-east-1", show_default=True, help="AWS region.")
@click.option("--gpu", default="", help="Only types with such a GPU (T4, L4, H100), or `any` GPU.")
@click.option("--type", "types", multiple=True, help="Only these types, with commas or repeated.")
@output_option
@debug_option
@click.pass_context
def prices(ctx: click.Context, *, region: str, gpu: str, types: tuple[str, ...]) -> None:
    """Instance types with their GPUs, and what they cost on demand and on spot.

    `prices refresh` asks AWS and keeps the answer: on-demand prices are used for seven days, spot prices for one, then the bundled
    ones again. LOWTIDE_PRICES=bundled leaves them out.
    """
    if ctx.invoked_subcommand is not None:
        return
    from lowtide.app.prices import prices as price_list

    found = price_list(region, gpu=gpu, types=parts(types))
    if is_for_people():
        _show_table(found)
    else:
        emit(_document(found))


def _show_table(found: PriceList) -> None:
    from lowtide.report.terminal import Column, fitting_columns, table_text

    # ``spare``: what is left out first where the terminal is too narrow for all.
    columns = [
        Column(title="TYPE", keep=True),
        Column(title="VCPU", right=True, spare=4),
        Column(title="GIB", right=True, spare=5),
        Column(title="GPUS", right=True, spare=2),
        Column(title="GPU", keep=True),
        Column(title="ON-DEMAND $/H", right=True),
        Column(title="SPOT $/H", right=True),
        Column(title="SPOT $/GPU-H", right=True, spare=1),
        Column(title="INTERRUPTED/MONTH", right=True, spare=6),
        Column(title="NOTE", spare=3),
    ]
    rows = [_cells(row) for row in found.rows]
    shown, width = fitting_columns(columns, rows, width_of(sys.stdout))
    text = table_text(
        [columns[place] for place in shown],
        [[row[place] for place in shown] for row in rows],
        width=width,
        color=has_color(sys.stdout),
    )
    show(text)
    left_out = [
        one.title
        for place, one in enumerate(columns)
        if place not in shown and any(row[place] for row in rows)
    ]
    if left_out:
        say(f"\nLeft out for want of room: {', '.join(left_out)}; -o json has all columns.")
    for region in found.priced_as:
        if region != found.region:
            say(
                f"\nNOTICE: no on-demand prices of {found.region} are bundled: these are those of {region}. "
                f"`lowtide prices refresh --region {found.region}` asks AWS."
            )
    if found.dates.trouble:
        from lowtide.report.wording import printable

        say(f"\nNOTICE: {printable(found.dates.trouble)}")
    say("\nSources:")
    known = {one.column: one for one in found.sources}
    for title, column in SOURCES.items():
        say(f"  {title:<17}  {known[column].source} ({known[column].dated})")
    cheapest = min(
        (row for row in found.rows if row.spot_usd_per_gpu_hour),
        key=lambda row: row.spot_usd_per_gpu_hour or 0,
        default=None,
    )
    from lowtide.app.files import DEFAULT_CLUSTER

    if cheapest is not None and not os.path.lexists(DEFAULT_CLUSTER):  # which init leaves as it is
        say_next(f"lowtide init --gpu-type {cheapest.instance_type.name}")


def _cells(row: PriceRow) -> tuple[str, ...]:
    one = row.instance_type
    gpu = f"{one.gpu.manufacturer} {one.gpu.model}" if one.gpu else "-"
    return (
        one.name,
        str(one.vcpu),
        f"{one.memory_mib / 1024:g}",
        str(one.nvidia_gpus) if one.gpu else "-",
        gpu,
        _usd(row.on_demand_usd_per_hour),
        _usd(row.spot_usd_per_hour),
        _usd(row.spot_usd_per_gpu_hour),
        "-" if row.interruption_band is None else BANDS[row.interruption_band],
        _note(row),
    )


def _usd(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.4f}"


def _note(row: PriceRow) -> str:
    one = row.instance_type
    if one.retired_on:
        return f"retired {one.retired_on}"
    if one.gpu is not None and one.gpu.fractional:
        return "a slice of a GPU; offers no nvidia.com/gpu"
    if one.gpu is not None and not one.nvidia_gpus:
        return "offers no nvidia.com/gpu"
    return ""


def _document(found: PriceList) -> dict[str, Any]:
    from lowtide.report.wording import prices_json

    return {
        "schema": "lowtide.prices/v1",
        "region": found.region,
        "types": [_row(row) for row in found.rows],
        "prices": prices_json(found.dates),
        "sources": [
            {"column": one.column, "source": one.source, "dated": one.dated}
            for one in found.sources
        ],
    }


def _row(row: PriceRow) -> dict[str, Any]:
    one = row.instance_type
    return {
        "name": one.name,
        "vcpu": one.vcpu,
        "memory_mib": one.memory_mib,
        "arch": one.arch,
        "max_pods": one.max_pods,
        "local_nvme_gib": one.local_nvme_gib,
        "nvidia_gpus": one.nvidia_gpus,
        "gpu": None
        if one.gpu is None
        else {
            "manufacturer": one.gpu.manufacturer,
            "model": one.gpu.model,
            "count": one.gpu.count,
            "memory_mib": one.gpu.memory_mib,
            "fractional": one.gpu.fractional,
        },
        "on_demand_usd_per_hour": row.on_demand_usd_per_hour,
        "spot_usd_per_hour": row.spot_usd_per_hour,
        "on_demand_usd_per_gpu_hour": row.on_demand_usd_per_gpu_hour,
        "spot_usd_per_gpu_hour": row.spot_usd_per_gpu_hour,
        "interruption_band": row.interruption_band,
        "priced_as": row.priced_as,
        "retired_on": one.retired_on,
        "retired_why": one.retired_why,
    }
