"""The error tree. A class exists only where somebody handles it differently.

    LowtideError            exit 1    something failed
    |-- InputError          exit 2    bad input or usage; carries every finding of the file
    |-- ChecksFailed        exit 3    checks found errors
    |-- AwsError            exit 4    AWS said no
    `-- KubernetesError     exit 5    Kubernetes said no

Every error answers four questions: what failed, where, why, and what to do next. An infeasible pod
is an answer of the engine, never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lowtide.model.findings import Finding


class LowtideError(Exception):
    """Something failed, in words for the person at the terminal.

    Args:
        what: what failed, one short sentence.
        where: a file with line and column, or a resource.
        why: the first cause, in the words of whoever said it.
        fix: what to do next, a command where there is one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix


class InputError(LowtideError):
    """Input or usage that lowtide cannot accept, with every finding of the file at once."""

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        fix: str = "",
        findings: tuple[Finding, ...] = (),
    ) -> None:
        super().__init__(what, where=where, why=why, fix=fix)
        self.findings = findings


class ChecksFailed(LowtideError):  # noqa: N818 - it reports failed checks, not a failure of ours
    """At least one check found an error."""

    exit_code: ClassVar[int] = 3


class AwsError(LowtideError):
    """AWS refused a call; ``code`` is AWS's own error code where it gave one."""

    exit_code: ClassVar[int] = 4

    def __init__(
        self, what: str, *, where: str = "", why: str = "", fix: str = "", code: str = ""
    ) -> None:
        super().__init__(what, where=where, why=why, fix=fix)
        self.code = code


class KubernetesError(LowtideError):
    """The Kubernetes API refused a call."""

    exit_code: ClassVar[int] = 5
