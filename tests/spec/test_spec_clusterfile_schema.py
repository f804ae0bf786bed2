"""What lowtide reads and what eksctl publishes fit together, key by key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from lowtide.model.errors import InputError
from lowtide.spec.clusterconfig.cluster import ClusterConfig
from lowtide.spec.clusterfile import read_cluster
from lowtide.spec.pydantic_findings import keys_of, model_at
from lowtide.spec.schemas import KINDS, json_schema
from tests.spec.cluster_texts import FULL, read_or_refuse
from tests.spec.eksctl_schema import Drawer

if TYPE_CHECKING:
    from pydantic import BaseModel

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu" / "cluster.yaml"


@pytest.fixture
def published(shared_data: Callable[[str], Path]) -> dict[str, Any]:
    path = shared_data("eksctl/clusterconfig_v1alpha5.schema.json")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def described(published: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Follow references, lists and maps down to what describes one object or value."""
    while True:
        if "$ref" in part:
            part = published["definitions"][part["$ref"].rpartition("/")[2]]
        elif "items" in part:
            part = part["items"]
        elif isinstance(part.get("additionalProperties"), dict):
            part = part["additionalProperties"]
        else:
            return part


def keys_that_differ(
    model: type[BaseModel], published: dict[str, Any], part: dict[str, Any], at: str
) -> list[str]:
    """Return keys of one object that only one side knows, and of all objects below."""
    theirs = described(published, part).get("properties", {})
    read = set(keys_of(model))
    differ = [
        f"{at}.{key}" for key in set(theirs) ^ (read | {*getattr(model, "not_supported", {})})
    ]
    for key in read & set(theirs):
        places: tuple[tuple[str | int, ...], ...] = ((key,), (key, 0), (key, "any"))
        inner = next(filter(None, (model_at(model, path) for path in places)), None)
        if inner is not None:
            differ += keys_that_differ(inner, published, theirs[key], f"{at}.{key}")
    return differ


def test_every_key_of_eksctl_is_read_or_named_as_not_supported(published: dict[str, Any]) -> None:
    root = published["definitions"]["ClusterConfig"]
    assert keys_that_differ(ClusterConfig, published, root, "") == []


@pytest.mark.parametrize("seed", range(60))
def test_what_the_published_schema_allows_is_read_or_refused_in_words(
    published: dict[str, Any], seed: int
) -> None:
    drawer = Drawer(published, seed)
    for _ in range(4):
        text = json.dumps(drawer.cluster(), indent=1)
        result = read_or_refuse(text, "drawn.yaml")
        if isinstance(result, InputError):
            assert result.findings
            names = {"unknown-key", "wrong-type"}
            assert [one.path for one in result.findings if one.name in names] == []


@pytest.mark.parametrize(
    "text", [FULL, EXAMPLE.read_text(encoding="utf-8")], ids=["full", "example"]
)
def test_our_files_satisfy_the_published_schema_and_our_own(
    published: dict[str, Any], text: str
) -> None:
    read_cluster(text, "c.yaml")
    data = yaml.safe_load(text)
    jsonschema.Draft7Validator(published).validate(data)
    jsonschema.Draft202012Validator(json_schema("cluster")).validate(data)


class TestOurSchema:
    def refusals(self, change: Callable[[dict[str, Any]], object]) -> list[str]:
        data = yaml.safe_load(FULL)
        change(data)
        validator = jsonschema.Draft202012Validator(json_schema("cluster"))
        return [error.json_path for error in validator.iter_errors(data)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_a_json_schema(self, kind: str) -> None:
        schema = json_schema(kind)
        assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$schema"]
        jsonschema.Draft202012Validator.check_schema(schema)

    def test_an_unknown_key_is_refused_at_every_depth(self) -> None:
        assert self.refusals(lambda data: data.update(nodegroups=[])) == ["$"]
        assert self.refusals(lambda data: data["nodeGroups"][0].update(minsize=1)) == [
            "$.nodeGroups[0]"
        ]

    def test_bounds_and_choices_are_in_it(self) -> None:
        group = "$.nodeGroups[1]"
        assert self.refusals(lambda data: data["nodeGroups"][1].update(minSize=-1)) == [
            f"{group}.minSize"
        ]
        assert self.refusals(lambda data: data["nodeGroups"][1].update(volumeType="gp9")) == [
            f"{group}.volumeType"
        ]

    def test_both_forms_of_taints_are_in_it(self) -> None:
        form = {"nvidia.com/gpu": "true:NoSchedule"}
        assert self.refusals(lambda data: data["nodeGroups"][1].update(taints=form)) == []

    def test_a_key_without_a_value_is_refused(self) -> None:
        assert self.refusals(lambda data: data.update(secretsEncryption=None)) == [
            "$.secretsEncryption"
        ]

    def test_another_kind_of_file_has_none(self) -> None:
        with pytest.raises(InputError) as caught:
            json_schema("clutser")
        assert "cluster, policy, scenario" in caught.value.why
