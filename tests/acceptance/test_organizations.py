"""The organization of tasks: by manifest, `--org`, and the environment."""

from __future__ import annotations

import json

import pytest

from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks


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
