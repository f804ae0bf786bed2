"""Which of the groups that could help is grown (expander/ at 1.36.1).

An expander filters the options; a chain stops when one is left, and what is still tied is random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lowtide.engine.template import Template
from lowtide.model.kube import Pod
from lowtide.model.quantity import CPU, MEMORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Growing one group by ``nodes`` would take these pods."""

    group: str
    nodes: int
    pods: tuple[Pod, ...]
    template: Template


def best_options(
    options: Sequence[Option], chain: Sequence[str], priorities: Mapping[int, Sequence[str]] | None
) -> list[Option]:
    """Return the options that the chain of expanders leaves tied; ``random`` filters nothing."""
    filters: Mapping[str, Callable[[Sequence[Option]], list[Option]]] = {
        "least-waste": _least_waste,
        "most-pods": lambda many: _extreme(many, lambda one: -len(one.pods)),
        "least-nodes": lambda many: _extreme(many, lambda one: one.nodes),
        "priority": lambda many: _by_priority(many, priorities),
        "random": list,
    }
    left = list(options)
    for name in chain:
        if len(left) <= 1:
            break
        left = filters[name](left)
    return left


def waste(option: Option) -> float:
    """Return the shares of CPU and memory that would stay idle, added; GPUs are not looked at."""
    total = 0.0
    for name in (CPU, MEMORY):
        have = option.template.node.capacity.get(name, 0) * option.nodes
        asked = sum(pod.spec.requests.get(name, 0) for pod in option.pods)
        total += (have - asked) / have if have else 0.0
    return total


def _least_waste(options: Sequence[Option]) -> list[Option]:
    return _extreme(options, waste)


def _extreme(options: Sequence[Option], value: Callable[[Option], float]) -> list[Option]:
    values = [value(one) for one in options]
    lowest = min(values)
    return [one for one, number in zip(options, values, strict=True) if number == lowest]


def _by_priority(
    options: Sequence[Option], priorities: Mapping[int, Sequence[str]] | None
) -> list[Option]:
    """Keep the groups whose name matches the highest priority; no usable table filters nothing.

    Patterns are searched anywhere in the name; priorities below zero never win, as upstream.
    """
    best = -1
    kept: list[Option] = []
    for option in options:
        for priority, patterns in (priorities or {}).items():
            if priority < best or not any(re.search(one, option.group) for one in patterns):
                continue
            if priority > best:
                best, kept = priority, []
            if option not in kept:
                kept.append(option)
    return kept or list(options)
