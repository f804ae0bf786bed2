"""What lowtide's own file formats have in common: apiVersion, kind, one document, no unknown key.

Why it exists: lowtide.yaml and Scenario files are read, refused and described to editors in the same way.

What it must not know: the keys of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from lowtide.spec import document as doc

API_VERSION = "lowtide.dev/v1alpha1"


class Section(BaseModel):
    """A mapping in one of our own files: no other keys, no guessed types."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True
    )


Whole = TypeVar("Whole", bound=Section)


def refusal(message: str, fix: str = "") -> PydanticCustomError:
    """Return what a validator raises about a value: words of our own, and what to write instead."""
    # A message template would treat braces in the user's text as its own.
    return PydanticCustomError("wrong_value", "{said}", {"said": message, "fix": fix})


def validated(
    text: str, file: str, model: type[Whole]
) -> tuple[doc.Document, doc.Problems, Whole | None]:
    """Return the document, its findings so far, and the whole file where nothing is wrong with it.

    Raises:
        InputError: it is no YAML, or a file of another kind.
    """
    document, *more = doc.parse(text, file)
    return validated_document(document, model, beside=more)


def validated_document(
    document: doc.Document, model: type[Whole], *, beside: Sequence[doc.Document] = ()
) -> tuple[doc.Document, doc.Problems, Whole | None]:
    """Return what ``validated`` does, of a document that is parsed already; ``beside`` are those that should not be there.

    Raises:
        InputError: it is of another kind.
    """
    problems = doc.Problems(document)
    kind = model.__name__.removesuffix("File")
    _refuse_other_kinds(document, problems, kind)
    for one in beside:
        extra = doc.Problems(one)
        extra.add(*doc.CONFLICT, f"a {kind} file holds one document", (), "remove this one")
        problems.extend(extra.findings)
    try:
        return document, problems, model.model_validate(document.data)
    except ValidationError as error:
        problems.extend(doc.findings_from_pydantic(document, error, model))
        return document, problems, None


def _refuse_other_kinds(document: doc.Document, problems: doc.Problems, kind: str) -> None:
    fix = f"begin it with apiVersion: {API_VERSION} and kind: {kind}"
    found = document.data
    if not isinstance(found, dict):
        problems.add(*doc.WRONG_TYPE, f"a {kind} file is a mapping", (), fix)
    elif found.get("kind") not in (None, kind):
        problems.add(*doc.WRONG_KIND, f"kind is {found['kind']}, not {kind}", ("kind",), fix)
    problems.raise_if_any(f"cannot use {document.file} as a {kind}")


def schema_of(model: type[Section], title: str) -> dict[str, Any]:
    """Return a format's JSON Schema for editors."""
    schema = model.model_json_schema(by_alias=True)
    _drop_titles(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _drop_titles(schema: dict[str, Any]) -> None:
    """Remove the titles that pydantic makes of names; a property called title stays."""
    schema.pop("title", None)
    for one in (schema, *schema.get("$defs", {}).values()):
        one.pop("title", None)
        for value in one.get("properties", {}).values():
            value.pop("title", None)
