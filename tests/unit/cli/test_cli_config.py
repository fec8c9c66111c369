"""taskctl.toml and [tool.taskctl]: what may be set there, what wins, and what is refused."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.config.file import NO_CONFIG, find_config
from reconciler.cli.console.output import Output
from reconciler.cli.main import run
from reconciler.cli.options.common import Common
from reconciler.cli.options.service import Connection, connection_options, plan_options
from reconciler.cli.options.shared import common_options, paths_argument
from reconciler.model.errors import TaskctlError
from reconciler.model.options import AdoptScope, PlanOptions
from tests.support.commands import add_command

ALL = """\
paths = ["tasks", "more/a.yaml"]
state = "state/taskctl.state.json"
parallelism = 3
lock-timeout = "1m"
settle-time = "2m30s"
adopt = "none"
adopt-limit = 5
max-creates = 2
color = "always"
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
    connection: Connection
    common: Common


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()

    def keep(out: Output, **values: Any) -> None:
        vars(found).update(values, common=out.common)

    add_command(monkeypatch, keep, paths_argument, plan_options, connection_options, common_options)
    return found


def problems(folder: Path) -> list[tuple[str | None, int | None, str]]:
    with pytest.raises(TaskctlError) as caught:
        find_config(folder)
    return [(d.file, d.line, d.summary) for d in caught.value.diagnostics]


def test_without_a_file_nothing_is_set(repository: Path) -> None:
    assert find_config(repository) is NO_CONFIG


def test_every_key(repository: Path) -> None:
    (repository / "taskctl.toml").write_text(ALL)
    found = find_config(repository)
    assert found.file == "taskctl.toml"
    assert found.paths == ("tasks", "more/a.yaml")
    assert found.values == {
        "paths": ("tasks", "more/a.yaml"),
        "state": "state/taskctl.state.json",
        "parallelism": 3,
        "lock_timeout": timedelta(minutes=1),
        "settle_time": timedelta(seconds=150),
        "adopt": AdoptScope.NONE,
        "adopt_limit": 5,
        "max_creates": 2,
        "color": "always",
    }


def test_it_is_found_upward_and_its_paths_stay_where_they_are(repository: Path) -> None:
    (repository / "taskctl.toml").write_text(ALL)
    found = find_config(repository / "below/deep")
    assert found.file == "../../taskctl.toml"
    assert found.paths == ("../../tasks", "../../more/a.yaml")
    assert found.values["state"] == "../../state/taskctl.state.json"


def test_the_nearest_one_counts_and_none_above_the_repository(repository: Path) -> None:
    (repository.parent / "taskctl.toml").write_text("parallelism = 1\n")
    assert find_config(repository / "below") is NO_CONFIG
    (repository / "pyproject.toml").write_text("[tool.taskctl]\nparallelism = 2\n")
    assert find_config(repository / "below").values == {"parallelism": 2}
    (repository / "taskctl.toml").write_text("parallelism = 3\n")
    assert find_config(repository / "below").values == {"parallelism": 3}
    (repository / "below/pyproject.toml").write_text("[tool.taskctlx]\na = 'taskctl'\n")
    assert find_config(repository / "below").values == {"parallelism": 3}
    (repository / "below/pyproject.toml").write_text("[tool.taskctl]\n")
    found = find_config(repository / "below/deep")
    assert (found.file, found.values) == ("../pyproject.toml", {})


def test_a_linked_work_tree_ends_the_search_too(repository: Path) -> None:
    (repository / "taskctl.toml").write_text("parallelism = 3\n")
    (repository / "below/.git").write_text("gitdir: elsewhere\n")
    assert find_config(repository / "below/deep") is NO_CONFIG


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("paths = []", "paths: must be a list of files and folders"),
        ("paths = 'tasks'", "paths: must be a list of files and folders"),
        ("paths = [1]", "paths: must be a path, as text"),
        ("paths = ['../../x']", "paths: '../../x' leads out of the repository"),
        ("paths = ['.git/x']", "paths: '.git/x' leads out of the repository"),
        ("state = '/etc/passwd'", "state: '/etc/passwd' leads out of the repository"),
        ("state = 'link/x'", "state: 'link/x' leads out of the repository"),
        ("state = ''", "state: must be a path, as text"),
        ('state = "a\\u0000"', "state: 'a\\x00' is no path"),
        ("parallelism = 0", "parallelism: must be a whole number of at least 1"),
        ("parallelism = true", "parallelism: must be a whole number of at least 1"),
        ("settle-time = 150", "settle-time: must be a number and its unit, as text"),
        ("settle-time = 'soon'", "settle-time: must be a number and its unit, as text"),
        ("adopt = 'some'", "adopt: must be one of all, recent, none"),
        ("color = 1", "color: must be one of auto, always, never"),
        ("backend = 'https://x'", "backend: cannot be set in a file of the repository"),
        ("token = 'pul-1'", "token: cannot be set in a file of the repository"),
        ("org = 'acme'", "org: cannot be set in a file of the repository"),
        ("settle_time = '1s'", "settle_time: is not known"),
        ("nonsense = 1", "nonsense: is not known"),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_line(
    repository: Path, line: str, words: str
) -> None:
    (repository / "link").symlink_to("/")
    (repository / "taskctl.toml").write_text(f"# settings\nadopt-limit = 1\n{line}\n")
    ((file, number, summary),) = problems(repository)
    assert (file, number) == ("taskctl.toml", 3)
    assert summary.startswith(words)
    (repository / "taskctl.toml").unlink()
    (repository / "pyproject.toml").write_text(
        f"[a]\n{line}\n[tool.taskctl]\n{line}\n[b]\n{line}\n"
    )
    ((file, number, summary),) = problems(repository / "below")
    assert (file, number) == ("../pyproject.toml", 4)
    assert summary.startswith(words)


def test_why_and_what_instead(repository: Path) -> None:
    (repository / "taskctl.toml").write_text("backend = 'x'\nsettle_tim = 1\nzzz = 1\n")
    with pytest.raises(TaskctlError) as caught:
        find_config(repository)
    why, near, known = (d.detail for d in caught.value.diagnostics)
    assert why.startswith("Who can change the repository could send your token anywhere with it.")
    assert why.endswith("\n    export TASKCTL_BACKEND=URL")
    assert near == "Did you mean settle-time?"
    assert known.startswith("There are paths, state, ")


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"a = \n", (1, 5), "this is no TOML: invalid value"),
        (b"a = 1\na = 2\n", (2, 6), "this is no TOML: cannot overwrite a value"),
        (b"a = '\xff'\n", (None, None), "is not UTF-8"),
    ],
)
def test_what_is_no_toml(
    repository: Path, content: bytes, place: tuple[int | None, int | None], words: str
) -> None:
    (repository / "taskctl.toml").write_bytes(content)
    with pytest.raises(TaskctlError) as caught:
        find_config(repository)
    (problem,) = caught.value.diagnostics
    assert (problem.line, problem.column) == place
    assert problem.summary.startswith(words)


def test_a_table_that_is_none(repository: Path) -> None:
    (repository / "pyproject.toml").write_text("[tool]\ntaskctl = 1\n")
    ((file, _, summary),) = problems(repository)
    assert (file, summary) == ("pyproject.toml", "tool.taskctl: must be a table")


def test_flag_then_environment_then_file_then_default(
    repository: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "taskctl.toml").write_text(ALL)
    assert run(["try"]) == 0
    assert seen.connection == Connection(None, None, None, 3, timedelta(minutes=1))
    assert seen.options.settle_time == timedelta(seconds=150)
    assert seen.options.adopt is AdoptScope.NONE
    assert seen.options.adopt_limit == 5
    assert seen.common.color == "always"
    monkeypatch.setenv("TASKCTL_SETTLE_TIME", "7s")
    monkeypatch.setenv("NO_COLOR", "1")
    line = "try --parallelism 10 --adopt all --adopt-limit 1000 --lock-timeout 0s"
    assert run(line.split()) == 0
    assert seen.connection == Connection(None, None, None, 10, timedelta())
    assert seen.options == PlanOptions(settle_time=timedelta(seconds=7), adopt=AdoptScope.ALL)
    assert seen.common.color == "auto"
    assert run(["--color", "never", "try", "-C", "below"]) == 0
    assert seen.common.color == "never"
    assert seen.common.config.paths == ("../tasks", "../more/a.yaml")


def test_v_says_which_file(
    repository: Path, seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "taskctl.toml").write_text("parallelism = 3\n")
    assert run(["try", "-v", "-C", "below"]) == 0
    assert "config: ../taskctl.toml\n" in capsys.readouterr().err
    assert seen.connection.parallelism == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_file_with_errors_stops_a_command_in_words(
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
        assert said.err.startswith("taskctl.toml:1: error: backend: cannot be set in a file of ")
    assert run(["try", "--help"]) == 0


def test_its_options_are_not_held_against_a_saved_plan(repository: Path) -> None:
    (repository / "taskctl.toml").write_text("settle-time = '9s'\nadopt = 'none'\n")
    config = find_config(repository)
    given = PlanOptions(settle_time=timedelta(seconds=9), adopt=AdoptScope.ALL)
    assert config.taken_out(given) == PlanOptions(adopt=AdoptScope.ALL)
