"""`taskctl explain`: explains diagnostic codes."""

from __future__ import annotations

from textwrap import indent

import click

from reconciler.cli.help import printing_command
from reconciler.messages.catalog import codes, entry, examples, section
from reconciler.model.codes import Code


@printing_command(
    "explain",
    click.Argument(["code"], metavar="[CODE]", required=False),
    examples=[
        ("taskctl explain TC201", "explain one code"),
        ("taskctl explain", "list all codes"),
    ],
)
def command(code: str | None) -> str:
    """Explain a diagnostic code, such as TC201. Without CODE, list all codes.

    Diagnostics end with their code, in brackets. Codes are stable, so programs can rely on them;
    the wording of messages may change.
    """
    if code is None:
        return "".join(f"{each.value}  {entry(each).title}\n" for each in codes())
    chosen = _code(code)
    text = f"{chosen.value}: {entry(chosen).title}\n\n{section(chosen)}"
    for title, example in zip(("Wrong", "Right"), examples(chosen), strict=False):
        text += f"\n{title}:\n\n{indent(example, '    ')}"
    return text


def _code(text: str) -> Code:
    """Finds a code, in upper or lower case. Raises TaskctlError if it does not exist."""
    known = {code.value: code for code in codes()}
    if text.upper() in known:
        return known[text.upper()]
    from difflib import get_close_matches

    from reconciler.model.diagnostics import TaskctlError

    number = [code for code in known if code == f"TC{text}"]
    near = number or get_close_matches(text.upper(), known, n=1, cutoff=0.8)
    if near:
        raise TaskctlError.of(Code.UNKNOWN_CODE, "similar", given=text, near=near[0])
    raise TaskctlError.of(Code.UNKNOWN_CODE, given=text)
