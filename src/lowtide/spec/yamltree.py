"""Turns YAML events into plain values, with the place of every value and key beside them.

Why it exists: PyYAML's own composers recurse (a deep file ends the process, not the parse), follow YAML 1.1 in
places where the Go reader of eksctl and kubectl does not, and keep no place for a value once it is built. This one
is a loop over libyaml's events with an explicit stack.

What it must not know: what the values mean.

Scalars follow sigs.k8s.io/yaml (goyaml.v2, resolve.go), which eksctl and kubectl read with: ``yes``, ``on`` and ``y`` are
booleans, ``0x1f``, ``0o17`` and ``017`` are integers, ``1_000`` is 1000, ``12:30`` and dates are strings, ``1.30`` is the number 1.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from lowtide.spec.words import quoted

#: The pure-Python parser is the same grammar, some ten times slower.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Values in one file after aliases are expanded. A cluster file has some hundreds, a long manifest thousands.
MAX_VALUES = 200_000
#: Nesting. A pod manifest reaches about fifteen.
MAX_DEPTH = 100

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
# No more than 64 bits behind 0x, 0o and 0b, as in resolve.go; Python refuses to show much longer ones in decimal.
_INTEGER = re.compile(
    r"[-+]?(0[xX]0*[0-9a-fA-F]{1,16}|0[oO]?0*[0-7]{1,22}|0[bB]0*[01]{1,64}|0|[1-9][0-9]{0,24})\Z"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_STANDARD = "tag:yaml.org,2002:"
_TAG_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
    "map": (dict,),
    "seq": (list,),
}
_MERGE = "<<"

#: Takes a kind (``syntax``, ``duplicate-key``, ...), a message, line and column from 1, and a fix.
Report = Callable[[str, str, int, int, str], None]


class TooLargeError(Exception):
    """The file expands to more than any honest file holds; line and column count from 1."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(why)
        self.line = line
        self.column = column


class Place:
    """Where a value stands, and where its children and keys stand; line and column count from 1.

    ``text`` is what was written for a plain scalar that YAML read as something else than text.
    """

    __slots__ = ("children", "column", "keys", "line", "text")

    def __init__(self, line: int, column: int, text: str | None = None) -> None:
        self.line = line
        self.column = column
        self.text = text
        self.children: dict[str | int, Place] = {}
        self.keys: dict[str, tuple[int, int]] = {}


class _Frame:
    """A mapping or list that is still open."""

    __slots__ = ("anchor", "first_value", "key", "merges", "place", "value")

    def __init__(
        self, value: dict[str, Any] | list[Any], place: Place, anchor: str | None, count: int
    ) -> None:
        self.value = value
        self.place = place
        self.anchor = anchor
        self.first_value = count
        self.key: tuple[str, int, int] | None = None
        self.merges: list[tuple[Any, Place]] = []


def scalar_from_text(text: str) -> str | float | bool | None:
    """Return the value of an unquoted scalar, as eksctl's reader sees it."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    plain = text.replace("_", "")
    if _INTEGER.match(plain):
        digits = plain.lstrip("+-")
        old_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        return int(plain, 8) if old_octal else int(plain, 0)
    if _FLOAT.match(plain if text[0] != "." else text):
        number = float(plain)
        return number if math.isfinite(number) else text
    return text


class Composer:
    """Builds the documents of one text.

    Args:
        report: is told about everything that is wrong but does not stop the reading.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, Place, int] | _Frame] = {}
        self._count = 0
        self._root: tuple[Any, Place] | None = None

    def documents(self, text: str) -> Iterator[tuple[Any, Place]]:
        """Yield value and place of every document.

        Raises:
            yaml.YAMLError: the text is not YAML.
            TooLargeError: a limit of this module is passed.
        """
        for event in yaml.parse(text, Loader=_LOADER):
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.MappingStartEvent():
                    self._open({}, event)
                case yaml.SequenceStartEvent():
                    self._open([], event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close()
                case yaml.DocumentStartEvent():
                    self._anchors, self._root = {}, None
                case yaml.DocumentEndEvent():
                    if self._root is not None:
                        yield self._root

    def _scalar(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        text: str = event.value
        tag: str | None = event.tag
        value: Any = text
        if tag is None:
            if event.implicit[0]:
                value = self._plain(text, line, column)
        elif tag not in {"!", _STANDARD + "str"}:
            value = self._tagged(self._plain(text, line, column), tag, line, column)
        place = Place(line, column, None if value is text else text)
        merge = text == _MERGE and tag is None and bool(event.implicit[0])
        self._finish(value, place, event.anchor, 1, merge=merge)

    def _plain(self, text: str, line: int, column: int) -> Any:
        if _NOT_FINITE.match(text):
            message = f"{text} is not a number that JSON, and so Kubernetes, can hold"
            self._report("wrong-value", message, line, column, "write a finite number")
            return 0.0
        value = scalar_from_text(text)
        return text if isinstance(value, str) else value

    def _tagged(self, value: Any, tag: str, line: int, column: int) -> Any:
        name = tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else ""
        shown = f"!!{name}" if name else tag
        if name not in _TAG_TYPES:
            fix = "write the plain value without a tag"
            self._report("not-supported", f"not supported: YAML tag {shown}", line, column, fix)
        elif type(value) not in _TAG_TYPES[name]:
            message = f"this value is no {shown}"
            self._report("wrong-type", message, line, column, "remove the tag")
        return value

    def _alias(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        found = self._anchors.get(event.anchor)
        if isinstance(found, _Frame):
            raise TooLargeError(f"anchor &{event.anchor} contains itself", line, column)
        if found is None:
            message = f"alias *{event.anchor} has no anchor &{event.anchor} before it"
            self._report("syntax", message, line, column, "define the anchor above the alias")
            self._finish(None, Place(line, column), None, 1)
            return
        value, original, size = found
        place = Place(line, column, original.text)
        place.children, place.keys = original.children, original.keys
        self._finish(value, place, None, size)

    def _open(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if len(self._stack) >= MAX_DEPTH:
            raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels", line, column)
        if event.tag not in {None, "!"}:
            self._tagged(value, event.tag, line, column)
        self._count += 1
        frame = _Frame(value, Place(line, column), event.anchor, self._count)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = frame
        self._stack.append(frame)

    def _close(self) -> None:
        frame = self._stack.pop()
        if isinstance(frame.value, dict):
            self._merge(frame, frame.value)
        size = self._count - frame.first_value + 1
        self._count -= size
        # An anchor inside may have taken the name over (YAML 1.2.2, section 7.1): the last one before an alias counts.
        is_latest = frame.anchor is not None and self._anchors[frame.anchor] is frame
        self._finish(frame.value, frame.place, frame.anchor if is_latest else None, size)

    def _merge(self, frame: _Frame, target: dict[str, Any]) -> None:
        """Add what ``<<`` brings; keys written out win, then earlier merges (yaml.org/type/merge.html)."""
        for source, place in frame.merges:
            parts = source if isinstance(source, list) else [source]
            for index, part in enumerate(parts):
                if not isinstance(part, dict):
                    message = "<< merges a mapping or a list of mappings, nothing else"
                    self._report("wrong-type", message, place.line, place.column, "remove the <<")
                    continue
                at = place.children[index] if isinstance(source, list) else place
                for key, value in part.items():
                    if key not in target:
                        target[key] = value
                        frame.place.children[key] = at.children[key]
                        frame.place.keys[key] = at.keys[key]

    def _finish(
        self, value: Any, place: Place, anchor: str | None, size: int, *, merge: bool = False
    ) -> None:
        self._count += size
        if self._count > MAX_VALUES:
            why = f"expands to more than {MAX_VALUES} values"
            raise TooLargeError(why, place.line, place.column)
        if anchor is not None:
            self._anchors[anchor] = (value, place, size)
        if not self._stack:
            self._root = (value, place)
            return
        frame = self._stack[-1]
        if isinstance(frame.value, list):
            frame.place.children[len(frame.value)] = place
            frame.value.append(value)
        elif frame.key is None:
            frame.key = (self._key(value, place, merge=merge), place.line, place.column)
        else:
            self._entry(frame, frame.value, value, place)

    def _key(self, value: Any, place: Place, *, merge: bool) -> str:
        if merge:
            return _MERGE + "\0"  # no text can hold NUL, so no written key can equal it
        if isinstance(value, str):
            return value
        if isinstance(value, dict | list):
            message = "a key must be text, not a mapping or a list"
            self._report("syntax", message, place.line, place.column, "write a plain key")
            return f"\0{place.line}:{place.column}"
        written = place.text or "null"
        message = f"not supported: the key {written}, which YAML reads as {type_name(value)}"
        self._report("not-supported", message, place.line, place.column, f'quote it: "{written}"')
        return written

    def _entry(self, frame: _Frame, target: dict[str, Any], value: Any, place: Place) -> None:
        assert frame.key is not None
        key, line, column = frame.key
        frame.key = None
        if key == _MERGE + "\0":
            frame.merges.append((value, place))
            return
        if key in target:
            first = frame.place.keys[key][0]
            message = f"key {quoted(key)} is given twice, first on line {first}"
            self._report("duplicate-key", message, line, column, "remove one of the two")
            return
        target[key] = value
        frame.place.children[key] = place
        frame.place.keys[key] = (line, column)


def type_name(value: object) -> str:
    """Return what a person calls the type of a YAML value."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "a boolean"
    names = {
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), type(value).__name__)
