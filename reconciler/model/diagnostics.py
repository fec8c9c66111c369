"""Diagnostics as values (a code, a location, and facts), and the exceptions that carry them.

Only `reconciler.messages` turns them into text, and no code inspects that text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Self

from reconciler.model.codes import Code
from reconciler.model.remarks import Arg, Remark
from reconciler.model.value import Stored, Value, field

Path = tuple[str | int, ...]
"""Keys and indexes from the root of a document to a value."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class DataRow(Stored, frozen=True):
    """The file and line of the row that a task is generated from."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Place(Stored, frozen=True):
    """The location of a problem. Lines and columns count from 1; `path` is the key path in the
    file, and `row` the row of a generated task."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None
    path: Path = ()
    row: DataRow | None = None


NOWHERE = Place()


class Excerpt(Stored, frozen=True):
    """The part of a manifest's line that a diagnostic is about (`marked`), and the text around it,
    without credentials."""

    before: str
    marked: str
    after: str


class Diagnostic(Stored, frozen=True):
    """A problem: `case` selects one of the wordings of `code`, `args` are the facts. Only text for
    a person shows the `excerpt`."""

    code: Code
    severity: Severity
    case: str = ""
    args: Mapping[str, Arg] = field(default_factory=dict)
    at: Place = NOWHERE
    excerpt: Excerpt | None = None

    def __hash__(self) -> int:
        facts = frozenset(self.args.items())  # a location may have very many diagnostics
        return hash((self.code, self.severity, self.case, facts, self.at))

    def __str__(self) -> str:
        """The text for tracebacks; for users, `reconciler.messages` words it."""
        facts = ", ".join(f"{name}={fact!r}" for name, fact in self.args.items())
        return f"{self.code}{f' {self.case}' if self.case else ''} ({facts})"

    @property
    def cause(self) -> Remark:
        """This diagnostic as a fact of another."""
        return Remark(self.case, self.args, self.code)

    @property
    def file(self) -> str | None:
        return self.at.file

    @property
    def line(self) -> int | None:
        return self.at.line

    @property
    def column(self) -> int | None:
        return self.at.column

    @property
    def key(self) -> str | None:
        return self.at.key


def error(code: Code, case: str = "", /, *, at: Place = NOWHERE, **args: Arg) -> Diagnostic:
    """A diagnostic that makes the run fail."""
    return Diagnostic(code, Severity.ERROR, case, args, at)


def warning(code: Code, case: str = "", /, *, at: Place = NOWHERE, **args: Arg) -> Diagnostic:
    """A diagnostic that does not make the run fail."""
    return Diagnostic(code, Severity.WARNING, case, args, at)


def note(code: Code, case: str = "", /, *, at: Place = NOWHERE, **args: Arg) -> Diagnostic:
    """Advice that a user may have reasons to ignore: `plan` shows it, `validate` does not."""
    return Diagnostic(code, Severity.NOTE, case, args, at)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorts by file, line and column, without duplicates; diagnostics without a file come first."""
    return sorted(dict.fromkeys(diagnostics), key=_order)


MAX_ALIKE = 100
"""The maximum number of diagnostics with the same code and file that are shown; the others are
counted."""

MAX_NOTES = 1
"""The maximum number of notes with the same code that are shown: each run repeats them."""


def limited(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """At most MAX_ALIKE diagnostics per code and file, and MAX_NOTES notes per code, in order; the
    rest is counted, with the last shown diagnostic."""
    every = tuple(diagnostics)
    if len(every) <= MAX_NOTES:
        return every
    groups: dict[tuple[str | None, Code, Severity], list[Diagnostic]] = {}
    counted: Counter[tuple[str | None, Code, Severity]] = Counter()
    for d in every:
        if d.code is Code.MORE_PROBLEMS:
            counted[_group(d, Code(str(d.args["code"])))] += _counted(d)
        else:
            groups.setdefault(_group(d, d.code), []).append(d)
    if not counted and all(len(alike) <= _most(group[2]) for group, alike in groups.items()):
        return every
    kept: list[Diagnostic] = []
    for group, alike in groups.items():
        first = sorted(alike, key=_position)[: _most(group[2])]
        kept += first
        if rest := counted[group] + len(alike) - len(first):
            last = first[-1]
            kept.append(more(last.file, last.code, last.severity, rest, last.at))
    return tuple(sorted(kept, key=_order))


def _group(diagnostic: Diagnostic, code: Code) -> tuple[str | None, Code, Severity]:
    is_note = diagnostic.severity is Severity.NOTE
    return None if is_note else diagnostic.file, code, diagnostic.severity


def _most(severity: Severity) -> int:
    return MAX_NOTES if severity is Severity.NOTE else MAX_ALIKE


def more(
    file: str | None, code: Code, severity: Severity, count: int, after: Place = NOWHERE
) -> Diagnostic:
    """The diagnostic that stands for `count` diagnostics that are not shown."""
    facts: dict[str, Arg] = {"count": count, "code": code.value}
    return Diagnostic(
        Code.MORE_PROBLEMS, severity, "", facts, Place(file, after.line, after.column)
    )


def count(diagnostics: Iterable[Diagnostic], severity: Severity) -> int:
    """The number of diagnostics with a severity, including those that `limited` only counts."""
    found = (d for d in diagnostics if d.severity is severity)
    return sum(_counted(d) if d.code is Code.MORE_PROBLEMS else 1 for d in found)


def _counted(diagnostic: Diagnostic) -> int:
    return int(str(diagnostic.args["count"]))


def _order(diagnostic: Diagnostic) -> tuple[str, int, int, bool, str, Code]:
    is_last = diagnostic.code is Code.MORE_PROBLEMS
    return *_position(diagnostic), is_last, diagnostic.severity, diagnostic.code


def _position(diagnostic: Diagnostic) -> tuple[str, int, int]:
    return diagnostic.file or "", diagnostic.line or 0, diagnostic.column or 0


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in diagnostics)


class TaskctlError(Exception):
    """The operation failed. `diagnostics` contains at least one error."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        return "; ".join(map(str, self.diagnostics))

    @property
    def causes(self) -> tuple[Remark, ...]:
        """The diagnostics as a fact of another."""
        return tuple(diagnostic.cause for diagnostic in self.diagnostics)

    @classmethod
    def of(cls, code: Code, case: str = "", /, *, at: Place = NOWHERE, **facts: Arg) -> Self:
        """An exception with a single error."""
        return cls([error(code, case, at=at, **facts)])


class ManifestError(TaskctlError):
    """Unusable manifests; nothing was sent."""


class StateError(TaskctlError):
    """An unusable state, journal or lock; it was left unchanged."""

    @classmethod
    def about(cls, file: str, code: Code, case: str = "", /, **facts: Arg) -> Self:
        """An exception with a single error, in a file."""
        return cls.of(code, case, at=Place(file=file), file=file, **facts)


class RemoteError(TaskctlError):
    """The service did not respond as expected; `status` is the HTTP status, if any. `is_own`: the
    service itself sent it, not a proxy."""

    def __init__(
        self, diagnostics: Sequence[Diagnostic], status: int | None = None, *, is_own: bool = False
    ) -> None:
        super().__init__(diagnostics)
        self.status, self.is_own = status, is_own

    @property
    def is_refusal(self) -> bool:
        """Whether the service, not a proxy, says that the token may not read this."""
        return self.is_own and self.status in (403, 404)


class Violation(Value, frozen=True):
    """A `value` that violates the keyword `rule` (None for the schema `false`) of `schema`, whose
    value is `expected`. `steps` is the path to it in the root schema, without references.
    `around` are the schemas that apply to the value, the innermost first: for policies only."""

    path: Path
    steps: Path
    rule: str | None
    expected: Any
    value: Any
    schema: Any
    around: Sequence[Any] = ()
