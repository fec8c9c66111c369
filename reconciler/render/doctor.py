"""The checks of `doctor` as text and as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reconciler.app.doctor import Check, Outcome
from reconciler.messages import word
from reconciler.messages.remarks import phrase, word_remarks
from reconciler.model.address import documentation
from reconciler.render import cells, safe
from reconciler.render.diagnostics import place_of
from reconciler.render.document import json_document
from reconciler.render.style import Palette, Style

_INDENT = "    "


_PAINT: dict[Outcome, Callable[[Palette], Callable[[str], str]]] = {
    Outcome.OK: lambda palette: palette.green,
    Outcome.FAILED: lambda palette: palette.red,
    Outcome.SKIPPED: lambda palette: palette.dim,
}


def checks_document(checks: Sequence[Check]) -> dict[str, object]:
    problems = [problem for check in checks for problem in check.diagnostics]
    return json_document(
        problems,
        checks=[
            {"name": check.name, "outcome": check.outcome.value, "summary": _summary(check)}
            for check in checks
        ],
    )


def checks_text(checks: Sequence[Check], style: Style) -> str:
    rows = [row for check in checks for row in _rows(check, style)]
    if address := documentation("glossary.md"):
        rows.append(f"Terms: {address}")
    return "".join(f"{row}\n" for row in rows)


def _rows(check: Check, style: Style) -> Iterator[str]:
    """The check and what it found, or why it failed and what to do."""
    paint = _PAINT[check.outcome](style.palette)
    title = phrase(f"check.{check.name}")
    start = f"{paint(f'{check.outcome.value:<8}')} {title:<13} "
    if check.outcome is not Outcome.FAILED:
        yield f"{start}{safe.line(_summary(check))}".rstrip()
        return
    for problem in check.diagnostics:
        message = word(problem)
        at = place_of(problem.file, problem.line, problem.column)
        yield f"{start}{at}{': ' * bool(at)}{safe.line(message.summary)} [{problem.code}]"
        start = " " * cells.width(start)
        text = cells.wrap_sentences(safe.block(message.explanation), style.width - len(_INDENT))
        yield from (f"{_INDENT}{row}" for row in text.split("\n") if row)


def _summary(check: Check) -> str:
    """What it found, why it was skipped, or the codes of its problems."""
    if check.remark is not None:
        return word_remarks([check.remark]).note
    return ", ".join(problem.code.value for problem in check.diagnostics)
