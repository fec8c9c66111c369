"""Two teams in one organization, with two states, one user and the same prompt."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.console.output import Output
from reconciler.cli.main import run

PROMPT = "Rotate the keys of the network."
MANIFEST = "version: 1\norgName: acme\ntasks:\n  first: {{message: Of team {team}.}}\n"
ROTATE = f"  rotate: {{message: {PROMPT}}}\n"


class Team:
    """A folder of manifests with a separate state, at a service that the teams share."""

    def __init__(self, top: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = top / name
        (self.folder / "tasks").mkdir(parents=True)
        self._backend, self._capsys = f"local:{top}/service.db", capsys
        self.write(MANIFEST.format(team=name))

    def write(self, text: str) -> None:
        (self.folder / "tasks/all.yaml").write_text(text)

    def add(self, text: str) -> None:
        self.write((self.folder / "tasks/all.yaml").read_text() + text)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        where = ("-C", str(self.folder), "--backend", self._backend, "--state", "s.state.json")
        code = run([*arguments, *where])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def plan(self) -> dict[str, Any]:
        code, out, _ = self.run("plan", "--format", "json")
        assert code == 0
        return {task["key"]: task for task in json.loads(out)["tasks"]}


@pytest.fixture
def teams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Team, Team]:
    """Both have applied once; then the first applies `rotate`, which the second declares too."""
    a, b = Team(tmp_path, "a", capsys), Team(tmp_path, "b", capsys)
    for team in (a, b):
        assert team.run("apply", "--yes")[0] == 0
    a.add(ROTATE)
    assert a.run("apply", "--yes")[0] == 0
    b.add(ROTATE)
    return a, b


def flat(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def id_of(team: Team) -> str:
    state = json.loads((team.folder / "s.state.json").read_text())
    return str(state["tasks"]["acme/rotate"]["taskId"])


def test_the_task_of_another_team_is_not_adopted(teams: tuple[Team, Team]) -> None:
    a, b = teams
    code, out, err = b.run("plan")
    assert code == 1
    assert "? rotate" in out
    assert id_of(a) in out
    assert re.search(r"created 20[\d-]+ by user-", flat(out)), out
    assert out.rstrip().endswith("1 unresolved. Apply will exit 1: 1 unresolved.")
    assert err.count("[TC748]") == 1
    assert "taskctl apply --adopt --backend" in flat(err)
    assert "taskctl state resolve acme/rotate --not-created --backend" in flat(err)
    assert b.run("plan", "--fail-on", "none")[0] == 0
    code, out, _ = b.run("apply", "--yes")
    assert (code, "1 unresolved" in out) == (1, True)


def test_they_are_another_repositorys(teams: tuple[Team, Team]) -> None:
    a, b = teams
    assert b.run("state", "resolve", "acme/rotate", "--not-created")[0] == 0
    assert b.plan()["rotate"]["action"] == "create"
    assert b.run("apply", "--yes")[0] == 0
    assert id_of(a) != id_of(b)


def test_adopt_false_creates_a_separate_task(teams: tuple[Team, Team]) -> None:
    a, b = teams
    b.write(MANIFEST.format(team="b") + ROTATE.replace("}", ", adopt: false}"))
    assert b.plan()["rotate"]["action"] == "create"
    assert b.run("apply", "--yes")[0] == 0
    assert id_of(a) != id_of(b)
    assert b.plan()["rotate"]["action"] == "unchanged"


def test_resolve_records_a_look_alike_by_its_id(teams: tuple[Team, Team]) -> None:
    a, b = teams
    code, _, err = b.run("state", "resolve", "rotate", "--task-id", "0" * 8)
    assert (code, "[TC817]" in err) == (1, True)
    code, _, err = b.run("state", "resolve", "nothing", "--task-id", id_of(a))
    assert (code, "[TC617]" in err) == (1, True)
    assert b.run("state", "resolve", "rotate", "--task-id", id_of(a))[0] == 0
    assert b.plan()["rotate"]["action"] == "unchanged"
    assert b.run("apply", "--yes")[0] == 0
    assert id_of(a) == id_of(b)


def test_a_task_that_may_be_the_keys_can_be_recorded(teams: tuple[Team, Team]) -> None:
    """Whoever knows that it is the key's task finds the command in the plan."""
    a, b = teams
    for team, said in ((a, "[REDACTED]"), (b, "secret")):
        team.write(MANIFEST.format(team="") + f"  rotate: {{message: 'Rotate the {said} keys.'}}\n")
    assert a.run("apply", "--yes", "--replace", f"rotate={id_of(a)}")[0] == 0
    code, out, _ = b.run("plan")
    record = f"taskctl state resolve acme/rotate --task-id {id_of(a)}"
    assert (code, record in flat(out)) == (1, True), out
    assert "taskctl state resolve acme/rotate --not-created" in flat(out)
    assert b.run("state", "resolve", "acme/rotate", "--task-id", id_of(a), "--yes")[0] == 0
    assert b.run("apply", "--yes")[0] == 0


def test_a_lost_state_costs_one_command(teams: tuple[Team, Team]) -> None:
    a, _ = teams
    made = id_of(a)
    for path in a.folder.glob("s.state.json*"):
        path.unlink()
    assert a.run("apply", "--yes")[0] == 1
    code, out, _ = a.run("plan", "--adopt")
    assert code == 0
    assert re.search(rf"\n +rotate +{made} +20[\d-]+ \d\d:\d\d UTC +user-", out), out
    assert a.run("apply", "--yes", "--adopt")[0] == 0
    assert id_of(a) == made
    assert a.run("apply", "--yes")[0] == 0


def declare(team: Team, count: int) -> None:
    rows = ", ".join(f"r{n}" for n in range(count))
    entry = f"{{forEach: {{row: [{rows}]}}, message: 'Rotate {{{{ row }}}}.'}}"
    team.write(f"version: 1\norgName: acme\ntasks:\n  keys: {entry}\n  solo: {{message: Solo.}}\n")


def test_forty_look_alikes_are_one_table_and_one_message(teams: tuple[Team, Team]) -> None:
    a, b = teams
    declare(a, 39)
    assert a.run("apply", "--yes")[0] == 0
    declare(b, 39)
    code, out, err = b.run("plan")
    assert code == 1
    assert len(out.split("\n")) < 60, out
    ids = json.loads((a.folder / "s.state.json").read_text())["tasks"]
    for ref in ("acme/solo", *(f"acme/keys@r{n}" for n in range(39))):
        (line,) = [line for line in out.split("\n") if ids[ref]["taskId"] in line]
        assert re.fullmatch(rf" +{ref[5:]} .* 20[\d-]+ \d\d:\d\d UTC +user-\w+", line), line
    assert out.count("has the same prompt") == 1
    code, adopting, _ = b.run("plan", "--adopt")
    assert (code, adopting.count("> 40 tasks"), adopting.count(" UTC  user-")) == (0, 1, 40)
    assert err.count("[TC748]") == 1
    answer = "taskctl state resolve 'acme/keys@*' acme/solo --not-created --backend"
    assert answer in flat(err)
    code, applied, _ = b.run("apply", "--yes")
    assert (code, applied.count("has the same prompt")) == (1, 2), applied
    assert b.run("state", "resolve", "acme/*", "--not-created")[0] == 1  # asks
    code, out, _ = b.run("state", "resolve", "acme/*", "--not-created", "-y")
    assert (code, out.count("keys@")) == (0, 39)
    assert b.run("plan")[1].rstrip().endswith("40 to create, 1 orphaned.")


def test_a_list_of_look_alikes_shows_which_are_unattended(
    teams: tuple[Team, Team], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = teams
    two = "  {key}: {{message: Delete {key}., approvalMode: {mode}}}\n"
    for team in (a, b):
        team.add(two.format(key="x", mode="auto") + two.format(key="y", mode="manual"))
    assert a.run("apply", "--yes")[0] == 0
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("sys.stdin", StringIO("no\n"))
    shown = [b.run("plan")[1], b.run("plan", "--adopt")[1], b.run("apply")[2]]
    assert [text.count("x [unattended]") for text in shown] == [1, 1, 1], shown
    assert not any("y [unattended]" in text for text in shown)


def test_a_glob_leaves_recorded_and_attempted_keys_alone(teams: tuple[Team, Team]) -> None:
    _, b = teams
    code, out, _ = b.run("state", "resolve", "*", "--not-created", "--format", "json")
    assert code == 0
    assert [edit["key"] for edit in json.loads(out)["edits"]] == ["rotate"]
    code, _, err = b.run("state", "resolve", "first*", "--not-created")
    assert (code, "[TC617]" in err) == (1, True)


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_on_a_terminal_apply_asks_once_above_a_table(
    teams: tuple[Team, Team], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Then the plan is shown and confirmed."""
    a, b = teams
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("sys.stdin", StringIO(f"{answer}\nyes\n"))
    code, out, err = b.run("apply")
    table, _, rest = err.partition("Adopt 1 existing task? Only 'yes' is accepted:")
    assert re.search(rf"\nrotate +{id_of(a)} +20[\d-]+ \d\d:\d\d UTC +user-", table), err
    assert "Adopt" not in rest
    if answer == "yes":
        assert (code, "> rotate" in out, "Apply these changes?" in rest) == (0, True, True)
        assert id_of(b) == id_of(a)
    else:
        assert (code, "? rotate" in out) == (1, True)
        assert "rotate" not in (b.folder / "s.state.json").read_text()


@pytest.mark.parametrize("how", ["--yes", "--expect-plan", "a saved plan"])
def test_what_was_confirmed_before_never_asks(
    teams: tuple[Team, Team], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    _, b = teams
    b.add("  new: {message: New.}\n")
    words = {"--yes": ["--yes"], "a saved plan": [str(b.folder / "plan.taskctl")]}
    if how == "--expect-plan":
        words[how] = [how, json.loads(b.run("plan", "--format", "json")[1])["digest"], "--yes"]
    b.run("plan", "--out", str(b.folder / "plan.taskctl"))
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("sys.stdin", StringIO("yes\nyes\n"))
    code, out, err = b.run("apply", *words[how])
    assert (code, "created new" in out + err, "Adopt" in err) == (1, True, False), err
