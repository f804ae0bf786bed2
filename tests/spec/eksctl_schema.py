"""Draws cluster files from eksctl's published schema, right in shape and wild in value."""

from __future__ import annotations

from typing import Any

from tests.spec.cluster_texts import seeded

#: Values that a schema's plain "string" stands for, so that rules behind the types are reached too.
_WORDS = (
    *("", "a", "gpu-spot-a", "us-west-2a", "us-west-2b", "us-west-2", "1.34", "latest", "mixed"),
    *("g4dn.xlarge", "t3.large", "auto", "auto-ssm", "ami-0123", "NoSchedule", "lowest-price"),
    *("capacity-optimized", "API", "CONFIG_MAP", "cluster", "namespace", "STANDARD", "open"),
    *("10.0.0.0/16", "arn:aws:iam::123456789012:role/x", "true", "1", "Launch", "kube-system"),
    *("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "{}", "not: [yaml", "ü\n"),
)
_NUMBERS = (-1, 0, 1, 2, 5, 7, 100, 3000, 86_400, 10**12)


class Drawer:
    """Draws values of one schema with one seed."""

    def __init__(self, schema: dict[str, Any], seed: int) -> None:
        self._definitions = schema["definitions"]
        self._random = seeded(seed)

    def cluster(self) -> Any:
        """Return a whole file with the head that makes it a ClusterConfig."""
        config = self.value({"$ref": "#/definitions/ClusterConfig"}, 0)
        config["metadata"] = {**config.get("metadata", {}), "name": "c", "region": "us-west-2"}
        return config

    def value(self, schema: dict[str, Any], depth: int) -> Any:
        """Return a value of this part of the schema."""
        if "$ref" in schema:
            return self.value(self._definitions[schema["$ref"].rpartition("/")[2]], depth)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if "oneOf" in schema:
            return self.value(self._random.choice(schema["oneOf"]), depth)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                count = self._random.choice((0, 1, 1, 2))
                return [self.value(schema["items"], depth + 1) for _ in range(count)]
            case "integer":
                return self._random.choice(_NUMBERS)
            case "number":
                return self._random.choice((0, 0.25, 1e9))
            case "boolean":
                return self._random.random() < 0.5
            case _:
                return self._random.choice(_WORDS)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        if "properties" not in schema:
            inner = schema.get("additionalProperties") or {"type": "string"}
            keys = self._random.sample(_WORDS, self._random.choice((0, 1, 2)))
            return {key: self.value(inner, depth + 1) for key in keys}
        share = 0.35 if depth < 2 else 0.25
        required = set(schema.get("required", ()))
        return {
            key: self.value(part, depth + 1)
            for key, part in schema["properties"].items()
            if key in required or self._random.random() < share
        }
