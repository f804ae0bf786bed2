"""Writes src/lowtide/aws/create_only.json: which properties CloudFormation changes only by replacement.

The public resource schemas say it (createOnlyProperties, conditionalCreateOnlyProperties); cfn-lint carries a copy of them. Run it
after an update of cfn-lint, or when a template has a resource type that the table lacks:

    python scripts/create_only.py AWS::EC2::Subnet ...
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent.parent / "src" / "lowtide" / "aws" / "create_only.json"
REGION = "us-east-1"


def table_of(types: list[str]) -> dict[str, Any]:
    """Return the table for these resource types."""
    return {
        "source": f"CloudFormation resource schemas of {REGION}, as bundled with cfn-lint {version('cfn-lint')}",
        "dated": _read("version.json")["schema_date"][:10],
        "types": {name: _type(name) for name in sorted(types)},
    }


def _type(name: str) -> dict[str, list[str]]:
    schema = _read("resources", _read("providers", f"{REGION}.json")[name] + ".json")
    return {
        "always": _properties(schema, "createOnlyProperties"),
        "sometimes": _properties(schema, "conditionalCreateOnlyProperties"),
    }


def _properties(schema: dict[str, Any], key: str) -> list[str]:
    """Return paths without their common beginning: ``/properties/VpcConfig/SubnetIds`` is ``VpcConfig/SubnetIds``."""
    return sorted(one.removeprefix("/properties/") for one in schema.get(key) or [])


def _read(*path: str) -> Any:
    return json.loads(files("cfnlint").joinpath("data", "schemas", *path).read_text("utf-8"))


def main() -> None:
    """Write the table for the types it has and those given."""
    known = json.loads(TABLE.read_text("utf-8"))["types"] if TABLE.exists() else {}
    table = table_of([*{*known, *sys.argv[1:]}])
    TABLE.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    print(f"{TABLE}: {len(table['types'])} types")


if __name__ == "__main__":
    main()
