"""What a format is given: the report of one command, and how it is to look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from reconciler.model.diagnostics import Diagnostic, Severity, count

if TYPE_CHECKING:
    from reconciler.apply.report import ApplyReport
    from reconciler.model.task import DesiredTask
    from reconciler.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """`listed` are the tasks that could be made out, `names` the files that were read."""

    tasks: int
    files: int
    diagnostics: tuple[Diagnostic, ...] = ()
    listed: tuple[DesiredTask, ...] = ()
    names: tuple[str, ...] = ()

    def count(self, severity: Severity) -> int:
        return count(self.diagnostics, severity)


@dataclass(frozen=True, slots=True)
class FailureReport:
    """A command that could not go on; `diagnostics` has at least one error."""

    diagnostics: tuple[Diagnostic, ...]


Report: TypeAlias = "ValidateReport | Plan | ApplyReport | FailureReport"


def no_source(_file: str, _line: int) -> str | None:
    return None


def as_named(file: str) -> str:
    return file


@dataclass(frozen=True, slots=True)
class Style:
    """How a report looks to a person; formats for machines pass most of it over.

    `width` is in columns. `source` gives the text of a line of a file (counted from 1), so that
    a problem is shown where it is; None where it is not to be shown. `diagnostics` says whether
    they are part of the text (a program's format always has them). `locate` turns the name of a
    file into its path from the root of its repository, for formats that others link to files.
    """

    color: bool = False
    width: int = 80
    quiet: bool = False
    verbose: bool = False
    diagnostics: bool = True
    source: Callable[[str, int], str | None] = no_source
    locate: Callable[[str], str] = as_named


class Renderer(Protocol):
    """What each module of `render.FORMATS` has."""

    def render(self, report: Report, style: Style) -> str:
        """The whole report, with a line feed at its end unless it is empty."""
