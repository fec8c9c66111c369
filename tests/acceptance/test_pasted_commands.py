"""Every command that taskctl prints can be pasted: it has the options and PATHs of its run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.support.embedded_client import lose_tasks
from tests.support.live_tasks import LiveTasks

COMMAND = re.compile(r"^ +(taskctl .*)$|`(taskctl .*?)`", re.MULTILINE)
"""A separate line, indented (what the catalog marks with `$`), or a command within a sentence,
which would lack the options of the run."""

BROKEN = (
    *("no access token", "TC718", "TC804", "TC802", "TC619", "not in the state", "no such"),
    *("no manifests", "Usage:", "unknown command", "No such file"),
)

LONG = "\n".join(f"Step {number} of the job." for number in range(1, 61))
ONE = {"one": {"message": LONG, "approvalMode": "manual"}, "two": {"message": "Second."}}


def printed_in(text: str) -> list[str]:
    return [line or within for line, within in COMMAND.findall(text)]


class Session:
    """Commands from another directory, with its own state and PATHs."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture = folder, capture
        self.printed: dict[str, str] = {}
        self.given = ["-C", "repository", "--backend", "local", "--state", "own.state.json"]

    def declare(self, tasks: dict[str, Any], **more: object) -> None:
        path = self.folder / "repository" / "ops" / "all.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        manifest = {"version": 1, "orgName": "acme", "tasks": tasks, **more}
        path.write_text(json.dumps(manifest))

    def run(self, *arguments: str) -> tuple[int, str]:
        self.capture.readouterr()
        code = run([*arguments, *self.given])
        out, err = self.capture.readouterr()
        for line in dict.fromkeys(printed_in(out + err)):
            self.printed.setdefault(line, self.paste(line))
        return code, out + err

    def paste(self, line: str) -> str:
        """The output of a printed command in a copy of the directory, without options of this
        test."""
        copy = self.folder.with_name(f"{self.folder.name}-copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder, copy)
        self.capture.readouterr()
        with chdir(copy):
            run(shlex.split(line)[1:])
        out, err = self.capture.readouterr()
        return out + err


@pytest.fixture
def session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Session:
    for name in ("PULUMI_ACCESS_TOKEN", "TASKCTL_BACKEND", "TASKCTL_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repository").mkdir()
    return Session(tmp_path, capsys)


def test_every_printed_command_can_be_pasted(session: Session) -> None:
    session.declare(ONE)
    session.run("plan", "ops", "--target", "one")
    session.run("plan", "ops", "-o", "plan.taskctl")
    session.run("apply", "ops")  # nobody to ask
    session.run("apply", "ops", "--yes", "--max-creates", "1")
    assert session.run("apply", "ops", "--yes")[0] == 0
    session.declare({"one": {"message": "Something else."}, "three": ONE["two"]})
    session.run("plan", "ops")
    session.run("plan", "ops", "-o", "changed.taskctl")
    session.run("apply", "ops", "--yes")
    session.run("status")
    session.run("status", "--status", "waiting")
    session.run("plan", "ops", "--replace", "one=nowhere")
    session.run("state", "rm", "acme/one")
    session.run("state", "close", "acme/three")
    state = json.loads((session.folder / "repository" / "own.state.json").read_text())
    session.run("state", "assign", "acme/three", state["tasks"]["acme/two"]["taskId"])
    session.run("state", "init", "--continue", "kibor-tanuf-lisab")
    session.run("state", "accept", "acme/two")  # in no manifest
    session.run("state", "mv", "acme/three", "acme/two")
    session.run("say", "acme/nobody", "Hello?")
    session.run("wait")
    session.run("results")
    session.run("import", "--all", "--org", "acme", "--write", "ops/imported.yaml")
    session.run("explain", "TC9")
    assert len(session.printed) >= 11
    for line, said in session.printed.items():
        if not line.endswith("--help"):
            assert not [word for word in BROKEN if word in said], (line, said)


def test_the_commands_have_the_options_and_paths_of_the_run(session: Session) -> None:
    session.declare(ONE)
    _, said = session.run("plan", "ops", "--target", "one")
    where = "--backend local --state own.state.json -C repository"
    (apply,) = printed_in(said)
    exactly = rf"taskctl apply ops --expect-plan sha256:[0-9a-f]{{16}} --target one {where}"
    assert re.fullmatch(exactly, apply)
    assert "(40 more lines, -v shows them)\n" in said


def test_the_command_for_a_plan_with_wait_applies_that_plan(session: Session) -> None:
    entry = {"forEach": {"row": ["a", "b"]}, "rollout": {"pilot": 1}, "message": "Do {{ row }}."}
    session.declare({"rows": entry})
    _, said = session.run("plan", "ops", "--wait")
    (apply,) = printed_in(said)
    assert " --wait " in apply
    said = session.paste(apply)
    assert "[TC807]" in said  # all that is missing is --yes
    (again,) = printed_in(said)
    assert all(f" {word} " in again for word in ("--wait", "--yes", "--expect-plan"))


def test_a_command_to_run_again_has_all_options(session: Session) -> None:
    session.declare(ONE)
    assert session.run("apply", "ops", "--yes")[0] == 0
    session.declare({**ONE, "two": {"message": LONG}})
    state = json.loads((session.folder / "repository" / "own.state.json").read_text())
    replaced = f"--replace two={state['tasks']['acme/two']['taskId']}"
    more = (*replaced.split(), "--report", "json=a.json")
    _, said = session.run("apply", "ops", *more)
    (again,) = printed_in(said)
    where = "--backend local --state own.state.json"
    report = "--report json=a.json"
    assert again == f"taskctl apply --yes {replaced} {where} {report} -C repository ops"


def test_commands_name_the_organization_of_a_key_that_two_have(place: LiveTasks) -> None:
    """The tasks of both are gone; what is printed for one of them creates that one again."""
    where = place.folder / "tasks"
    where.mkdir()
    for org in ("acme", "moon"):
        manifest = {"version": 1, "orgName": org, "tasks": {"one": {"message": f"{org} {LONG}"}}}
        (where / f"{org}.yaml").write_text(json.dumps(manifest))
    assert place.run("apply", "--yes")[0] == 0
    lose_tasks(place.folder / "service.db")
    place.time.advance(500)
    _, planned, _ = place.run("plan")
    command = next(line for line in printed_in(planned) if "moon" in line)
    assert " --allow-recreate=moon/one " in command
    place.run(*shlex.split(command)[1:], "--yes")
    found = {task["orgName"]: task["action"] for task in place.document("plan")["tasks"]}
    assert found == {"acme": "gone", "moon": "unchanged"}
    (where / "moon.yaml").write_text(json.dumps({"version": 1, "tasks": {}}))
    _, _, said = place.run("state", "accept", "moon/one")
    assert "taskctl state accept moon/one PATH " in said
