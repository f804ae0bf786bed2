"""The JSON Schema of what lowtide reads of a ClusterConfig."""

from __future__ import annotations

from typing import Any

from lowtide.spec.clusterconfig.cluster import ClusterConfig


def json_schema() -> dict[str, Any]:
    """Return the schema of a cluster file, keys as they stand in it."""
    schema = _plain(ClusterConfig.model_json_schema(by_alias=True))
    assert isinstance(schema, dict)
    about = "An eksctl ClusterConfig (eksctl.io/v1alpha5), as far as lowtide supports it."
    return {"title": "ClusterConfig", **schema, "description": about}


def _plain(part: Any, *, names_are_keys: bool = False) -> Any:
    """Drop what tells an editor nothing or the wrong thing.

    ``null`` stands for an absent key in the models, and a key without a value is refused. Titles repeat the key. A default
    that is an object is what its parts' defaults say already.
    """
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if isinstance(part, str):
        return part.replace("``", "")
    if not isinstance(part, dict):
        return part
    kept = {
        key: _plain(value, names_are_keys=key in {"properties", "$defs"})
        for key, value in part.items()
        if names_are_keys or not _is_noise(key, value)
    }
    choices = [one for one in kept.get("anyOf", []) if one != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return {**kept, "anyOf": choices} if choices else kept


def _is_noise(key: str, value: Any) -> bool:
    return key == "title" or (key == "default" and (value is None or isinstance(value, dict)))
