"""The result goes to stdout, everything else to stderr; color only where it is appropriate."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import pytest

from reconciler.app.settings import Settings
from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.cli.console.output import Output, OutputOptions
from reconciler.cli.console.terminal import wants_color, wants_links, write_stderr
from tests.support.diagnostics import error, warning


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Closed(StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize(
    ("choice", "env", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {}, True, False),
    ],
)
def test_color_depends_on_option_environment_and_terminal(
    choice: str, env: dict[str, str], *, terminal: bool, expected: bool
) -> None:
    assert bool(wants_color(choice, env, terminal=terminal)) is expected


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "5000"}, True),  # 0.50
        ({"TERM": "xterm-256color", "VTE_VERSION": "4999"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "?"}, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, True),
        ({"WT_SESSION": "0b3c"}, True),
        ({"TERM": "tmux-256color", "VTE_VERSION": "7600"}, False),
        ({"TERM": "tmux-256color", "FORCE_HYPERLINK": "1"}, True),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
        ({"TERM": "dumb", "FORCE_HYPERLINK": "1"}, False),
    ],
)
def test_hyperlinks_are_only_for_terminals_that_have_them(
    env: dict[str, str], *, expected: bool
) -> None:
    assert wants_links(env, terminal=True) is expected
    assert not wants_links(env, terminal=False)


def test_notes_have_details_with_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    for common, expected in (
        (OutputOptions(), "Nothing was created.\n"),
        (OutputOptions(quiet=True), ""),
        (OutputOptions(verbose=True), "Nothing was created.\nconfig: a\n"),
    ):
        out = Output(common)
        out.note("not_created")
        out.detail("config", file="a")
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", expected)


def test_text_reports_print_diagnostics_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    found = (error("b", file="b.yaml", line=1), warning("a", file="a.yaml", line=2))
    Output(OutputOptions()).report(ValidateReport(1, 2, found))
    said = capsys.readouterr()
    assert said.out == "1 error, 1 warning in 2 files.\n"
    assert said.err == "a.yaml:2: warning: a [TC744]\nb.yaml:1: error: b [TC744]\n"
    Output(OutputOptions(quiet=True)).report(ValidateReport(1, 2, found))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "b.yaml:1: error: b [TC744]\n")
    Output(OutputOptions()).report(FailureReport(found))
    assert capsys.readouterr().out == ""


def test_a_closed_stderr_does_not_stop_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Closed())
    write_stderr("x")
    Output(OutputOptions()).note("not_created")


def test_paths_are_relative_to_the_folder() -> None:
    assert Settings(root=Path("a")).path("b") == Path("a/b")
