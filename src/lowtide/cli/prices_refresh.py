"""``prices refresh``: the prices of today, asked of AWS and kept."""

from __future__ import annotations

import click

from lowtide.cli.options import debug_option, output_option, profile_option
from lowtide.cli.output import emit, is_for_people, say_next, show
from lowtide.cli.verb import Verb


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide prices refresh
  lowtide prices refresh --region eu-west-1 --profile work
""",
)
@click.option("--region", default="us-east-1", show_default=True, help="AWS region.")
@profile_option
@output_option
@debug_option
def refresh(*, region: str, profile: str | None) -> None:
    """Ask AWS for the prices of today and keep them.

    On-demand prices come from the price list and are used for seven days; spot prices are those in force now, the mean of the
    region's zones, and are used for one day. After that the bundled ones are used again. Needs the permissions pricing:GetProducts
    and ec2:DescribeSpotPriceHistory; both calls are free.
    """
    from lowtide.app.prices_refresh import refresh_prices

    done = refresh_prices(region, profile=profile)
    at = done.at.isoformat(timespec="seconds")
    if not is_for_people():
        emit(
            {
                "schema": "lowtide.prices-refresh/v1",
                "region": done.region,
                "at": at,
                "on_demand_types": done.on_demand,
                "spot_types": done.spot,
                "file": str(done.file),
            }
        )
        return
    show(
        f"{done.region}: on-demand prices of {done.on_demand} types and spot prices of {done.spot}, of {at}\n"
        f"kept in {done.file}"
    )
    from lowtide.app.beside import is_cluster_file
    from lowtide.app.files import DEFAULT_CLUSTER

    plan = ["lowtide plan"] if is_cluster_file(DEFAULT_CLUSTER) else []
    say_next(f"lowtide prices --region {done.region} --gpu any", *plan)
