"""Codes of findings: each means one thing, for ever, and stands where its package explains itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest

import lowtide.app
import lowtide.checks
import lowtide.resolve
import lowtide.spec
from lowtide.checks import account
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.rules import RULES, Rule, Scope, count_of
from lowtide.resolve import context


def _modules() -> Iterator[ModuleType]:
    for package in (lowtide.spec, lowtide.resolve, lowtide.checks, lowtide.app):
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


def _defined() -> set[tuple[str, str]]:
    return {rule for module in _modules() for rule in _rules(module)}


def test_the_catalogue_has_every_code_that_is_defined_anywhere_once() -> None:
    listed = [(one.code, one.name) for one in RULES]
    assert len(set(listed)) == len(listed)
    assert set(listed) == _defined()


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.code)
def test_a_finding_of_any_code_says_what_to_do(rule: Rule) -> None:
    found = Finding(
        code=rule.code, name=rule.name, severity=Severity.ERROR, message="m", mark=Mark()
    )
    assert found.fix == rule.fix
    assert rule.fix.strip()
    assert not rule.fix.endswith(".")
    assert replace(found, fix="another").fix == "another", "one that knows better says it"


def test_every_rule_belongs_to_what_it_looks_at() -> None:
    assert count_of(*Scope) == len(RULES)
    assert all((one.scope is Scope.ACCOUNT) == one.code.startswith("LT6") for one in RULES)
