"""The entry point: finds the command, and turns errors into exit codes.

Only click is imported before the command is known, to keep `--help` and `--version` fast.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn

import click

from reconciler import __version__
from reconciler.cli.help import WithExamples, shared_options
from reconciler.render import FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from reconciler.cli.console.output import Output, OutputSettings
    from reconciler.model.codes import Code
    from reconciler.model.diagnostics import Arg, Diagnostic, Place

COMMANDS = {
    "validate": "Check manifests, offline.",
    "plan": "Show what apply would do; changes nothing.",
    "apply": "Create the tasks that are missing.",
    "status": "Show the status of tasks.",
    "logs": "Show the conversation of tasks.",
    "wait": "Wait until tasks are done.",
    "inbox": "Show open questions and answer them.",
    "approve": "Approve what tasks ask for.",
    "reject": "Reject what tasks ask for.",
    "say": "Send a follow-up message to tasks.",
    "cancel": "Cancel running tasks.",
    "show": "Show a saved plan, or everything about one task.",
    "import": "Import existing tasks.",
    "state": "Inspect and repair the state.",
    "fmt": "Format manifests.",
    "init": "Create a starter manifest.",
    "schema": "Print a JSON Schema, for editors and programs.",
    "completion": "Print the completion script of a shell.",
    "explain": "Explain a diagnostic code.",
    "doctor": "Check the environment: token, service, state, git.",
    "serve": "Run the embedded service over HTTP.",
    "help": "Show help for a command.",
    "version": "Print the version.",
}
"""Each is the `command` of the module `reconciler.cli.commands.NAME`."""

EXAMPLES = (
    ("taskctl validate", "check the manifests in tasks/ and *.tasks.yaml"),
    ("taskctl plan --backend local", "show a plan, on the embedded service; no account needed"),
    ("taskctl apply", "create what is missing, after confirmation"),
    ("taskctl plan tasks/ -o plan.taskctl", "save a plan"),
    ("taskctl apply plan.taskctl", "apply exactly that plan, or nothing"),
)

SIGNALLED = 128  # exit codes above it stand for a signal


class Terminated(SystemExit):
    """SIGTERM arrived."""

    def __init__(self) -> None:
        super().__init__(143)


class Commands(WithExamples, click.Group):
    """The commands; each is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        command = import_module(f"reconciler.cli.commands.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"unknown command {name!r}{hint}", ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[object]]:
        from click.shell_completion import CompletionItem

        found = [(name, text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=text) for name, text in found), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = Commands(
    "taskctl",
    params=shared_options(FORMATS),
    examples=EXAMPLES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""Manage Pulumi Neo agent tasks as code: declare them in YAML, review a plan, and create
    only what is missing, exactly once.

    The options below may also follow the command.
    """,
)
click.version_option(__version__, prog_name="taskctl", message="%(prog)s %(version)s")(app)


class ExitHandler:
    """Turns whatever ends a command into an exit code and a message."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = arguments
        self._formats: Iterable[str] = FORMATS
        self.context: click.Context | None = None
        self.code = 0

    def __enter__(self) -> ExitHandler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None:
            code = self._handle(error)
            self.code = self.code if self.code > SIGNALLED else code
        return True

    def write_files(self) -> None:
        """Writes the report files, after everything else; a failure is one more error."""
        out: Output | None = self.context.obj if self.context is not None else None
        if out is not None:  # else no command was called, and nothing else is imported
            with self:
                out.write_files()

    def _handle(self, error: BaseException) -> int:
        if isinstance(error, click.exceptions.Exit):  # also of --help, which imports nothing else
            return error.exit_code
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message())
            return 0
        from reconciler.model.codes import Code
        from reconciler.model.errors import TaskctlError

        match error:
            case KeyboardInterrupt():
                return self._fail(130, Code.INTERRUPTED)
            case Terminated():
                return self._fail(143, Code.INTERRUPTED, "terminated")
            case SystemExit():
                return error.code if isinstance(error.code, int) else int(error.code is not None)
            case BrokenPipeError():
                return 1
            case TaskctlError():
                return self._show(error.diagnostics)
            case click.ClickException():
                return self._usage(error)
            case click.Abort() | EOFError():
                return self._fail(1, Code.INTERRUPTED, "noAnswer")
            case OSError():
                return self._os_error(error)
        return self._unexpected(error)

    def _usage(self, error: click.ClickException) -> int:
        from reconciler.model.codes import Code

        context = getattr(error, "ctx", None) or self.context
        for param in context.command.params if context is not None else ():
            if param.name == "format_name" and isinstance(param.type, click.Choice):
                self._formats = param.type.choices
        path = context.command_path if context is not None else "taskctl"
        message = error.format_message().rstrip(".")
        if not message[:2].isupper():
            message = message[:1].lower() + message[1:]
        return self._fail(1, Code.USAGE, what=message, command=(*path.split()[1:], "--help"))

    def _os_error(self, error: OSError) -> int:
        from reconciler.model.codes import Code
        from reconciler.model.diagnostics import Place

        why = error.strerror or str(error) or type(error).__name__
        file = error.filename
        place = Place(os.fsdecode(file)) if isinstance(file, str | bytes) else None
        return self._fail(1, Code.OS_ERROR, at=place, why=why)

    def _unexpected(self, error: BaseException) -> int:
        from reconciler.cli.console.output import write_stderr
        from reconciler.model.codes import Code
        from reconciler.render import safe

        out = self._output()
        if out.common.verbose:
            import traceback

            trace = out.conceal("".join(traceback.format_exception(error)))
            write_stderr(safe.block(_without_token(trace)))
        what = _without_token(f"{type(error).__name__}: {error}" if str(error) else repr(error))
        case = "verbose" if out.common.verbose else ""
        return self._fail(1, Code.INTERNAL_ERROR, case, what=what)

    def _fail(
        self, code: int, cause: Code, case: str = "", at: Place | None = None, **facts: Arg
    ) -> int:
        from reconciler.model.diagnostics import NOWHERE, error

        self._show([error(cause, case, at=at or NOWHERE, **facts)])
        return code

    def _show(self, diagnostics: Sequence[Diagnostic]) -> int:
        """Writes to stderr; for programs to stdout, unless a document was written there."""
        out = self._output()
        out.keep(diagnostics)
        if out.has_result or out.common.format in ("text", "csv"):
            out.diagnostics(diagnostics)
        else:
            with suppress(BrokenPipeError):
                out.failure(diagnostics)
        return 1

    def _output(self) -> Output:
        """The command's output; if there is none yet, one for the arguments."""
        from reconciler.cli.console.output import Output

        if self.context is not None and isinstance(self.context.obj, Output):
            return self.context.obj
        return Output(_output_settings(self.arguments, self._formats))


def _output_settings(arguments: Sequence[str], formats: Iterable[str]) -> OutputSettings:
    """Format, color and verbosity of arguments that may be invalid. `formats` are those of the
    command."""
    from reconciler.cli.console.output import OutputSettings

    found = OutputSettings()
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals:
            value = "".join(words[index + 1 : index + 2])
        if name in ("--format", "--report") and value in formats and value in FORMATS:
            found = found._replace(format=value)
        elif name == "--color" and value in ("auto", "always", "never"):
            found = found._replace(color=value)
        elif word in ("-v", "--verbose"):
            found = found._replace(verbose=True)
    return found


def _without_token(text: str) -> str:
    token = os.environ.get("PULUMI_ACCESS_TOKEN", "").strip()
    return text.replace(token, "[REDACTED]") if token else text


def run(arguments: Sequence[str]) -> int:
    """Runs a command line in this process and returns its exit code."""
    handler = ExitHandler(arguments)
    with handler:
        with app.make_context("taskctl", list(arguments)) as context:
            handler.context = context
            handler.code = app.invoke(context) or 0
        sys.stdout.flush()
    handler.write_files()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            handler.code = handler.code or 1
            with suppress(OSError, ValueError):  # else Python reports it at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return handler.code


def main() -> NoReturn:
    """The entry point of the process."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # reports must not fail with any encoding
            stream.reconfigure(errors="backslashreplace")
    if "_TASKCTL_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        from reconciler.cli.completion import shells

        shells.register()
        instruction = os.environ["_TASKCTL_COMPLETE"]
        sys.exit(shell_complete(app, {}, "taskctl", "_TASKCTL_COMPLETE", instruction))
    signal.signal(signal.SIGTERM, _terminate)
    gc.disable()  # until `memory.resume_collection`
    code = run(sys.argv[1:])
    os._exit(code)  # everything is written; freeing all values would take a tenth of the time


def _open_closed_streams() -> None:
    """Otherwise, the next opened file, such as the state, would get the descriptor of stdout."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(stream, "w" if number else "r", encoding="utf-8"))


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
