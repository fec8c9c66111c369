"""The GitHub Action: its script against a stand-in for GitHub's API."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.action_runner import SCRIPT, Runner, metadata
from tests.support.git_server import bare_repository, git
from tests.support.github_api import BOT, MAX_BODY, Fault, GitHub
from tests.support.github_api import TOKEN as GITHUB_TOKEN
from tests.support.sandbox import TOKEN, as_tasks, prompts

MARKER = "<!-- taskctl:. -->"
PERSON = {"login": "mallory", "type": "User"}


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as github:
        yield github


@pytest.fixture
def runner(tmp_path: Path, github: GitHub) -> Runner:
    runner = Runner(tmp_path / "runner", tmp_path / "work", github.url)
    bare_repository(tmp_path, "team")
    git(tmp_path, "clone", "-q", "team.git", "work")
    write(runner, prompts(2))
    return runner


def write(runner: Runner, texts: dict[str, str], folder: str = "tasks") -> None:
    path = runner.workspace / folder / "all.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    manifest = {"version": 1, "orgName": "acme", "tasks": as_tasks(texts)}
    path.write_text(json.dumps(manifest, indent=1))


def test_a_plan_is_shown_in_the_summary_the_outputs_and_one_comment(
    runner: Runner, github: GitHub
) -> None:
    ran = runner.script("plan", backend="local")
    assert ran.code == 0, ran.said
    assert ran.outputs["has-changes"] == "true"
    assert ran.outputs["creates"] == "2"
    assert Path(ran.outputs["plan-file"]).stat().st_mode & 0o777 == 0o600
    assert "2 to create" in ran.summary
    (body,) = github.bodies(7)
    assert body.startswith(f"{MARKER}\n")
    assert body.removeprefix(f"{MARKER}\n") == ran.summary.removesuffix("\n")
    assert ran.outputs["plan-digest"] in body
    assert "Plan: 2 to create" in ran.said
    for secret in (TOKEN, GITHUB_TOKEN):
        assert secret not in ran.said + ran.summary + body


@pytest.mark.tools
def test_the_comment_is_also_edited_without_changes(runner: Runner, github: GitHub) -> None:
    planned = runner.script("plan", backend="local")
    applied = runner.script("apply", backend="local", expect_plan=planned.outputs["plan-digest"])
    assert applied.code == 0, applied.said
    assert applied.outputs == {"has-changes": "true", "creates": "2"}
    (body,) = github.bodies(7)
    assert "2 created" in body
    again = runner.script("plan", backend="local")
    assert (again.code, again.outputs["has-changes"]) == (0, "false")
    (body,) = github.bodies(7)
    assert "0 to create" in body
    assert "2 unchanged" in body


@pytest.mark.tools
@pytest.mark.parametrize("changed", [["README.md"], ["tasks/all.yaml"]])
def test_a_failure_that_the_pull_request_did_not_cause_says_so(
    runner: Runner, github: GitHub, changed: list[str]
) -> None:
    assert runner.script("apply", backend="local").code == 0
    path = runner.workspace / "tasks" / "all.yaml"
    path.write_text(path.read_text().replace('"k0"', '"renamed"'))
    github.changed = changed
    planned = runner.script("plan", backend="local")
    assert planned.code == 1
    assert planned.outputs["apply-will-fail"] == "true"
    said = "`renamed` made this plan fail. It existed before this pull request"
    assert (said in planned.summary) is (changed == ["README.md"])
    assert (said in github.bodies(7)[-1]) is (changed == ["README.md"])


@pytest.mark.tools
def test_such_failures_leave_room_for_the_plan(runner: Runner, github: GitHub) -> None:
    write(runner, prompts(9))
    path = runner.workspace / "tasks" / "all.yaml"
    assert runner.script("apply", backend="local").code == 0
    path.write_text(path.read_text().replace('"k', '"renamed'))
    github.changed = []
    summary = runner.script("plan", backend="local").summary
    assert summary.count("made this plan fail") == 5
    assert "- and 4 more\n" in summary


@pytest.mark.tools
def test_a_move_counts_as_a_change(runner: Runner) -> None:
    """A workflow that skips apply without changes must not skip it."""
    assert runner.script("apply", backend="local").code == 0
    path = runner.workspace / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    old = next(iter(manifest["tasks"]))
    manifest["tasks"]["moved"] = {**manifest["tasks"].pop(old), "movedFrom": old}
    path.write_text(json.dumps(manifest))
    planned = runner.script("plan", backend="local")
    assert (planned.outputs["has-changes"], planned.outputs["creates"]) == ("true", "0")
    assert "1 to move" in planned.summary


@pytest.mark.tools
def test_updates_and_replacements_count_as_changes(runner: Runner) -> None:
    assert runner.script("apply", backend="local").code == 0
    path = runner.workspace / "tasks" / "all.yaml"
    path.write_text(path.read_text().replace('"message"', '"approvalMode": "auto", "message"'))
    planned = runner.script("plan", backend="local", args="--update")
    assert (planned.outputs["has-changes"], planned.outputs["creates"]) == ("true", "0")
    recorded = json.loads((runner.workspace / ".taskctl/local.state.json").read_text())
    wish = f"k0={recorded['tasks']['acme/k0']['taskId']}"
    asked = runner.script("plan", backend="local", args=f"--replace {wish}")
    assert (asked.outputs["has-changes"], asked.outputs["creates"]) == ("true", "1")
    done = runner.script("apply", backend="local", args=f"--update --replace {wish}")
    assert done.outputs == {"has-changes": "true", "creates": "1"}
    again = runner.script("apply", backend="local", args=f"--update --replace {wish}")
    assert again.outputs == {"has-changes": "false", "creates": "0"}


@pytest.mark.tools
def test_an_invalid_state_input_is_refused(runner: Runner) -> None:
    for state in ("git", "origin", "committed", "cache", "none", "./taskctl.state.json"):
        ran = runner.script("apply", backend="local", state=state)
        assert (ran.code, "the input state must be the address" in ran.said) == (1, True), ran.said
    ran = runner.script("plan", backend="local", state="git:elsewhere")
    assert (ran.code, "TC620" in ran.said) == (1, True), ran.said


@pytest.mark.tools
def test_a_saved_plan_is_applied_and_another_digest_refused(runner: Runner) -> None:
    planned = runner.script("plan", backend="local")
    other = runner.script("apply", backend="local", expect_plan=f"sha256:{'0' * 64}")
    assert other.code == 1
    assert "nothing was sent" in other.said
    ran = runner.script("apply", backend="local", path=planned.outputs["plan-file"])
    assert (ran.code, ran.outputs["creates"]) == (0, "2"), ran.said


@pytest.mark.tools
def test_each_directory_has_its_own_comment(runner: Runner, github: GitHub) -> None:
    write(runner, prompts(1), "infra/tasks")
    write(runner, prompts(3), "infra/more -->")
    for _ in range(2):
        assert runner.script("plan", backend="local").code == 0
        assert runner.script("plan", backend="local", working_directory="infra").code == 0
        odd = runner.script(
            "plan", backend="local", working_directory="./infra/", path="more -->\n\ntasks"
        )
        assert odd.code == 1  # both have the same keys
    markers = [body.partition("\n")[0] for body in github.bodies(7)]
    assert markers == [
        MARKER,
        "<!-- taskctl:infra -->",
        "<!-- taskctl:infra/more --%3E, infra/tasks -->",
    ]
    assert "k0" in github.bodies(7)[2]


@pytest.mark.tools
def test_the_comment_is_found_on_a_later_page_and_not_confused_with_a_persons(
    runner: Runner, github: GitHub
) -> None:
    github.add(7, f"{MARKER}\nI am the plan", PERSON)
    for number in range(230):
        github.add(7, f"{number}", PERSON)
    ours = github.add(7, f"{MARKER}\nold")
    assert runner.script("plan", backend="local").code == 0
    assert len(github.bodies(7)) == 232
    assert "2 to create" in ours["body"]
    assert github.bodies(7)[0].endswith("I am the plan")
    assert sum("page=3" in call for call in github.calls) == 1


@pytest.mark.tools
def test_with_a_personal_token_the_comment_belongs_to_that_person(
    runner: Runner, github: GitHub
) -> None:
    github.login = "ci-user"
    github.add(7, f"{MARKER}\nof another app", BOT)
    for _ in range(2):
        assert runner.script("plan", backend="local").code == 0
    assert len(github.bodies(7)) == 2


@pytest.mark.tools
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_read_only_token_is_a_warning(runner: Runner, github: GitHub, method: str) -> None:
    github.faults += [Fault(method, 403), Fault(method, 403)]
    ran = runner.script("plan", backend="local")
    assert ran.code == 0
    assert "::warning title=taskctl::the comment could not be written" in ran.said
    assert "pull-requests: write" in ran.said
    assert github.bodies(7) == []
    assert ran.outputs["creates"] == "2"
    assert "2 to create" in ran.summary


@pytest.mark.tools
def test_a_github_write_answered_with_500_is_not_repeated(runner: Runner, github: GitHub) -> None:
    github.faults += [Fault("GET", 502), Fault("POST", 500, after=True)]
    ran = runner.script("plan", backend="local")
    assert (ran.code, len(github.bodies(7))) == (0, 1)
    assert "was updated" in ran.said


@pytest.mark.tools
def test_a_rate_limit_is_waited_out_for_the_requested_time(runner: Runner, github: GitHub) -> None:
    github.faults.append(Fault("POST", 403, {"Retry-After": "1"}))
    assert runner.script("plan", backend="local").code == 0
    assert len(github.bodies(7)) == 1
    later = str(int(time.time()) + 3000)
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": later}
    github.faults.append(Fault("PATCH", 403, limit))
    ran = runner.script("plan", backend="local")
    assert ran.code == 0
    assert "::warning" in ran.said


@pytest.mark.tools
def test_a_redirect_is_not_followed(runner: Runner, github: GitHub) -> None:
    with GitHub() as elsewhere:
        github.faults += [Fault("GET", 302, {"Location": f"{elsewhere.url}/user"})] * 9
        ran = runner.script("plan", backend="local")
        assert (ran.code, elsewhere.calls) == (0, [])


@pytest.mark.tools
def test_an_unreachable_api_and_a_missing_token_are_warnings(runner: Runner) -> None:
    ran = runner.script("plan", backend="local", github_token="")
    assert (ran.code, "::warning" in ran.said) == (0, True)


@pytest.mark.tools
def test_only_pull_requests_get_comments(runner: Runner, github: GitHub) -> None:
    runner.pull_request = None
    assert runner.script("plan", backend="local").code == 0
    runner.pull_request = 7
    assert runner.script("plan", backend="local", comment="false").code == 0
    assert github.calls == []


@pytest.mark.tools
def test_a_comment_never_exceeds_the_size_limit(runner: Runner, github: GitHub) -> None:
    folders = [f"{number}{'x' * 200}" for number in range(10)]
    for folder in folders:
        texts = {f"k{folder[0]}-{n}": f"{'do it well, ' * 90}{folder}{n}" for n in range(15)}
        write(runner, texts, folder)
    ran = runner.script("plan", backend="local", path="\n".join(folders))
    assert (ran.code, ran.outputs["creates"]) == (0, "150")
    (body,) = github.bodies(7)
    assert len(body) <= MAX_BODY < len(ran.summary)
    assert "150 to create" in body


@pytest.mark.tools
def test_a_bad_manifest_is_annotated_and_fails_the_step(runner: Runner, github: GitHub) -> None:
    path = runner.workspace / "tasks" / "bad.yaml"
    path.write_text("version: 1\ntasks:\n  a: {mesage: x}\n")
    ran = runner.script("validate")
    assert ran.code == 1
    assert "::error " in ran.said
    assert "file=tasks/bad.yaml,line=3" in ran.said
    assert ran.outputs == {}
    assert github.calls == []
    assert runner.script("plan", backend="local").code == 1
    (body,) = github.bodies(7)
    assert "bad.yaml" in body
    path.unlink()
    assert runner.script("validate").code == 0


@pytest.mark.tools
@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"command": "destroy"}, "validate, plan, apply, results, status, run"),
        ({"working_directory": "nowhere"}, "is not a directory"),
        ({"command": "results", "issue_number": "7/../8"}, "input issue-number must be"),
    ],
)
def test_a_wrong_input_is_named(runner: Runner, inputs: dict[str, str], told: str) -> None:
    ran = runner.script(**{"command": "plan", **inputs})
    assert ran.code == 1
    assert told in ran.said


@pytest.mark.tools
def test_inputs_are_arguments_and_never_run_as_scripts(runner: Runner) -> None:
    odd = "$(touch pwned); `touch pwned`"
    ran = runner.script("plan", backend="local", path=odd, args=f"--org '{odd}'")
    assert ran.code == 1
    assert runner.script("plan", backend="local", path="--version").code == 1
    assert not list(runner.workspace.rglob("pwned*"))


def test_scripts_of_the_action_contain_no_expressions() -> None:
    for step in metadata()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.tools
def test_a_signal_is_forwarded_once_and_taskctl_may_finish(runner: Runner, tmp_path: Path) -> None:
    """GitHub cancels with SIGINT, then SIGTERM; a second signal of one kind would be "at once"."""
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!{sys.executable}\n"
        "import os, signal, sys, time\n"
        "def note(*_):\n"
        "    os.write(1, b'stopping\\n'); time.sleep(0.3); sys.exit(130)\n"
        "signal.signal(signal.SIGINT, note)\n"
        "os.write(1, b'running\\n')\n"
        "time.sleep(30)\n"
    )
    stand_in.chmod(0o755)
    started = f"import runpy, sys; sys.executable = {str(stand_in)!r}; "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{started}runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"],
        cwd=runner.workspace,
        env={"PATH": "/usr/bin:/bin", "INPUT_COMMAND": "plan"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate()
    assert (process.returncode, rest) == (130, "stopping\n")
