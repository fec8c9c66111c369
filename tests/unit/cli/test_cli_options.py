"""Options become plain values, before or after the command and from the environment."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.settings import Connection, Settings
from reconciler.cli.command import Call
from reconciler.cli.commands import serve
from reconciler.cli.console.output import OutputOptions
from reconciler.cli.main import run
from reconciler.cli.options import CONNECTION, PATHS, PLAN
from reconciler.embedded import scenarios
from reconciler.model.options import PlanOptions
from tests.support.extra_commands import add_command


class Seen:
    paths: tuple[str, ...]
    options: PlanOptions
    connection: Connection
    output: OutputOptions
    settings: Settings


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    for name in ("TASKCTL_BACKEND", "TASKCTL_ORG", "TASKCTL_STATE", "TASKCTL_SETTLE_TIME"):
        monkeypatch.delenv(name, raising=False)
    found = Seen()

    def keep(call: Call, **values: Any) -> None:
        vars(found).update(
            values,
            options=call.options,
            connection=call.ctx.connection,
            output=call.out.options,
            settings=call.ctx.settings,
        )

    add_command(monkeypatch, keep, PATHS, *PLAN, *CONNECTION)
    return found


def test_defaults_are_as_documented(seen: Seen) -> None:
    assert run(["try"]) == 0
    assert seen.options == PlanOptions()
    assert seen.connection == Connection(None, None, None, 10, timedelta())
    assert seen.output == OutputOptions("text", "auto", quiet=False, verbose=False)
    assert seen.settings == Settings(Path())
    assert seen.paths == ()


def test_every_option_is_read(seen: Seen) -> None:
    line = (
        "try --backend local --org acme --state s.json --parallelism 3 --lock-timeout 2m "
        "--settle-time 1m30s --update --max-creates 0 "
        "--allow-recreate=b --allow-recreate=a --allow-recreate=b --format json --color never "
        "-q -v a.yaml b"
    )
    assert run(line.split()) == 0
    durations = (timedelta(minutes=2), timedelta(seconds=90))
    assert seen.connection == Connection("local", "acme", "s.json", 3, *durations)
    assert seen.options == PlanOptions(
        settle_time=timedelta(seconds=90),
        update=True,
        allow_recreate=("a", "b"),
        max_creates=0,
    )
    assert seen.output == OutputOptions("json", "never", quiet=True, verbose=True)
    assert seen.paths == ("a.yaml", "b")


def test_an_option_overrides_the_environment(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKCTL_BACKEND", "local")
    monkeypatch.setenv("TASKCTL_ORG", "acme")
    monkeypatch.setenv("TASKCTL_STATE", "there.json")
    monkeypatch.setenv("TASKCTL_SETTLE_TIME", "1s")
    assert run(["try", "--org", "other"]) == 0
    # None: the backend is resolved later, together with its source.
    second = timedelta(seconds=1)
    assert seen.connection == Connection(None, "other", "there.json", settle_time=second)
    assert seen.options.settle_time == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("words", "keys", "paths"),
    [
        (["--allow-recreate", "tasks"], ("*",), ("tasks",)),
        (["tasks", "--allow-recreate"], ("*",), ("tasks",)),
        (["--allow-recreate=key", "tasks"], ("key",), ("tasks",)),
        (["--", "--allow-recreate"], (), ("--allow-recreate",)),
    ],
)
def test_allow_recreate_does_not_treat_a_path_as_a_key(
    seen: Seen, words: list[str], keys: tuple[str, ...], paths: tuple[str, ...]
) -> None:
    assert run(["try", *words]) == 0
    assert (seen.options.allow_recreate, seen.paths) == (keys, paths)


def test_shared_options_may_precede_the_command(seen: Seen, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    line = ["-C", str(tmp_path), "--format", "json", "--color", "always", "-q", "-v", "try"]
    assert run(line) == 0
    assert seen.output == OutputOptions("json", "always", quiet=True, verbose=True)
    assert seen.settings.root == tmp_path
    assert run([*line, "-C", "in", "--format", "text", "--color", "never"]) == 0
    assert seen.output == OutputOptions("text", "never", quiet=True, verbose=True)
    assert seen.settings.path("x") == tmp_path / "in" / "x"
    assert seen.settings.path("/x") == Path("/x")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--parallelism", "0"], "--parallelism"),
        (["--settle-time", "soon"], '"soon" is not a duration'),
        (["--settle-time", "36501d"], "is longer than 36500 days"),
        (["--lock-timeout", "999999999999h"], "is longer than 36500 days"),
        (["--lock-timeout", "9" * 400 + "d"], "is longer than 36500 days"),
        (["--update=all"], "--update"),
        (["--format", "xml"], "--format"),
        (["--max-creates", "-1"], "--max-creates"),
        (["-C", "nowhere"], '"nowhere"'),
        (["--nonsense"], "--nonsense"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.usefixtures("seen")
def test_a_usage_error_exits_1_with_a_message(
    words: list[str], named: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["try", "--format", form, *words]) == 1
    said = capsys.readouterr()
    if form == "json":
        (problem,) = json.loads(said.out)["diagnostics"]
        assert named in problem["summary"]
        assert problem["detail"] == "For usage, run:\ntaskctl try --help"
        assert said.err == ""
    else:
        assert said.out == ""
        assert named in said.err.splitlines()[0]
        assert [line.strip() for line in said.err.splitlines()[1:]] == [
            "For usage, run:",
            "taskctl try --help",
        ]


@pytest.mark.usefixtures("seen")
def test_help_shows_every_variable_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["try", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("TASKCTL_BACKEND", "TASKCTL_ORG", "TASKCTL_STATE", "TASKCTL_SETTLE_TIME"):
        assert name in shown
    assert "Examples:\n  taskctl try\n      to see\n" in shown
    assert "--allow-recreate [=KEY|GLOB]" in shown


def test_serve_offers_each_scenario() -> None:
    """The option lists them itself: its help does not import the service."""
    assert sorted(serve.SCENARIOS) == sorted(scenarios.SCENARIOS)
