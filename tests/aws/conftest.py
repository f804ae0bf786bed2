"""The example cluster and its blueprint, and cfn-lint, for all tests of templates."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from tests.aws.example_cluster import ZONES, make_blueprint, make_cluster, make_group


@pytest.fixture
def node_group() -> Callable[..., NodeGroup]:
    """A function that builds a group from a name, zones and ``gpu``."""
    return make_group


@pytest.fixture
def cluster() -> ResolvedCluster:
    """One general group over three zones, and a spot GPU group in each zone."""
    gpu_groups = [make_group(f"gpu-spot-{zone[-1]}", zone, gpu=True) for zone in ZONES]
    return make_cluster(make_group("general", gpu=False), *gpu_groups)


@pytest.fixture
def blueprint(cluster: ResolvedCluster) -> Blueprint:
    """What that cluster asks of AWS."""
    return make_blueprint(cluster)


@pytest.fixture(scope="session")
def lint() -> Callable[..., list[str]]:
    """A function from a template to what cfn-lint finds in it, with every optional rule on."""
    # By name, since cfn-lint publishes no types.
    decode = importlib.import_module("cfnlint.decode.decode").decode_str
    make_runner = importlib.import_module("cfnlint.runner").Runner
    make_config = importlib.import_module("cfnlint.config").ConfigMixIn

    @functools.cache
    def runner(region: str) -> Any:
        """Loading the rules takes longer than running them."""
        return make_runner(make_config([], regions=[region], include_checks=["I"]))

    def findings(template: dict[str, Any], region: str = "us-east-1") -> list[str]:
        decoded, errors = decode(json.dumps(template, indent=1))
        matches = errors or runner(region).validate_template(decoded)
        return [f"{one.rule.id} {one.message} line {one.linenumber}" for one in matches]

    return findings
