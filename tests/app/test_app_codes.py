"""Codes of findings: each means one thing, for ever, and stands where its package explains itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from types import ModuleType

import lowtide.checks
import lowtide.resolve
import lowtide.spec
from lowtide.checks import account
from lowtide.resolve import context


def _modules() -> Iterator[ModuleType]:
    for package in (lowtide.spec, lowtide.resolve, lowtide.checks):
        for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(one.name)


def _rules(module: ModuleType) -> Iterator[tuple[str, str]]:
    for value in vars(module).values():
        if isinstance(value, tuple) and len(value) == 2 and str(value[0]).startswith("LT"):
            yield value


def test_a_code_has_one_name() -> None:
    names = defaultdict(set)
    for module in _modules():
        for code, name in _rules(module):
            names[code].add(name)
    assert len(names) > 30
    assert {code: found for code, found in names.items() if len(found) > 1} == {}


def test_the_codes_of_resolving_are_explained_where_they_are_defined() -> None:
    explained = context.__doc__ or ""
    assert [rule for rule in _rules(context) if " ".join(rule) not in explained] == []


def test_the_codes_of_an_account_are_explained_in_their_room() -> None:
    explained = account.__doc__ or ""
    rules = {
        rule
        for one in pkgutil.walk_packages(account.__path__, f"{account.__name__}.")
        for rule in _rules(importlib.import_module(one.name))
    }
    assert len(rules) > 8
    assert [rule for rule in rules if f"{rule[0]} {rule[1]} " not in explained] == []
