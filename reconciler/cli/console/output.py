"""The command line's `app.ui.Ui`: the result goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from reconciler.app.settings import ReportFile, Settings
from reconciler.app.ui import ApplyProgress, FailureReport, Watch
from reconciler.cli.console.terminal import (
    FOOT,
    columns,
    may_rewrite,
    wants_color,
    wants_links,
    write_stderr,
)
from reconciler.cli.signals import Interrupts, read_typed_line, write_whole
from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.model.diagnostics import Diagnostic, Severity, in_order, limited
from reconciler.model.remarks import Arg
from reconciler.model.task import TaskRef
from reconciler.model.value import Value, replace
from reconciler.render import BASIC_FORMATS, WITHOUT_DIAGNOSTICS, Report, render, safe
from reconciler.render.style import Style
from reconciler.system.clock import Stop, SystemClock

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport
    from reconciler.apply.report import TaskResult
    from reconciler.plan.plan import Plan
    from reconciler.tasks.events import Approval
    from reconciler.tasks.status import TaskStatus


class OutputOptions(Value, frozen=True):
    """The options for output. `reports` are additional files."""

    format: str = "text"
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    reports: tuple[ReportFile, ...] = ()


class Output:
    """The stdout and stderr of a command.

    `has_result`: the result was written. `kept` is the content of the report files. `commands`
    prints suggested commands.
    """

    def __init__(
        self,
        options: OutputOptions | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.options = options or OutputOptions()
        self.settings = settings or Settings()
        self._rewrites = may_rewrite(self.options.format, quiet=self.options.quiet)
        self.commands: Commands = AS_WRITTEN
        self.has_result = False
        self.kept: Report | None = None
        self._document: dict[str, Any] | None = None
        self._shown: set[Diagnostic] = set()
        self._reported: set[TaskResult] = set()

    # Results

    def _limited(self, report: Report) -> Report:
        """The report with a limited number of similar diagnostics."""
        if self.settings.all_problems:
            return report
        return replace(report, diagnostics=limited(report.diagnostics))

    def report(self, report: Report) -> None:
        """Writes the result in the requested format. A result with diagnostics is written by
        `end`."""
        self.kept = self._limited(report)
        if self.options.format in WITHOUT_DIAGNOSTICS:
            self._write(self.kept)

    def waited(self, report: ApplyWaitReport) -> None:
        """Writes the result of an apply and the wait after it; as text only the wait, because the
        rest was already shown."""
        if self.options.format != "text":
            self.report(report)
            return
        from reconciler.render.apply import waited_rows

        self.kept = self._limited(report)
        self.diagnostics(self.kept.diagnostics)
        if not self.options.quiet:
            rows = waited_rows(report, self.style_of_result())
            self.document("".join(f"{row}\n" for row in rows))

    def keep(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Adds diagnostics to the report files, and to the result if its format has diagnostics."""
        known = self.kept or FailureReport(())
        self.kept = self._limited(replace(known, diagnostics=(*known.diagnostics, *diagnostics)))
        if self._document is not None:
            from reconciler.render.document import diagnostic_items

            self._document["diagnostics"] += diagnostic_items(diagnostics, self.commands)

    def end(self) -> None:
        """Writes a result that contains diagnostics. Called last, when nothing can add a
        diagnostic."""
        if self.has_result or self.options.format in WITHOUT_DIAGNOSTICS:
            return
        self.has_result = True
        if self._document is not None:
            from reconciler.render.document import dump

            write_whole(dump(self._document))
        elif self.kept is not None:
            write_whole(render(self.options.format, self.kept, self._style_of_report()))

    def write_files(self) -> None:
        """Writes the report files. Raises TaskctlError if any failed."""
        if self.options.reports and self.kept is not None:
            from reconciler.app.files import locator
            from reconciler.cli.console.report_files import write_reports

            style = Style(
                verbose=self.options.verbose,
                locate=locator(self.settings.root),
                commands=self.commands,
            )
            write_reports(self.kept, self.options.reports, self.settings, style)

    def show(self, report: Report) -> None:
        """Shows an intermediate result to a person; report files do not contain it."""
        if self.options.format == "text":
            from reconciler.apply.report import ApplyReport

            self._write(report)
            if isinstance(report, ApplyReport):
                self._reported.update(report.tasks)

    def _write(self, report: Report) -> None:
        report = self._limited(report)
        self.diagnostics(report.diagnostics)
        if not isinstance(report, FailureReport):
            self._document_whole(render(self.options.format, report, self.style_of_result()))

    def result(
        self,
        document: Callable[[], dict[str, Any]],
        text: Callable[[Style], str],
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        """The result of a command without a report: a JSON document, or text."""
        if self.options.format == "json":
            self._document = document()
            return
        self.diagnostics(diagnostics)
        if not self.options.quiet:
            self._document_whole(text(self.style_of_result()))

    def document(self, text: str) -> None:
        """Writes to stdout. External text must have passed through `render.safe`."""
        self.has_result = True
        FOOT.remove()
        sys.stdout.write(text)
        sys.stdout.flush()

    def _document_whole(self, text: str) -> None:
        """Writes to stdout; a signal takes effect only afterwards."""
        self.has_result = True
        FOOT.remove()
        write_whole(text)

    # The rest of `Ui`

    def diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Writes to stderr, sorted, each diagnostic once per run; with `-q`, errors only."""
        new = [
            d
            for d in in_order(diagnostics)
            if d not in self._shown and (d.severity is Severity.ERROR or not self.options.quiet)
        ]
        self._shown.update(new)
        if not new:
            return
        from reconciler.render.diagnostics import render_all

        excerpts = self.options.format in WITHOUT_DIAGNOSTICS
        write_stderr(render_all(new, replace(self.style(sys.stderr), excerpts=excerpts)))

    def note(self, note: str, **facts: Arg) -> None:
        if not self.options.quiet:
            write_stderr(self._wrapped(self._text(note, **facts)) + "\n")

    def detail(self, note: str, **facts: Arg) -> None:
        if self.options.verbose:
            write_stderr(self._wrapped(self._text(note, **facts)) + "\n")

    def _wrapped(self, text: str) -> str:
        """The text, wrapped on a terminal. In a log, lines stay whole, so that they can be
        searched."""
        from reconciler.render.cells import wrap_sentences

        return wrap_sentences(text, columns()) if sys.stderr.isatty() else text

    def _text(self, note: str, /, **facts: Arg) -> str:
        """The text of a note, made safe."""
        from reconciler.messages.remarks import note_text

        return safe.block(self.commands.completed(note_text(note, facts)))

    def show_approval(self, ref: TaskRef, approval: Approval) -> None:
        """Shows a request. With `quiet`, only on a terminal: others may read the log of a
        script."""
        if self.options.quiet and not self.interactive:
            return
        from reconciler.render.conversation import approval_rows

        rows = approval_rows(approval, self.style(sys.stderr))
        text = "".join(f"  {row}".rstrip() + "\n" for row in rows)
        write_stderr(safe.without_commands(f"{safe.line(str(ref))} asks:\n{text}"))

    @property
    def interactive(self) -> bool:
        """Whether stdin and stderr are a terminal and the result is text."""
        return sys.stdin.isatty() and sys.stderr.isatty() and self.options.format == "text"

    def confirm(self, plan: Plan) -> bool:
        from reconciler.render.plan.summary import confirmation

        verbose, quiet = self.options.verbose, self.options.quiet
        case, facts = confirmation(plan, verbose=verbose, is_shown=not quiet)
        return self.ask(case, strict=case != "ask.change", **facts)

    def ask(self, question: str, *, strict: bool, **facts: Arg) -> bool:
        """`strict`: only the full word `yes` is accepted, as in Terraform."""
        answers = "Only 'yes' is accepted:" if strict else "[y/N]"
        write_stderr(f"\n{self._text(question, **facts)} {answers} ")
        answer = read_typed_line().strip()
        return answer == "yes" if strict else answer.lower() in ("y", "yes")

    def read_line(self, question: str, **facts: Arg) -> str | None:
        write_stderr(f"{self._text(question, **facts)} ")
        return read_typed_line() or None

    def progress(self, plan: Plan) -> ApplyProgress:
        from reconciler.cli.console.progress import Bar, Lines, load_early
        from reconciler.plan.plan import Action

        load_early(lambda r: render(self.options.format, self._limited(r), self.style_of_result()))
        if self.options.quiet:
            return ApplyProgress()
        clock = SystemClock().now
        refs = [task.ref for task in plan.tasks if task.applies]
        if refs and self._rewrites:
            return Bar(len(refs), clock)
        orgs = {t.ref.org_name for t in plan.tasks if t.applies or t.action is Action.UNRESOLVED}
        return Lines(refs, clock, partial(self._write_result, with_org=len(orgs) > 1))

    def _write_result(self, result: TaskResult, *, with_org: bool) -> None:
        """Writes the rows of a result once it is final. The report at the end has all other
        results."""
        from reconciler.apply.report import Result
        from reconciler.render.apply import task_rows

        is_final = result.result not in (Result.UNRESOLVED, Result.NOT_STARTED)
        if not is_final or result in self._reported:
            return
        rows = task_rows(result, self.style_of_result(), with_org=with_org)
        text = safe.without_commands("".join(f"{row}\n" for row in rows))
        if self.options.format != "text":
            write_stderr(text)
            return
        with suppress(OSError, ValueError):  # the report has it, too
            sys.stdout.write(text)
            sys.stdout.flush()
            self._reported.add(result)

    def watch(self, known: Sequence[TaskStatus] = ()) -> Watch:
        from reconciler.cli.console.progress import Changes

        return Changes(self.note, known, in_place=self._rewrites)

    def interruptible(self, note: str, last: Report | None = None) -> AbstractContextManager[Stop]:
        from reconciler.messages.remarks import note_text

        message = "" if self.options.quiet else f"\n{note_text(note, {})}\n"
        if last is None or self.options.format == "text":
            return Interrupts(message)
        result = render(self.options.format, self._limited(last), self.style_of_result())
        return Interrupts(message, result)

    # Style

    def style_of_result(self) -> Style:
        return self.style(sys.stdout)

    def style(self, stream: TextIO) -> Style:
        return Style(
            color=wants_color(self.options.color, os.environ, terminal=stream.isatty()),
            terminal=stream.isatty(),
            links=self.options.format == "text"
            and wants_links(os.environ, terminal=stream.isatty()),
            width=columns(),
            quiet=self.options.quiet,
            verbose=self.options.verbose,
            diagnostics=False,
            reported=frozenset(self._reported),
            commands=self.commands,
        )

    def _style_of_report(self) -> Style:
        style = self.style_of_result()
        if self.options.format in BASIC_FORMATS:
            return style
        from reconciler.app.files import locator

        return replace(style, locate=locator(self.settings.root))
