"""Write src/lowtide/spec/manifests_fields.json from the published Kubernetes schema.

The reader of manifests must refuse an unknown field as ``kubectl apply`` does, and needs the
names and types of all fields for that, of the pod template's and of everything inside. They are
facts of the Kubernetes API; this script takes them from the strict schemas that the development
dependency kubernetes-validate carries, so that a new Kubernetes minor is one run and one review.

Run ``python scripts/kubernetes_fields.py [MINOR]``; a test compares the file with the schema.
"""

from __future__ import annotations

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

MINOR = "1.36"
KINDS = (
    "apps/v1 DaemonSet",
    "apps/v1 Deployment",
    "apps/v1 ReplicaSet",
    "apps/v1 StatefulSet",
    "batch/v1 CronJob",
    "batch/v1 Job",
    "policy/v1 PodDisruptionBudget",
    "scheduling.k8s.io/v1 PriorityClass",
    "v1 ConfigMap",
    "v1 Pod",
    "v1 ReplicationController",
)
TARGET = Path(__file__).resolve().parent.parent / "src/lowtide/spec/manifests_fields.json"

# The API server ignores both on create, and managedFields is written by the server alone.
OPAQUE_FIELDS = ("status", "managedFields")
SCALARS = {"Quantity": "quantity", "IntOrString": "intOrString", "Time": "string"}


def type_of(schema: dict[str, Any], wanted: set[str]) -> str:
    """Return the compact type of a property, and note the definition it names in ``wanted``."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        short = name.rsplit(".", 1)[-1]
        if short in SCALARS:
            return SCALARS[short]
        if short == "FieldsV1":
            return "any"
        wanted.add(name)
        return short
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    if kind == "array":
        return f"[{type_of(schema['items'], wanted)}]"
    if kind == "object":
        return "{" + type_of(schema["additionalProperties"], wanted) + "}"
    if kind == "integer":
        return str(schema.get("format", "int64"))
    return str(kind)


def build(minor: str = MINOR) -> dict[str, Any]:
    """Return kinds, field types and required fields as they stand in the file."""
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    text = (folder / f"v{minor}.0-local-strict" / "_definitions.json").read_text("utf-8")
    definitions = json.loads(text)["$defs"]
    wanted = {name for name, one in definitions.items() if _is_root(one)}
    fields: dict[str, dict[str, str]] = {}
    required: dict[str, list[str]] = {}
    done: set[str] = set()
    while wanted - done:
        name = min(wanted - done)
        done.add(name)
        short, schema = name.rsplit(".", 1)[-1], definitions[name]
        if short in fields:
            raise SystemExit(f"two definitions are called {short}")
        fields[short] = {
            key: "any" if key in OPAQUE_FIELDS else type_of(value, wanted)
            for key, value in sorted(schema["properties"].items())
        }
        if schema.get("required"):
            required[short] = sorted(schema["required"])
    return {
        "source": f"Kubernetes {minor} OpenAPI definitions, by scripts/kubernetes_fields.py",
        "kinds": list(KINDS),
        "fields": dict(sorted(fields.items())),
        "required": dict(sorted(required.items())),
    }


def _is_root(definition: dict[str, Any]) -> bool:
    for one in definition.get("x-kubernetes-group-version-kind", ()):
        group = f"{one['group']}/" if one["group"] else ""
        if f"{group}{one['version']} {one['kind']}" in KINDS:
            return True
    return False


def main() -> None:
    """Write the file."""
    tables = build(*sys.argv[1:2])
    lines = [f'  "{key}": {json.dumps(tables[key])}' for key in ("source", "kinds")]
    for key in ("fields", "required"):
        rows = ",\n".join(f'    "{name}": {json.dumps(row)}' for name, row in tables[key].items())
        lines.append(f'  "{key}": {{\n{rows}\n  }}')
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
