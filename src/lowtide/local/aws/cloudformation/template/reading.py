"""A template's text as a value: JSON, or YAML with CloudFormation's short tags.

Why it exists: the short form ``!Ref X`` is YAML of CloudFormation's own, which becomes ``{"Ref": "X"}`` here, so that
nobody behind knows of it. Aliases, timestamps and merges are no part of CloudFormation's YAML
(user guide, "CloudFormation template formats").
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from lowtide.local.aws.cloudformation.template.refused import invalid, malformed, wrong

#: CreateStack's limit for a template in the call itself (user guide, "Understand CloudFormation quotas").
BODY_LIMIT_BYTES = 51_200

#: Evaluation calls itself for every level; templates in use have twenty.
_DEEPEST = 100
#: A text without halves of characters, which JSON can spell and nothing can write.
_WRITTEN = re.compile("[^\ud800-\udfff]*")
_SHORT = ("Base64", "Cidr", "And", "Equals", "If", "Not", "Or", "FindInMap", "GetAtt", "GetAZs")
_SHORT_TAGS = {
    **{f"!{name}": f"Fn::{name}" for name in (*_SHORT, "ImportValue", "Join", "Select")},
    **{f"!{name}": f"Fn::{name}" for name in ("Split", "Sub", "Transform")},
    "!Ref": "Ref",
    "!Condition": "Condition",
}
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


def read(text: str) -> dict[str, Any]:
    """Return the template that a text holds.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    size = len(text.encode())
    if not 0 < size <= BODY_LIMIT_BYTES:
        raise invalid(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length {'less' if size else 'greater'} than or equal to "
            f"{BODY_LIMIT_BYTES if size else 1}"
        )
    try:
        value = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    except RecursionError as error:
        raise malformed("unsupported structure.") from error
    if not isinstance(value, dict) or not _is_plain(value):
        raise malformed("unsupported structure.")
    return value


def _is_plain(value: Any) -> bool:
    """Return whether a value is no deeper than can be walked through, and all of its texts can be written."""
    level = [value]
    for _ in range(_DEEPEST):
        texts = [one for one in level if isinstance(one, str)]
        texts += [key for one in level if isinstance(one, dict) for key in one]
        if not all(_WRITTEN.fullmatch(one) for one in texts):
            return False
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _json(text: str) -> Any:
    """Read JSON; what only looks like JSON may be YAML's flow style."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        try:
            return _yaml(text)
        except Exception:  # noqa: BLE001 - whatever YAML minds, it is the JSON that is told
            where = f"(line {error.lineno}, column {error.colno})"
            raise malformed(f"JSON not well-formed. {where}") from error


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise malformed(f"YAML not well-formed.{where}") from error
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What is no MarkedYAMLError, a constructor of PyYAML fell over: !!bool of what is none.
        raise malformed("YAML not well-formed.") from error


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, which CloudFormation does not know (and which let 50 kB become gigabytes)."""
        if self.check_event(yaml.AliasEvent):
            raise wrong("YAML aliases are not allowed in CloudFormation templates")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Read a mapping whose keys are texts, each once."""
        pairs = [(self.construct_object(key, deep=True), key, value) for key, value in node.value]
        read: dict[Any, Any] = {}
        for name, key, value in pairs:
            # A key such as 123456789012 in a mapping of accounts is a text to CloudFormation.
            text = key.value if isinstance(key, yaml.ScalarNode) else str(name)
            if text in read:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {text}", key.start_mark
                )
            read[text] = self.construct_object(value, deep=deep)
        return read


def _short(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    """Return the long form of a tagged node."""
    long = _SHORT_TAGS.get("!" + tag)
    if long is None:
        raise yaml.constructor.ConstructorError(None, None, f"unknown tag !{tag}", node.start_mark)
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if long == "Fn::GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {long: value}


_Loader.add_multi_constructor("!", _short)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
