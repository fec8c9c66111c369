"""`taskctl explain`: explains diagnostic codes."""

from __future__ import annotations

import sys
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
    return _wrapped(text) if sys.stdout.isatty() else text


def _wrapped(text: str) -> str:
    """The text for a terminal: without Markdown, with wrapped lines."""
    from reconciler.cli.console.terminal import columns
    from reconciler.render.cells import wrap_words

    rows = []
    for line in text.replace("`", "").splitlines():
        is_code = line.startswith("    ")
        hang = 2 * line.startswith("- ")
        rows += [line] if is_code else wrap_words(line, columns(), hang)
    return "".join(f"{row}\n" for row in rows)


def _code(text: str) -> Code:
    """Finds a code, in upper or lower case. Raises TaskctlError if it does not exist."""
    known = {code.value: code for code in codes()}
    if text.upper() in known:
        return known[text.upper()]
    from difflib import get_close_matches

    from reconciler.model.diagnostics import TaskctlError

    near = get_close_matches(text.upper(), known, n=1, cutoff=0.8)
    if near:
        raise TaskctlError.of(Code.UNKNOWN_CODE, "similar", given=text, near=near[0])
    raise TaskctlError.of(Code.UNKNOWN_CODE, given=text)
