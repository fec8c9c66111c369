"""`taskctl doctor`: checks the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconciler.app.doctor import Check, Outcome, doctor
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, ORG, STATE, option
from reconciler.messages import word
from reconciler.messages.remarks import word_remarks
from reconciler.model.remarks import remark
from reconciler.render import cells, safe
from reconciler.render.diagnostics import place_of
from reconciler.render.document import json_document
from reconciler.render.reports import Palette, Style

_INDENT = "    "
_PAINT: dict[Outcome, Callable[[Palette], Callable[[str], str]]] = {
    Outcome.OK: lambda palette: palette.green,
    Outcome.FAILED: lambda palette: palette.red,
    Outcome.SKIPPED: lambda palette: palette.dim,
}


@make_command(
    "doctor",
    BACKEND,
    ORG,
    STATE,
    option(
        "--write-test", is_flag=True, help="Also write a file next to the state, and remove it."
    ),
    examples=[
        ("taskctl doctor", "check the token, the service, the state and git"),
        ("taskctl doctor --write-test", "also whether the state can be written"),
        ("taskctl doctor --format json", "the same for a program"),
    ],
)
def command(call: Call, write_test: bool) -> int:
    """Check what an apply needs: backend, token, connection, identity, clock, manifests, their
    organizations, state, whether the service keeps marks, and git. Changes nothing; --write-test
    leaves nothing behind.

    Checks that cannot run are skipped. Exits 1 if a check fails.
    """
    checks = doctor(call.ctx, write_test=write_test)
    problems = [problem for check in checks for problem in check.diagnostics]
    call.out.result(
        lambda: json_document(problems, checks=list(map(_document, checks))),
        lambda style: "".join(f"{row}\n" for check in checks for row in _rows(check, style)),
        problems if call.out.options.quiet else (),
    )
    return int(any(check.outcome is Outcome.FAILED for check in checks))


def _rows(check: Check, style: Style) -> Iterator[str]:
    """The check and what it found, or why it failed and what to do."""
    paint = _PAINT[check.outcome](style.palette)
    title = word_remarks([remark(f"check.{check.name}")]).note
    start = f"{paint(f'{check.outcome.value:<8}')} {title:<13} "
    if check.outcome is not Outcome.FAILED:
        yield f"{start}{safe.line(_text(check))}".rstrip()
        return
    for problem in check.diagnostics:
        message = word(problem)
        at = place_of(problem.file, problem.line, problem.column)
        yield f"{start}{at}{': ' * bool(at)}{safe.line(message.summary)} [{problem.code}]"
        start = " " * cells.width(start)
        text = cells.wrap_sentences(safe.block(message.explanation), style.width - len(_INDENT))
        yield from (f"{_INDENT}{row}" for row in text.split("\n") if row)


def _text(check: Check) -> str:
    if check.remark is not None:
        return word_remarks([check.remark]).note
    return ", ".join(problem.code.value for problem in check.diagnostics)


def _document(check: Check) -> dict[str, str]:
    return {"name": check.name, "outcome": check.outcome.value, "summary": _text(check)}
