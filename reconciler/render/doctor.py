"""The checks of `doctor` as text and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.app.doctor import Check
from reconciler.messages import word
from reconciler.messages.commands import Commands
from reconciler.messages.remarks import phrase, word_remarks
from reconciler.model.address import documentation
from reconciler.render import cells, safe
from reconciler.render.diagnostics import place_of
from reconciler.render.document import json_document
from reconciler.render.style import Style

_INDENT = "    "


def checks_document(checks: Sequence[Check], commands: Commands) -> dict[str, object]:
    problems = [problem for check in checks for problem in check.diagnostics]
    shown = [
        {
            "name": check.name,
            "outcome": "failed" if check.diagnostics else "ok",
            "summary": _found(check) or ", ".join(d.code.value for d in check.diagnostics),
        }
        for check in checks
    ]
    return json_document(problems, commands, checks=shown)


def checks_text(checks: Sequence[Check], style: Style) -> str:
    rows = [row for check in checks for row in _rows(check, style)]
    if address := documentation("glossary.md"):
        rows.append(f"Terms: {address}")
    return "".join(f"{row}\n" for row in rows)


def _rows(check: Check, style: Style) -> Iterator[str]:
    """The check with its finding, or the reason why it failed and how to fix it."""
    title = f"{phrase(f'check.{check.name}'):<8} "
    if not check.diagnostics:
        yield f"{style.palette.green('ok'.ljust(7))} {title}{safe.line(_found(check))}"
        return
    start = f"{style.palette.red('failed'.ljust(7))} {title}"
    for problem in check.diagnostics:
        message = word(problem, style.commands)
        at = place_of(problem.file, problem.line, problem.column)
        row = f"{start}{at}{': ' * bool(at)}{safe.line(message.summary)} [{problem.code}]"
        indent = cells.width(start)
        yield from cells.wrap_words(row, style.width, indent) if style.terminal else [row]
        start = " " * indent
        text = cells.wrap_sentences(safe.block(message.explanation), style.width - len(_INDENT))
        yield from (f"{_INDENT}{row}" for row in text.split("\n") if row)


def _found(check: Check) -> str:
    return word_remarks([check.remark]).note if check.remark is not None else ""
