"""`taskctl explain`: explains diagnostic codes."""

from __future__ import annotations

import difflib

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import argument
from reconciler.messages.catalog import entry
from reconciler.messages.explanation import codes, messages_of, section
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.render.document import dump, json_document


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
    as_json = call.out.options.format == "json"
    if code is None and as_json:
        listed = [{"code": each.value, "title": entry(each).title} for each in codes()]
        text = dump(json_document(codes=listed))
    elif code is None:
        text = "".join(f"{each.value}  {entry(each).title}\n" for each in codes())
    elif as_json:
        text = dump(_document(_code(code)))
    else:
        found = _code(code)
        text = f"{found.value}: {entry(found).title}\n\n{section(found)}"
    call.out.document(text)
    return 0


def _document(code: Code) -> dict[str, object]:
    found = entry(code)
    return json_document(
        code=code.value,
        title=found.title,
        why=found.why,
        fix=found.fix,
        messages=messages_of(code),
    )


def _code(text: str) -> Code:
    """The code, in either case. TaskctlError if it does not exist."""
    known = {code.value: code for code in codes()}
    if text.upper() in known:
        return known[text.upper()]
    near = difflib.get_close_matches(text.upper(), known, n=1, cutoff=0.8)
    if near:
        raise TaskctlError.of(Code.UNKNOWN_CODE, "similar", given=text, near=near[0])
    raise TaskctlError.of(Code.UNKNOWN_CODE, given=text)
