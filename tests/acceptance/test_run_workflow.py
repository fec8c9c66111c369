"""What taskctl prints for people who are not the machine user can be run: each line starts the
workflow of the examples, which does just that. The plan that reviewers see is what is applied."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.shell import shell_word
from tests.support.action_runner import Runner, Step
from tests.support.embedded_client import lose_tasks
from tests.support.live_tasks import LONGER, LiveTasks
from tests.support.run_workflow import fields_of, start, workflow
from tests.support.sandbox import TOKEN

pytestmark = pytest.mark.tools

CONFIG = 'run-workflow = "taskctl-run.yml"\nstate = "git:origin"\n'
LINE = re.compile(r"^ *(?:[│|] *)?(gh workflow run .*?) *$", re.MULTILINE)


class Team:
    """A clone whose state CI shares, the machine user, and a colleague with a token of her own."""

    def __init__(self, place: LiveTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.patch = place, monkeypatch
        env = {"TASKCTL_BACKEND": place.url, "GITHUB_SERVER_URL": "https://github.com"}
        self.runner = Runner(tmp_path / "runner", place.folder, pull_request=None, env=env)
        self.printed: dict[str, None] = {}
        self.pasted: set[str] = set()

    def colleague(self, *words: str, code: int | None = None) -> str:
        """The output of a command for her, on a terminal and in a comment."""
        with self.patch.context() as hers:
            hers.setenv("PULUMI_ACCESS_TOKEN", "a-colleague")
            return self._say(*words, code=code)

    def ci(self, *words: str, event: str = "push") -> str:
        """The output of a command in CI, as the machine user, for everyone who reads it there."""
        with self.patch.context() as there:
            there.setenv("GITHUB_ACTIONS", "true")
            there.setenv("GITHUB_EVENT_NAME", event)
            return self._say(*words)

    def _say(self, *words: str, code: int | None = None) -> str:
        report = self.runner.folder / "report.md"
        report.parent.mkdir(exist_ok=True)
        more = ["--report", f"markdown={report}"] if words[0] in ("plan", "apply") else []
        found, out, err = self.place.run(*words, *more)
        assert code in (None, found), out + err
        said = out + err + (report.read_text() if more else "")
        assert " -F " not in said
        self.printed |= dict.fromkeys(LINE.findall(said))
        return said

    def paste(
        self, command: str, code: int = 0, instead: str = "", **fields: str
    ) -> tuple[Step, Step]:
        """The jobs of the only line that was printed for a command; the second ends with `code`.
        `instead`: what a person writes for the last of the `fields`."""
        (line,) = (
            line
            for line in self.printed
            if fields_of(line)["command"] == command and fields.items() <= fields_of(line).items()
        )
        if instead:
            name = list(fields)[-1]
            line = line.replace(
                shell_word(f"{name}={fields[name]}"), shell_word(f"{name}={instead}")
            )
        self.pasted.add(command)
        shown, ran = start(self.runner, line)
        assert shown.code == 0, shown.said
        assert ran is not None, shown.said
        assert ran.code == code, ran.said
        self.printed.clear()
        return shown, ran


@pytest.fixture
def team(place: LiveTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name in ("GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    git = ["git", "-C", str(place.folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "remote", "add", "origin", str(origin)], check=True)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/infra")
    (place.folder / "taskctl.toml").write_text(CONFIG)
    assert place.run("state", "init", "git:origin")[0] == 0
    user = replace(place.api, token=TOKEN).call("GET", "/api/user").json["githubLogin"]
    (place.folder / "taskctl.toml").write_text(f'{CONFIG}apply-as = "login:{user}"\n')
    return Team(place, tmp_path, monkeypatch)


def forget(place: LiveTasks, key: str) -> None:
    """The service loses the task."""
    lose_tasks(place.folder / "service.db", task_id(place, key))
    place.time.advance(500)


def task_id(place: LiveTasks, key: str) -> str:
    tasks = place.document("state", "list")["tasks"]
    return next(str(task["taskId"]) for task in tasks if task["key"] == key)


@pytest.mark.tools  # it runs the workflow about thirty times
def test_everything_that_a_month_prints_can_be_run(team: Team) -> None:
    for week in (begin, answer, correct, edit, start_again, clean_up):
        week(team)
    options = workflow()["on"]["workflow_dispatch"]["inputs"]["command"]["options"]
    assert sorted(team.pasted) == sorted(options)


def test_a_limit_is_raised_for_one_apply(team: Team) -> None:
    with (team.place.folder / "taskctl.toml").open("a") as config:
        config.write("max-creates = 2\n")
    team.place.write({name: f"finishing {name}" for name in "abc"})
    team.ci("plan", event="pull_request")
    _, ran = team.paste("apply", 0, "", **{"max-creates": "3"})
    assert "Apply: 3 created." in ran.said


def test_a_plan_of_the_second_user_does_not_fail(team: Team) -> None:
    """Nor is the output of the action true, which steps of the same job may use."""
    team.place.write({"a": "finishing a"})
    planned = team.runner.script("plan", backend=team.place.url, access_token="a-colleague")
    assert (planned.code, planned.outputs["apply-will-fail"]) == (0, "false")
    assert "[TC721]" in planned.said


LOST = "kibor-tanuf-lisab"


def begin(team: Team) -> None:
    """The state was lost. Another user's responses were, too: one key has its task, one has none. A
    colleague has copied a prompt."""
    place, api = team.place, replace(team.place.api, token=TOKEN)
    api.create(f"finishing found\n\nTaskctl-Task: found/3 {LOST}")
    keys = ("found", "sent", "refused", "new")
    place.write({name: f"finishing {name}" for name in keys}, isShared=True)
    team.ci("plan")
    _, ran = team.paste("init", id=LOST)
    assert "continued" in ran.said
    own = attempt_as_other(place, "sent", "refused")
    team.ci("plan")
    sent = api.create("finishing sent")
    _, ran = team.paste("assign", tasks="acme/sent", id="TASK_ID", instead=sent)
    assert "acme/sent: assigned" in ran.said
    team.ci("plan")
    with settling_at_once(place):
        _, ran = team.paste("close", tasks="acme/refused")
    assert "acme/refused: closed" in ran.said
    colleague = replace(api, token="a-colleague")
    copied = colleague.create(f"finishing\n\nTaskctl-Task: new/99 {own}")
    assert colleague.patch(copied, isShared=True).status == 200
    team.ci("plan")
    _, ran = team.paste("dismiss", tasks=f"acme/{copied}")
    assert f"acme/{copied}: dismissed" in ran.said
    team.colleague("apply", "--yes", code=1)
    _, ran = team.paste("apply")
    assert "2 created" in ran.summary


@contextmanager
def settling_at_once(place: LiveTasks) -> Iterator[None]:
    """The settle time is short: the jobs cannot skip it."""
    config = place.folder / "taskctl.toml"
    usual = config.read_text()
    config.write_text(f'{usual}settle-time = "100ms"\n')
    yield
    config.write_text(usual)


def attempt_as_other(place: LiveTasks, *keys: str) -> str:
    """Open attempts for these keys, by a user who has left. Returns the state's ID."""
    state = json.loads(place.run("state", "pull")[1])
    known = state["provenance"]
    (record,) = state["tasks"].values()
    for key in keys:
        known["counter"] = known.get("counter", 0) + 1
        number = known["counter"]
        state["attempts"][str(number)] = {
            "task": f"acme/{key}",
            "reference": f"{key}/{number} {known['ids'][0]}",
            "inputs": record["inputs"],
            "digest": record["digest"],
            "identity": {"id": "left", "login": "left"},
            "file": record["file"],
            "startedAt": record["createdAt"],
            "settleTime": 0.1,
            "window": 0.1,
        }
    edited = place.folder / "edited.json"
    edited.write_text(json.dumps({**state, "serial": state["serial"] + 1}))
    code, _, err = place.run("state", "push", str(edited))
    assert code == 0, err
    return str(known["ids"][0])


def answer(team: Team) -> None:
    place = team.place
    place.apply({"one": "finishing", "two": "approving", "three": "approving it"}, isShared=True)
    place.time.advance(LONGER)
    team.colleague("status")
    team.paste("approve", tasks="acme/two")
    team.ci("wait", "three", "--stop-on", "waiting")
    team.paste("reject", tasks="acme/three", text="TEXT", instead="No.")
    place.time.advance(LONGER)
    found = place.statuses()
    assert (found["two"], found["three"]) == ("done", "done")


def correct(team: Team) -> None:
    """The second answer has the data that is expected."""
    place, block = team.place, 'JSON: ```json {"n": 1} ```'
    expected = {"isShared": True, "expect": {"data": {"required": ["n"]}}}
    place.apply({"data": "answering in JSON"}, **expected)
    place.finish(**{**place.statuses(), "data": "unmet"})
    team.ci("results", "data")
    (text,) = (found["text"] for found in map(fields_of, team.printed) if "text" in found)
    team.paste("say", instead=block, text=text)
    place.finish(**{**place.statuses(), "data": "done"})


def edit(team: Team) -> None:
    place = team.place
    place.write({"one": "finishing well"}, isShared=True)
    team.colleague("plan", code=0)
    _, ran = team.paste("accept")
    assert "acme/one: accepted" in ran.said
    place.write({"one": "finishing again"}, isShared=True)
    before = task_id(place, "one")
    team.colleague("plan", "--target", "one")
    team.paste("replace", tasks="acme/one")
    assert task_id(place, "one") != before
    place.write({"one": "finishing again"}, isShared=True, name="Jobs")
    team.ci("plan", "--target", "one")
    _, ran = team.paste("update")
    assert "1 updated" in ran.summary


def start_again(team: Team) -> None:
    place = team.place
    place.apply({"one": "finishing again", "four": "failing"}, isShared=True, name="Jobs")
    place.time.advance(LONGER)
    failed = task_id(place, "four")
    team.ci("results", "four")
    team.paste("retry", code=1)  # its agent fails again
    assert task_id(place, "four") != failed
    forget(place, "one")
    team.ci("plan")
    _, ran = team.paste("recreate", tasks="acme/one")
    assert "1 created" in ran.summary


def clean_up(team: Team) -> None:
    place = team.place
    place.apply({"five": "endless"}, isShared=True)
    place.write({}, isShared=True)
    team.ci("plan")
    team.paste("cancel", tasks="acme/five")
    place.time.advance(LONGER)
    assert place.statuses()["five"] == "cancelled"


def test_several_tasks_are_answered_by_one_run(team: Team) -> None:
    team.place.apply({"s-1": "endless 1", "s-2": "endless 2"}, isShared=True)
    for selectors in (["s-*"], ["s-1", "acme/s-2"]):
        team.colleague("cancel", *selectors, "-y", code=1)
        assert [fields_of(line)["tasks"] for line in team.printed] == [" ".join(selectors)]
        team.printed.clear()
    team.colleague("cancel", "s-*", "-y", code=1)
    _, ran = team.paste("cancel", tasks="s-*")
    assert ran.said.count(": cancelled") == 2


def test_a_run_that_waits_only_for_merges_has_not_failed(team: Team) -> None:
    expect = {"pullRequests": 1, "merged": True}
    team.place.write({"up": 'answering ```json {"n": 1} ```'}, isShared=True, expect=expect)
    team.colleague("apply", "--yes", code=1)
    _, ran = team.paste("apply")
    assert "1 to merge" in ran.summary


def test_what_no_machine_user_is_needed_for_stays_as_it_is(team: Team) -> None:
    team.place.apply({"one": "finishing"}, isShared=True)
    team.place.write({"two": "finishing two"}, isShared=True)
    said = team.ci("plan")
    assert "taskctl state rm acme/one" in said
    assert "command=cancel -f tasks=acme/one" in said
    assert "taskctl apply" not in said
    assert "After merging" not in said


def test_the_plan_of_a_pull_request_says_what_to_run_after_merging(team: Team) -> None:
    team.place.apply({"one": "finishing"}, isShared=True)
    team.place.write({"one": "finishing again"}, isShared=True)
    rows = team.ci("plan", event="pull_request").splitlines()
    for command in ("accept", "replace"):
        places = [n for n, row in enumerate(rows) if f"-f command={command} " in row]
        assert len(places) == 2  # in the text and in the comment
        assert all(rows[n - 1].strip() == "# After merging:" for n in places)


def test_without_a_workflow_the_plain_command_names_who_can_run_it(team: Team) -> None:
    config = team.place.folder / "taskctl.toml"
    config.write_text(config.read_text().replace("run-workflow", "# run-workflow"))
    team.place.apply({"one": "finishing"}, isShared=True)
    team.place.write({"one": "finishing again"}, isShared=True)
    said = team.colleague("plan")
    assert re.search(r"taskctl apply --replace acme/one .*\n *# Only login:user-", said)
    assert team.place.run("plan")[1].count("# Only login:user-") == 0
    assert not team.printed


def test_a_command_that_the_workflow_cannot_run_stays(team: Team) -> None:
    team.place.apply({"one": "finishing"}, isShared=True)
    team.place.write({"one": "finishing again"}, isShared=True)
    said = team.colleague("plan", "--settle-time", "200s", "tasks")
    assert "command=replace -f tasks=acme/one" in said
    team.place.write({"one": "finishing", "two": "finishing two"}, isShared=True)
    said = team.ci("plan", "tasks")
    assert re.search(r"taskctl apply tasks --expect-plan .*\n *# Only login:user-", said)
    assert "-f command=apply -f tasks=two" in team.ci("plan", "tasks", "--target", "two")


def test_a_command_that_reads_only_the_state_names_the_repository(team: Team) -> None:
    team.place.apply({"one": "finishing"}, isShared=True)
    attempt_as_other(team.place, "two")
    said = team.ci("state", "rm", "two")
    lines = [line for line in said.splitlines() if "gh workflow run" in line]
    assert lines, said
    assert all("-R github.com/acme/infra " in line for line in lines), said
