"""YAML with a place for everything, and a clear error for every kind of bad file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.model.errors import InputError
from lowtide.model.findings import Severity
from lowtide.spec import document as doc
from lowtide.spec.yamltree import MAX_DEPTH, MAX_VALUES


def findings_of(text: str) -> list[tuple[str, int, int]]:
    with pytest.raises(InputError) as caught:
        doc.parse(text, "f.yaml")
    error = caught.value
    assert error.findings
    assert error.where
    assert error.why
    assert error.fix
    return [(one.code, one.mark.line, one.mark.column) for one in error.findings]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("~", None),
        ("", None),
        ("017", 15),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("-12", -12),
        ("1_000", 1000),
        ("08", 8.0),
        ("1.30", 1.3),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("=", "="),
        ("0x", "0x"),
        ("12abc", "12abc"),
        ('"1"', "1"),
        ("'yes'", "yes"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int 7", 7),
        ("!!float 7", 7),
    ],
)
def test_scalars_are_read_as_eksctl_and_kubectl_read_them(written: str, value: object) -> None:
    (document,) = doc.parse(f"a: {written}\n", "f")
    found = document.data["a"]
    assert (type(found), found) == (type(value), value)


def test_every_value_and_key_has_its_place() -> None:
    (document,) = doc.parse("a:\n  - b: 1.30\n    x/y: [2,  3]\n", "f.yaml")
    assert str(document.mark(("a", 0, "b"))) == "f.yaml:2:8"
    assert str(document.key_mark(("a", 0, "b"))) == "f.yaml:2:5"
    assert str(document.mark(("a", 0, "x/y", 1))) == "f.yaml:3:15"
    assert str(document.mark(("a", 0, "not there", 7))) == "f.yaml:2:5"
    assert str(document.key_mark(("a", 0, "not there"))) == "f.yaml:2:5"
    assert document.written(("a", 0, "b")) == "1.30"
    assert document.written(("a", 0)) is None


def test_each_document_of_a_file_has_its_own_places_and_empty_ones_are_left_out() -> None:
    documents = doc.parse("---\na: 1\n---\n# nothing\n---\nb: 2\n", "f")
    assert [one.data for one in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].mark(("b",)).line == 6


def test_aliases_and_merges_are_written_out_and_written_keys_win() -> None:
    text = "base: &b {x: 1, w: 2}\nmore: &m {w: 3, z: 4}\nall:\n  <<: [*b, *m]\n  x: 9\nsame: *b\n"
    (document,) = doc.parse(text, "f")
    assert document.data["all"] == {"x": 9, "w": 2, "z": 4}
    assert document.data["same"] == {"x": 1, "w": 2}
    assert document.mark(("all", "z")).line == 2
    assert document.mark(("same",)).line == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\nb: 4\n", [("LT002", 3, 1), ("LT002", 4, 1)]),
        ("a: *x\nb: 1\nb: 2\n", [("LT001", 1, 4), ("LT002", 3, 1)]),
        ("a: !!python/object:os.system 1\nb: !mine [1]\n", [("LT004", 1, 4), ("LT004", 2, 4)]),
        ("a: !!int true\n", [("LT005", 1, 4)]),
        ("a: !!map [1]\n", [("LT005", 1, 4)]),
        ("1: a\ntrue: b\n~: c\n", [("LT004", 1, 1), ("LT004", 2, 1), ("LT004", 3, 1)]),
        ("? [1]\n: a\n", [("LT001", 1, 3)]),
        ("a: {<<: 3}\n", [("LT005", 1, 9)]),
        ("a: .nan\nb: -.inf\n", [("LT006", 1, 4), ("LT006", 2, 4)]),
        ("a: b: c\n", [("LT001", 1, 5)]),
        ("a:\n\tb: 1\n", [("LT001", 2, 1)]),
        ("a: [1, 2\n", [("LT001", 2, 1)]),
        ("a: 1\x07\n", [("LT001", 1, 5)]),
        ("a: 1\nb: \ud800\n", [("LT001", 2, 4)]),
        ("", [("LT010", 1, 1)]),
        ("# only words\n---\n", [("LT010", 1, 1)]),
    ],
)
def test_all_mistakes_of_a_text_are_found_at_their_places(
    text: str, expected: list[tuple[str, int, int]]
) -> None:
    assert findings_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 10_000, id="flow nesting"),
        pytest.param("- " * 10_000, id="block nesting"),
        pytest.param("{a: " * 10_000, id="mapping nesting"),
        pytest.param("".join(" " * i + "a:\n" for i in range(2000)), id="indentation"),
        pytest.param("&a [*a]", id="an anchor inside itself"),
        pytest.param("[" + "a," * 1_000_000 + "]", id="two megabytes of values"),
        pytest.param("%" * 2_000_000, id="two megabytes of junk"),
        pytest.param(
            "".join(
                f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9) if i else 1}]\n" for i in range(20)
            ),
            id="alias bomb",
        ),
        pytest.param(
            "".join(
                f"x{i}: &x{i} {{<<: [{', '.join([f'*x{i - 1}'] * 9)}]}}\n" for i in range(20)
            ).replace("*x-1", "{a: 1}"),
            id="merge bomb",
        ),
        pytest.param("a" * (doc.MAX_BYTES + 1), id="over the size limit"),
    ],
)
def test_what_no_honest_file_holds_ends_in_one_clear_error(text: str) -> None:
    codes = {code for code, _, _ in findings_of(text)}
    assert codes <= {"LT001", "LT008"}


def test_the_limits_are_far_above_what_a_file_needs() -> None:
    deep = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert doc.parse(deep, "f")[0].data
    many = "\n".join(f"- {{name: n{i}, value: {i}}}" for i in range(MAX_VALUES // 8))
    assert len(doc.parse(many, "f")[0].data) == MAX_VALUES // 8


def test_a_file_of_repeated_lines_shows_the_first_of_its_findings() -> None:
    assert len(findings_of("a: b\n" * 10_000)) == doc.MAX_FINDINGS


class TestReadText:
    def error(self, path: str | Path) -> InputError:
        with pytest.raises(InputError) as caught:
            doc.read_text(path)
        assert all((caught.value.what, caught.value.where, caught.value.why, caught.value.fix))
        return caught.value

    def test_a_missing_file_says_so(self, tmp_path: Path) -> None:
        assert self.error(tmp_path / "none.yaml").why == "No such file or directory"

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        assert self.error(tmp_path).why == "it is a directory"

    def test_a_device_that_never_ends_is_not_read(self) -> None:
        assert self.error("/dev/zero").why == "it is a device or socket, no regular file"

    def test_a_name_with_nul_is_refused(self) -> None:
        assert "null byte" in self.error("a\0b").why

    def test_text_in_another_encoding_is_refused_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.yaml"
        path.write_bytes(b"a: 1\nb: caf\xe9\n")
        assert self.error(path).findings[0].mark.line == 2

    def test_binary_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "binary"
        path.write_bytes(bytes(range(128)) * 50)
        assert self.error(path).why.startswith("control character U+0000")

    def test_a_huge_file_is_refused_before_it_is_read_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "huge"
        with path.open("wb") as sparse:
            sparse.truncate(50 * 1024**3)
        assert self.error(path).findings[0].code == "LT008"

    def test_a_byte_order_mark_is_no_part_of_the_text(self, tmp_path: Path) -> None:
        path = tmp_path / "bom.yaml"
        path.write_bytes(b"\xef\xbb\xbfa: 1\n")
        assert doc.read_text(path) == "a: 1\n"

    def test_a_dash_is_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stdin = io.TextIOWrapper(io.BytesIO(b"a: 1\n"), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stdin)
        assert doc.read_text("-") == "a: 1\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("nodeGroups", 0, "minSize"), "nodeGroups[0].minSize"),
        (("labels", "nvidia.com/gpu"), 'labels["nvidia.com/gpu"]'),
        ((0, "a"), "[0].a"),
        ((), ""),
    ],
)
def test_paths_are_written_as_people_write_them(path: doc.PathInFile, text: str) -> None:
    assert doc.path_text(path) == text


@pytest.mark.parametrize(
    ("word", "best"),
    [
        ("minsize", "minSize"),
        ("min_size", "minSize"),
        ("maxsiz", "maxSize"),
        ("instanceTypes", "instanceType"),
        ("zzz", None),
    ],
)
def test_the_nearest_word_is_what_a_person_meant(word: str, best: str | None) -> None:
    assert doc.nearest(word, ["minSize", "maxSize", "instanceType", "name"]) == best


def test_problems_speak_of_the_first_error_and_carry_all() -> None:
    (document,) = doc.parse("a: 1\nb: 2\n", "f")
    problems = doc.Problems(document)
    problems.raise_if_any("nothing yet")
    problems.add(*doc.WRONG_VALUE, "a is odd", ("a",), severity=Severity.WARNING)
    problems.raise_if_any("warnings do not stop")
    problems.add(*doc.MISSING, "c is required", ("c",), "add c")
    problems.add(*doc.WRONG_VALUE, "b is bad", ("b",), "write 3")
    with pytest.raises(InputError) as caught:
        problems.raise_if_any("cannot read f")
    error = caught.value
    assert (error.what, error.where, error.why, error.fix) == (
        "cannot read f",
        "f:1:1",
        "c is required",
        "add c",
    )
    assert [one.message for one in error.findings] == ["c is required", "a is odd", "b is bad"]


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text("ab:-#{}[]*&!'\" \n", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(_VALUES.filter(lambda value: value is not None))
def test_json_is_read_as_json_and_each_place_leads_to_its_value(value: object) -> None:
    import json

    text = json.dumps(value, indent=1)
    (document,) = doc.parse(text, "f")
    assert document.data == value
    lines = text.splitlines()

    def check(part: object, path: doc.PathInFile) -> None:
        mark = document.mark(path)
        start = lines[mark.line - 1][mark.column - 1 :]
        match part:
            case dict():
                assert start.startswith("{")
                for key, inner in part.items():
                    check(inner, (*path, key))
            case list():
                assert start.startswith("[")
                for index, inner in enumerate(part):
                    check(inner, (*path, index))
            case _:
                assert start.startswith(json.dumps(part))

    check(value, ())
