"""The network of a living cluster stays as it was made: what would replace its subnets is refused before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("boto3")

from lowtide.app.converging import Convergence, Goal, Hooks
from lowtide.app.files import Inputs
from lowtide.app.patience import Patience
from lowtide.app.up_plan import Wish, prepare
from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

ZONES = "availabilityZones: [us-east-1a, us-east-1b]"
FILE = f"""\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: mine, region: us-east-1, version: "1.36"}}
{ZONES}
managedNodeGroups:
  - name: general
    instanceType: m5.large
    minSize: 1
    maxSize: 2
    desiredCapacity: 1
    privateNetworking: true
"""


@pytest.fixture
def living(served: Serving) -> Path:
    """The file of a cluster that was made in the box."""
    path = Path("cluster.yaml")
    path.write_text(FILE, "utf-8")
    prepared = prepare(Inputs(cluster="cluster.yaml"), Wish(), with_objects=False)
    goal = Goal(wanted=prepared.world.wanted, requests=prepared.world.requests)
    hooks = Hooks(tell=lambda _: None, has_nodes=lambda: True)
    Convergence(Stacks(prepared.account), goal, hooks, Patience(120, "")).run()
    return path


def _looks() -> tuple[object, list[object]]:
    stacks = tuple(Stacks(Account("us-east-1")).all())
    api = Account("us-east-1").client("cloudformation")
    sets = [api.list_change_sets(StackName=one.name)["Summaries"] for one in stacks]
    return stacks, [one for one in sets if one]


def test_other_zones_or_addresses_of_a_living_network_are_refused(
    living: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _looks()
    zones = "where: cluster.yaml: availabilityZones"
    for wanted, parts in {
        ZONES.replace("]", ", us-east-1d]"): (
            zones,
            "its subnets PrivateSubnetUsEast1a, PrivateSubnetUsEast1b would be replaced",
            "the network has no subnet in us-east-1d",
        ),
        ZONES.replace("1b", "1d"): (zones, "PublicSubnetUsEast1b", "in us-east-1d"),
        "availabilityZones: [us-east-1b, us-east-1a]": (zones, "would be replaced"),
        f"{ZONES}\nvpc: {{cidr: 10.77.0.0/16}}": ("where: cluster.yaml: vpc", "would be replaced"),
    }.items():
        living.write_text(FILE.replace(ZONES, wanted), "utf-8")
        for verb in (["up", "--yes"], ["plan", "--live"]):
            assert run(verb) == 3, wanted
            words = capsys.readouterr().err
            assert "of a living cluster's network cannot change" in words
            assert "make a new cluster of another name beside it and move" in words
            for part in parts:
                assert part in words, (wanted, words)
    assert _looks() == before


def test_a_group_whose_zones_are_its_own_does_not_hide_the_new_zone(
    living: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "    availabilityZones: [us-east-1a]\n"
    living.write_text(FILE.replace(ZONES, ZONES.replace("]", ", us-east-1d]")) + own, "utf-8")
    assert run(["plan", "--live"]) == 3
    assert "PrivateSubnetUsEast1a" in capsys.readouterr().err
    living.write_text(FILE + own, "utf-8")
    assert run(["plan", "--live"]) == 0, "the network stays"
