"""Every command ends with an exit code, a message for people and one JSON document for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest

from reconciler import __version__
from reconciler.app.validate import ValidateReport
from reconciler.cli.command import Call
from reconciler.cli.console.output import Output
from reconciler.cli.failures import failure_of
from reconciler.cli.main import COMMANDS, GROUPS, Terminated, app, run
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.render.formats import json as json_format
from tests.support.diagnostics import error, warning
from tests.support.escaping import commands_in, invisible_in
from tests.support.extra_commands import add_command

Ends = Callable[[Callable[[Output], int | None]], None]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Ends:
    def put(function: Callable[[Output], int | None]) -> None:
        def command(call: Call, **_values: Any) -> int | None:
            return function(call.out)

        add_command(monkeypatch, command)

    return put


def raising(problem: BaseException) -> Callable[[Output], NoReturn]:
    def command(_out: Output) -> NoReturn:
        raise problem

    return command


ENDINGS: list[tuple[BaseException, int, str]] = [
    (StateError([warning("odd"), error("bad state", "mend it")]), 1, "bad state"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (Terminated(), 143, "terminated"),
    (click.Abort(), 1, "no answer"),
    (EOFError(), 1, "no answer"),
    (PermissionError(13, "Permission denied", "a.yaml"), 1, "Permission denied"),
    (OSError("odd"), 1, "odd"),
    (ValueError("odd \x1b[1m"), 1, "internal error (ValueError: odd"),
    (RecursionError(), 1, "internal error (RecursionError())"),
    (click.UsageError("No such thing."), 1, "no such thing"),
]


@pytest.mark.parametrize(("problem", "code", "words"), ENDINGS, ids=lambda value: repr(value)[:30])
def test_errors_are_printed_to_stderr(
    ends: Ends, capsys: pytest.CaptureFixture[str], problem: BaseException, code: int, words: str
) -> None:
    ends(raising(problem))
    assert run(["try"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert "Traceback" not in said.err
    assert invisible_in(said.err) == {"\n"}


@pytest.mark.parametrize(
    ("problem", "case"),
    [
        (KeyboardInterrupt(), ""),
        (Terminated(), "terminated"),
        (click.Abort(), "noAnswer"),
        (EOFError(), "noAnswer"),
    ],
)
def test_interruptions_have_one_code(problem: BaseException, case: str) -> None:
    assert [(each.code, each.case) for each in failure_of(problem)] == [(Code.INTERRUPTED, case)]


@pytest.mark.parametrize(("problem", "code", "words"), ENDINGS, ids=lambda value: repr(value)[:30])
def test_errors_are_one_json_document_on_stdout(
    ends: Ends, capsys: pytest.CaptureFixture[str], problem: BaseException, code: int, words: str
) -> None:
    ends(raising(problem))
    assert run(["try", "--format=json"]) == code
    said = capsys.readouterr()
    shown = json.loads(said.out)
    assert shown["formatVersion"] == 1
    assert any(words in found["summary"] for found in shown["diagnostics"])
    assert said.err == ""


def test_a_late_error_is_in_the_only_document(
    ends: Ends, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(out: Output) -> NoReturn:
        out.report(ValidateReport(1, 1))
        raise ValueError("late")

    ends(command)
    assert run(["try", "--format", "json"]) == 1
    said = capsys.readouterr()
    shown = json.loads(said.out)
    assert shown["summary"]["tasks"] == 1
    assert "late" in shown["diagnostics"][0]["summary"]
    assert said.err == ""


def test_an_error_in_a_result_leaves_no_part_of_it(
    ends: Ends, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> str:
        raise ValueError("late")

    monkeypatch.setattr(json_format, "render", failing)
    ends(lambda out: out.report(ValidateReport(1, 1)))
    assert run(["try", "--format", "json"]) == 1
    said = capsys.readouterr()
    assert (said.out, "late" in said.err) == ("", True)


def test_a_traceback_is_shown_only_with_v_and_without_the_token(
    ends: Ends, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-secret")
    ends(raising(ValueError("bad header 'token pul-secret' ::error::\n::error::x")))
    assert run(["try", "-v"]) == 1
    said = capsys.readouterr()
    assert "Traceback" in said.err
    assert "please report it" in said.err.splitlines()[-1]
    assert "pul-secret" not in said.err
    assert commands_in(said.err) == []
    assert run(["try"]) == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "run again with -v" in said.err


@pytest.mark.parametrize(("given", "code"), [(None, 0), (0, 0), (2, 2)])
def test_the_result_of_a_command_is_the_exit_code(ends: Ends, given: int | None, code: int) -> None:
    ends(lambda _out: given)
    assert run(["try"]) == code


def test_an_early_exit_keeps_its_code(ends: Ends) -> None:
    ends(lambda _out: click.get_current_context().exit(3))
    assert run(["try"]) == 3


def test_an_unknown_command_has_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plna"]) == 1
    said = capsys.readouterr()
    assert 'unknown command "plna"; did you mean "plan"?' in said.err
    assert said.err.endswith("    taskctl --help\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "--nope"], "no such option `--nope`\n"),
        (["plan", "--paralelism", "3"], "did you mean `--parallelism`?"),
        (["plan", "--parallelism", "x"], 'invalid value for `--parallelism`: "x" is not'),
        (["state", "mv"], "missing argument `OLD|GLOB`"),
        (["completion"], "missing argument `bash|zsh|fish`"),
        (["plan", "--report", "odt"], '"odt" is not one of text'),
        (["deploy"], 'unknown command "deploy"\n'),
    ],
)
def test_usage_errors_are_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 1
    err = capsys.readouterr().err
    assert said in err.replace(" [TC804]", "")
    assert "\\n" not in err


def test_a_usage_error_points_to_the_help_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["apply", "--expect-plan"]) == 1
    err = capsys.readouterr().err
    assert "requires an argument" in err
    assert err.endswith("    taskctl apply --help\n")


@pytest.mark.parametrize("words", [[], ["--help"], ["plan", "--help"], ["state"]])
def test_help_goes_to_stdout(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Usage: taskctl ")
    assert said.err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"taskctl {__version__}\n"


def test_help_has_sections(capsys: pytest.CaptureFixture[str]) -> None:
    """Commands before options, own options before shared ones, and each exactly once."""
    assert sum(map(len, GROUPS.values())) == len(COMMANDS)
    for words in (["--help"], ["plan", "--help"], ["state", "--help"]):
        assert run(words) == 0
        out = capsys.readouterr().out
        titles = re.findall(r"^(\S.*):$", out, re.MULTILINE)
        assert titles[-1] == "Examples"
        assert len(set(titles)) == len(titles)
        assert [title for title in titles if title != "Exit codes"][-2] == "General"
    assert "..." not in out.partition("Examples")[0].replace("[ARGS]...", "")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, words in COMMANDS.items():
        assert f"  {name}" in shown
        assert words in " ".join(shown.split())
    assert "Examples:" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = app.get_command(click.Context(app), name)
    below = list(command.commands) if isinstance(command, click.Group) else [""]
    assert below
    for part in below:
        assert run([name, *part.split(), "--help"]) == 0
        assert f"Examples:\n  taskctl {name}" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["completion bash", "explain", "schema", "serve --port 0"])
def test_commands_without_a_document_have_no_option_for_its_format(
    capsys: pytest.CaptureFixture[str], line: str
) -> None:
    for words in ([*line.split(), "--format", "json"], ["--format", "json", *line.split()]):
        assert run(words) == 1
        out, err = capsys.readouterr()
        assert (out, "[TC804]" in err) == ("", True)


def test_a_plan_that_is_skipped_is_a_document_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    (tmp_path / "a.tasks.yaml").write_text("version: 1\norgName: acme\ntasks: {a: {message: b}}\n")
    assert run(["plan", "--skip-without-token", "-C", str(tmp_path), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    (found,) = json.loads(out)["diagnostics"]
    assert (found["code"], found["severity"]) == ("TC718", "note")
    assert "Skipped" in err
