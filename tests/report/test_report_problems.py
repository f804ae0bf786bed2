from __future__ import annotations

from lowtide.model.errors import LowtideError
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.rules import fix_of
from lowtide.report.terminal import error_text, findings_text


def finding(
    *, line: int, severity: Severity = Severity.ERROR, file: str = "cluster.yaml", fix: str = ""
) -> Finding:
    return Finding(
        code="LT003",
        name="unknown-key",
        severity=severity,
        message=f"message of line {line}",
        mark=Mark(file=file, line=line, column=5),
        path="nodeGroups[0].minsize",
        fix=fix,
    )


def test_findings_are_grouped_by_file_in_the_order_of_its_lines() -> None:
    text = findings_text(
        [
            finding(line=30, severity=Severity.WARNING),
            finding(line=2, file="lowtide.yaml", severity=Severity.INFO),
            finding(line=4, fix="write minSize"),
        ]
    )
    assert text.splitlines() == [
        "cluster.yaml",
        "  4:5      error LT003 unknown-key at nodeGroups[0].minsize",
        "           message of line 4",
        "           fix: write minSize",
        "  30:5     warning LT003 unknown-key at nodeGroups[0].minsize",
        "           message of line 30",
        f"           fix: {fix_of('LT003')}",
        "",
        "lowtide.yaml",
        "  2:5      info LT003 unknown-key at nodeGroups[0].minsize",
        "           message of line 2",
        f"           fix: {fix_of('LT003')}",
        "",
        "1 error, 1 warning, 1 note",
    ]


def test_no_findings_are_said_too() -> None:
    assert findings_text([]) == "no findings"


def test_an_unknown_place_is_a_dash() -> None:
    text = findings_text([finding(line=0, file="")])
    assert text.splitlines()[:2] == [
        "(no file)",
        "  -        error LT003 unknown-key at nodeGroups[0].minsize",
    ]


def test_an_error_answers_four_questions_in_four_lines() -> None:
    error = LowtideError(
        "the cluster cannot be created",
        where="cluster.yaml:12:5",
        why="AccessDenied:\nnot authorized",
        fix="aws sts get-caller-identity",
    )
    assert error_text(error).splitlines() == [
        "error: the cluster cannot be created",
        "  where: cluster.yaml:12:5",
        "  why:   AccessDenied: not authorized",
        "  next:  aws sts get-caller-identity",
    ]


def test_answers_that_are_not_known_take_no_line() -> None:
    assert error_text(LowtideError("no")) == "error: no"


def test_neither_errors_nor_findings_pass_on_control_characters() -> None:
    error = LowtideError("bad \x1b[2J", why="\x07bell")
    assert "\x1b" not in error_text(error)
    assert "\x07" not in error_text(error)
    assert error_text(error, color=True).count("\x1b") == 2
    hostile = finding(line=1, fix="\x1b]0;title\x07")
    assert "\x1b" not in findings_text([hostile])
