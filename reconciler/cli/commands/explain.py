"""`taskctl explain`: explains diagnostic codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.help import printing_command
from reconciler.messages.catalog import entry
from reconciler.messages.explanation import codes
from reconciler.model.codes import Code
from reconciler.render import BASIC_FORMATS
from reconciler.render.explain import code_document, code_text, codes_document, codes_text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _codes(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[object]]:
    """Diagnostic codes, with their titles."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(code.value, help=entry(code).title)
        for code in codes()
        if code.value.startswith(incomplete.upper())
    ]


@printing_command(
    "explain",
    click.Argument(["code"], metavar="[CODE]", required=False, shell_complete=_codes),
    formats=BASIC_FORMATS,
    examples=[
        ("taskctl explain TC201", "explain one code"),
        ("taskctl explain", "list all codes"),
    ],
)
def command(_ctx: click.Context, format_name: str, code: str | None) -> str:
    """Explain a diagnostic code, such as TC201. Without CODE, list all codes.

    Diagnostics end with their code, in brackets. Codes are stable, so programs can rely on them;
    the wording of messages may change.
    """
    chosen = None if code is None else _code(code)
    if format_name != "json":
        return codes_text() if chosen is None else code_text(chosen)
    from reconciler.render.document import dump

    return dump(codes_document() if chosen is None else code_document(chosen))


def _code(text: str) -> Code:
    """The code, in either case. TaskctlError if it does not exist."""
    known = {code.value: code for code in codes()}
    if text.upper() in known:
        return known[text.upper()]
    from difflib import get_close_matches

    from reconciler.model.diagnostics import TaskctlError

    near = get_close_matches(text.upper(), known, n=1, cutoff=0.8)
    if near:
        raise TaskctlError.of(Code.UNKNOWN_CODE, "similar", given=text, near=near[0])
    raise TaskctlError.of(Code.UNKNOWN_CODE, given=text)
