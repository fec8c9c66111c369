"""The reason why a command failed, as diagnostics. Imported when an error occurs, and before an
apply sends requests."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches

import click

from reconciler.cli.console.terminal import write_stderr
from reconciler.cli.usage import UsageError
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Diagnostic, Place, TaskctlError
from reconciler.model.diagnostics import error as diagnostic
from reconciler.render import safe


def failure_of(
    error: BaseException, called: click.Context | None = None, *, verbose: bool = False
) -> Sequence[Diagnostic]:
    """The diagnostics for an exception that ended a command. `called` is the context of the
    command, None if no command was recognized. With `verbose`, also prints the traceback of an
    unexpected error."""
    match error:
        case KeyboardInterrupt():
            return [diagnostic(Code.INTERRUPTED)]
        case SystemExit():
            return [diagnostic(Code.INTERRUPTED, "terminated")]
        case TaskctlError():
            return error.diagnostics
        case click.ClickException():
            return [_usage_problem(error, called)]
        case click.Abort() | EOFError():
            return [diagnostic(Code.INTERRUPTED, "noAnswer")]
        case OSError():
            why, file = error.strerror or str(error) or type(error).__name__, error.filename
            place = Place(os.fsdecode(file)) if isinstance(file, str | bytes) else NOWHERE
            return [diagnostic(Code.OS_ERROR, at=place, why=why)]
        case _:
            pass
    if verbose:
        import traceback

        trace = "".join(traceback.format_exception(error))
        write_stderr(safe.block(_without_token(trace)))
    what = _without_token(f"{type(error).__name__}: {error}" if str(error) else repr(error))
    case = "verbose" if verbose else ""
    return [diagnostic(Code.INTERNAL_ERROR, case, what=what)]


def _usage_problem(error: click.ClickException, called: click.Context | None) -> Diagnostic:
    path = called.command_path if called is not None else "taskctl"
    command = (*path.split()[1:], "--help")
    if isinstance(error, click.NoSuchOption) and error.option_name == "--dry-run":
        return diagnostic(Code.USAGE, "dryRun")
    if not isinstance(error, UsageError):
        return diagnostic(Code.USAGE, what=_click_message(error), command=command)
    if error.param is None:
        return diagnostic(Code.USAGE, what=error.cause, command=command)
    name = _name_of(error.param)
    return diagnostic(Code.USAGE, "value", parameter=name, what=error.cause, command=command)


def _name_of(parameter: click.Parameter) -> str:
    """The option, with the variable that may have set it; or the name of the argument."""
    if not isinstance(parameter, click.Option):
        return f"`{parameter.metavar or parameter.human_readable_name}`"
    variable = f" (or the variable {parameter.envvar})" if parameter.envvar else ""
    return f"`{max(parameter.opts, key=len)}`{variable}"


def _click_message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        near = get_close_matches(error.option_name, error.possibilities, n=1, cutoff=CLOSE)
        error = click.NoSuchOption(error.option_name, possibilities=near)
    message = " ".join(error.format_message().split()).rstrip(".")
    if not message[:2].isupper():
        message = message[:1].lower() + message[1:]
    message = message.replace(". Did you mean", "; did you mean")
    return re.sub(r"'([^' ]+)'", r"`\1`", message)  # click quotes names of options


CLOSE = 0.75
"""The minimum similarity of suggestions; click also suggests less similar names."""


def _without_token(text: str) -> str:
    token = os.environ.get("PULUMI_ACCESS_TOKEN", "").strip()
    return text.replace(token, "[REDACTED]") if token else text
