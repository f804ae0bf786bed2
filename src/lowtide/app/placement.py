"""Spot placement scores, asked at most once a day for the same question.

Why it exists: AWS limits how many different questions an account may ask a day, and scores mean little for fewer than three instance types
(EC2 user guide, "Spot placement score"). So only those are asked, the answer is kept, and no answer stops nothing.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowtide.app.price_cache import cache_folder
from lowtide.app.whole_file import write_whole
from lowtide.aws.live.account import Account
from lowtide.aws.live.offers import placement_scores
from lowtide.model.account import Unverified, ZoneScores
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import AwsError, LowtideError

SCHEMA = "lowtide.placement-cache/v1"
KEPT = dt.timedelta(days=1)
#: Fewer types than this are not worth a question.
FEWEST_TYPES = 3


def scores_of(
    cluster: ResolvedCluster, account: Account, zone_names: Mapping[str, str]
) -> tuple[tuple[ZoneScores, ...], tuple[Unverified, ...]]:
    """Return the scores of each spot group with enough types, and what could not be had.

    Args:
        cluster: whose groups are looked at.
        account: where to ask; AWS is not asked again within a day.
        zone_names: the name of each zone by its id.
    """
    kept = _read(account.region)
    found, unknown = [], []
    now = dt.datetime.now(tz=dt.UTC)
    for group in cluster.node_groups:
        question = _question(group)
        if question is None:
            continue
        types, nodes = question
        key = f"{','.join(types)} {nodes}"
        try:
            by_id = _fresh(kept, key, now) or placement_scores(account, types, nodes)
        except AwsError as error:
            unknown.append(
                Unverified(what=f"the spot placement score of {group.name}", why=error.why)
            )
            continue
        kept.setdefault(key, {"at": now.isoformat(), "scores": by_id})
        by_zone = {zone_names.get(place, place): score for place, score in by_id.items()}
        here = {zone: score for zone, score in by_zone.items() if zone in group.zones}
        found.append(ZoneScores(group=group.name, nodes=nodes, by_zone=here))
    _write(account.region, {key: one for key, one in kept.items() if _fresh(kept, key, now)})
    return tuple(found), tuple(unknown)


def _question(group: NodeGroup) -> tuple[tuple[str, ...], int] | None:
    types = tuple(sorted({one.offering.instance_type.name for one in group.candidates}))
    _, nodes = group.bought(group.max_size)
    return (types, nodes) if len(types) >= FEWEST_TYPES and nodes else None


def _fresh(kept: Mapping[str, Any], key: str, now: dt.datetime) -> dict[str, int] | None:
    try:
        age = now - dt.datetime.fromisoformat(kept[key]["at"])
        scores = {str(place): int(score) for place, score in kept[key]["scores"].items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return scores if dt.timedelta() <= age <= KEPT else None


def _file(region: str) -> Path:
    return cache_folder("placement") / f"{region}.json"


def _read(region: str) -> dict[str, Any]:
    try:
        document = json.loads(_file(region).read_text(encoding="utf-8"))
        return dict(document["answers"]) if document["schema"] == SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(region: str, answers: Mapping[str, Any]) -> None:
    """Keep the answers; where that cannot be done they are asked for again."""
    if not answers:
        return
    path = _file(region)
    document = {"schema": SCHEMA, "answers": dict(answers)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(path), json.dumps(document, indent=1) + "\n")
    except (OSError, LowtideError):
        return
