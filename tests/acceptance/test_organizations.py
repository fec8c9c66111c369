"""The organization of tasks: by manifest, `--org`, and the environment."""

from __future__ import annotations

import json

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks
from tests.support.skipped_time import skip

FAILING_LISTS = Rule("list", Fault("status", status=500), nth=tuple(range(2, 999)))


def attempt_in_acme(here: InProcess, *, committed: bool) -> None:
    """Leaves an attempt of acme/a open."""
    here.server.habits.orgs = ("acme", "beta")
    here.sandbox.write(as_tasks({"a": "do a"}))
    fault = Fault("reset", committed=committed)
    here.server.set_rules(Rule("create", fault), FAILING_LISTS)
    assert here.run("apply").results() == {"a": "unresolved"}
    here.server.set_rules()


def test_an_organization_that_no_task_uses_is_an_error(here: InProcess) -> None:
    for command in ("plan", "apply"):
        ended = here.run(command, "--org", "acme-dev")
        assert [d["code"] for d in ended.document["diagnostics"]] == ["TC804"]
        assert ended.code == 1
    assert not here.server.world.tasks
    assert here.run("apply").code == 0


def test_an_organization_that_some_tasks_use(here: InProcess) -> None:
    manifest = {"version": 1, "tasks": as_tasks({"b": "do b"})}
    (here.sandbox.folder / "tasks/other.yaml").write_text(json.dumps(manifest))
    here.sandbox.write(as_tasks({"a": "do a"}))
    planned = here.run("plan", "--org", "acme-dev").document["tasks"]
    assert {t["key"]: t["orgName"] for t in planned} == {"a": "acme", "b": "acme-dev"}


def test_the_environment_may_have_an_organization_that_nothing_uses(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKCTL_ORG", "acme-dev")
    ended = here.run("apply", "-v")
    assert ended.code == 0
    assert "organization: acme (from manifests)" in ended.stderr


@pytest.mark.parametrize("is_attempt", [False, True], ids=["recorded", "attempted"])
@pytest.mark.parametrize("new", [{"a": {}}, {"b": {"movedFrom": "a"}}], ids=["a", "moved"])
def test_a_key_that_changes_its_organization_is_unresolved(
    here: InProcess, new: dict[str, dict[str, str]], *, is_attempt: bool
) -> None:
    if is_attempt:
        attempt_in_acme(here, committed=True)
    else:
        here.sandbox.write(as_tasks({"a": "do a"}))
        assert here.run("apply").code == 0
    ((key, settings),) = new.items()
    here.sandbox.write({key: {"message": "do a", "orgName": "beta", **settings}})
    assert here.run("apply").results()[key] == "unresolved"
    assert len(here.server.tasks_by_work()["do a"]) == 1


def test_an_attempt_of_another_organization_is_resolved_as_the_plan_says(here: InProcess) -> None:
    attempt_in_acme(here, committed=False)
    here.sandbox.write(as_tasks({"a": "do a"}, orgName="beta"))
    planned = here.run("plan", "--target", "beta/*").document["tasks"]
    (hints,) = (task["hints"] for task in planned if task["orgName"] == "beta")
    ((command,),) = (hint["commands"] for hint in hints)
    assert command.startswith("taskctl apply --target acme/a")
    skip(600)
    assert here.run("apply", "--target", "acme/a").code == 0
    assert here.run("apply").results() == {"a": "created"}


@pytest.mark.parametrize("how", ["assign", "taskID"])
def test_an_organization_is_renamed_while_an_attempt_is_open(here: InProcess, how: str) -> None:
    attempt_in_acme(here, committed=True)
    here.server.habits.orgs = ("beta",)
    (task,) = here.server.world.tasks
    task.org = "beta"
    here.sandbox.write(as_tasks({"a": "do a"}, orgName="beta"))
    skip(600)
    assert f"taskctl state assign beta/a {task.id}" in here.run("apply").stdout
    if how == "assign":
        assert here.run_state("assign", "beta/a", task.id).code == 0
        ended = here.run("apply")
        assert (ended.code, ended.results()) == (0, {})
    else:
        named = {"a": {"taskID": task.id}, "b": {"message": "do b"}}
        here.sandbox.write(
            {key: {**settings, "orgName": "beta"} for key, settings in named.items()}
        )
        results = [
            (t["orgName"], t["key"], t["result"]) for t in here.run("apply").document["tasks"]
        ]
        assert ("beta", "a", "adopted") in results
        assert here.run("apply").results()["b"] == "created"
    assert here.server.tasks_by_work()["do a"] == [task.id]
