"""The commands of docs/contributing/exactly-once.md, "A lost runner", with each kind of
state engine.

After a change of what is printed: `TASKCTL_WRITE_DOCS=1` writes it into the page.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.doc_blocks import blocks, environment, shell, shows_what_is_printed
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.git_server import bare_repository, git
from tests.support.sandbox import TOKEN, as_tasks
from tests.support.shared_places import PLACES
from tests.support.state_engines import marked

PAGE, HEADING = "docs/contributing/exactly-once.md", "A lost runner"
TEXTS = {f"k{n}": f"do {n}" for n in range(1, 6)}
NO_ANSWER = [Rule("create", Fault(after=60.0), contains=f"do {n}") for n in (3, 4)]
NO_REQUEST = Rule("create", Fault("close", before=60.0), contains="do 5")


def repository(folder: Path) -> Path:
    """A remote repository with one manifest of five tasks."""
    bare, work = bare_repository(folder, "tasks"), folder / "tasks.work"
    (work / "tasks").mkdir()
    manifest = {"version": 1, "orgName": "acme", "tasks": as_tasks(TEXTS)}
    (work / "tasks/all.yaml").write_text(json.dumps(manifest))
    git(work, "add", ".")
    git(work, "commit", "-qm", "Tasks")
    git(work, "push", "-q", "origin", "HEAD:main")
    return bare


@pytest.mark.tools
@pytest.mark.parametrize("kind", marked(PLACES))
def test_another_runner_continues_after_a_lost_one(kind: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    rules = [*NO_ANSWER, NO_REQUEST]
    with (
        FaultServer(rules, Habits(tokens={TOKEN: "me"})) as server,
        PLACES[kind](tmp_path) as place,
    ):
        where = "git:origin" if kind == "git" else place.address("lost")
        settings = {"TASKCTL_BACKEND": server.url, "TASKCTL_STATE": where}
        own = {**settings, "REPOSITORY": str(repository(tmp_path)), "PULUMI_ACCESS_TOKEN": TOKEN}
        own["TASKS"] = f"{server.url}/api/preview/agents/acme/tasks"
        env = environment(here, **place.env, **own)
        for block in blocks(PAGE):
            if block.heading == HEADING and block.language == "sh":
                ended = shell(block.text, here, env)
                assert ended.returncode == 0, ended.stdout + ended.stderr
                server.set_rules()
            elif block.heading == HEADING:
                shows_what_is_printed(PAGE, block, here, env)
        made = server.tasks_by_work()
        assert {text: len(ids) for text, ids in made.items()} == dict.fromkeys(TEXTS.values(), 1)
        recorded = json.loads(shell("taskctl -C two state list --format json", here, env).stdout)
        assert {t["key"]: [t["taskId"]] for t in recorded["tasks"]} == {
            key: made[text] for key, text in TEXTS.items()
        }
