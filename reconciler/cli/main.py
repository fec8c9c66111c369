"""The entry point: finds the command, and turns errors into exit codes.

Only click is imported before the command is known, to keep `--help` and `--version` fast.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli.help import WithExamples, printing_option
from reconciler.render import ALL_FORMATS, FORMATS, WITHOUT_DIAGNOSTICS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from reconciler.cli.console.output import Output, OutputOptions

GROUPS = {
    "Manage tasks": {
        "validate": "Check manifests, offline.",
        "plan": "Show what apply would do; changes nothing.",
        "apply": "Create the tasks that are missing.",
        "status": "Show the status of tasks.",
    },
    "Follow tasks and respond": {
        "logs": "Show the conversation of tasks.",
        "wait": "Wait until tasks are done.",
        "results": "Show the results of tasks: answers, data, pull requests.",
        "approve": "Approve the open requests of tasks.",
        "reject": "Reject the open requests of tasks.",
        "say": "Send a follow-up message to tasks.",
        "cancel": "Cancel running tasks.",
        "show": "Show everything about tasks.",
    },
    "Manifests and state": {
        "init": "Create a starter manifest.",
        "fmt": "Format manifests.",
        "import": "Import existing tasks.",
        "state": "Inspect and repair the state.",
    },
    "Other commands": {
        "doctor": "Check the environment: token, service, state, git.",
        "serve": "Run the embedded service over HTTP.",
        "explain": "Explain a diagnostic code.",
        "schema": "Print a JSON Schema, for editors and programs.",
        "completion": "Print a shell completion script.",
    },
}
"""The commands, in the sections of the help."""

COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}

ELSEWHERE = {
    "version": "--version",
    "help": "--help",
    "list": "status",
    "ls": "status",
    "diff": "plan",
    "destroy": "cancel",
}
"""Commands of other programs, and their equivalents."""

EXAMPLES = (
    ("taskctl validate", "check the manifests in tasks/ and *.tasks.yaml"),
    ("taskctl plan --backend local", "show a plan on the embedded service, which needs no account"),
    ("taskctl apply", "create what is missing, after confirmation"),
    ("taskctl plan tasks/ -o plan.taskctl", "save a plan"),
    ("taskctl apply plan.taskctl", "apply exactly that plan, or nothing"),
)


class Terminated(SystemExit):
    """SIGTERM arrived."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class CommandGroup(WithExamples, click.Group):
    """The commands; each is the `command` of the module with its name, imported when it is
    called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"reconciler.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        from reconciler.cli.usage import UsageError

        near = get_close_matches(name, COMMANDS, n=1, cutoff=0.7)
        if name in ELSEWHERE or near:
            raise UsageError("similarCommand", name=name, near=ELSEWHERE.get(name) or near[0])
        raise UsageError("command", name=name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[object]]:
        from click.shell_completion import CompletionItem

        found = [(name, text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=text) for name, text in found), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(group.items()))


app = CommandGroup(
    "taskctl",
    formats=ALL_FORMATS,
    examples=EXAMPLES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""Manage Pulumi Neo agent tasks as code: declare them in YAML, review a plan, and create
    only what is missing, exactly once.

    The options below may also follow the command.
    """,
)
app.params.append(
    printing_option(
        "--version",
        text=lambda _ctx: f"taskctl {__version__}",
        purpose="Show the version and exit.",
    )
)


class ExitHandler:
    """Turns the exception that ends a command into an exit code and a message."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = arguments
        self.context: click.Context | None = None
        self.code = 0

    def __enter__(self) -> ExitHandler:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, click.exceptions.Exit):  # also of --help
            self.code = error.exit_code
        elif error is not None:
            self.code = self._handle(error)
        return True

    def end(self) -> None:
        """Writes the report files, and then a result for programs that includes their errors."""
        out: Output | None = self.context.obj if self.context is not None else None
        if out is not None:  # else no command was called, and nothing else is imported
            with self:
                out.write_files()
            with self:
                out.end()

    def _handle(self, error: BaseException) -> int:
        from reconciler.cli import exit_codes

        match error:
            case click.exceptions.NoArgsIsHelpError():
                click.echo(error.format_message())
                return 0
            case BrokenPipeError():
                pass
            case SystemExit() if not isinstance(error, Terminated):
                pass
            case _:
                self._show(error)
        code = exit_codes.of_exception(error)
        return self.code if self.code > exit_codes.SIGNALLED else code

    def _show(self, error: BaseException) -> None:
        """Shows why the command failed: in the JSON document or report if that is not written yet,
        else on stderr."""
        from reconciler.cli.console.output import Output
        from reconciler.cli.failures import failure_of

        called = getattr(error, "ctx", None) or self.context  # the command of a usage error
        out = self.context.obj if self.context is not None else None
        if not isinstance(out, Output):  # no command was called yet
            out = Output(_output_options(self.arguments, called))
        diagnostics = failure_of(error, called, verbose=out.options.verbose)
        out.keep(diagnostics)
        if out.has_result or out.options.format in WITHOUT_DIAGNOSTICS:
            out.diagnostics(diagnostics)
        if self.context is None or out is not self.context.obj:
            try:
                out.end()
            except BrokenPipeError:
                pass
            except OSError:  # the disk is full
                out.diagnostics(diagnostics)


def _output_options(arguments: Sequence[str], called: click.Context | None) -> OutputOptions:
    """Format, color and verbosity of arguments that may be invalid."""
    from reconciler.cli.console.output import OutputOptions

    command = called.command if called is not None else None
    formats = getattr(command, "formats", ()) or FORMATS
    options: dict[str, Any] = {}
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals:
            value = "".join(words[index + 1 : index + 2])
        if name == "--format" and value in formats and value in FORMATS:
            options["format"] = value
        elif name == "--color" and value in ("auto", "always", "never"):
            options["color"] = value
        elif word in ("-v", "--verbose"):
            options["verbose"] = True
    return OutputOptions(**options)


def run(arguments: Sequence[str]) -> int:
    """Runs a command line in this process and returns its exit code."""
    handler = ExitHandler(arguments)
    with handler:
        with app.make_context("taskctl", list(arguments)) as context:
            handler.context = context
            handler.code = app.invoke(context) or 0
        sys.stdout.flush()
    handler.end()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            handler.code = handler.code or 1
            with suppress(OSError, ValueError):  # else Python reports it at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return handler.code


def run_process() -> NoReturn:
    """Runs the command line of this process, and ends the process."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # reports must not fail with any encoding
            stream.reconfigure(errors="backslashreplace")
    if "_TASKCTL_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        from reconciler.cli.commands import completion

        completion.register()
        instruction = os.environ["_TASKCTL_COMPLETE"]
        sys.exit(shell_complete(app, {}, "taskctl", "_TASKCTL_COMPLETE", instruction))
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGALRM"):  # not on Windows
        sys.unraisablehook = _repeat_signal
    code = run(sys.argv[1:])
    os._exit(code)  # all output is written; freeing every value takes a tenth of the time


def _open_closed_streams() -> None:
    """Opens closed streams: otherwise, the next opened file, such as the state, would get the
    descriptor of stdout."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(stream, "w" if number else "r", encoding="utf-8"))


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _repeat_signal(ignored: sys.UnraisableHookArgs) -> None:
    """Repeats a signal shortly after its exception was ignored: Python ignores those of callbacks,
    such as the ones of weak references in imports."""
    match ignored.exc_value:
        case Terminated():
            number = signal.SIGTERM
        case KeyboardInterrupt():
            number = signal.SIGINT
        case _:
            sys.__unraisablehook__(ignored)
            return
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001)
