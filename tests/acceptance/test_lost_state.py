"""The cost of a lost state: one command, one list to read, and no second agent."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.console.output import Output
from reconciler.state.location import Claim
from reconciler.state.model import State
from reconciler.state.shared import SharedState
from reconciler.system.clock import SystemClock
from tests.support.fault_server import Fault, Rule
from tests.support.git_server import git
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE, Ended, as_tasks
from tests.support.skipped_time import skip, skipped_now

FAILS = Fault("status", status=500)
OTHER = "pul-" + "f" * 40
"""The token of another user of the service."""

ID = re.compile(r"[a-z]{5}-[a-z]{5}-[a-z]{5}")


@pytest.fixture
def be(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Changes the user of the service."""
    own = next(iter(here.server.habits.tokens))
    here.server.habits.tokens[OTHER] = "other"

    def become(name: str) -> None:
        monkeypatch.setenv("PULUMI_ACCESS_TOKEN", OTHER if name == "other" else own)

    return become


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The lines that a person types."""

    def typed(*lines: str) -> None:
        monkeypatch.setattr(Output, "interactive", True)
        monkeypatch.setattr("sys.stdin", StringIO("".join(f"{line}\n" for line in lines)))

    return typed


def of(*keys: str, **settings: Any) -> dict[str, dict[str, Any]]:
    return as_tasks({key: f"Do {key}." for key in keys}, **settings)


def lose(here: InProcess) -> None:
    for path in here.sandbox.folder.glob(f"{STATE}*"):
        path.unlink()


def id_of(here: InProcess) -> str:
    """The ID that the state writes."""
    return str(here.sandbox.state()["provenance"]["ids"][0])


def proceed(here: InProcess, state_id: str, *more: str) -> Ended:
    """`state init --continue`."""
    return here.run_state("init", "--continue", state_id, *more, "-y")


def reasons(here: InProcess, *words: str) -> dict[str, str]:
    return {t["key"]: t["reason"] for t in here.run("plan", *words).document["tasks"]}


def codes(ended: Ended) -> set[str]:
    return {d["code"] for d in ended.document["diagnostics"]}


def thirty(here: InProcess) -> dict[str, str]:
    """Thirty tasks: an entry, a recurring one, a renamed key, a replaced and a retried one, one
    from `taskID`. Ten prompts were edited since. Their IDs."""
    existing = here.server.world.create("me", "acme", {"message": {"content": "By hand."}})
    rows = {"forEach": {"row": [f"r{n}" for n in range(10)]}, "message": "Row {{ row }}."}
    tasks: dict[str, Any] = {
        **of(*(f"k{n}" for n in range(15)), "former", "replaced", "retried"),
        "rows": rows,
        "monthly": {"every": "month", "message": "Monthly."},
        "by-hand": {"taskID": existing["taskId"]},
    }
    here.sandbox.write(tasks)
    assert here.run("apply").code == 0
    tasks["renamed"] = {**tasks.pop("former"), "movedFrom": "former"}
    tasks["replaced"]["message"] = "Do replaced better."
    here.sandbox.write(tasks)
    task_id = here.sandbox.recorded()["replaced"]
    assert here.run("apply", "--replace", f"replaced={task_id}").code == 0
    (failed,) = here.server.tasks_by_work()["Do retried."]
    here.server.world.by_id[failed].shown["status"] = "failed"
    assert here.run("apply", "--replace", f"retried={failed}").code == 0
    for number in range(10):
        tasks[f"k{number}"]["message"] = f"Edited {number}."
    here.sandbox.write(tasks)
    recorded = here.sandbox.recorded()
    assert len(recorded) == 30
    return recorded


def assert_as_before(here: InProcess, before: dict[str, str]) -> None:
    """Nothing is created, and each key has its task."""
    posts = len(here.server.posts)
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    assert set(ended.results().values()) <= {"adopted", "moved"}
    assert here.sandbox.recorded() == before
    assert here.run("apply").document["tasks"] == []
    assert len(here.server.posts) == posts


def test_a_lost_state_costs_one_command(here: InProcess) -> None:
    before = thirty(here)
    lost = id_of(here)
    lose(here)
    posts = len(here.server.posts)
    ended = here.run("apply")
    assert (ended.code, codes(ended) & {"TC637"}) == (1, {"TC637"})
    assert set(ended.results().values()) == {"unresolved", "adopted"}  # taskID needs no state
    (asked,) = [d for d in ended.document["diagnostics"] if d["code"] == "TC637"]
    assert f"taskctl state init --continue {lost}" in asked["detail"]
    assert len(here.server.posts) == posts
    ended = proceed(here, lost)
    assert ended.code == 0, ended.stderr
    assert ended.document["missing"] == []
    assert_as_before(here, before)


def test_the_reason_that_many_tasks_have_is_printed_once(here: InProcess) -> None:
    here.sandbox.write(of("a", "b", "c", "d", "e"))
    assert here.run("apply").code == 0
    lose(here)
    ended = here.run_words(["apply", "--yes", "--backend", here.server.url])
    _, _, applied = ended.stdout.partition("Plan: ")
    assert applied.splitlines()[1:3] == [
        "unresolved a, b, c and 2 more",
        "    not created, because this state may replace a lost one",
    ]


def test_the_list_shows_what_is_recorded_and_what_is_created(here: InProcess) -> None:
    here.sandbox.write(of("a", "b", "gone"))
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    lose(here)
    here.sandbox.write(of("a", "b", "new"))
    ended = proceed(here, lost)
    for key in ("a", "b", "gone"):
        assert f"{key}: task {made[key]}, created 20" in ended.stderr
    assert "so the next apply may create them: new." in ended.stderr
    assert "No manifest declares gone." in ended.stderr
    assert ended.document["missing"] == ["acme/new"]
    assert ended.document["undeclared"] == ["acme/gone"]
    assert here.sandbox.recorded() == made
    assert here.run("apply").results() == {"new": "created"}


def test_a_state_may_be_continued_at_any_time_and_again(here: InProcess) -> None:
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    lose(here)
    assert here.run_state("init", "--new").code == 0
    assert here.run("apply").results() == {"a": "created", "b": "created"}
    ended = proceed(here, lost)
    assert ended.document["changed"] is True
    newer = here.sandbox.recorded()
    assert set(newer.values()).isdisjoint(made.values())  # its own tasks have higher numbers
    assert proceed(here, lost).document["changed"] is False
    assert here.run("apply").document["tasks"] == []


def test_tasks_of_keys_that_have_a_newer_one_are_shown(here: InProcess) -> None:
    """After a wrong `--new`: two agents run for each key."""
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    lose(here)
    assert here.run_state("init", "--new").code == 0
    assert here.run("apply").results() == {"a": "created", "b": "created"}
    ended = proceed(here, lost)
    assert ended.code == 0
    assert f"The state {lost} has no task that this state does not have." in ended.stderr
    for key, task_id in made.items():
        assert f"{key}: task {task_id} is an earlier task of this key." in ended.stderr


def test_earlier_tasks_of_the_lost_state_are_shown(here: InProcess) -> None:
    """Otherwise, nobody would see what a forged reference displaces."""
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    text = f"Theirs.\n\nTaskctl-Task: a/9 {lost}"
    forged = here.server.world.create("other", "acme", {"message": {"content": text}})["taskId"]
    here.server.world.by_id[forged].shown["isShared"] = True
    lose(here)
    ended = here.run_state("init", "--continue", lost)
    assert codes(ended) == {"TC807"}
    assert f"a: task {forged}, created" in ended.stderr
    assert "by other-login" in ended.stderr
    assert f"a: task {made['a']} is an earlier task of this key." in ended.stderr
    assert f"b: task {made['b']} is an earlier" not in ended.stderr
    assert here.run_state("dismiss", f"acme/{forged}").code == 0
    ended = proceed(here, lost)
    assert (ended.code, "earlier" in ended.stderr) == (0, False)
    assert here.sandbox.recorded() == made


@pytest.mark.parametrize("typed", ["new", "the ID", "nothing"])
def test_on_a_terminal_apply_asks(here: InProcess, answer: Callable[..., None], typed: str) -> None:
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    lose(here)
    lines = {"new": ("new", "yes"), "the ID": ("yes", lost, "yes"), "nothing": ("", "yes")}
    answer(*lines[typed])
    ended = here.run_words(["apply", "--backend", here.server.url])
    before, question, _ = ended.stderr.partition("Enter `new` if this state replaces no lost state")
    assert question
    assert lost in before  # what can be entered is shown first
    if typed == "nothing":
        assert (ended.code, len(here.server.posts)) == (1, 2)
        return
    assert ended.code == 0, ended.stderr
    assert (here.sandbox.recorded() == made) == (typed == "the ID")


def test_init_asks_without_a_token(
    here: InProcess, answer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN")
    answer("yes")
    ended = here.run_words(["state", "init", "--backend", here.server.url])
    assert ended.code == 0, ended.stderr
    assert here.sandbox.state()["provenance"]["isNew"] is True


def test_a_user_who_sees_only_shared_tasks_continues_with_these(
    here: InProcess, be: Callable[[str], None]
) -> None:
    """What this user cannot see is said to be created; the assumption is that they see all."""
    here.sandbox.write({**of("a"), **of("shared", isShared=True)})
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    lose(here)
    be("other")
    ended = proceed(here, lost)
    assert ended.code == 0, ended.stderr
    assert ended.document["missing"] == ["acme/a"]
    assert here.sandbox.recorded() == {"shared": made["shared"]}
    be("me")
    ended = here.run("apply")
    assert ended.results() == {"a": "adopted"}, ended.stdout
    assert here.sandbox.recorded() == made


def test_a_shared_state_is_begun_again_and_continued(here: InProcess, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(here.sandbox.folder, "init", "--quiet")
    git(here.sandbox.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    here.sandbox.env["TASKCTL_STATE"] = "git:origin"
    place = ("--state", "git:origin")
    assert here.run_state("init", "--new", *place).code == 0
    here.sandbox.write(of("a", "b"))
    assert here.run("apply", *place).code == 0
    read = json.loads(here.run_state("pull", *place).stdout)["state"]
    made = {ref: task["taskId"] for ref, task in read["tasks"].items()}
    (lost,) = read["provenance"]["ids"]
    git(tmp_path / "origin.git", "update-ref", "-d", "refs/taskctl/state/default")
    here.sandbox.write({**of("a"), "b": {"message": "Edited."}})
    assert codes(here.run("apply", *place)) == {"TC619"}
    assert proceed(here, lost, *place).code == 0
    assert here.run("apply", *place).document["tasks"] == []
    read = json.loads(here.run_state("pull", *place).stdout)["state"]
    assert {ref: task["taskId"] for ref, task in read["tasks"].items()} == made


def test_a_shared_state_is_created_only_if_it_continues_another(
    here: InProcess, tmp_path: Path, answer: Callable[..., None]
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(here.sandbox.folder, "init", "--quiet")
    git(here.sandbox.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    lost = id_of(here)
    place = ("--backend", here.sandbox.server.url)
    again = ["state", "init", "git:origin", *place, "--continue"]
    assert "[TC618]" in here.run_words([*again, "babab-babab-babab", "-y"]).stderr
    refused = here.run_words([*again, lost]).stderr
    assert "[TC807]" in refused
    assert f"taskctl state init git:origin --continue {lost} -y" in refused
    answer("no")
    declined = here.run_words([*again, lost])
    assert (declined.code, "[TC" in declined.stderr) == (1, False)
    assert git(tmp_path / "origin.git", "for-each-ref") == ""
    ended = here.run_words([*again, lost, "-y"])
    task_id = next(iter(here.sandbox.recorded().values()))
    assert (ended.code, (ended.stdout + ended.stderr).count(task_id)) == (0, 1), ended
    assert "refs/taskctl/state/default" in git(tmp_path / "origin.git", "for-each-ref")


def test_the_advice_for_a_lost_shared_state_creates_no_second_agent(
    here: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(here.sandbox.folder, "init", "--quiet")
    git(here.sandbox.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    monkeypatch.setenv("TASKCTL_BACKEND", here.sandbox.server.url)
    here.sandbox.write(of("a"))
    shared = ("--state", "git:origin")
    assert here.run_words(["state", "init", "git:origin", "--new"]).code == 0
    assert here.run("apply", *shared).code == 0
    posts = len(here.server.posts)
    git(tmp_path / "origin.git", "update-ref", "-d", "refs/taskctl/state/default")
    advice = here.run_words(["plan", *shared]).stderr
    assert "[TC619]" in advice
    (command,) = re.findall(r"taskctl (state init .+)", advice)
    assert here.run_words(command.split()).code == 0
    refused = here.run_words(["apply", *shared, "-y"])
    assert (refused.code, len(here.server.posts)) == (1, posts)
    (state_id,) = re.findall(r"--continue ([a-z-]+)", refused.stderr)
    assert here.run_words(["state", "init", *shared, "--continue", state_id, "-y"]).code == 0
    assert here.run("apply", *shared).code == 0
    assert len(here.server.posts) == posts


def test_a_shared_state_that_others_create_meanwhile_keeps_their_tasks(
    here: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(here.sandbox.folder, "init", "--quiet")
    git(here.sandbox.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    place, shared = ("--backend", here.sandbox.server.url), ("--state", "git:origin")
    create, theirs = SharedState.create, dict[str, str]()

    def tasks() -> dict[str, str]:
        pulled = here.run_state("pull", *shared).stdout
        recorded = json.loads(pulled[pulled.rindex('{"formatVersion') :])["state"]["tasks"]
        return {ref: task["taskId"] for ref, task in recorded.items()}

    def after_others(self: SharedState, state: State, claim: Claim) -> bool:
        if not theirs:
            theirs["begun"] = ""
            assert here.run_words(["state", "init", "git:origin", *place, "--new"]).code == 0
            assert here.run("apply", *shared).code == 0
            theirs.update(tasks())
        return create(self, state, claim)

    monkeypatch.setattr(SharedState, "create", after_others)
    ended = here.run_words(["state", "init", "git:origin", *place, "--continue", lost, "-y"])
    assert ended.code == 0, ended.stderr
    del theirs["begun"]
    assert tasks() == theirs
    posts = len(here.server.posts)
    assert here.run("apply", *shared).code == 0
    assert len(here.server.posts) == posts


def test_two_lost_states_are_merged_into_one(here: InProcess) -> None:
    ids: list[str] = []
    made: dict[str, str] = {}
    for keys in ("ab", "cd"):
        here.sandbox.write(of(*keys))
        assert here.run_state("init", "--new").code == 0
        assert here.run("apply").code == 0
        ids.append(id_of(here))
        made |= here.sandbox.recorded()
        lose(here)
    here.sandbox.write(of("a", "b", "c", "d"))
    for lost in ids:
        assert proceed(here, lost).code == 0
    assert here.sandbox.recorded() == made
    assert here.run("apply").document["tasks"] == []


def test_a_dry_run_shows_what_would_be_recorded(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    here.sandbox.write(of("a", "b"))
    ended = here.run_state("init", "--continue", lost, "--dry-run")
    assert (ended.code, ended.document["changed"], ended.document["dryRun"]) == (0, True, True)
    assert ended.document["missing"] == ["acme/b"]
    assert "a: task " in ended.stderr
    assert not list(here.sandbox.folder.glob(f"{STATE}*"))
    assert codes(here.run_state("init", "--dry-run")) == {"TC804"}


def test_a_lost_state_is_continued_with_one_token_per_organization(
    here: InProcess, be: Callable[[str], None]
) -> None:
    tasks = of("a", "b", "c")
    tasks["b"]["orgName"] = tasks["c"]["orgName"] = "beta"
    here.sandbox.write(tasks)

    def become(name: str, org_name: str) -> None:
        be(name)
        here.server.habits.orgs = (org_name,)

    for name, org_name in (("own", "acme"), ("other", "beta")):
        become(name, org_name)
        assert here.run("apply", "--target", f"{org_name}/*").code == 0
    lost, made = id_of(here), here.sandbox.recorded()
    assert made.keys() == {"a", "b", "c"}
    lose(here)
    posts = len(here.server.posts)
    become("own", "acme")
    ended = proceed(here, lost)
    assert (ended.code, ended.document["missing"]) == (0, [])
    assert ended.document["notListed"] == ["beta"]
    assert "taskctl state init --continue" not in ended.stderr
    assert here.sandbox.recorded() == {"a": made["a"]}
    become("other", "beta")
    again = here.run_state("init", "--continue", lost, "--dry-run").document
    assert ([t["key"] for t in again["tasks"]], again["notListed"]) == (["b", "c"], ["acme"])
    assert here.run("apply", "--target", "beta/*").code == 0
    assert here.sandbox.recorded() == made
    assert len(here.server.posts) == posts
    lose(here)
    here.server.habits.orgs = ("gamma",)
    assert codes(proceed(here, lost)) == {"TC707"}


def test_a_continued_state_says_which_other_state_has_a_missing_key(here: InProcess) -> None:
    ids = []
    for key in "ab":
        here.sandbox.write(of(key))
        assert here.run_state("init", "--new").code == 0
        assert here.run("apply").code == 0
        ids.append(id_of(here))
        lose(here)
    here.sandbox.write(of("a", "b"))
    ended = proceed(here, ids[0])
    assert f"taskctl state init --continue {ids[1]}" in ended.stderr


def test_a_continued_state_renames(here: InProcess) -> None:
    here.sandbox.write(of("old"))
    assert here.run("apply").code == 0
    made, lost = here.sandbox.recorded(), id_of(here)
    lose(here)
    here.sandbox.write({"new": {"message": "Do new.", "movedFrom": "old"}})
    assert proceed(here, lost).code == 0
    assert here.sandbox.recorded() == {"new": made["old"]}
    assert here.run("apply").document["tasks"] == []


@pytest.mark.parametrize("approval", [None, "auto", "balanced"])
@pytest.mark.parametrize("how", ["renamed", "declared later"])
def test_only_what_a_manifest_sets_is_said_to_be_set(
    here: InProcess, approval: str | None, how: str
) -> None:
    """The service shows an approvalMode for each task, also that of the organization."""
    settings = {} if approval is None else {"approvalMode": approval}
    here.sandbox.write(of("old", **settings))
    assert here.run("apply").code == 0
    for task in here.server.world.tasks:
        task.shown["approvalMode"] = approval or "auto"
    lost = id_of(here)
    lose(here)
    if how == "renamed":
        renamed = {"new": {"message": "Do old.", "movedFrom": "old", **settings}}
        here.sandbox.write(renamed)
    else:
        here.sandbox.write(of("other"))
    assert proceed(here, lost).code == 0
    if how == "declared later":
        here.sandbox.write(of("old", **settings))
    (task,) = [t for t in here.run("plan").document["tasks"] if t["key"] != "other"]
    assert (task["action"], task["diff"]) == ("unchanged", [])
    here.server.world.tasks[0].shown["approvalMode"] = "manual"
    (task,) = [t for t in here.run("plan").document["tasks"] if t["key"] != "other"]
    assert [change["path"] for change in task["diff"]] == [*settings]


@pytest.mark.parametrize("option", ["--continue", "--new"])
def test_nothing_is_continued_without_tasks(here: InProcess, option: str) -> None:
    ended = here.run_state("init", "--continue", "babab-babab-babab", "-y")
    assert (ended.code, codes(ended)) == (1, {"TC618"})
    ended = here.run_state("init", "--continue", "babab-babab-babab", option)
    assert ended.code == 1


def test_a_wrong_id_is_answered_with_those_of_the_tasks(here: InProcess) -> None:
    """A shared state that was lost has no plan that shows them."""
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    lost = id_of(here)
    ended = proceed(here, "babab-babab-babab")
    assert lost not in ended.stdout  # it is this state's own
    lose(here)
    ended = proceed(here, "babab-babab-babab")
    assert (ended.code, codes(ended)) == (1, {"TC618"})
    assert lost in ended.document["diagnostics"][0]["summary"]


@pytest.mark.parametrize("what", ["list", "events"])
def test_nothing_is_continued_beside_what_cannot_be_read(here: InProcess, what: str) -> None:
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    lost, made = id_of(here), here.sandbox.recorded()
    lose(here)
    shutil.rmtree(here.sandbox.cache, ignore_errors=True)
    here.server.set_rules(Rule(what, Fault("status", status=500)))
    ended = proceed(here, lost)
    assert ended.code == 1
    assert not (here.sandbox.folder / STATE).exists() or here.sandbox.recorded() == {}
    here.server.set_rules()
    assert proceed(here, lost).code == 0
    assert here.sandbox.recorded() == made


def test_nothing_is_continued_beside_a_prompt_copied_to_another_organization(
    here: InProcess,
) -> None:
    tasks = of("a", "b")
    tasks["b"]["orgName"] = "other"
    here.sandbox.write(tasks)
    assert here.run("apply").code == 0
    own = id_of(here)
    prompt = next(task.prompt for task in here.server.world.tasks if task.org == "acme")
    assert f" {own}" in prompt
    copied = here.server.world.create("me", "other", {"message": {"content": prompt}})
    ended = proceed(here, own)
    assert (ended.code, codes(ended)) == (1, {"TC618"})
    assert "the last line of a prompt of acme/a" in ended.stdout
    assert here.run_state("dismiss", f"other/{copied['taskId']}").code == 0
    assert proceed(here, own).code == 0


def test_without_confirmation_nothing_is_recorded(
    here: InProcess, answer: Callable[..., None]
) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    ended = here.run_state("init", "--continue", lost)
    assert (ended.code, codes(ended)) == (1, {"TC807"})
    answer("no")
    assert here.run_words(["state", "init", "--continue", lost]).code == 1
    assert not (here.sandbox.folder / STATE).exists() or here.sandbox.recorded() == {}


# Older versions of a state need no answer


def older_state(here: InProcess) -> dict[str, str]:
    """The state is set back to the version before two tasks, one of which was edited since."""
    path = here.sandbox.folder / STATE
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    older = path.read_bytes()
    here.sandbox.write(of("a", "b", "c"))
    assert here.run("apply").code == 0
    made = here.sandbox.recorded()
    path.write_bytes(older)
    here.sandbox.write({**of("a", "b"), "c": {"message": "Edited."}})
    return made


def test_an_older_state_is_brought_up_to_date(here: InProcess) -> None:
    made = older_state(here)
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (0, {"b": "adopted", "c": "adopted"})
    assert here.sandbox.recorded() == made
    assert here.run("apply").document["tasks"] == []
    assert len(here.server.posts) == 3


@pytest.mark.parametrize("days", [0, 5])
def test_the_first_version_of_a_state_from_a_machine_whose_clock_is_ahead(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """It is restored before, or after, the time at which the state claims to begin."""
    with monkeypatch.context() as machine:
        machine.setattr(SystemClock, "now", lambda _: skipped_now() + timedelta(days=3))
        assert here.run_state("init", "--new").code == 0
    first = (here.sandbox.folder / STATE).read_text()
    assert here.run("apply").code == 0
    skip(timedelta(days=2 + days).total_seconds())
    (here.sandbox.folder / STATE).write_text(first)
    assert here.run("apply").code == 0
    here.assert_settled()


@pytest.mark.parametrize("words", [("--target", "b"), ("tasks/one.yaml",)])
def test_what_is_read_is_never_limited(here: InProcess, words: tuple[str, ...]) -> None:
    """`--target` and PATH select what is done; all tasks are recorded."""
    made = older_state(here)
    here.sandbox.write({**of("a"), "c": {"message": "Edited."}})
    here.sandbox.write(of("b"), "one")
    ended = here.run("apply", *words)
    assert ended.code == 0, ended.stdout
    assert here.sandbox.recorded() == made
    assert len(here.server.posts) == 3


def test_a_retried_task_is_found_by_an_older_state(here: InProcess) -> None:
    """The state is restored from its backup; the prompt is edited, and the retry repeated."""
    path = here.sandbox.folder / STATE
    here.sandbox.write(of("k"))
    assert here.run("apply").code == 0
    (first,) = here.server.tasks_by_work()["Do k."]
    here.server.world.by_id[first].shown["status"] = "failed"
    assert here.run("apply", "--replace", f"k={first}").results() == {"k": "replaced"}
    second = here.sandbox.recorded()["k"]
    path.rename(f"{path}.bad")
    assert here.run_state("push", f"{STATE}.backup").code == 0
    assert here.sandbox.recorded() == {"k": first}
    here.sandbox.write({"k": {"message": "Edited."}})
    ended = here.run("apply", "--replace", f"k={first}")
    assert here.sandbox.recorded() == {"k": second}, ended.stdout
    assert len(here.server.posts) == 2


def test_a_new_state_beside_a_backup_says_so(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    (here.sandbox.folder / STATE).unlink()
    ended = here.run("apply")
    assert f"{STATE}.backup" in ended.stderr
    assert (ended.code, set(ended.results().values())) == (1, {"unresolved"})
    assert f"{STATE}.backup" in here.run_state("init").stderr
    (here.sandbox.folder / STATE).unlink()
    assert here.run_state("push", f"{STATE}.backup").code == 0
    assert here.run("apply").results() == {"b": "adopted"}


# Other states of the organization


def others(here: InProcess, count: int, *keys: str) -> list[str]:
    """As many other states, each with a task, with the given keys or `x`."""
    ids = []
    for number, key in zip(range(count), cycle(keys or ("x",)), strict=False):
        other = here.within(f"other{number}")
        other.sandbox.write(of(key))
        assert other.run_state("init", "--new").code == 0
        assert other.run("apply").code == 0
        ids.append(id_of(other))
    return ids


def test_beside_forty_other_states_there_is_one_line(
    here: InProcess, be: Callable[[str], None]
) -> None:
    """Those of colleagues, without a declared key."""
    be("other")
    others(here, 40)
    for task in here.server.world.tasks:
        task.shown["isShared"] = True
    be("me")
    here.sandbox.write(of("a"))
    ended = here.run_words(["plan", "--backend", here.server.url])
    said = ended.stderr.splitlines()
    assert len([line for line in said if "state" in line]) == 3, ended.stderr
    assert "40 other states, none with your keys" in ended.stderr
    assert here.run("apply").results() == {"a": "unresolved"}
    assert here.run_state("init", "--new").code == 0
    assert here.run("apply").results() == {"a": "created"}


def test_only_a_state_with_declared_keys_is_suggested(here: InProcess) -> None:
    """Newer states of the same user are listed after it."""
    lost, *newer = others(here, 3, "a", "c", "c")
    here.sandbox.write(of("b"))
    ended = here.run_words(["plan", "--backend", here.server.url])
    assert all(each in ended.stderr for each in (lost, *newer))
    assert "taskctl state init --continue ID" in ended.stderr
    here.sandbox.write(of("a", "b"))
    ended = here.run_words(["plan", "--backend", here.server.url])
    assert f"taskctl state init --continue {lost}" in ended.stderr
    assert all(ended.stderr.index(lost) < ended.stderr.index(each) for each in newer)


def test_a_state_with_the_former_name_of_a_key_is_suggested(
    here: InProcess, be: Callable[[str], None]
) -> None:
    here.sandbox.write(of("old", isShared=True))
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    here.sandbox.write({"new": {"message": "Do new.", "movedFrom": "old"}})
    for name in ("me", "other"):
        be(name)
        ended = here.run_words(["plan", "--backend", here.server.url])
        assert f"taskctl state init --continue {lost}" in ended.stderr
        assert "1 of your 1 key" in ended.stderr


def test_a_new_state_asks_nothing_and_reads_nothing(here: InProcess) -> None:
    others(here, 2, "a")
    here.sandbox.write(of("a", "b"))
    assert here.run_state("init", "--new").code == 0
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (0, {"a": "created", "b": "created"})
    assert codes(ended) == set()


def test_what_appears_after_the_first_apply_asks_nothing(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    others(here, 1, "b")
    here.sandbox.write(of("a", "b"))
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (0, {"b": "created"})


@pytest.mark.parametrize("may_apply", [True, False])
def test_only_for_a_user_who_applies_the_question_is_a_failure(
    here: InProcess, be: Callable[[str], None], may_apply: bool
) -> None:
    others(here, 1, "a")
    (here.sandbox.folder / "taskctl.toml").write_text('apply-as = "login:me-login"\n')
    here.sandbox.write(of("a"))
    for task in here.server.world.tasks:
        task.shown["isShared"] = True
    be("me" if may_apply else "other")
    ended = here.run("plan")
    assert ended.code == int(may_apply), ended.stdout
    failing = {reason["code"] for reason in ended.document["failReasons"]}
    assert failing == {"TC745" if may_apply else "TC721"}
    (asked,) = [d for d in ended.document["diagnostics"] if d["code"] == "TC637"]
    assert asked["severity"] == ("warning" if may_apply else "note")


def test_the_task_of_another_state_is_nobody_elses(here: InProcess) -> None:
    """Two repositories with the same key, prompt and user."""
    here.sandbox.write(of("a"))
    sister = here.within("sister")
    sister.sandbox.write(of("a"))
    for each in (here, sister):
        assert each.run_state("init", "--new").code == 0
        assert each.run("apply").results() == {"a": "created"}
    assert here.sandbox.recorded() != sister.sandbox.recorded()
    for each in (here, sister):
        assert each.run("apply").document["tasks"] == []


# Tasks that cannot be explained


def unreadable(here: InProcess) -> str:
    """A task of this user whose first message cannot be read, beside a key without a task."""
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    made = here.server.world.create("me", "acme", {"message": {"content": "Console."}})["taskId"]
    here.server.set_rules(Rule("events", Fault("status", status=500), task=made))
    here.sandbox.write(of("a", "b"))
    return str(made)


def test_a_journal_without_its_state_file_does_not_prove_that_older_tasks_are_known(
    here: InProcess,
) -> None:
    """A killed apply had moved its baseline over a task by hand; then the state file was lost."""
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    here.server.world.create("me", "acme", {"message": {"content": "By hand."}})
    journal = here.sandbox.folder / f"{STATE}.journal"
    left: list[bytes] = []
    here.server.choose = lambda call: (
        left.append(journal.read_bytes()) if call.endpoint == "create" else None
    )
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").code == 0
    lose(here)
    journal.write_bytes(left[0])
    skip(600)
    assert here.run("apply").results() == {"a": "adopted", "b": "adopted"}
    assert [len(ids) for ids in here.server.tasks_by_work().values()] == [1, 1, 1]


def test_an_unreadable_task_blocks_its_organization(here: InProcess) -> None:
    made = unreadable(here)
    here.sandbox.write({**of("a", "b"), **of("far", orgName="dev")})
    ended = here.run("apply")
    assert ended.results() == {"b": "unresolved", "far": "created"}
    (said,) = [d for d in ended.document["diagnostics"] if d["code"] == "TC748"]
    assert made in said["summary"]
    assert f"taskctl state dismiss acme/{made}" in said["detail"]
    here.server.set_rules()
    assert here.run("apply").results() == {"b": "created"}


@pytest.mark.parametrize("way", ["dismiss", "assign"])
def test_a_person_says_what_an_unreadable_task_is(here: InProcess, way: str) -> None:
    made = unreadable(here)
    if way == "dismiss":
        assert here.run_state("dismiss", f"acme/{made}").code == 0
        assert here.run("apply").results() == {"b": "created"}
        return
    assert here.run_state("assign", "b", made).code == 0
    assert here.run("apply").document["tasks"] == []
    assert here.sandbox.recorded()["b"] == made


def test_an_unreadable_task_that_another_key_may_have_is_not_assigned(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    here.server.set_rules(Rule("create", Fault("reset", committed=True)), Rule("events", FAILS))
    assert here.run("apply").results() == {"a": "unresolved"}
    (made,) = here.server.world.tasks
    here.sandbox.write(of("a", "b"))
    here.server.set_rules(Rule("events", FAILS, task=made.id))
    ended = here.run_state("assign", "b", made.id)
    assert ended.code == 1
    assert here.sandbox.recorded() == {}
    here.server.set_rules()
    assert here.run("apply").results() == {"a": "adopted", "b": "created"}


def test_a_member_of_the_organization_can_at_most_block(
    here: InProcess, be: Callable[[str], None]
) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    made = here.sandbox.recorded()
    text = f"Mine.\n\nTaskctl-Task: b/2 {id_of(here)}"
    forged = here.server.world.create("other", "acme", {"message": {"content": text}})["taskId"]
    here.server.world.by_id[forged].shown["isShared"] = True
    here.sandbox.write(of("a", "b"))
    ended = here.run("apply")
    assert ended.results() == {"b": "unresolved"}
    assert codes(ended) == {"TC748"}
    assert here.run_state("dismiss", f"acme/{forged}").code == 0
    assert here.run("apply").results() == {"b": "created"}
    assert here.sandbox.recorded().items() > made.items()


def test_an_assigned_task_makes_nobody_a_user_of_the_state(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    world = here.server.world

    def forged(key: str) -> str:
        text = f"Theirs.\n\nTaskctl-Task: {key} {id_of(here)}"
        made: str = world.create("other", "acme", {"message": {"content": text}})["taskId"]
        world.by_id[made].shown["isShared"] = True
        return made

    chosen = forged("b/8")
    here.sandbox.write(of("a", "b"))
    assert here.run("apply").results() == {"b": "unresolved"}
    assert here.run_state("assign", "b", chosen).code == 0
    copied = forged("b/8")
    here.sandbox.write(of("a", "b", "c"))
    ended = here.run("apply")
    assert (ended.results(), codes(ended)) == ({"c": "created"}, {"TC741"})
    assert f"taskctl cancel acme/{copied}" not in ended.stdout
    forged("d/9")
    here.sandbox.write(of("a", "b", "c", "d"))
    ended = here.run("apply")
    assert (ended.results(), codes(ended)) == ({"d": "unresolved"}, {"TC748"})
    assert here.sandbox.recorded()["b"] == chosen


def test_a_copied_prompt_is_a_duplicate(here: InProcess, be: Callable[[str], None]) -> None:
    """Whoever copies a prompt from the console takes its last line along."""
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    made = here.sandbox.recorded()
    text = f"Do a.\n\nTaskctl-Task: a/1 {id_of(here)}"
    copied = [
        here.server.world.create(user, "acme", {"message": {"content": text}})["taskId"]
        for user in ("me", "other")
    ]
    here.server.world.by_id[copied[1]].shown["isShared"] = True
    here.sandbox.write(of("a", "b"))
    ended = here.run("apply")
    assert ended.results() == {"b": "created"}
    found = [d for d in ended.document["diagnostics"] if d["code"] == "TC741"]
    assert len(found) == 2
    (mine,) = [d for d in found if f"taskctl cancel acme/{copied[0]}" in d["detail"]]
    assert copied[0] in mine["summary"]
    assert here.sandbox.recorded()["a"] == made["a"]


def test_a_file_that_push_does_not_find_is_reported_as_missing(here: InProcess) -> None:
    assert '"there is no file other.json"' in here.run_state("push", "other.json").stdout


def test_a_key_that_was_removed_is_named_with_its_task(here: InProcess) -> None:
    """Also if a manifest still declares it."""
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    task_id = here.sandbox.recorded()["a"]
    assert here.run_state("rm", "a").code == 0
    for name in ("a", "acme/a"):
        ended = here.run_state("rm", name)
        assert (ended.code, "TC617" in ended.stdout, task_id in ended.stdout) == (1, True, True)


def test_a_new_state_below_a_directory_with_a_state_says_so(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    below = here.within("below")
    below.sandbox.write(of("b"))
    assert str(here.sandbox.folder / STATE) in below.run("apply").stderr


def test_the_earlier_task_of_a_key_is_recorded_again_as_advised(here: InProcess) -> None:
    here.sandbox.write(of("a"))
    assert here.run("apply").code == 0
    first = here.sandbox.recorded()["a"]
    here.sandbox.write({"a": {"message": "Do a better."}})
    assert here.run("apply", "--replace", f"a={first}").results() == {"a": "replaced"}
    refused = here.run_state("assign", "a", first).stdout
    for words in (("rm", "acme/a"), ("assign", "acme/a", first)):
        assert f"taskctl state {' '.join(words)}" in refused
        assert here.run_state(*words).code == 0
    assert here.sandbox.recorded() == {"a": first}
    posts = len(here.server.posts)
    assert here.run("apply").code == 0
    assert len(here.server.posts) == posts


def test_what_was_left_out_is_asked_about_there(here: InProcess) -> None:
    """The person has not seen which keys yet another lost state has there."""
    ids: list[str] = []
    there = {key: {"message": f"Do {key}.", "orgName": "beta"} for key in "bd"}
    for own, key in (("a", "b"), ("c", "d")):
        here.sandbox.write({**of(own), key: there[key]})
        assert here.run_state("init", "--new").code == 0
        assert here.run("apply").code == 0
        ids.append(id_of(here))
        lose(here)
    here.sandbox.write({**of("a"), **there})
    posts = len(here.server.posts)
    here.server.habits.orgs = ("acme",)
    ended = proceed(here, ids[0])
    assert (ended.code, ended.document["notListed"]) == (0, ["beta"])
    assert here.run("apply", "--target", "acme/*").code == 0
    here.server.habits.orgs = ("acme", "beta")
    ended = here.run("apply")
    assert len(here.server.posts) == posts
    assert (ended.code, codes(ended)) == (1, {"TC637"}), ended.stdout
    assert proceed(here, ids[1]).code == 0
    assert here.run("apply").code == 0
    assert len(here.server.posts) == posts
    assert here.sandbox.recorded().keys() == {"a", "b", "c", "d"}


def test_on_a_terminal_the_lost_state_may_be_given_again(
    here: InProcess, answer: Callable[..., None]
) -> None:
    """It is the answer if an organization that was left out has tasks of a third state."""
    there = {"orgName": "beta"}
    here.sandbox.write({**of("a"), **of("b", **there)})
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    other = here.within("other")
    other.sandbox.write(of("x", **there))
    assert other.run_state("init", "--new").code == 0
    assert other.run("apply").code == 0
    here.server.habits.orgs = ("acme",)
    assert proceed(here, lost).code == 0
    here.server.habits.orgs = ("acme", "beta")
    here.sandbox.write({**of("a"), **of("b", "c", **there)})
    answer(lost, "yes", "yes")
    ended = here.run_words(["apply", "--backend", here.server.url])
    assert ended.code == 0, ended.stderr
    assert here.sandbox.recorded().keys() == {"a", "b", "c"}
    assert {len(ids) for ids in here.server.tasks_by_work().values()} == {1}


def test_a_task_of_a_lost_state_that_nobody_could_read_blocks_its_organization(
    here: InProcess, be: Callable[[str], None]
) -> None:
    """Also if this state has explained the organization before it continued the lost one."""
    there = {key: {"message": f"Do {key}.", "orgName": "beta"} for key in "bz"}
    here.sandbox.write({**of("a"), "z": there["z"]})
    assert here.run("apply").code == 0
    other = here.within("other")
    other.sandbox.write({**of("k", isShared=True), "b": {**there["b"], "isShared": True}})
    assert other.run_state("init", "--new").code == 0
    assert other.run("apply", "--target", "k").code == 0
    be("other")
    assert other.run("apply", "--target", "b").code == 0
    be("me")
    here.sandbox.write({**of("a", "k"), **there})
    here.server.habits.orgs = ("acme",)
    for changed in (True, False):
        ended = proceed(here, id_of(other))
        assert (ended.document["notListed"], ended.document["changed"]) == (["beta"], changed)
    here.server.habits.orgs = ("acme", "beta")
    task = other.sandbox.recorded()["b"]
    here.server.set_rules(Rule("events", Fault("status", status=403), task=task))
    ended = here.run("apply")
    assert (ended.results(), codes(ended)) == ({"b": "unresolved"}, {"TC748"})
    here.server.set_rules()
    assert here.run_state("assign", "b", task).code == 0
    assert here.run("apply").document["tasks"] == []


def test_a_lost_state_may_have_its_tasks_where_nothing_was_listed(here: InProcess) -> None:
    """No other state is suggested then: an answer would hold in that organization, too."""
    here.sandbox.write({"b": {"message": "Do b.", "orgName": "beta"}})
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    here.sandbox.write(of("a"))
    assert here.run_state("init", "--new").code == 0
    assert here.run("apply").code == 0
    lose(here)
    here.sandbox.write({**of("a"), "b": {"message": "Do b.", "orgName": "beta"}})
    here.server.habits.orgs = ("acme",)
    ended = here.run_state("init", "--continue", lost, "--dry-run")
    (problem,) = ended.document["diagnostics"]
    assert (problem["code"], "beta cannot be listed" in problem["summary"]) == ("TC618", True), (
        problem
    )


def test_a_repeated_command_says_what_it_cannot_list(here: InProcess) -> None:
    here.sandbox.write({**of("a"), "b": {"message": "Do b.", "orgName": "beta"}})
    assert here.run("apply").code == 0
    lost = id_of(here)
    lose(here)
    here.server.habits.orgs = ("acme",)
    for _ in range(2):
        ended = proceed(here, lost)
        assert (ended.code, ended.document["notListed"]) == (0, ["beta"])
        assert "cannot list the tasks of beta" in ended.stderr
    assert ended.document["changed"] is False
    assert (
        "cannot list the tasks of beta"
        in here.run_state("init", "--continue", lost, "--dry-run").stderr
    )
