"""Two teams in one organization, with two states, one user and the same prompt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

PROMPT = "Rotate the keys of the network."
MANIFEST = "version: 1\norgName: acme\ntasks:\n  first: {{message: Of team {team}.}}\n"
ROTATE = f"  rotate: {{message: {PROMPT}}}\n"


class Team:
    """A folder of manifests with a state of its own, at a service that the teams share."""

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
    code, out, _ = b.run("plan")
    assert code == 1
    assert "? rotate" in out
    assert f"taskctl state resolve acme/rotate --task-id {id_of(a)}" in out
    assert "set `adopt: false` on rotate" in flat(out)
    assert re.search(r"created 20[\d-]+ \(\d+ s ago\) by user-", flat(out)), out
    assert out.rstrip().endswith("1 unresolved. Apply will exit 1: 1 unresolved.")
    assert b.run("plan", "--fail-on", "none")[0] == 0
    code, out, _ = b.run("apply", "--yes")
    assert (code, "1 unresolved" in out) == (1, True)


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


def test_a_new_state_adopts_and_names_the_creator_and_the_date(teams: tuple[Team, Team]) -> None:
    _, b = teams
    (b.folder / "s.state.json").unlink()
    code, out, _ = b.run("plan")
    assert code == 0
    assert "> rotate" in out
    assert re.search(r"created 20[\d-]+ \(\d+ s ago\) by user-", flat(out)), out
    hint = "To create a separate task, set `adopt: false` on rotate."
    assert b.plan()["rotate"]["hints"] == [{"text": hint, "commands": []}]
    assert b.run("apply", "--yes")[0] == 0


@pytest.mark.parametrize("scope", ["all", "recent"])
def test_the_adopt_option_adopts_with_any_state(scope: str, teams: tuple[Team, Team]) -> None:
    a, b = teams
    assert b.run("apply", "--yes", "--adopt", scope)[0] == 0
    assert id_of(a) == id_of(b)
