"""taskctl.toml: allowed settings, precedence, and what is rejected."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.app import state
from reconciler.app.configuration import NO_CONFIG, find_config
from reconciler.app.settings import Connection, Settings
from reconciler.cli.command import Call
from reconciler.cli.console.output import OutputOptions
from reconciler.cli.main import run
from reconciler.cli.options import CONNECTION, PATHS, PLAN
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from tests.support.extra_commands import add_command

ALL = """\
paths = ["tasks", "more/a.yaml"]
state = "git:origin"
run-workflow = "taskctl-run.yml"
parallelism = 3
lock-timeout = "1m"
settle-time = "2m30s"
max-creates = 2
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    (top / "below/deep").mkdir(parents=True)
    monkeypatch.chdir(top)
    for name in [name for name in os.environ if name.startswith("TASKCTL_")] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    return top


class Seen:
    options: PlanOptions
    given: frozenset[str]
    connection: Connection
    output: OutputOptions
    settings: Settings


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()

    def keep(call: Call, **values: Any) -> None:
        vars(found).update(
            values,
            options=call.options,
            given=call.given,
            connection=call.ctx.connection,
            output=call.out.options,
            settings=call.ctx.settings,
        )

    add_command(monkeypatch, keep, PATHS, *PLAN, *CONNECTION)
    return found


def problems(folder: Path) -> list[tuple[str | None, int | None, Code, str]]:
    with pytest.raises(TaskctlError) as caught:
        find_config(folder)
    return [(d.file, d.line, d.code, d.case) for d in caught.value.diagnostics]


def test_without_a_file_nothing_is_set(repository: Path) -> None:
    assert find_config(repository) is NO_CONFIG


def test_every_key_is_read(repository: Path) -> None:
    (repository / "taskctl.toml").write_text(ALL)
    found = find_config(repository)
    assert found.file == repository / "taskctl.toml"
    assert found.values["paths"] == ("tasks", "more/a.yaml")
    assert found.values == {
        "paths": ("tasks", "more/a.yaml"),
        "state": "git:origin",
        "run_workflow": "taskctl-run.yml",
        "parallelism": 3,
        "lock_timeout": "1m",
        "settle_time": "2m30s",
        "max_creates": 2,
    }


def test_the_file_is_found_upward_and_its_paths_are_relative_to_it(repository: Path) -> None:
    (repository / "taskctl.toml").write_text(ALL)
    found = find_config(repository / "below/deep")
    assert found.file == repository / "taskctl.toml"
    assert found.values["paths"] == ("tasks", "more/a.yaml")
    settings = found.settings(Path("below/deep"))
    assert (settings.root, settings.names(["x.yaml", "../../tasks"])) == (
        Path(),
        ("below/deep/x.yaml", "tasks"),
    )
    assert settings.typed("taskctl.state.json") == "../../taskctl.state.json"


def test_outside_of_a_repository_only_the_working_directory_counts(tmp_path: Path) -> None:
    """Another user may have written `/tmp/taskctl.toml`."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "taskctl.toml").write_text("parallelism = 1\n")
    assert find_config(tmp_path / "mine") == NO_CONFIG
    (tmp_path / "mine/taskctl.toml").write_text("parallelism = 2\n")
    assert find_config(tmp_path / "mine").values == {"parallelism": 2}


def test_the_nearest_file_within_the_repository_is_used(repository: Path) -> None:
    (repository.parent / "taskctl.toml").write_text("parallelism = 1\n")
    assert find_config(repository / "below") is NO_CONFIG
    (repository / "taskctl.toml").write_text("parallelism = 3\n")
    assert find_config(repository / "below").values == {"parallelism": 3}
    (repository / "below/taskctl.toml").write_text("")
    found = find_config(repository / "below/deep")
    assert (found.file, found.values) == (repository / "below/taskctl.toml", {})


def test_a_linked_work_tree_ends_the_search(repository: Path) -> None:
    (repository / "taskctl.toml").write_text("parallelism = 3\n")
    (repository / "below/.git").write_text("gitdir: elsewhere\n")
    assert find_config(repository / "below/deep") is NO_CONFIG


@pytest.mark.parametrize(
    ("line", "case"),
    [
        ("paths = []", "paths"),
        ("paths = 'tasks'", "paths"),
        ("paths = [1]", "path"),
        ("paths = ['../../x']", "outside"),
        ("paths = ['.git/x']", "outside"),
        ("paths = ['.GIT/x']", "outside"),
        ("policy = '/etc/passwd'", "outside"),
        ("policy = 'link/x'", "outside"),
        ("policy = 'loop'", "links"),
        ("paths = ['tasks', 'loop/x']", "links"),
        ("policy = 'link/out/x'", "outside"),
        ("policy = ''", "path"),
        ('policy = "a\\u0000"', "path"),
        ("state = 'taskctl.state.json'", "address"),
        ("state = 's3://bucket/x'", "address"),
        ("state = 'env:HOME'", "address"),
        ("run-workflow = '../x.yml'", "workflow"),
        ("run-workflow = 'a b.yml'", "workflow"),
        ("run-workflow = '-R.yml'", "workflow"),
        ("run-workflow = 'answer.yml\\n'", "workflow"),
        ('run-workflow = "answer.yml\\n"', "workflow"),
        ("parallelism = 0", "number"),
        ("parallelism = true", "number"),
        ("settle-time = 150", "duration"),
        ("settle-time = 'soon'", "duration"),
        ("lock-timeout = '999999999999h'", "duration"),
        ("update = true", "unknown"),
        ("backend = 'https://x'", "backend"),
        ("token = 'pul-1'", "token"),
        ("org = 'acme'", "org"),
        ("settle_time = '1s'", "near"),
        ("nonsense = 1", "unknown"),
    ],
)
def test_an_invalid_value_is_reported_with_its_line(repository: Path, line: str, case: str) -> None:
    forbidden = case in ("backend", "token", "org")
    code = Code.FORBIDDEN_SETTING if forbidden else Code.INVALID_CONFIG
    (repository / "link").symlink_to("/")
    (repository / "loop").symlink_to("loop")
    (repository / "taskctl.toml").write_text(f"# settings\nmax-creates = 1\n{line}\n")
    assert problems(repository) == [("taskctl.toml", 3, code, case)]


@pytest.mark.parametrize(
    ("content", "place", "case"),
    [
        (b"a = \n", (1, 5), "value"),
        (b"a = 1\na = 2\n", (2, 1), "duplicate"),
        (b"a = 1\n[b]\n[b]\n", (3, 2), "duplicate"),
        (b"state = git:origin\n", (1, 9), "value"),
        (b"lock-timeout = 10m\n", (1, 18), "end"),
        (b"state: git:origin\n", (1, 1), "equals"),
        (b"= 1\n", (1, 1), "statement"),
        (b'state = "git:origin\n', (1, 20), "quote"),
        (b"paths = ['a'\n", (1, 9), "bracket"),
        (b"a = '\xff'\n", (None, None), "encoding"),
    ],
)
def test_invalid_toml_is_reported(
    repository: Path, content: bytes, place: tuple[int | None, int | None], case: str
) -> None:
    (repository / "taskctl.toml").write_bytes(content)
    assert problems(repository) == [("taskctl.toml", *place[:1], Code.INVALID_CONFIG, case)]
    with pytest.raises(TaskctlError) as caught:
        find_config(repository)
    assert caught.value.diagnostics[0].column == place[1]


def test_flag_then_environment_then_file_then_default(
    repository: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "taskctl.toml").write_text(ALL)
    assert run(["try"]) == 0
    assert seen.connection == Connection(None, None, None, 3, timedelta(minutes=1))
    assert seen.options.settle_time == timedelta(seconds=150)
    monkeypatch.setenv("TASKCTL_SETTLE_TIME", "7s")
    line = "try --parallelism 10 --update --lock-timeout 0s --max-creates 5"
    assert run(line.split()) == 0
    seven = timedelta(seconds=7)
    assert seen.connection == Connection(None, None, None, 10, timedelta(), seven)
    assert seen.options == PlanOptions(settle_time=timedelta(seconds=7), update=True, max_creates=5)
    assert seen.output.color == "auto"
    assert run(["--color", "never", "try", "-C", "below"]) == 0
    assert seen.output.color == "never"
    assert seen.settings.paths == ("tasks", "more/a.yaml")
    assert (seen.settings.root, seen.settings.folder) == (Path(), Path("below"))


def test_a_command_without_the_option_uses_the_configured_settle_time(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "taskctl.toml").write_text("settle-time = '9s'\n")
    used = []
    monkeypatch.setattr(state, "close_attempts", lambda ctx, _key: used.append(ctx.settle_time))
    run(["state", "close", "a"])
    assert used == [timedelta(seconds=9)]


def test_v_shows_the_file_in_use(
    repository: Path, seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "taskctl.toml").write_text("parallelism = 3\n")
    assert run(["try", "-v", "-C", "below"]) == 0
    assert "config: taskctl.toml\n" in capsys.readouterr().err
    assert seen.connection.parallelism == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_file_with_errors_stops_a_command_with_a_message(
    repository: Path, seen: Seen, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del seen
    (repository / "taskctl.toml").write_text("backend = 'https://example.com'\n")
    assert run(["try", "--format", form]) == 1
    said = capsys.readouterr()
    if form == "json":
        (problem,) = json.loads(said.out)["diagnostics"]
        assert (problem["file"], problem["line"]) == ("taskctl.toml", 1)
    else:
        assert said.out == ""
        assert said.err.startswith("taskctl.toml:1:1: error: backend: ")
    assert run(["try", "--help"]) == 0


def test_configured_options_do_not_conflict_with_a_saved_plan(repository: Path, seen: Seen) -> None:
    (repository / "taskctl.toml").write_text("settle-time = '9s'\n")
    assert run(["try", "--update"]) == 0
    assert seen.options == PlanOptions(settle_time=timedelta(seconds=9), update=True)
    assert seen.given == {"update"}
