"""Where a command says what: the result goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from reconciler.cli.options.common import Common
from reconciler.model.diagnostics import Diagnostic, Severity, in_order
from reconciler.render import BASIC_FORMATS, renderer
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport

if TYPE_CHECKING:
    from reconciler.render.secrets import Secrets

Source = Callable[[str], str | None]
"""The text of a file that a problem is in, to show it where it is: `Manifests.text_of`."""


class Output:
    """One command's stdout and stderr.

    `told` says that the result was written. `source` gives the files of problems, for all that is
    said from when it is set. `kept` is what goes to the reports in files. Nothing that is said here
    holds the prompt of a sensitive task.
    """

    def __init__(self, common: Common) -> None:
        self.common = common
        self.told = False
        self.source: Source | None = None
        self.kept: Report | None = None
        self._secrets: Secrets | None = None
        self._said: set[Diagnostic] = set()

    def protect(self, secrets: Secrets) -> None:
        """From now on nothing that is said repeats these prompts."""
        if secrets:
            self._secrets = secrets if self._secrets is None else self._secrets | secrets

    def masked(self, report: Report) -> Report:
        """The report as it may be shown; the prompts that its tasks keep to themselves are
        protected from now on."""
        if self._secrets is None and isinstance(report, FailureReport | ValidateReport):
            listed = report.listed if isinstance(report, ValidateReport) else ()
            if not any(task.sensitive for task in listed):
                return report
        from reconciler.render import masking

        self.protect(masking.secrets_of(report))
        return report if self._secrets is None else masking.masked(report, self._secrets)

    def concealed(self, text: str) -> str:
        """Words of others, such as the service's, with none of the protected prompts."""
        return text if self._secrets is None else self._secrets.conceal(text)

    def report(self, report: Report, source: Source | None = None) -> None:
        """The result, in the format asked for. As text its diagnostics go to stderr, before it."""
        self.kept = self.masked(report)
        self.show(self.kept, source)

    def keep(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Problems for the reports in files, beside what these have to tell already."""
        known = self.kept or FailureReport(())
        self.kept = self.masked(replace(known, diagnostics=(*known.diagnostics, *diagnostics)))

    def write_files(self) -> None:
        """The reports in files. TaskctlError where one cannot be written; the others are."""
        if self.common.reports and self.kept is not None:
            from reconciler.app.report_files import write_reports

            write_reports(self.kept, self.common)

    def show(self, report: Report, source: Source | None = None) -> None:
        """The same for what is not the last word: it goes to no file."""
        self.source = source or self.source
        report = self.masked(report)
        if self.common.format == "text":
            self.diagnostics(report.diagnostics)
            if isinstance(report, FailureReport):
                return
        text = renderer(self.common.format).render(report, self._style_of_report())
        self.told = True
        self.result(text)

    def _style_of_report(self) -> Style:
        style = self.style_of_result()
        if self.common.format in BASIC_FORMATS:
            return style
        from reconciler.app.repository import locator

        return replace(style, locate=locator(self.common.root))

    def document(self, text: str) -> None:
        """The result of a command that has no report, in the format asked for."""
        self.told = True
        self.result(text)

    def style_of_result(self) -> Style:
        return self.style(sys.stdout)

    def result(self, text: str) -> None:
        """To stdout, as it is: of text from outside only what `render.safe` made inert."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        """To stderr, in order, each once in a run; with `-q` errors only, on a terminal with their
        source lines."""
        shown = [
            d
            for d in in_order(diagnostics)
            if d not in self._said and (d.severity is Severity.ERROR or not self.common.quiet)
        ]
        self._said.update(shown)
        if not shown:
            return
        if self._secrets is not None:
            from reconciler.render.masking import concealed

            shown = list(concealed(shown, self._secrets))
        from reconciler.render.diagnostics import render_all

        say(render_all(shown, replace(self.style(sys.stderr), source=self._source_line)))

    def note(self, text: str) -> None:
        """A line to stderr for a person, unless `-q`; made inert."""
        if not self.common.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """A line to stderr with `-v` only; made inert."""
        if self.common.verbose:
            self._line(text)

    def style(self, stream: TextIO) -> Style:
        return Style(
            color=self.colored(stream),
            width=columns(),
            quiet=self.common.quiet,
            verbose=self.common.verbose,
            diagnostics=False,
        )

    def colored(self, stream: TextIO) -> bool:
        return wants_color(self.common.color, os.environ, terminal=self.is_terminal(stream))

    def is_terminal(self, stream: TextIO) -> bool:
        return stream.isatty()

    def interactive(self) -> bool:
        """Whether a person can be asked: stdin and stderr are a terminal, the result is text."""
        return sys.stdin.isatty() and sys.stderr.isatty() and self.common.format == "text"

    def ask(self, question: str) -> bool:
        """Asks on stderr; as with Terraform, only `yes` in full is one."""
        from reconciler.render import safe

        say(f"\n{safe.block(self.concealed(question))} Only 'yes' is taken for one: ")
        return sys.stdin.readline().strip() == "yes"

    def _source_line(self, file: str, line: int) -> str | None:
        """Only a person gets to see it: on a terminal."""
        if self.source is None or not self.is_terminal(sys.stderr):
            return None
        text = self.source(file)
        lines = [] if text is None else text.split("\n")
        return lines[line - 1] if 0 < line <= len(lines) else None

    def _line(self, text: str) -> None:
        from reconciler.render import safe

        say(safe.block(self.concealed(text)) + "\n")


def say(text: str) -> None:
    """To stderr; nobody can be told that nobody reads it, so that is no reason to stop."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def wants_color(choice: str, env: Mapping[str, str], *, terminal: bool) -> bool:
    """`--color`; auto means a terminal that is not dumb, and no `NO_COLOR` (see no-color.org)."""
    if choice != "auto":
        return choice == "always"
    return terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def columns() -> int:
    """The width to write for: the terminal's, or 80; neither too narrow nor too wide to read."""
    return max(40, min(120, _columns() or 80))


def _columns() -> int:
    """`COLUMNS`, else the terminal's; 0 for none. As `shutil` does, which imports compressors."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0
    except (OSError, ValueError):
        return 0
