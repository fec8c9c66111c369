"""In CI, a state file is used only if somebody named it: the next runner does not have it."""

from __future__ import annotations

import pytest

from tests.support.in_process import InProcess
from tests.support.sandbox import STATE

SYSTEMS = {
    "GITHUB_ACTIONS": "true",
    "TF_BUILD": "True",
    "TEAMCITY_VERSION": "2026.1",
    "CODEBUILD_BUILD_ID": "tasks:1",
    "JENKINS_URL": "https://ci.example/",
    "CI": "1",
}


@pytest.mark.parametrize(("variable", "value"), SYSTEMS.items(), ids=SYSTEMS)
def test_a_state_file_must_be_named(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    for command in ("plan", "apply", "status"):
        ended = here.run(command)
        found = [d["code"] for d in ended.document["diagnostics"]]
        assert (ended.code, found) == (1, ["TC876"])
    assert not here.server.world.tasks
    assert here.run("apply", "--state", STATE).code == 0
    assert here.run("apply").code == 1
    monkeypatch.setenv("TASKCTL_STATE", STATE)
    here.assert_settled()


@pytest.mark.parametrize("value", ["", "false", "False"])
def test_a_variable_can_say_that_this_is_not_ci(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI", value)
    assert here.run("apply").code == 0


@pytest.mark.parametrize("is_ci", [True, False])
def test_no_log_names_a_file_on_its_runner(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, *, is_ci: bool
) -> None:
    monkeypatch.setenv("CI", str(is_ci))
    monkeypatch.setenv("TASKCTL_STATE", STATE)
    ended = here.run("plan", "--out", "x.taskctl")
    assert ended.code == 0
    assert ("apply x.taskctl" in ended.stderr) is not is_ci
