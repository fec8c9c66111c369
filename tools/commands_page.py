"""The reference of the command line, from click: usage, options, variables, examples."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from inspect import cleandoc

import click

from reconciler.cli.main import COMMANDS, app
from reconciler.cli.options.help import NAMES, WithExamples

HEAD = """\
# Command reference

<!-- Written by `python -m tools.reference` from the commands' own help: change it there. -->

`taskctl COMMAND --help` says the same.

## Options of every command

They may stand before the command or after it.
"""

EXIT_CODES = """\
## Exit codes

| code | means |
| --- | --- |
| 0 | well |
| 1 | any error, wrong usage included; a "no" at the question; a task failed or stayed unresolved |
| 2 | `plan --detailed-exitcode` alone: well, and there is something to create, adopt or decide |
| 130 | SIGINT: nothing new was started, what ran was waited for and saved |
| 143 | SIGTERM: likewise |
"""


def commands_page() -> str:
    top = click.Context(app, info_name="taskctl")
    shared = [parameter for parameter in app.get_params(top) if parameter.name in NAMES]
    parts = [HEAD, _options(shared, top), ""]
    for name in COMMANDS:
        command = _found(app, top, name)
        parts += _command(command, click.Context(command, parent=top, info_name=name), level=2)
    return "\n".join([*parts, EXIT_CODES])


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{' '.join(_usage(command, context))}\n```\n"
    yield _text(command.help or "") + "\n"
    own = [p for p in command.get_params(context) if p.name not in NAMES and "--help" not in p.opts]
    if any(isinstance(parameter, click.Option) for parameter in own):
        yield _options(own, context) + "\n"
    if isinstance(command, WithExamples) and command.examples:
        yield "Examples:\n"
        lines = [f"{line}\n    {why}" for line, why in command.examples]
        yield "```text\n" + "\n".join(lines) + "\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = _found(command, context, name)
            made = click.Context(below, parent=context, info_name=name)
            yield from _command(below, made, level + 1)


def _found(group: click.Group, context: click.Context, name: str) -> click.Command:
    command = group.get_command(context, name)
    if command is None:
        raise LookupError(f"{group.name} lists {name} and has it not")
    return command


def _usage(command: click.Command, context: click.Context) -> Iterator[str]:
    """As in the help, on one line."""
    yield context.command_path
    yield from command.collect_usage_pieces(context)


def _text(help_text: str) -> str:
    """Paragraphs as they are; what `\\b` keeps from being filled anew stays so here as well."""
    return cleandoc(help_text).replace("\b\n", "").replace("<", "&lt;").replace("|", "\\|")


def _options(parameters: list[click.Parameter], context: click.Context) -> str:
    rows = ["| option | variable | default | what it does |", "| --- | --- | --- | --- |"]
    for option in parameters:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        flags, _ = option.get_help_record(context) or ("", "")
        said, _, default = (option.help or "").partition("  [default: ")
        extra = option.get_help_extra(context)
        shown = default.removesuffix("]") or str(extra.get("default", ""))
        cells = (_code(flags), _code(", ".join(extra.get("envvars", ()))), shown, _text(said))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _code(text: str) -> str:
    """Code in a cell: there a `|` is an entity, which neither GitHub nor the site splits at."""
    if "|" not in text:
        return f"`{text}`" if text else ""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>"
