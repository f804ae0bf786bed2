"""Findings and errors as text: plain strings, because a failing command must be quick and safe.

It must not know which check or reader found them.
"""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from lowtide.model.errors import LowtideError
from lowtide.model.findings import Finding, Severity
from lowtide.report.wording import count_text, printable

#: Below the severity, right of the place.
_INDENT = " " * 11
_STYLES = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;36"}


def findings_text(findings: Sequence[Finding], *, width: int = 100, color: bool = False) -> str:
    """Return findings grouped by file in the order of its lines, each with its place and its fix."""
    if not findings:
        return "no findings"
    lines: list[str] = []
    ordered = sorted(findings, key=lambda one: (one.mark.file, one.mark.line, one.mark.column))
    for file, group in itertools.groupby(ordered, key=lambda one: one.mark.file):
        lines.append(_styled(printable(file) or "(no file)", "1", color=color))
        for one in group:
            lines += _finding_lines(one, width=width, color=color)
        lines.append("")
    return "\n".join([*lines, _totals(findings)])


def no_findings_text(files: Sequence[str], checks: int) -> str:
    """Return that nothing was found, of how many checks, and in which files; ``-`` is standard input."""
    names = ", ".join("standard input" if one == "-" else printable(one) for one in files)
    return f"no findings: {count_text(checks, 'check')} of {names}"


def error_text(error: LowtideError, *, color: bool = False) -> str:
    """Return what failed, where, why and what to do next, a line each; unknown answers are left out.

    Lines are not wrapped: the last one is a command to be copied.
    """
    answers = (("where", error.where), ("why", error.why), ("next", error.fix))
    head = f"{_styled('error:', _STYLES[Severity.ERROR], color=color)} {printable(error.what)}"
    rest = (f"  {name + ':':<6} {printable(answer)}" for name, answer in answers if answer)
    return "\n".join([head, *rest])


def _finding_lines(one: Finding, *, width: int, color: bool) -> list[str]:
    place = f"{one.mark.line}:{one.mark.column}" if one.mark.line else "-"
    severity = _styled(str(one.severity), _STYLES[one.severity], color=color)
    path = f" at {printable(one.path)}" if one.path else ""
    message = textwrap.wrap(
        printable(one.message),
        width=max(40, width),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    fix = [f"{_INDENT}fix: {printable(one.fix)}"] if one.fix else []
    head = f"  {place:<8} {severity} {printable(one.code)} {printable(one.name)}{path}"
    return [head, *message, *fix]


def _totals(findings: Iterable[Finding]) -> str:
    counts = Counter(one.severity for one in findings)
    plural = {Severity.INFO: "notes"}
    singular = {Severity.INFO: "note"}
    return ", ".join(
        count_text(counts[one], singular.get(one, str(one)), plural.get(one, ""))
        for one in Severity
        if counts[one]
    )


def _styled(text: str, style: str, *, color: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if color else text
