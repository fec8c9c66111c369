"""Diagnostics as text: `FILE:LINE:COL: error: WHERE: WHAT [CODE]`, with the explanation below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.app.ui import FailureReport
from reconciler.messages import word
from reconciler.model.diagnostics import Diagnostic, Severity, count
from reconciler.render import safe
from reconciler.render.style import Style, counted
from reconciler.render.view import ReportView

if TYPE_CHECKING:
    from reconciler.messages.commands import Commands
    from reconciler.render.document import Document


def render_all(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    return "".join(render_one(diagnostic, style) for diagnostic in diagnostics)


def render_one(diagnostic: Diagnostic, style: Style) -> str:
    palette = style.palette
    paint = palette.red if diagnostic.severity is Severity.ERROR else palette.yellow
    place = place_of(diagnostic.file, diagnostic.line, diagnostic.column)
    message = word(diagnostic, style.commands)
    head = f"{palette.bold(place + ': ') if place else ''}{paint(diagnostic.severity.value)}"
    code = palette.dim(f"[{diagnostic.code}]")
    rows = [f"{head}: {palette.bold(safe.line(message.summary))} {code}"]
    rows += [f"    {row}".rstrip() for row in safe.block(message.explanation).split("\n") if row]
    return safe.without_commands("\n".join(rows)) + "\n"


def place_of(file: str | None, line: int | None, column: int | None = None) -> str:
    """`FILE:LINE:COL`, as far as known."""
    if file is None:
        return ""
    numbers = [str(number) for number in (line, column if line else None) if number is not None]
    return ":".join([safe.line(file), *numbers])


class FailureView(ReportView):
    command = ""

    def __init__(self, report: FailureReport) -> None:
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        del style
        return ()

    def document(self, commands: Commands) -> Document:
        from reconciler.render.document import json_document  # most runs write text

        return json_document(self.diagnostics, commands)

    def summary(self) -> str:
        return f"Failed: {counted(count(self.diagnostics, Severity.ERROR), 'error')}"
