"""Reads YAML with line and column for every value, and collects what is wrong with a file.

Why it exists: each reader of this room finds mistakes at a path (``nodeGroups[0].minSize``); here a path becomes a place in
the file, all mistakes become findings, and bad files of every kind become one clear error.

What it must not know: any file format above YAML.

Finding codes of all readers (stable; the name is stable too):

    LT001 syntax             not YAML, not UTF-8, control characters, an alias without its anchor
    LT002 duplicate-key      a key given twice in one mapping
    LT003 unknown-key        a key that the format does not have
    LT004 not-supported      valid for the tool that defines the format, but lowtide cannot do it yet
    LT005 wrong-type         text where a number belongs, and the like
    LT006 wrong-value        the right type, but not an allowed value
    LT007 missing            a required key is not there
    LT008 too-large          more bytes, values or nesting than any honest file has
    LT009 wrong-kind         the file is of another kind than was asked for (not a ClusterConfig, ...)
    LT010 empty              nothing in the file
    LT011 conflict           each value is fine, but not together with another one
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lowtide.model.errors import InputError
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.spec import input_file
from lowtide.spec.yamltree import Composer, Place, TooLargeError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

SYNTAX = ("LT001", "syntax")
DUPLICATE_KEY = ("LT002", "duplicate-key")
UNKNOWN_KEY = ("LT003", "unknown-key")
NOT_SUPPORTED = ("LT004", "not-supported")
WRONG_TYPE = ("LT005", "wrong-type")
WRONG_VALUE = ("LT006", "wrong-value")
MISSING = ("LT007", "missing")
TOO_LARGE = ("LT008", "too-large")
WRONG_KIND = ("LT009", "wrong-kind")
EMPTY = ("LT010", "empty")
CONFLICT = ("LT011", "conflict")

_BY_NAME = {
    rule[1]: rule for rule in (SYNTAX, DUPLICATE_KEY, NOT_SUPPORTED, WRONG_TYPE, WRONG_VALUE)
}

#: A path inside a document: mapping keys and list positions.
PathInFile = tuple[str | int, ...]

#: Bytes of one file. The largest cluster files in public repositories are some tens of KiB.
MAX_BYTES = 4 * 1024 * 1024

#: Findings of one file that are shown; a file of repeated lines has a duplicate key on each.
MAX_FINDINGS = 200
#: Characters of one message.
_MAX_WORDS = 600
#: Wrong words of one document that get a suggestion: looking for one takes longer than all the rest.
MAX_SUGGESTIONS = 20

# Everything outside YAML 1.2's printable set (section 5.1), which is JSON's too; the set itself, negated, takes 6 ms to compile.
_NOT_PRINTABLE = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: ``data`` is plain values, and every value and key has a mark."""

    file: str
    data: Any
    places: Place = field(repr=False, compare=False)

    def mark(self, path: PathInFile = ()) -> Mark:
        """Return where the value at the path stands, or its nearest ancestor that exists."""
        place = self._nearest_place(path)[0]
        return Mark(file=self.file, line=place.line, column=place.column)

    def key_mark(self, path: PathInFile) -> Mark:
        """Return where the key of the value at the path stands; for list items, the item's mark."""
        if not path:
            return self.mark()
        parent, depth = self._nearest_place(path[:-1])
        key = path[depth]
        if depth == len(path) - 1 and isinstance(key, str) and key in parent.keys:
            line, column = parent.keys[key]
            return Mark(file=self.file, line=line, column=column)
        return self.mark(path)

    def written(self, path: PathInFile) -> str | None:
        """Return what stands in the file where YAML read an unquoted scalar as something else than text."""
        place, depth = self._nearest_place(path)
        return place.text if depth == len(path) else None

    def _nearest_place(self, path: PathInFile) -> tuple[Place, int]:
        place = self.places
        for depth, step in enumerate(path):
            child = place.children.get(step)
            if child is None:
                return place, depth
            place = child
        return place, len(path)


def path_text(path: PathInFile) -> str:
    """Return a path as people write it: ``nodeGroups[0].labels["nvidia.com/gpu"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate a person most likely meant, None when nothing is near."""
    import difflib  # noqa: PLC0415 - needed for wrong files only

    def bare(text: str) -> str:
        return text.lower().replace("_", "").replace("-", "")

    by_bare = {bare(one): one for one in candidates}
    found = difflib.get_close_matches(bare(word)[:80], by_bare, n=1, cutoff=0.6)
    return by_bare[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return the fix for a word that is none of the candidates: the nearest one, or all of them."""
    known = sorted(candidates)
    if best := nearest(word, known):
        return f"did you mean {best}?"
    shown = ", ".join(known[:12])
    return f"known here: {shown}" + (", ..." if len(known) > 12 else "")


class Problems:
    """Collects findings of one document until somebody asks whether there are any."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._findings: list[Finding] = []
        self._suggestions = 0

    def suggest(self, word: str, candidates: Iterable[str]) -> str:
        """Return the fix for a word that is none of the candidates; empty after many such words."""
        self._suggestions += 1
        return did_you_mean(word, candidates) if self._suggestions <= MAX_SUGGESTIONS else ""

    def add(  # noqa: PLR0913 - one finding has that many parts, and all callers name the optional ones
        self,
        code: str,
        name: str,
        message: str,
        path: PathInFile,
        fix: str = "",
        severity: Severity = Severity.ERROR,
        *,
        at_key: bool = False,
    ) -> None:
        """Add a finding about the value at a path, or about its key."""
        mark = self._document.key_mark(path) if at_key else self._document.mark(path)
        self._findings.append(
            _finding((code, name), message, mark, path=path_text(path), fix=fix, severity=severity)
        )

    def extend(self, findings: Iterable[Finding]) -> None:
        """Add findings that have their marks already."""
        self._findings.extend(findings)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings by place."""
        return in_order(self._findings)

    @property
    def has_errors(self) -> bool:
        """Whether at least one finding is an error."""
        return any(one.severity is Severity.ERROR for one in self._findings)

    def raise_if_any(self, what: str) -> None:
        """Raise when there is an error among the findings; warnings alone do not stop.

        Raises:
            InputError: with all findings; where, why and fix are those of the first error.
        """
        if self.has_errors:
            raise error_from(what, self.findings)


def _finding(
    rule: tuple[str, str],
    message: str,
    mark: Mark,
    *,
    path: str = "",
    fix: str = "",
    severity: Severity = Severity.ERROR,
) -> Finding:
    code, name = rule
    return Finding(
        code=code,
        name=name,
        severity=severity,
        message=_clipped(message),
        mark=mark,
        path=_clipped(path),
        fix=_clipped(fix),
    )


def _clipped(text: str) -> str:
    # A key or a value may be megabytes long; nobody reads that in a message.
    return text if len(text) <= _MAX_WORDS else text[: _MAX_WORDS - 3] + "..."


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings sorted by file, line and column, without repetitions."""
    unique = dict.fromkeys(findings)
    return tuple(
        sorted(unique, key=lambda one: (one.mark.file, one.mark.line, one.mark.column, one.path))
    )


def error_from(what: str, findings: Sequence[Finding]) -> InputError:
    """Return the error that carries these findings and speaks of the first error among them."""
    first = next(one for one in findings if one.severity is Severity.ERROR)
    return InputError(
        what,
        where=str(first.mark),
        why=first.message,
        fix=first.fix,
        findings=tuple(findings[:MAX_FINDINGS]),
    )


def read_text(path: str | Path) -> str:
    """Return the text of a file; ``-`` is standard input.

    Raises:
        InputError: missing, unreadable, no regular file, too large, not UTF-8, or control characters in it.
    """
    shown = str(path)
    raw = _stdin_bytes() if shown == "-" else _file_bytes(path)
    file = "<stdin>" if shown == "-" else shown
    if len(raw) > MAX_BYTES:
        why = f"it is larger than {MAX_BYTES // 1024**2} MiB"
        raise _file_error(TOO_LARGE, file, why, "give a YAML file, or split this one")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        why = f"byte {raw[error.start]:#04x} at offset {error.start} is not UTF-8"
        raise _file_error(SYNTAX, file, why, "save the file as UTF-8 text", line) from None
    _refuse_control_characters(text, file)
    return text


def _stdin_bytes() -> bytes:
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _file_bytes(path: str | Path) -> bytes:
    """Read at most one byte past the limit, from regular files and pipes alone (a device may never end)."""
    try:
        input_file.refuse_irregular(path, pipes=True)
        with Path(path).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except input_file.UnusableFileError as error:
        rule = MISSING if error.__cause__ else SYNTAX
        raise _file_error(rule, str(path), str(error), error.fix) from error
    except OSError as error:
        found = input_file.unusable(error)
        raise _file_error(MISSING, str(path), str(found), found.fix) from error


def is_directory(path: str | Path) -> bool:
    """Return whether a path is a directory.

    Raises:
        InputError: the name is empty, or the system refuses to say (too long a name, a folder that may not be entered).
    """
    try:
        return input_file.is_directory(path)
    except input_file.UnusableFileError as error:
        raise _file_error(MISSING, str(path), str(error), error.fix) from error


def _file_error(
    rule: tuple[str, str], file: str, why: str, fix: str, line: int = 0, column: int = 0
) -> InputError:
    mark = Mark(file=file, line=line, column=column or min(line, 1))
    finding = _finding(rule, why, mark, fix=fix)
    return error_from(f"cannot read {file}", (finding,))


def _refuse_control_characters(text: str, file: str) -> None:
    found = _NOT_PRINTABLE.search(text)
    if found is None:
        return
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    why = f"control character U+{ord(found[0]):04X}; this is no YAML text"
    raise _file_error(SYNTAX, file, why, "remove it, or give a text file", line, column)


def parse(text: str, file: str) -> tuple[Document, ...]:
    """Return every document of a YAML text; empty ones between others are left out.

    Raises:
        InputError: syntax, duplicate keys, keys that are no text, foreign tags, or more than the limits of
            :mod:`lowtide.spec.yamltree`; with all that could be found at once.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        why = f"it is larger than {MAX_BYTES // 1024**2} MiB"
        raise _file_error(TOO_LARGE, file, why, "split the file")
    _refuse_control_characters(text, file)
    findings: list[Finding] = []

    def report(name: str, message: str, line: int, column: int, fix: str) -> None:
        mark = Mark(file=file, line=line, column=column)
        findings.append(_finding(_BY_NAME[name], message, mark, fix=fix))

    documents: list[Document] = []
    try:
        for value, place in Composer(report).documents(text):
            if value is not None:
                documents.append(Document(file=file, data=value, places=place))
    except TooLargeError as error:
        fix = "write the values out, without nested aliases"
        raise _file_error(TOO_LARGE, file, str(error), fix, error.line, error.column) from None
    except yaml.YAMLError as error:
        findings.append(_syntax_finding(error, text, file))
    if findings:
        raise error_from(f"cannot read {file}", in_order(findings))
    if not documents:
        why = "there is nothing in it but comments and blank lines" if text else "it is empty"
        raise _file_error(EMPTY, file, why, "lowtide init writes a first cluster.yaml", 1, 1)
    return tuple(documents)


def _syntax_finding(error: yaml.YAMLError, text: str, file: str) -> Finding:
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (place.line + 1, place.column + 1) if place else (1, 1)
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    message = ", ".join(part for part in parts if part) or str(error).split("\n", maxsplit=1)[0]
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    fix = "check indentation, colons and quotes here and on the line above"
    if "\t" in here[: len(here) - len(here.lstrip())]:
        fix = "indent with spaces: YAML does not allow tabs"
    return _finding(SYNTAX, message, Mark(file=file, line=line, column=column), fix=fix)


def findings_from_pydantic(
    document: Document,
    error: ValidationError,
    model: type[BaseModel] | None = None,
    base: PathInFile = (),
) -> tuple[Finding, ...]:
    """Return the findings of a pydantic error, with marks and the nearest valid key for an unknown one.

    Args:
        document: the document that was validated.
        error: what pydantic raised.
        model: the model that was validated; names the valid keys. A class attribute ``not_supported`` (a mapping from key to
            reason) on it or on a nested model turns "unknown" into "not supported".
        base: path of the validated value inside the document.
    """
    # Late, because the reader of manifests and traces needs no pydantic.
    from lowtide.spec.pydantic_findings import findings_from_errors  # noqa: PLC0415

    return findings_from_errors(document, error, model, base)
