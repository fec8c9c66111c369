"""`taskctl explain`: explains diagnostic codes."""

from __future__ import annotations

import difflib

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import argument
from reconciler.messages.explanation import codes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.render.explain import code_document, code_text, codes_document, codes_text


@make_command(
    "explain",
    argument("code", "[CODE]", candidates.diagnostic_codes, required=False),
    examples=[
        ("taskctl explain TC201", "explain one code"),
        ("taskctl explain", "list all codes"),
    ],
)
def command(call: Call, code: str | None) -> int:
    """Explain a diagnostic code, such as TC201. Without CODE, list all codes.

    Diagnostics end with their code, in brackets. Codes are stable, so programs can rely on them;
    the wording of messages may change.
    """
    found = None if code is None else _code(code)
    if call.out.options.format == "json":
        document = codes_document() if found is None else code_document(found)
        call.out.result(lambda: document, lambda _style: "")
    else:
        call.out.document(codes_text() if found is None else code_text(found))
    return 0


def _code(text: str) -> Code:
    """The code, in either case. TaskctlError if it does not exist."""
    known = {code.value: code for code in codes()}
    if text.upper() in known:
        return known[text.upper()]
    near = difflib.get_close_matches(text.upper(), known, n=1, cutoff=0.8)
    if near:
        raise TaskctlError.of(Code.UNKNOWN_CODE, "similar", given=text, near=near[0])
    raise TaskctlError.of(Code.UNKNOWN_CODE, given=text)
