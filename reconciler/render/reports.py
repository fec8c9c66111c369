"""The input of every format: a report and a style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from reconciler.model.diagnostics import Diagnostic, Severity, count

if TYPE_CHECKING:
    from reconciler.apply.report import ApplyReport
    from reconciler.model.task import DesiredTask
    from reconciler.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """`listed` are the tasks that could be read, `names` the files."""

    tasks: int
    files: int
    diagnostics: tuple[Diagnostic, ...] = ()
    listed: tuple[DesiredTask, ...] = ()
    names: tuple[str, ...] = ()

    def count(self, severity: Severity) -> int:
        return count(self.diagnostics, severity)


@dataclass(frozen=True, slots=True)
class FailureReport:
    """A command that failed; `diagnostics` contains at least one error."""

    diagnostics: tuple[Diagnostic, ...]


Report: TypeAlias = "ValidateReport | Plan | ApplyReport | FailureReport"


def no_source(_file: str, _line: int) -> str | None:
    return None


def as_named(file: str) -> str:
    return file


class Style(NamedTuple):
    """The appearance of a report; formats for programs ignore most of it.

    `width` is in columns. `source` returns a line (from 1) of a file, to be shown below a problem,
    or None. `diagnostics`: text includes them (other formats always do). `locate` turns a file name
    into a path relative to the repository.
    """

    color: bool = False
    width: int = 80
    quiet: bool = False
    verbose: bool = False
    diagnostics: bool = True
    source: Callable[[str, int], str | None] = no_source
    locate: Callable[[str], str] = as_named


class Renderer(Protocol):
    """What each module in `render.FORMATS` has."""

    def render(self, report: Report, style: Style) -> str:
        """The whole report; ends in a line feed unless empty."""
