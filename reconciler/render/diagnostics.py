"""Diagnostics as text: `FILE:LINE:COL: error: WHERE: WHAT [CODE]`; below it, the line of the
manifest with a mark, and the explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.app.ui import FailureReport
from reconciler.messages import word
from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import Diagnostic, Severity, count
from reconciler.render import cells, safe
from reconciler.render.document import Document, json_document
from reconciler.render.style import Style, counted
from reconciler.render.view import ReportView

_INDENT = "    "
_TAB, _CUT = "    ", "…"


def render_all(diagnostics: Iterable[Diagnostic], style: Style) -> str:
    return "".join(render_one(diagnostic, style) for diagnostic in diagnostics)


def render_one(diagnostic: Diagnostic, style: Style) -> str:
    palette = style.palette
    paint = palette.red if diagnostic.severity is Severity.ERROR else palette.yellow
    place = place_of(diagnostic.file, diagnostic.line, diagnostic.column)
    message = word(diagnostic, style.commands)
    head = f"{palette.bold(place + ': ') if place else ''}{paint(diagnostic.severity.value)}"
    code = palette.dim(f"[{diagnostic.code}]")
    explanation = [f"{_INDENT}{row}" for row in safe.block(message.explanation).split("\n") if row]
    rows = [f"{head}: {palette.bold(safe.line(message.summary))} {code}"]
    if style.terminal:  # elsewhere, lines stay whole, so that logs can be searched
        rows = cells.wrap_words(rows[0], style.width, len(_INDENT))
        explanation = cells.wrap_sentences("\n".join(explanation), style.width).splitlines()
    if style.excerpts:
        rows += _excerpt(diagnostic, style, paint)
    rows += explanation
    return safe.without_commands("\n".join(row.rstrip() for row in rows)) + "\n"


def _excerpt(diagnostic: Diagnostic, style: Style, paint: Callable[[str], str]) -> list[str]:
    """The line of the manifest, cut to the width, and below it a mark under the part that the
    diagnostic is about."""
    found, number = diagnostic.excerpt, str(diagnostic.line)
    if found is None:
        return []
    parts = (found.before, found.marked, found.after)
    before, marked, after = (safe.line(part.replace("\t", _TAB)) for part in parts)
    room = style.width - len(f"{_INDENT}{number} | ")
    size, behind = max(1, cells.width(marked)), min(cells.width(after), room // 4)
    most = max(room - size - behind, room // 2)
    if cells.width(before) > most:
        while cells.width(before) >= most:
            before = before[1:]
        before = _CUT + before
    line = safe.without_commands(before + marked + after)
    if cells.width(line) > room:
        line = cells.split(line, room - 1)[0] + _CUT
    indent = cells.width(before)
    mark = " " * indent + paint("^" * min(size, room - indent))
    gutter, edge = " " * len(number), style.palette.dim("|")
    return [
        f"{_INDENT}{style.palette.dim(number)} {edge} {line}",
        f"{_INDENT}{gutter} {edge} {mark}",
    ]


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
        return json_document(self.diagnostics, commands)

    def summary(self) -> str:
        return f"Failed: {counted(count(self.diagnostics, Severity.ERROR), 'error')}"
