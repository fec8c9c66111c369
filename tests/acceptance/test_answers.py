"""A person who did not create a task is told how to answer it: in CI, as its creator."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from reconciler.remote.client import Client
from reconciler.remote.exchange import ServiceResponse
from reconciler.system.git import project_of
from tests.support.action_runner import Runner
from tests.support.doc_blocks import ROOT, environment, shell
from tests.support.live_tasks import LiveTasks
from tests.support.run_workflow import RejectedInputError, gitlab_inputs, gitlab_jobs
from tests.support.sandbox import TOKEN

CI = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "CI_PROJECT_URL", "CI_DEFAULT_BRANCH")


@pytest.fixture
def asked(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> LiveTasks:
    """A clone with the task of a machine user, which waits for an approval."""
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    git = ["git", "-C", str(place.folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    url = "git@github.example:acme/infra.git"
    subprocess.run([*git, "remote", "add", "origin", url], check=True)
    place.apply({"asks": "approving"}, isShared=True)
    place.finish(asks="waiting")
    configure(place)
    return place


def configure(place: LiveTasks, text: str = 'run-workflow = "taskctl-run.yml"\n') -> None:
    (place.folder / "taskctl.toml").write_text(text)


@pytest.fixture
def colleague(asked: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> LiveTasks:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "a-colleague")
    return asked


def pasted(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of `gh` when a person pastes the line into a shell."""
    script = folder / "bin/gh"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        "#!/usr/bin/env python3\nimport json, sys\n"
        'open("args.json", "w").write(json.dumps(sys.argv[1:]))\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    subprocess.run(["sh", "-c", line], cwd=folder, check=True)
    found: list[str] = json.loads((folder / "args.json").read_text())
    return found


def arguments(request: str, *more: str, action: str = "approve") -> list[str]:
    head = ["workflow", "run", "taskctl-run.yml", "-R", "github.example/acme/infra"]
    words = [*head, "-f", f"command={action}", "-f", "tasks=acme/asks"]
    return [*words, *(["-f", f"id={request}"] if request else []), *more]


@pytest.mark.parametrize("command", ["status", "wait"])
def test_the_printed_command_answers_in_ci(
    colleague: LiveTasks, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--stop-on", "waiting"] if command == "wait" else []
    _, out, err = colleague.run(command, *more)
    assert "taskctl approve" not in out + err
    line = next(row for row in (out + err).splitlines() if "gh workflow run" in row).strip()
    request = colleague.request("asks")
    assert pasted(line, tmp_path, monkeypatch) == arguments(request)


def test_documents_have_its_words(colleague: LiveTasks) -> None:
    (task,) = colleague.document("status")["tasks"]
    (request,) = task["waitingFor"]
    assert request["command"] == ["gh", *arguments(request["requestId"])]


def test_the_repository_is_that_of_the_workflow_run(
    colleague: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "other/place")
    assert " -R github.com/other/place -f " in colleague.run("status")[1]
    monkeypatch.setenv("GITHUB_REPOSITORY", "other/place; touch x")
    assert " taskctl-run.yml -f " in colleague.run("status")[1]


def test_the_creator_answers_directly(asked: LiveTasks) -> None:
    assert "taskctl approve acme/asks --request " in asked.run("status")[1]


def test_messages_to_others_always_name_the_workflow(
    asked: LiveTasks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever reads a comment is seldom the machine user."""
    report = tmp_path / "wait.md"
    asked.run("wait", "--stop-on", "waiting", "--report", f"markdown={report}")
    rows = report.read_text().splitlines()
    line = next(row for row in rows if "gh workflow run" in row).strip()
    assert pasted(line, tmp_path, monkeypatch) == arguments(asked.request("asks"))


@pytest.mark.parametrize("status", [None, 403, 404])
@pytest.mark.parametrize("action", ["approve", "reject", "say", "cancel"])
def test_the_error_for_another_user_names_the_workflow(
    colleague: LiveTasks,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    action: str,
    status: int | None,
) -> None:
    """Whether the service shows the task (and rejects the answer) or not (None)."""
    request = colleague.request("asks")
    if status is None:
        monkeypatch.setattr(Client, "get_task", lambda *_: None)
    else:
        answer = ServiceResponse(status, {}, {"code": status, "message": "no"}, 0.0)
        monkeypatch.setattr(Client, "post_to_task", lambda *_: answer)
    asked = ("--request", request) if action in ("approve", "reject") else ()
    text = {"say": ("go on",), "reject": ("-m", "go on")}.get(action, ())
    code, _, err = colleague.run(action, "asks", *text, *asked, "-y")
    assert (code, "[TC733]" in err) == (1, True)
    line = [row for row in err.splitlines() if "gh workflow run" in row][-1].strip()
    more = ("-f", "text=go on") if text else ()
    expected = arguments(request if asked else "", *more, action=action)
    assert pasted(line, tmp_path, monkeypatch) == expected
    configure(colleague, "")
    _, _, err = colleague.run(action, "asks", *text, *asked, "-y")
    assert "who created the task, can do this: " in err
    assert "set `run-workflow` in taskctl.toml" in err


def test_a_task_that_ci_replaced_can_be_cancelled(
    asked: LiveTasks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It keeps running, and no key has it any more: its name in the workflow is its ID."""
    old = asked.task_id("asks")
    asked.write({"asks": "approving anew"}, isShared=True)
    assert asked.run("apply", "-y", "--replace", f"asks={old}")[0] == 0
    with monkeypatch.context() as theirs:
        theirs.setenv("PULUMI_ACCESS_TOKEN", "a-colleague")
        text = asked.run("cancel", old, "-y")[2]
    line = next(row for row in text.splitlines() if "command=cancel" in row).strip()
    words = pasted(line, tmp_path, monkeypatch)
    assert words[-3:] == ["command=cancel", "-f", f"tasks=acme/{old}"]
    env = {"TASKCTL_BACKEND": asked.url, "TASKCTL_STATE": "taskctl.state.json"}
    runner = Runner(tmp_path / "runner", asked.folder, pull_request=None, env=env)
    inputs = {"command": "cancel", "tasks": f"acme/{old}"}
    digest = runner.requested(inputs, preview=True).outputs["plan-digest"]
    ran = runner.requested(inputs, digest=digest)
    assert (ran.code, f"acme/{old}: cancelled" in ran.said) == (0, True), ran.said


def test_the_placeholder_of_a_printed_command_is_no_answer(asked: LiveTasks) -> None:
    asked.apply({"asks": "asking"}, isShared=True)
    for words in (
        ("say", "asks", "TEXT"),
        ("reject", "asks", "-m", "TEXT"),
        ("approve", "asks", "-m", "TEXT"),
    ):
        code, _, err = asked.run(*words)
        assert (code, "replace TEXT with your message [TC804]" in err) == (1, True), err


def test_without_a_workflow_the_creator_is_named(colleague: LiveTasks) -> None:
    configure(colleague, "")
    rows = colleague.run("status")[1].splitlines()
    (at,) = (n for n, row in enumerate(rows) if "who created the task" in row)
    assert re.search(r"Only user-\w+, who created the task, can do this: [\w-]{36}$", rows[at])
    assert "set `run-workflow` in taskctl.toml" in rows[at + 1]
    (task,) = colleague.document("status")["tasks"]
    (request,) = task["waitingFor"]
    assert request["command"] is None


def test_a_task_that_the_workflows_user_did_not_create_needs_its_creator(
    colleague: LiveTasks,
) -> None:
    """`apply-as` says as whom CI creates and answers."""
    record = json.loads((colleague.folder / "taskctl.state.json").read_text())["tasks"]["acme/asks"]
    maker, workflow = record["identity"], 'run-workflow = "taskctl-run.yml"\n'
    request = colleague.request("asks")
    for who in (f"login:{maker['login'].upper()}", f"user-id:{maker['id']}"):
        configure(colleague, f'{workflow}apply-as = "{who}"\n')
        assert "gh workflow run" in colleague.run("status")[1]
    for who in ("login:acme-machine", "user-id:another", "team:deploy"):
        configure(colleague, f'{workflow}apply-as = "{who}"\n')
        shown = [colleague.run("status")[1]]
        shown.append(colleague.run("approve", "asks", "--request", request, "-y")[2])
        for text in shown:
            assert "gh workflow run" not in text
            assert f"Only {maker['login']}, who created the task, can do this: " in text
            assert "set `run-workflow`" not in text


def test_gitlab_has_a_pipeline_for_it(
    colleague: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(colleague, 'run-workflow = ".gitlab-ci.yml"\n')
    request = colleague.request("asks")
    rows = colleague.run("status")[1].splitlines()
    line = next(row.strip() for row in rows if "glab ci run" in row)
    assert "-R https://github.example/acme/infra -b main -i " in line
    assert gitlab_inputs(line) == {"command": "approve", "tasks": "acme/asks", "id": request}
    _, _, err = colleague.run("say", "asks", "It's on", "-y")
    line = [row.strip() for row in err.splitlines() if "glab ci run" in row][-1]
    jobs = gitlab_jobs(**gitlab_inputs(line))
    assert jobs[".requested"]["variables"]["RUN_TEXT"]["value"] == "It's on"
    monkeypatch.setenv("CI_PROJECT_URL", "https://gitlab.example:8443/group/sub/project")
    monkeypatch.setenv("CI_DEFAULT_BRANCH", "trunk & x")
    shown = colleague.run("status")[1]
    assert "-R https://gitlab.example:8443/group/sub/project -b 'trunk & x' -i" in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("command", "other"),
        ("tasks", "a'\nscript: [x]"),
        ("tasks", "a'"),
        ("id", "a b"),
        ("text", "it's"),
        ("text", "a\nb"),
        ("text", "a'''b"),
        ("max-creates", "1x"),
        ("max-creates", "1\n"),
        ("args", "x"),
    ],
)
def test_no_input_of_gitlab_changes_the_pipeline(name: str, value: str) -> None:
    """GitLab inserts it into the text of the file."""
    with pytest.raises(RejectedInputError):
        gitlab_jobs(**{"command": "say", name: value})


@pytest.mark.tools
def test_the_jobs_of_gitlab_run_one_command(asked: LiveTasks, tmp_path: Path) -> None:
    """Never for all tasks below a path, never a request that its author did not see, and exactly
    the plan that was shown."""
    env = environment(tmp_path, TASKCTL_BACKEND=asked.url, PULUMI_ACCESS_TOKEN=TOKEN)
    said = ""

    def job(name: str, more: dict[str, str], **inputs: str) -> int:
        nonlocal said
        jobs = gitlab_jobs(**inputs)
        values = jobs[".requested"]["variables"]
        given = {n: v["value"] if isinstance(v, dict) else v for n, v in values.items()}
        script = jobs[name]["script"][-1].replace("/opt/taskctl", str(ROOT))
        ended = shell(script, asked.folder, {**env, **given, **more}, "/bin/sh")
        said = ended.stdout + ended.stderr
        return ended.returncode

    def ask(
        command: str, tasks: str = "", most: str = "", *, meanwhile: bool = False, **more: str
    ) -> int:
        inputs = {"command": command, "tasks": tasks, "max-creates": most, **more}
        user = {"GITLAB_USER_LOGIN": "ana"}
        if code := job("show", user, **inputs):
            return code
        shown = dict(re.findall("(.*)=(.*)", (asked.folder / "plan.env").read_text()))
        if meanwhile:
            asked.write({"asks": "approving", "new": "finishing anew"}, isShared=True)
        return job("run", {**user, **shown}, **inputs)

    asked.apply({"asks": "approving", "also": "approving too"}, isShared=True)
    asked.finish(asks="waiting", also="waiting")
    request = asked.request("asks")
    for key in ("tasks/all.yaml", "tasks", "acme/none", "--force", ""):
        assert ask("cancel", key) == 1
    assert ask("accept", "tasks/all.yaml") == 1
    assert ask("approve", "tasks", id=request) == 1
    assert ask("approve", "acme/asks", id="odd") == 1
    assert f"acme/asks has no open request odd: open are {request}" in said
    user, bot = {"GITLAB_USER_LOGIN": "ana"}, {"GITLAB_USER_LOGIN": "project_7_bot_1a2b"}
    inputs = {"command": "approve", "tasks": "acme/asks", "id": request}
    assert [job(name, bot, **inputs) for name in ("show", "run")] == [1, 1]
    assert asked.statuses() == {"asks": "waiting", "also": "waiting"}
    odd = {"GITLAB_USER_LOGIN": "ana", "RUN_SHOW_TEXT": "true", "RUN_TEXT": "\x1b]0;t\x07\nYes."}
    assert job("show", odd, command="say", tasks="acme/asks", text="x") == 0
    assert "\n\\x1b]0;t\\x07\nYes.\n" in said
    shown = {"GITLAB_USER_LOGIN": "ana", "RUN_SHOW_TEXT": "true"}
    assert job("show", shown, command="approve", tasks="acme/asks", id=request) == 0
    assert f"Request {request} for an approval:\nMay I run" in said
    assert job("run", shown, command="approve", tasks="acme/asks", id=request) == 1  # no digest
    assert ask("approve", "acme/asks", id=request) == 0
    assert "May I" not in said
    asked.finish(asks="done", also="waiting")
    assert ask("cancel", "acme/al*") == 0
    asked.write({"asks": "approving", "new": "finishing"}, isShared=True)
    assert ask("apply", "acme/new", meanwhile=True) == 1
    assert "[TC854]" in said
    assert ask("apply", "acme/new", "0") == 1
    assert job("run", {}, command="apply", tasks="acme/new") == 1  # without a plan
    assert ask("apply", "acme/new", "1") == 0
    made, state = asked.task_id("new"), asked.folder / "taskctl.state.json"
    lost = json.loads(state.read_text())["provenance"]["ids"][0]
    state.unlink()
    assert job("show", user, command="init", id=lost) == 0
    assert (f"acme/new: task {made}, created by" in said, state.exists()) == (True, False)
    assert job("run", user, command="init", id=lost) == 1  # without a digest
    assert ask("init", id=lost) == 0
    assert asked.task_id("new") == made


@pytest.mark.parametrize(
    ("url", "project"),
    [
        ("https://github.com/acme/infra.git", "github.com/acme/infra"),
        ("https://user@github.com/acme/infra/", "github.com/acme/infra"),
        ("ssh://git@github.com:2222/acme/infra.git", "github.com/acme/infra"),
        ("git@github.com:acme/infra.git", "github.com/acme/infra"),
        ("https://git.example:8443/a/b/c.git", "git.example:8443/a/b/c"),
        ("/srv/git/infra.git", ""),
        ("../infra.git", ""),
    ],
)
def test_the_repository_of_a_remote(url: str, project: str) -> None:
    assert project_of(url) == project


def test_the_name_of_a_creator_runs_nothing_where_a_comment_is_pasted(
    colleague: LiveTasks,
) -> None:
    """Some interactive shells have no comments."""
    configure(colleague, "")
    path = colleague.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    del state["checksum"]
    state["tasks"]["acme/asks"]["identity"]["login"] = "odd $(touch x)"
    path.write_text(json.dumps(state))
    assert "# Only 'odd $(touch x)', who created the task" in colleague.run("status")[1]


def test_after_a_replacement_each_task_is_answered_by_its_own_creator(
    colleague: LiveTasks,
) -> None:
    """The old task has no key any more: its key would cancel the new one."""
    old = colleague.task_id("asks")
    colleague.write({"asks": "approving anew"}, isShared=True)
    more = ("--wait", "--stop-on", "waiting", "--timeout", "60s")
    _, out, err = colleague.run("apply", "-y", "--replace", f"asks={old}", *more)
    said = out + err
    assert f"-f command=cancel -f tasks=acme/{old}" in said, said
    assert "taskctl approve acme/asks" in said, said
