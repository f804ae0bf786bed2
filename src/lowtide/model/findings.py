"""What a reader or a check has to say about one place in the user's files."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lowtide.model.rules import fix_of


class Severity(enum.StrEnum):
    """How bad a finding is: errors stop, warnings do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a file; line and column count from 1, 0 means unknown."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return ``file:line:column`` as editors understand it."""
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found in the user's files.

    ``code`` is stable (``LT001``), ``name`` is its stable word (``unknown-key``), ``path`` the place
    inside the document (``nodeGroups[0].minSize``), ``fix`` what to write or run instead: where nothing
    is given, what helps in any case (``model.rules``).
    """

    code: str
    name: str
    severity: Severity
    message: str
    mark: Mark
    path: str = ""
    fix: str = ""

    def __post_init__(self) -> None:
        """Leave no finding without a way out."""
        if not self.fix:
            object.__setattr__(self, "fix", fix_of(self.code))
