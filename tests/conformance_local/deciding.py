"""The deciding events of a run, in a form in which two runs can be compared.

The lines of INDEX.md are the first and the last FailedScheduling text up to its first full stop, and events with reason, kind
and text. Equal is the set of (reason, object kind, text with names and counts masked, autoscaler reasons as a multiset).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]
#: Reason, kind of object, masked text.
Deciding = tuple[str, str, str]

_LINE = re.compile(r"(\w+) \((\w+), (\w+)\): (.*)", re.DOTALL)
_SCHEDULING = re.compile(r"FS (first|last): `(.*)`", re.DOTALL)
_REFUSED = "pod didn't trigger scale-up: "
#: What INDEX.md leaves out everywhere: it says in other words what TriggeredScaleUp says.
_LEFT_OUT = frozenset({"ScaledUpGroup"})
#: Of the other components INDEX.md has these.
_OF_OTHERS = frozenset({"TaintManagerEviction"})
_COMBINED = "(combined from similar events): "
_MASKS = (
    (re.compile(r"<node>|\bip-[\w-]+(?:\.[\w-]+)*\.internal\b"), "NODE"),
    (re.compile(r"(?<=pods to reschedule: ).*"), "POD"),
    (re.compile(r"(?<=Pod default/)\S+"), "POD"),
    (re.compile(r"\{\S+ \d+->\d+ \(max: \d+\)\}"), "{GROUP N->N (max: N)}"),
    (re.compile(r"(?<=to group )\S+"), "GROUP"),
    (re.compile(r"(?<=Failed adding )\d+"), "N"),
)


def of_index(lines: Iterable[str]) -> frozenset[Deciding]:
    """Return the deciding events that lines of INDEX.md tell; a line for the last text is left out where the first is the last."""
    found: set[Deciding] = set()
    for line in lines:
        scheduling = _SCHEDULING.fullmatch(line)
        event = _LINE.fullmatch(line)
        if scheduling:
            found.add(_failed_scheduling(scheduling[1], scheduling[2]))
        elif event:
            found.add((event[1], event[3], masked(event[4])))
    first = {text for reason, _, text in found if reason == "FailedScheduling first"}
    if not any(reason == "FailedScheduling last" for reason, _, _ in found):
        found |= {("FailedScheduling last", "Pod", text) for text in first}
    return frozenset(found)


def of_run(events: Iterable[Json]) -> frozenset[Deciding]:
    """Return the deciding events of a run, from core/v1 events."""
    events = list(events)
    found = {
        (one["reason"], one["involvedObject"]["kind"], masked(one["message"]))
        for one in events
        if (one["reason"] in _OF_OTHERS and one["involvedObject"].get("namespace") == "default")
        or (_is_autoscalers(one) and one["reason"] not in _LEFT_OUT)
    }
    refused = [
        one
        for one in events
        if one["reason"] == "FailedScheduling"
        and one["involvedObject"].get("namespace") == "default"
    ]
    if refused:
        first, last = min(refused, key=_first_seen), max(refused, key=_last_seen)
        found.add(_failed_scheduling("first", first["message"].split(". ")[0]))
        found.add(_failed_scheduling("last", last["message"].split(". ")[0]))
    return frozenset(found)


def masked(text: str) -> str:
    """Return a text without names and counts; the reasons of a refusal are counted, in alphabetical order."""
    text = text.removeprefix(_COMBINED)
    if text.startswith(_REFUSED):
        return _REFUSED + ", ".join(sorted(text.removeprefix(_REFUSED).split(", ")))
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def _failed_scheduling(which: str, text: str) -> Deciding:
    """Mask how many nodes there are; which reasons there are stays, in alphabetical order."""
    _, _, reasons = text.rstrip(".").partition(" nodes are available: ")
    plain = sorted(re.sub(r"^\d+ ", "", one) for one in reasons.split(", "))
    return (f"FailedScheduling {which}", "Pod", ", ".join(plain))


def _is_autoscalers(event: Json) -> bool:
    return bool((event.get("source") or {}).get("component") == "cluster-autoscaler")


def _first_seen(event: Json) -> str:
    return str(event.get("eventTime") or event.get("firstTimestamp"))


def _last_seen(event: Json) -> str:
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("eventTime") or event.get("lastTimestamp"))
