"""The cost of a lost state: a few commands, and no agent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.console.output import Output
from reconciler.cli.main import run
from reconciler.system.clock import SystemClock
from tests.support.fault_server import Call, Fault, Rule
from tests.support.git_server import git
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

STATE = "s.state.json"


@dataclass
class Person:
    """A user of one service, in a folder with manifests and a state of its own."""

    folder: Path
    name: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    backend: str
    state: str = STATE

    def write(self, tasks: dict[str, Any], name: str = "all", **members: Any) -> None:
        path = self.folder / "tasks" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks, **members}))

    def run(self, *words: str) -> tuple[int, str, str]:
        self.monkeypatch.setenv("TASKCTL_LOCAL_TOKEN", self.name)
        where = ("-C", str(self.folder), "--backend", self.backend)
        code = run([*words, *where, "--state", self.state])
        out, err = self.capsys.readouterr()
        return code, out, err

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(*words, "--format", "json")
        return code, json.loads(out)

    def reasons(self, *words: str) -> dict[str, str]:
        """The action and the reason of each key."""
        _, document = self.json("plan", *words)
        return {t["key"]: f"{t['action']} {t['reason']}" for t in document["tasks"]}

    def apply(self, *words: str) -> tuple[int, dict[str, int], set[str]]:
        """The exit code, what was done, and the codes of the diagnostics."""
        code, document = self.json("apply", "--yes", *words)
        done = {name: count for name, count in document["summary"].items() if count}
        return code, done, {d["code"] for d in document["diagnostics"]}

    def ids(self) -> dict[str, str]:
        _, document = self.json("state", "list")
        return {task["key"]: task["taskId"] for task in document["tasks"] if task.get("taskId")}

    def not_created(self, keys: str) -> None:
        """Says that no attempt has created these keys."""
        assert self.run("state", "resolve", keys, "--not-created", "-y")[0] == 0

    def lose_state(self) -> None:
        for path in self.folder.glob(f"{STATE}*"):
            path.unlink()


@pytest.fixture
def person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Person]:
    def made(name: str = "anna", folder: str = "repo") -> Person:
        (tmp_path / folder).mkdir(exist_ok=True)
        backend = f"local:{tmp_path}/service.db"
        return Person(tmp_path / folder, name, monkeypatch, capsys, backend)

    return made


def of(*keys: str, **settings: Any) -> dict[str, Any]:
    return {key: {"message": f"Do {key}.", **settings} for key in keys}


def test_visible_tasks_of_another_user_are_look_alikes_and_never_adopted(
    person: Callable[..., Person],
) -> None:
    anna, ben = person(), person("ben")
    anna.write(of("a", "b", isShared=True))
    assert anna.apply()[:2] == (0, {"created": 2})
    anna.lose_state()
    ben.write(of("a", "b", isShared=True) | of("edited"))
    assert ben.apply() == (1, {"unresolved": 3}, {"TC748"})
    _, document = ben.json("plan")
    assert {t["key"]: t["reason"] for t in document["tasks"]} == dict.fromkeys(
        ("a", "b", "edited"), "lookAlike"
    )
    (warned,) = [d for d in document["diagnostics"] if d["code"] == "TC748"]
    assert "user-" in warned["summary"]
    _, adopting, _ = ben.apply("--adopt")
    assert "adopted" not in adopting
    ben.not_created("acme/*")
    assert ben.apply()[:2] == (0, {"created": 3})


def test_other_tasks_of_other_users_ask_nothing(person: Callable[..., Person]) -> None:
    anna, ben = person(), person("ben", "other")
    anna.write(of("a", "b", isShared=True))
    assert anna.apply()[0] == 0
    ben.write(of("c", "d"))
    assert ben.apply() == (0, {"created": 2}, set())


def test_an_open_look_alike_holds_every_key_of_an_organization_that_the_state_does_not_know(
    person: Callable[..., Person],
) -> None:
    anna = person()
    anna.write({"same": {"message": "Same."}, "edited": {"message": "Before."}})
    assert anna.apply()[:2] == (0, {"created": 2})
    anna.lose_state()
    tasks = {"same": {"message": "Same."}, "edited": {"message": "After."}}
    anna.write(tasks | {"far": {"message": "Far.", "orgName": "other"}})
    assert set(anna.reasons().values()) == {"unresolved lookAlike"}
    assert anna.apply()[:2] == (1, {"unresolved": 3})
    anna.not_created("same")
    assert set(anna.reasons().values()) == {"create new"}


def test_of_more_tasks_than_keys_none_is_taken(person: Callable[..., Person]) -> None:
    """A sister repository with the same user may own one of them."""
    mine, sister = person(), person(folder="sister")
    mine.write(of("a"))
    sister.write(of("a", adopt=False))
    assert mine.apply()[:2] == (0, {"created": 1})
    assert sister.apply()[:2] == (0, {"created": 1})
    before, theirs = mine.ids()["a"], sister.ids()["a"]
    mine.lose_state()
    assert mine.reasons("--adopt") == {"a": "unresolved ambiguous"}
    _, out, _ = mine.run("plan", "--adopt")
    assert before in out
    assert theirs in out
    assert mine.run("state", "resolve", "a", "--task-id", before)[0] == 0
    assert mine.apply()[:2] == (0, {})


@pytest.mark.parametrize("unread", ["entry", "message"])
def test_nothing_is_adopted_beside_what_cannot_be_read(
    here: InProcess, unread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the other of two tasks."""
    sister = here.within("sister")
    here.sandbox.write(as_tasks({"a": "do a"}))
    sister.sandbox.write(as_tasks({"a": "do a"}, adopt=False))
    assert here.run("apply").code == 0
    assert sister.run("apply").code == 0
    theirs = sister.sandbox.recorded()["a"]
    (here.sandbox.folder / "taskctl.state.json").unlink()
    mine = next(task for task in here.server.world.tasks if task.id != theirs)
    if unread == "entry":
        mine.shown["id"] = 5
    else:
        here.server.set_rules(Rule("events", Fault("status", status=500), task=mine.id))
    for options in ((), ("--adopt",)):
        found = here.run("plan", *options).document
        assert found["complete"] is False
        planned = [(task["action"], task["reason"], task["taskId"]) for task in found["tasks"]]
        assert planned == [("unresolved", "unreadable", theirs)]
        assert here.run("apply", *options).results() == {"a": "unresolved"}
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("sys.stdin", StringIO("yes\nyes\nyes\n"))
    ended = here.run_words(["apply", "--backend", here.server.url])
    assert "unresolved" in ended.stdout
    assert here.sandbox.recorded() == {}


def edited(anna: Person) -> dict[str, str]:
    """Seven tasks, five of them edited later, of which the state is lost; their IDs."""
    rows = {"forEach": {"row": ["x", "y"]}, "message": "Entry {{ row }}."}
    keys = of("plain", "shown", "accepted", "former")
    anna.write({**keys, "rows": rows, "review": {"every": "month", "message": "Month."}})
    assert anna.apply()[:2] == (0, {"created": 7})
    keys["accepted"]["message"] = "Corrected."
    new = {"movedFrom": "former", "message": "Renamed."}
    rows["message"] = "Each {{ row }}."
    review = {"every": "month", "message": "Monthly."}
    anna.write(
        {
            **of("plain", "shown"),
            "accepted": keys["accepted"],
            "new": new,
            "rows": rows,
            "review": review,
        }
    )
    assert anna.run("state", "accept", "accepted")[0] == 0
    assert anna.apply()[:2] == (0, {"moved": 1})
    ids = anna.ids()
    assert len(ids) == 7
    anna.lose_state()
    return ids


def test_only_adopting_recovers_a_lost_state(person: Callable[..., Person]) -> None:
    anna = person()
    ids = edited(anna)
    assert anna.apply()[:2] == (1, {"unresolved": 7})
    code, document = anna.json("plan", "--adopt")
    assert (code, document["hasChanges"], document["applyWillFail"]) == (0, True, False)
    assert document["summary"]["adopt"] == 2
    assert anna.apply("--adopt") == (0, {"adopted": 2, "unresolved": 5}, {"TC637"})
    left = {key: ids[key] for key in ids if key not in ("plain", "shown")}
    _, _, err = anna.run("plan")
    assert all(task_id in err for task_id in left.values())
    for _ in range(2):  # such as an hourly apply
        assert anna.apply() == (1, {"unresolved": 5}, {"TC637"})
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 5})
    for key, task_id in left.items():
        assert anna.run("state", "resolve", key, "--task-id", task_id)[0] == 0
    assert anna.apply() == (0, {}, {"TC637"})
    assert anna.apply() == (0, {}, set())
    assert anna.json("plan", "--adopt")[1]["hasChanges"] is False
    assert anna.ids() == ids


def test_the_answers_end_the_recovery(person: Callable[..., Person]) -> None:
    """Only then, and with an answer for each key, apply creates anything."""
    anna = person()
    ids = edited(anna)
    assert anna.apply("--adopt")[0] == 0
    anna.not_created("acme/rows@*")
    assert anna.apply()[:2] == (1, {"created": 2, "unresolved": 3})
    manifest = json.loads((anna.folder / "tasks/all.yaml").read_text())["tasks"]
    manifest["rows"]["forEach"]["row"].append("z")
    manifest["new"]["taskID"] = ids["new"]
    anna.write(manifest)
    assert anna.apply()[:2] == (1, {"adopted": 1, "created": 1, "unresolved": 2})
    anna.not_created("acme/*")
    assert anna.apply()[:2] == (0, {"created": 2})
    assert anna.apply() == (0, {}, set())


def test_the_whole_organization_needs_no_manifest(person: Callable[..., Person]) -> None:
    anna = person()
    edited(anna)
    assert anna.apply("--adopt")[0] == 0
    (anna.folder / "tasks/all.yaml").write_text("broken: [")
    anna.not_created("acme/*")


def test_a_key_that_is_no_longer_declared_still_waits(person: Callable[..., Person]) -> None:
    anna = person()
    anna.write({"same": {"message": "Same."}, "other": {"message": "Before."}})
    assert anna.apply()[0] == 0
    anna.lose_state()
    anna.write({"same": {"message": "Same."}, "other": {"message": "After."}})
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    anna.write(of("new") | {"same": {"message": "Same."}})
    assert anna.apply()[:2] == (1, {"unresolved": 1})
    anna.not_created("new")
    assert anna.apply() == (0, {"created": 1}, {"TC637"})
    anna.not_created("other")
    assert anna.apply()[0] == 0
    assert anna.apply() == (0, {}, set())


def test_options_that_send_something_cannot_be_combined_with_adopt(
    person: Callable[..., Person],
) -> None:
    anna = person()
    anna.write(of("a"))
    for option in ("--update", "--allow-recreate", "--replace=a", "--wait"):
        code, document = anna.json("apply", "--adopt", "--yes", option)
        assert (code, [d["code"] for d in document["diagnostics"]]) == (1, ["TC804"])


def test_dev_matches_and_prod_was_edited(person: Callable[..., Person]) -> None:
    anna = person()
    dev, prod = {"message": "Dev."}, {"message": "Prod.", "orgName": "prod"}
    anna.write({"d": dev, "p": prod})
    assert anna.apply()[:2] == (0, {"created": 2})
    anna.lose_state()
    anna.write({"d": dev, "p": {**prod, "message": "Edited."}})
    assert anna.apply()[:2] == (1, {"unresolved": 2})
    assert anna.apply("--target", "prod/*")[:2] == (1, {"unresolved": 1})
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    assert anna.apply("--target", "prod/*")[:2] == (1, {"unresolved": 1})


@pytest.mark.parametrize("target", ["*/p", "*"])
@pytest.mark.parametrize(
    ("status", "done"), [(403, "created"), (404, "created"), (400, "unresolved")]
)
def test_an_organization_that_cannot_be_read_may_show_a_lost_state(
    here: InProcess, status: int, done: str, target: str
) -> None:
    """Unless this user cannot see it: then, it shows none of the user's tasks."""
    refused = Fault("status", status=status)
    here.server.choose = lambda call: refused if "/dev/" in call.path else None
    here.sandbox.write(as_tasks({"d": "Dev."}, orgName="dev") | as_tasks({"p": "Prod."}))
    ended = here.run("apply", "--target", target)
    assert ended.results()["p"] == done
    assert ended.code == (0 if done == "created" and target == "*/p" else 1)


def test_an_organization_with_one_forbidden_task_may_show_a_lost_state(here: InProcess) -> None:
    """Its list is visible to this user, so that the state may have been lost."""
    dev = as_tasks({"a": "Dev."}, orgName="dev")
    here.sandbox.write(dev)
    assert here.run("apply", "--target", "a").results() == {"a": "created"}
    lists = Fault("raw", status=200, text='{"tasks": []}')
    forbidden = Fault("status", status=403)
    here.server.choose = lambda call: (
        None if "/dev/" not in call.path else lists if call.endpoint == "list" else forbidden
    )
    here.sandbox.write(dev | as_tasks({"x": "New."}, orgName="dev") | as_tasks({"p": "Prod."}))
    assert here.run("apply").results()["p"] == "unresolved"


@pytest.mark.parametrize("status", [403, 404])
def test_a_proxy_hides_no_organization(here: InProcess, status: int) -> None:
    """The state was lost, d is unchanged, and p was edited. A proxy refuses the list of d."""
    tasks = as_tasks({"d": "Dev."}, orgName="dev") | as_tasks({"p": "Prod."})
    here.sandbox.write(tasks)
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    tasks["p"]["message"] = "Prod, better."
    here.sandbox.write(tasks)
    refused = Fault("html", status=status)
    here.server.choose = lambda call: refused if "/dev/" in call.path else None
    assert here.run("apply", "--target", "*/p").results() == {"p": "unresolved"}


def test_a_prompt_that_was_tried_before(person: Callable[..., Person]) -> None:
    """Each command works: adopt it and then create the others, or create all."""
    none = ("state", "resolve", "--not-created", "-y")
    for folder, answers in (
        ("adopts", [("apply", "--adopt", "-y"), (*none, "acme/*")]),
        ("creates", [(*none, "acme/tried")]),
    ):
        console, mine = person(folder=f"{folder}-console"), person(folder=folder)
        name = f"Try {folder}."
        console.write({"x": {"message": name}})
        assert console.apply()[0] == 0
        mine.write(of(*(f"{folder}-{n}" for n in range(4))) | {"tried": {"message": name}})
        code, _, err = mine.run("apply", "--yes")
        assert (code, "taskctl apply --adopt" in err) == (1, True)
        assert "taskctl state resolve acme/tried --not-created" in err
        for words in answers:
            assert mine.run(*words)[0] == 0, words
        assert mine.apply()[0] == 0
        assert len(mine.ids()) == 5
        assert (mine.ids()["tried"] == console.ids()["x"]) is (folder == "adopts")


@pytest.mark.parametrize("rest", ["yes", "no"])
def test_on_a_terminal_two_questions_are_asked(person: Callable[..., Person], rest: str) -> None:
    anna = person()
    edited(anna)
    anna.monkeypatch.setattr(Output, "interactive", True)
    anna.monkeypatch.setattr("sys.stdin", StringIO(f"yes\n{rest}\nyes\n"))
    code, out, err = anna.run("apply")
    assert "Adopt 2 existing tasks?" in err
    assert "Create them? Only 'yes' is accepted:" in err
    assert code == 0, out + err
    assert len(anna.ids()) == (7 if rest == "yes" else 2)


def test_a_path_or_a_target_recovers_only_what_it_selects(person: Callable[..., Person]) -> None:
    """No apply of all manifests ends the recovery: its keys need answers, or the organization."""
    anna = person()
    anna.write(of("a", "b"), "one")
    anna.write(of("c"), "two")
    assert anna.apply("tasks/one.yaml")[:2] == (0, {"created": 2})
    assert anna.apply("--target", "c")[:2] == (0, {"created": 1})
    anna.lose_state()
    anna.write({"a": {"message": "Do a."}, "b": {"message": "Edited."}}, "one")
    assert anna.apply("tasks/one.yaml")[:2] == (1, {"unresolved": 2})
    assert anna.apply("--adopt", "tasks/one.yaml")[:2] == (0, {"adopted": 1, "unresolved": 1})
    assert anna.apply("--target", "c")[:2] == (1, {"unresolved": 1})
    assert "acme/*" not in anna.run("apply", "--yes", "--target", "c")[2]
    assert anna.apply("--adopt", "--target", "c")[:2] == (0, {"adopted": 1})
    assert anna.apply("tasks/one.yaml")[:2] == (1, {"unresolved": 1})
    anna.not_created("acme/*")
    assert anna.apply("tasks/one.yaml")[:2] == (0, {"created": 1})


@pytest.mark.parametrize("target", ["b", "acme/*d", "*"])
def test_look_alikes_of_keys_that_are_not_selected_count(
    person: Callable[..., Person], target: str
) -> None:
    anna = person()
    anna.write(of("a", "b", "c"))
    assert anna.apply("--target", "*")[:2] == (0, {"created": 3})
    anna.lose_state()
    anna.write(of("a", "c", "new-d") | {"b": {"message": "Edited."}})
    code, done, codes = anna.apply("--target", target)
    assert (code, {*done}, codes >= {"TC748"}) == (1, {"unresolved"}, True)
    code, _, err = anna.run("apply", "--yes", "--target", target)
    assert (code, "state resolve acme/a acme/c --not-created" in err) == (1, True)
    (adopt,) = [line for line in err.splitlines() if "taskctl apply --adopt" in line]
    assert "--target" not in adopt
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 2, "unresolved": 2})


def test_the_whole_folder_is_not_all_manifests(person: Callable[..., Person]) -> None:
    """`.` leaves out hidden directories, which the configuration may name: their keys are neither
    compared nor missing."""
    anna, sister = person(), person(folder="sister")
    sister.write(of("h"))
    assert sister.apply()[0] == 0
    anna.write(of("a"))
    hidden = anna.folder / ".github" / "tasks"
    hidden.mkdir(parents=True)
    text = json.dumps({"version": 1, "orgName": "acme", "tasks": of("h")})
    (hidden / "h.yaml").write_text(text)
    (anna.folder / "taskctl.toml").write_text('paths = ["tasks", ".github/tasks"]\n')
    assert set(anna.reasons()) == {"a", "h"}
    assert anna.apply(".")[:2] == (0, {"created": 1})
    assert anna.apply()[:2] == (1, {"unresolved": 1})
    anna.not_created("h")
    assert anna.apply()[:2] == (0, {"created": 1})
    assert set(anna.reasons(".")) == {"a"}
    assert set(anna.reasons(".github/tasks")) == {"h"}


def test_look_alikes_of_keys_that_are_not_selected_count_only_for_missing_keys(
    person: Callable[..., Person],
) -> None:
    """One of a key with a task, or with an answer, does not."""
    anna, sister = person(), person(folder="sister")
    anna.write(of("a", "b"))
    sister.write(of("c"))
    assert anna.apply("--target", "a")[:2] == (0, {"created": 1})
    assert sister.apply()[:2] == (0, {"created": 1})
    anna.write(of("a", "b", "c") | {"far": {"message": "Far.", "orgName": "other"}})
    assert anna.apply("--target", "a") == (0, {}, {"TC858"})
    assert anna.apply("--target", "b")[:2] == (1, {"unresolved": 1})
    assert anna.apply("--target", "far")[:2] == (1, {"unresolved": 1})
    anna.not_created("c")
    assert anna.apply("--target", "far")[:2] == (0, {"created": 1})
    assert anna.apply("--target", "b")[:2] == (0, {"created": 1})


def test_a_rollout_is_recovered_before_its_pilot_holds_the_rest(
    person: Callable[..., Person],
) -> None:
    anna = person()
    entry: dict[str, Any] = {
        "forEach": {"row": ["x", "y", "z"]},
        "message": "Roll out {{ row }}.",
        "rollout": {"pilot": 1},
    }
    anna.write({"roll": entry})
    assert anna.apply()[:2] == (0, {"created": 1, "held": 2})
    pilot = anna.ids()
    anna.lose_state()
    entry["message"] = "Roll out {{ row }} with care."
    anna.write({"roll": entry})
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 3})
    assert anna.apply()[:2] == (1, {"unresolved": 3})
    assert anna.run("state", "resolve", "roll@x", "--task-id", pilot["roll@x"])[0] == 0
    anna.not_created("roll@*")
    assert anna.apply()[:2] == (0, {"held": 2})


def test_a_subfolder_names_the_state_above(person: Callable[..., Person]) -> None:
    anna = person()
    anna.write(of("a"))
    anna.state = "taskctl.state.json"
    assert anna.apply()[0] == 0
    (anna.folder / ".git").mkdir()
    below = person(folder="repo/tasks")
    below.state = "taskctl.state.json"
    code, _, err = below.run("apply", "--yes", "all.yaml")
    assert (code, str(anna.folder / "taskctl.state.json") in err) == (1, True)


def test_a_shared_state_is_begun_by_adopting(person: Callable[..., Person], tmp_path: Path) -> None:
    """`state init` is not needed, and a declined or killed run has not begun an empty state."""
    anna = person()
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(anna.folder, "init", "--quiet")
    git(anna.folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    anna.state = "git:origin"
    assert anna.run("state", "init", "git:origin")[0] == 0
    anna.write(of("a", "b"))
    assert anna.apply()[0] == 0
    made = anna.ids()
    git(tmp_path / "origin.git", "update-ref", "-d", "refs/taskctl/state/default")
    anna.write({"a": {"message": "Do a."}, "b": {"message": "Edited."}})
    code, document = anna.json("apply", "--yes")
    assert (code, document["diagnostics"][0]["code"]) == (1, "TC619")
    assert anna.json("plan", "--adopt")[1]["summary"]["adopt"] == 1
    code, document = anna.json("apply", "--adopt")
    assert (code, [d["code"] for d in document["diagnostics"] if d["severity"] == "error"]) == (
        1,
        ["TC807"],
    )
    assert anna.apply()[:2] == (1, {"unresolved": 2})
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    assert anna.run("state", "resolve", "b", "--task-id", made["b"])[0] == 0
    assert anna.apply()[0] == 0
    assert anna.ids() == made


def test_pushing_an_older_state_is_refused_and_keeps_the_recovery(
    person: Callable[..., Person],
) -> None:
    anna = person()
    edited(anna)
    assert anna.apply("--adopt")[0] == 0
    copy = anna.folder / "copy.json"
    copy.write_text(anna.run("state", "pull")[1])
    code, document = anna.json("state", "push", str(copy))
    assert (code, document["diagnostics"][0]["code"]) == (1, "TC618")
    given = json.loads(copy.read_text())
    del given["recovering"]
    copy.write_text(json.dumps(given))
    assert anna.run("state", "push", "--force", str(copy))[0] == 0
    assert anna.apply()[:2] == (1, {"unresolved": 5})


def test_an_answer_for_a_monthly_entry_counts_for_later_months(
    person: Callable[..., Person],
) -> None:
    anna, now = person(), [datetime(2026, 1, 15, tzinfo=UTC)]
    anna.monkeypatch.setattr(SystemClock, "now", lambda _: now[0])
    anna.write({"review": {"every": "month", "message": "Before."}} | of("same"))
    assert anna.apply()[:2] == (0, {"created": 2})
    anna.lose_state()
    anna.write({"review": {"every": "month", "message": "After."}} | of("same"))
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    now[0] = datetime(2026, 2, 15, tzinfo=UTC)
    assert anna.apply()[:2] == (1, {"unresolved": 1})
    anna.not_created("acme/review@*")
    assert anna.apply()[:2] == (0, {"created": 1})
    now[0] = datetime(2026, 3, 15, tzinfo=UTC)
    assert anna.apply() == (0, {"created": 1}, set())


def test_a_task_that_was_removed_after_the_answer_for_its_entry(
    person: Callable[..., Person],
) -> None:
    """`state rm` promises that the next apply records the task again. The older answer that the
    entry has no further tasks is not about this one."""
    anna = person()
    rows = {"rows": {"forEach": {"row": ["x"]}, "message": "Do {{ row }}."}}
    anna.write(rows | of("open"))
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 2})
    anna.not_created("acme/rows@*")
    assert anna.apply()[1] == {"created": 1, "unresolved": 1}
    assert anna.run("state", "rm", "rows@x")[0] == 0
    assert anna.apply()[1] == {"adopted": 1, "unresolved": 1}


def test_unrecorded_tasks_with_other_settings_are_listed(person: Callable[..., Person]) -> None:
    anna = person()
    anna.write(of("a") | of("b", planMode=True))
    assert anna.apply()[0] == 0
    ids = anna.ids()
    anna.lose_state()
    anna.write(of("a") | {"b": {"message": "Edited."}})
    _, _, err = anna.run("apply", "--adopt", "--yes")
    assert ids["b"] in err


@pytest.mark.parametrize("seconds", [1, 59, 61])
def test_a_task_of_a_period_that_began_by_the_machines_clock(
    person: Callable[..., Person], seconds: int
) -> None:
    """The clocks of the service and of this machine differ. The task of the month before is none of
    this month's."""
    anna, now = person(), [datetime(2026, 2, 1, tzinfo=UTC) - timedelta(seconds=seconds)]
    anna.monkeypatch.setattr(SystemClock, "now", lambda _: now[0])
    anna.write({"other": {"message": "Review."}})
    assert anna.apply()[:2] == (0, {"created": 1})
    anna.lose_state()
    now[0] = datetime(2026, 2, 1, 0, 5, tzinfo=UTC)
    anna.write({"review": {"every": "month", "message": "Review."}})
    expected = {"unresolved": 1} if seconds < 60 else {"created": 1}
    assert anna.apply()[1] == expected


def test_an_answer_counts_until_the_key_has_a_task(here: InProcess) -> None:
    """Also after attempts that created none, and whose responses were lost."""
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "before"}))
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "after"}))
    assert here.run("apply", "--adopt").results() == {"same": "adopted", "edited": "unresolved"}
    assert here.run_state("resolve", "edited", "--not-created").code == 0
    here.server.set_rules(Rule("create", Fault("status", status=503)))
    assert here.run("apply").results() == {"edited": "unresolved"}
    here.server.set_rules(Rule("create", Fault("reset", committed=True), nth=(1,)))
    assert here.run("apply").code == 0
    here.server.set_rules()
    assert here.run("apply").document["tasks"] == []
    made = {text: len(ids) for text, ids in here.server.tasks_by_work().items()}
    assert made == {"do 0": 1, "before": 1, "after": 1}


def test_an_answer_counts_until_the_new_name_of_a_key_has_a_task(here: InProcess) -> None:
    """While the recovery lasts, also after a create that was refused."""
    before = as_tasks({"same": "do 0", "edited": "before", "open": "first"})
    here.sandbox.write(before)
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    after = as_tasks({"same": "do 0", "edited": "after", "open": "second"})
    here.sandbox.write(after)
    assert here.run("apply", "--adopt").results()["same"] == "adopted"
    assert here.run_state("resolve", "edited", "--not-created").code == 0
    after["new"] = {**after.pop("edited"), "movedFrom": "edited"}
    here.sandbox.write(after)
    here.server.set_rules(Rule("create", Fault("status", status=400)))
    assert here.run("apply").results() == {"new": "failed", "open": "unresolved"}
    here.server.set_rules()
    assert here.run("apply").results() == {"new": "created", "open": "unresolved"}


@pytest.mark.parametrize("is_refused", [False, True])
def test_an_answer_for_a_former_key_counts_for_a_single_task(
    here: InProcess, is_refused: bool
) -> None:
    """During a recovery it moves to the new key, and the recovery ends. The former key, declared
    again later, is compared."""
    sister = here.within("sister")
    here.sandbox.write(as_tasks({"old": "do old", "z": "do z"}))
    assert here.run("apply", "--adopt").results() == {"old": "unresolved", "z": "unresolved"}
    assert here.run_state("resolve", "old", "--not-created").code == 0
    here.sandbox.write(as_tasks({"new": "do new"}, movedFrom="old") | as_tasks({"z": "do z"}))
    if is_refused:
        here.server.set_rules(Rule("create", Fault("status", status=400)))
        assert here.run("apply").results() == {"new": "failed", "z": "unresolved"}
        here.server.set_rules()
        here.sandbox.write(as_tasks({"new": "do new", "z": "do z"}))
    assert here.run_state("resolve", "z", "--not-created").code == 0
    assert here.run("apply").results() == {"new": "created", "z": "created"}
    assert here.run("apply").document["diagnostics"] == []
    sister.sandbox.write(as_tasks({"c": "do old"}))
    assert sister.run("apply").code == 0
    here.sandbox.write(as_tasks({"new": "do new", "z": "do z", "old": "do old"}))
    (planned,) = [t for t in here.run("plan").document["tasks"] if t["key"] == "old"]
    assert (planned["action"], planned["reason"]) == ("unresolved", "lookAlike")


def test_a_task_named_after_a_loss_leaves_the_other_keys_to_answers(
    person: Callable[..., Person],
) -> None:
    """Whoever names the task of a key of a state that knows none may have lost the state: an edited
    key must not be created because no look-alike is open any more."""
    anna = person()
    anna.write(as_tasks({"a": "do a", "b": "do b"}))
    assert anna.apply()[0] == 0
    made = anna.ids()
    anna.write(as_tasks({"a": "do a", "b": "do b better"}))
    anna.lose_state()
    assert anna.apply()[:2] == (1, {"unresolved": 2})
    assert anna.run("state", "resolve", "a", "--task-id", made["a"])[0] == 0
    code, done, codes = anna.apply()
    assert (code, done, "TC637" in codes) == (1, {"unresolved": 1}, True)
    assert anna.run("state", "resolve", "b", "--task-id", made["b"])[0] == 0
    assert anna.apply()[0] == 0
    assert anna.ids() == made


def test_a_task_named_in_a_known_organization_asks_nothing_else(
    person: Callable[..., Person],
) -> None:
    anna = person()
    anna.write(as_tasks({"a": "do a"}))
    assert anna.apply()[0] == 0
    other = person(folder="other")
    other.write(as_tasks({"x": "do x"}))
    assert other.apply()[0] == 0
    anna.write(as_tasks({"a": "do a", "x": "do x", "y": "do y"}))
    assert anna.run("state", "resolve", "x", "--task-id", other.ids()["x"])[0] == 0
    assert anna.apply()[:2] == (0, {"created": 1})


@pytest.mark.parametrize("way", ["taskID", "import", "--task-id"])
def test_a_task_named_in_a_known_organization_blocks_no_other_organization(
    person: Callable[..., Person], way: str
) -> None:
    """Each job applies one organization, and only one of them was applied before."""
    anna, console = person(), person(folder="console")
    console.write(of("x"))
    assert console.apply()[0] == 0
    made, far = console.ids()["x"], {"far": {"message": "Far.", "orgName": "other"}}
    anna.write(of("a"))
    assert anna.apply("--target", "acme/*")[:2] == (0, {"created": 1})
    if way == "import":
        anna.write(of("a") | far)
        words = ("import", made, "--write", "tasks/imported.yaml", "--org", "acme")
        assert anna.run(*words)[0] == 0
    else:
        anna.write(
            of("a") | {"x": {"taskID": made} if way == "taskID" else {"message": "X."}} | far
        )
    if way == "--task-id":
        assert anna.run("state", "resolve", "x", "--task-id", made)[0] == 0
    done = {"adopted": 1} if way == "taskID" else {}
    assert anna.apply("--target", "acme/*")[:2] == (0, done)
    assert anna.apply("--target", "other/*")[:2] == (0, {"created": 1})


def test_a_pushed_state_keeps_its_own_recovery(person: Callable[..., Person]) -> None:
    """A newer copy is pushed over an older version of the state, in which nothing was noted yet."""
    anna = person()
    anna.write(of("a") | {"b": {"message": "Before."}})
    assert anna.apply()[0] == 0
    anna.lose_state()
    anna.write(of("a") | {"b": {"message": "After."}})
    anna.write({"far": {"message": "Far.", "orgName": "other"}}, "far")
    assert anna.apply("tasks/far.yaml")[:2] == (0, {"created": 1})
    older = (anna.folder / STATE).read_bytes()
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    copy = anna.folder / "copy.json"
    copy.write_text(anna.run("state", "pull")[1])
    (anna.folder / STATE).write_bytes(older)
    assert anna.run("state", "push", str(copy))[0] == 0
    assert anna.apply()[:2] == (1, {"unresolved": 1})


def test_a_printed_glob_matches_only_the_listed_keys_during_a_recovery(
    person: Callable[..., Person],
) -> None:
    """A noted row of another branch, `rows@z`, is not listed."""
    anna, ben = person(), person("ben", "ben")
    rows: dict[str, Any] = {"forEach": {"row": ["x", "y", "z"]}, "message": "Old {{ row }}."}
    anna.write({"rows": rows})
    assert anna.apply()[:2] == (0, {"created": 3})
    anna.lose_state()
    ben.write(as_tasks({"x": "New x.", "y": "New y."}, isShared=True))
    assert ben.apply()[:2] == (0, {"created": 2})
    rows["message"] = "New {{ row }}."
    anna.write({"rows": rows})
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 3})
    rows["forEach"]["row"] = ["x", "y"]
    anna.write({"rows": rows})
    _, document = anna.json("plan")
    (warned,) = [d for d in document["diagnostics"] if d["code"] == "TC748"]
    assert "rows@*" not in json.dumps(warned), warned


def test_a_create_that_stays_unresolved_fails_the_apply_that_also_adopts(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, after *yes* to both questions: only what nobody has answered is no failure."""
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "before"}))
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "after"}))
    here.server.set_rules(Rule("create", Fault("reset")))
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("sys.stdin", StringIO("yes\nyes\nyes\n"))
    ended = here.run_words(["apply", "--backend", here.server.url, "--settle-time", "10s"])
    assert "1 adopted, 1 unresolved" in ended.stdout
    assert ended.code == 1


def test_keys_with_a_redacted_look_alike_do_not_fail_the_apply_that_adopts(here: InProcess) -> None:
    """Keys that remain do not fail it."""
    here.server.habits.redact = True
    tasks = as_tasks({"same": "do 0", "secret": "use password=hunter2 now"})
    here.sandbox.write(tasks)
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    ended = here.run("apply", "--adopt")
    assert ended.results() == {"same": "adopted", "secret": "unresolved"}
    assert ended.code == 0, ended.stdout


def test_two_entries_answered_by_one_command(person: Callable[..., Person]) -> None:
    """Each answer also counts for later rows."""
    anna = person()
    rows = {
        name: {"forEach": {"row": ["x"]}, "message": f"Do {name} {{{{ row }}}}."}
        for name in ("one", "two")
    }
    anna.write(rows)
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 2})
    answer = ("state", "resolve", "acme/one@*", "acme/two@*", "--not-created", "-y")
    assert anna.run(*answer)[0] == 0
    # The recovery goes on.
    anna.write({**rows, "other": {"message": "Other."}})
    assert anna.apply()[1] == {"created": 2, "unresolved": 1}
    for entry in rows.values():
        entry["forEach"]["row"].append("y")  # type: ignore[index]
    anna.write({**rows, "other": {"message": "Other."}})
    assert anna.apply()[1] == {"created": 2, "unresolved": 1}


def test_an_answer_for_later_keys_of_an_entry_without_an_open_key(
    person: Callable[..., Person],
) -> None:
    """It is shown, and again if it is repeated; without a recovery, it is an error."""
    anna = person()
    rows: dict[str, Any] = {"rows": {"forEach": {"row": ["x"]}, "message": "Do {{ row }}."}}
    anna.write(rows | of("open"))
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 2})
    anna.not_created("rows@x")
    assert anna.apply()[1] == {"created": 1, "unresolved": 1}
    answer = ("state", "resolve", "acme/rows@*", "--not-created")
    for changed in (True, False):
        code, document = anna.json(*answer)
        (edit,) = document["edits"]
        assert (code, edit["key"], edit["changed"]) == (0, "rows@*", changed)
    assert "acme/rows@*" in anna.run(*answer)[1]
    rows["rows"]["forEach"]["row"].append("y")
    anna.write(rows | of("open"))
    assert anna.apply()[1] == {"created": 1, "unresolved": 1}
    anna.not_created("acme/*")
    assert anna.run(*answer)[0] == 1


def test_an_organization_and_an_entry_answered_by_one_command(
    person: Callable[..., Person],
) -> None:
    anna = person()
    anna.write({"rows": {"forEach": {"row": ["x"]}, "message": "Do {{ row }}."}} | of("a"))
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 2})
    answer = ("state", "resolve", "acme/*", "acme/rows@*", "--not-created", "-y")
    assert anna.run(*answer)[0] == 0
    anna.write({"rows": {"forEach": {"row": ["x"]}, "message": "Do {{ row }}."}} | of("a", "b"))
    assert anna.apply()[:2] == (0, {"created": 3})


def test_an_organization_and_a_key_that_is_not_declared_answered_by_one_command(
    person: Callable[..., Person],
) -> None:
    """In any order: the organization alone would do."""
    anna = person()
    anna.write(of("a", "other"))
    assert anna.apply("--adopt")[:2] == (0, {"unresolved": 2})
    anna.write(of("a"))
    answer = ("state", "resolve", "acme/*", "other", "--not-created", "-y")
    assert anna.run(*answer)[0] == 0
    assert anna.apply()[:2] == (0, {"created": 1})


def test_the_glob_of_an_organization_never_fails_while_it_is_recovered(here: InProcess) -> None:
    """An attempt that is too young to be answered."""
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "before"}))
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "after"}))
    assert here.run("apply", "--adopt").code == 0
    state = here.sandbox.folder / "taskctl.state.json"
    read: dict[str, Any] = json.loads(state.read_text())
    read["recovering"]["acme"]["keys"] = []  # as after an apply with PATH that adopted the last one
    del read["checksum"]
    state.write_text(json.dumps(read))
    ended = here.run_state("resolve", "acme/*", "--not-created", "-y")
    assert ended.code == 0, ended.stdout + ended.stderr


def test_an_import_takes_none_of_more_tasks_than_keys(person: Callable[..., Person]) -> None:
    """A sister repository owns one of them; a plan with `--adopt` takes none."""
    mine, sister = person(), person(folder="sister")
    mine.write(of("a"))
    sister.write(of("a", adopt=False))
    assert mine.apply()[:2] == (0, {"created": 1})
    assert sister.apply()[:2] == (0, {"created": 1})
    mine.lose_state()
    words = ("import", "--mine", "--write", "tasks/imported.yaml", "--org", "acme")
    assert mine.json(*words)[1]["summary"] == {
        "imported": 0,
        "written": 0,
        "skipped": 2,
        "failed": 0,
    }
    assert mine.ids() == {}
    assert mine.reasons() == {"a": "unresolved ambiguous"}


def test_a_task_named_after_a_loss_leaves_other_organizations_to_answers(
    person: Callable[..., Person],
) -> None:
    """As in test_dev_matches_and_prod_was_edited, with the other printed answer."""
    anna = person()
    dev, prod = {"message": "Dev."}, {"message": "Prod.", "orgName": "prod"}
    anna.write({"d": dev, "p": prod})
    assert anna.apply()[:2] == (0, {"created": 2})
    made = anna.ids()
    anna.lose_state()
    anna.write({"d": dev, "p": {**prod, "message": "Edited."}})
    assert anna.apply()[:2] == (1, {"unresolved": 2})
    assert anna.run("state", "resolve", "d", "--task-id", made["d"])[0] == 0
    code, done, _ = anna.apply()
    assert (code, done) == (1, {"unresolved": 1})


def test_a_task_named_in_the_manifest_after_a_loss_leaves_the_other_keys_to_answers(
    person: Callable[..., Person],
) -> None:
    """`taskID` is the answer that the message gives first, and says the same as `--task-id`."""
    anna = person()
    anna.write(as_tasks({"a": "do a", "b": "do b"}))
    assert anna.apply()[0] == 0
    made = anna.ids()
    tasks = as_tasks({"a": "do a", "b": "do b better"})
    anna.write(tasks)
    anna.lose_state()
    assert anna.apply()[:2] == (1, {"unresolved": 2})
    tasks["a"]["taskID"] = made["a"]
    anna.write(tasks)
    code, done, _ = anna.apply()
    assert (code, done) == (1, {"adopted": 1, "unresolved": 1})


@pytest.mark.parametrize("way", ["taskID", "import"])
def test_a_task_named_in_a_manifest_counts_although_it_is_not_selected(
    person: Callable[..., Person], way: str
) -> None:
    """The state was lost, and b was edited: `--target b` creates no second task."""
    anna, console = person(), person(folder="console")
    if way == "import":
        console.write(of("a"))
        assert console.apply()[0] == 0
        words = ("import", "--mine", "--write", "tasks/imported.yaml", "--org", "acme")
        assert anna.run(*words)[0] == 0
        tasks = of("b")
    else:
        tasks = of("a", "b")
    anna.write(tasks)
    assert anna.apply()[0] == 0
    if way == "taskID":
        tasks["a"]["taskID"] = anna.ids()["a"]
    tasks["b"]["message"] = "Do b better."
    anna.write(tasks)
    anna.lose_state()
    assert anna.reasons()["b"] == "unresolved recovering"
    assert anna.reasons("--target", "b") == {"b": "unresolved recovering"}
    assert anna.apply("--target", "b")[:2] == (1, {"unresolved": 1})


def test_a_task_named_in_an_organization_that_cannot_be_read_counts(here: InProcess) -> None:
    """The state was lost, and the task in the other organization was edited."""
    tasks = as_tasks({"d": "Dev."}, orgName="dev") | as_tasks({"p": "Prod."})
    here.sandbox.write(tasks)
    assert here.run("apply").code == 0
    tasks["d"]["taskID"] = here.sandbox.recorded()["d"]
    tasks["p"]["message"] = "Prod, better."
    (here.sandbox.folder / "taskctl.state.json").unlink()
    here.sandbox.write(tasks)
    refused = Fault("status", status=400)
    here.server.choose = lambda call: refused if "/dev/" in call.path else None
    assert here.run("apply").results()["p"] == "unresolved"


def test_an_import_after_a_loss_leaves_the_other_keys_to_answers(
    person: Callable[..., Person],
) -> None:
    """It records the unchanged key, as `--task-id` does, so that no look-alike is open any more."""
    anna = person()
    anna.write(as_tasks({"a": "do a", "b": "do b"}))
    assert anna.apply()[0] == 0
    made = anna.ids()
    anna.lose_state()
    anna.write(as_tasks({"a": "do a", "b": "do b better"}))
    words = ("import", made["a"], "--write", "tasks/imported.yaml", "--org", "acme")
    ended = anna.run(*words)
    assert ended[0] == 0, ended
    assert anna.ids() == {"a": made["a"]}
    assert anna.apply()[:2] == (1, {"unresolved": 1})


def test_adopting_in_one_organization_leaves_the_others_to_answers(
    person: Callable[..., Person],
) -> None:
    anna = person()
    prod = {"message": "Prod.", "orgName": "prod"}
    anna.write(of("d") | {"p": prod})
    assert anna.apply()[0] == 0
    anna.lose_state()
    anna.write(of("d") | {"p": {**prod, "message": "Edited."}})
    assert anna.apply("--adopt", "--target", "acme/*")[:2] == (0, {"adopted": 1})
    assert anna.apply()[:2] == (1, {"unresolved": 1})


@pytest.mark.parametrize("way", ["taskID", "import", "--task-id"])
def test_existing_tasks_alone_begin_no_recovery(person: Callable[..., Person], way: str) -> None:
    """In a new repository, there is nothing to decide."""
    console, anna = person(folder="console"), person()
    console.write(of("x"))
    assert console.apply()[0] == 0
    made = console.ids()["x"]
    if way == "import":
        words = ("import", "--mine", "--write", "tasks/all.yaml", "--org", "acme")
        assert anna.run(*words)[0] == 0
    else:
        anna.write({"x": {"taskID": made}} if way == "taskID" else of("x"))
    if way == "--task-id":
        assert anna.run("state", "resolve", "x", "--task-id", made)[0] == 0
    assert anna.apply() == (0, {"adopted": 1} if way == "taskID" else {}, set())
    anna.write(of("y"), "more")
    assert anna.apply() == (0, {"created": 1}, set())


@pytest.mark.parametrize("words", [("tasks/all.yaml",), ("--target", "x")])
def test_an_existing_task_alone_begins_no_recovery_of_later_keys(
    person: Callable[..., Person], words: tuple[str, ...]
) -> None:
    """With PATH and with `--target`: no key waits for an answer."""
    console, anna = person(folder="console"), person()
    console.write(of("x"))
    assert console.apply()[0] == 0
    tasks: dict[str, Any] = {"x": {"taskID": console.ids()["x"]}}
    anna.write(tasks)
    assert anna.apply(*words)[:2] == (0, {"adopted": 1})
    anna.write(tasks | of("y"))
    assert anna.apply(*(words if len(words) == 1 else ()))[:2] == (0, {"created": 1})


def test_one_command_answers_for_new_keys_beside_an_imported_task(
    person: Callable[..., Person],
) -> None:
    console, anna = person(folder="console"), person()
    console.write(of("x"))
    assert console.apply()[0] == 0
    anna.write(of("a", "b"))
    words = ("import", "--mine", "--write", "tasks/imported.yaml", "--org", "acme")
    code, _, err = anna.run(*words)
    assert (code, "taskctl state resolve 'acme/*' --not-created" in err) == (0, True)
    assert anna.apply()[:2] == (1, {"unresolved": 2})
    anna.not_created("acme/*")
    assert anna.apply() == (0, {"created": 2}, set())


def test_the_report_of_a_recovery_does_not_say_that_an_unread_organization_has_no_tasks(
    here: InProcess,
) -> None:
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "before"}))
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    far = {"far": {"message": "far", "orgName": "other"}}
    here.sandbox.write({**as_tasks({"same": "do 0", "edited": "after"}), **far})
    assert here.run("apply", "--adopt").code == 0
    here.server.set_rules(Rule("list", Fault("status", status=403), nth=(1,)))
    found = here.run("plan").document["diagnostics"]
    (about,) = [d for d in found if d["code"] == "TC637" and "acme:" in d["summary"]]
    assert "- none" not in about["detail"]


def test_unrecorded_tasks_are_listed_for_a_key_that_is_no_longer_declared(
    person: Callable[..., Person],
) -> None:
    anna = person()
    anna.write(of("same") | {"other": {"message": "Before."}})
    assert anna.apply()[0] == 0
    made = anna.ids()
    anna.lose_state()
    anna.write(of("same") | {"other": {"message": "After."}})
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    anna.write(of("same"))
    assert made["other"] in anna.run("plan")[2]
    anna.write({"far": {"message": "Far.", "orgName": "far"}})
    assert "- none" not in anna.run("plan")[2]


def test_a_noted_key_that_is_not_declared_here_can_be_given_its_task(
    person: Callable[..., Person],
) -> None:
    """As the report of the recovery says. `--not-created`, the only answer that works, leads to a
    second task."""
    anna = person()
    anna.write({"same": {"message": "Same."}, "other": {"message": "Before."}})
    assert anna.apply()[0] == 0
    made = anna.ids()
    anna.lose_state()
    anna.write({"same": {"message": "Same."}, "other": {"message": "After."}})
    assert anna.apply("--adopt")[:2] == (0, {"adopted": 1, "unresolved": 1})
    anna.write({"same": {"message": "Same."}})
    _, _, err = anna.run("plan")
    assert "other" in err
    assert "state resolve KEY --task-id ID" in err
    ended = anna.run("state", "resolve", "other", "--task-id", made["other"])
    assert ended[0] == 0, ended
    assert anna.apply()[0] == 0
    assert anna.ids() == made
    anna.write({"same": {"message": "Same."}, "other": {"message": "After."}})
    assert anna.reasons() == {"same": "unchanged same", "other": "changed changed"}
    anna.write({"same": {"message": "Same."}, "new": {"message": "Before."}})
    assert anna.reasons()["new"] == "unresolved renamed"


@pytest.mark.parametrize("target", [(), ("--target", "plain")])
def test_an_unreadable_task_is_no_decision_for_a_person(
    here: InProcess, target: tuple[str, ...]
) -> None:
    """Only the key with the same fixed settings may have it. Nobody has to decide about that key:
    the next apply reads the task."""
    here.sandbox.write(as_tasks({"old": "do old"}, planMode=True))
    assert here.run("apply").code == 0
    (here.sandbox.folder / "taskctl.state.json").unlink()
    planned = as_tasks({"planned": "do planned"}, planMode=True)
    here.sandbox.write({**planned, **as_tasks({"plain": "do plain"})})
    here.server.set_rules(Rule("events", Fault("status", status=500)))
    plan = here.run("plan", *target).document["tasks"]
    assert {task["reason"] for task in plan} == {"unreadable"}, plan
    here.server.set_rules()
    assert set(here.run("apply", *target).results().values()) == {"created"}


@pytest.mark.parametrize("way", ["damaged", "deleted", "journal", "merge"])
def test_a_restored_state_does_not_repeat_an_edited_task_that_it_lacks(
    person: Callable[..., Person], way: str
) -> None:
    """With the commands that the error of the state or the journal shows."""
    anna = person()
    for keys in ("a", "ab"):
        anna.write(of(*keys))
        assert anna.apply()[:2] == (0, {"created": 1})
    made, state, pushed = anna.ids()["b"], anna.folder / STATE, f"{STATE}.backup"
    anna.write(of("a") | {"b": {"message": "Edited."}})
    options = ["--force"] if way in ("journal", "merge") else []
    aside, first = state, f"mv {state} {state}.bad"
    if way == "damaged":
        state.write_bytes(state.read_bytes()[:300])
    elif way == "journal":
        state.write_bytes((anna.folder / pushed).read_bytes())
        aside, pushed = anna.folder / f"{STATE}.journal", STATE
        aside.write_text("not\na journal\n")
        first = f"mv {aside} {aside}.bad"
    elif way == "merge":
        ours = (anna.folder / pushed).read_bytes()
        state.write_bytes(b"<<<<<<< ours\n" + state.read_bytes())
        pushed, first = STATE, f"git checkout --ours {state}"
    if way != "deleted":
        said = [line.strip() for line in anna.run("plan")[2].splitlines()]
        shown = said.index(first)
        commands = [" ".join(("taskctl state push", *options, str(anna.folder / pushed)))]
        commands.append("taskctl apply --adopt")
        for command, line in zip(commands, said[shown + 1 :], strict=True):
            assert line.startswith(f"{command} "), line
    aside.rename(f"{aside}.bad")
    if way == "merge":
        state.write_bytes(ours)
    assert anna.run("state", "push", *options, pushed)[0] == 0
    assert anna.apply("--adopt") == (0, {"unresolved": 1}, {"TC637"})
    assert anna.apply() == (1, {"unresolved": 1}, {"TC637"})
    assert anna.run("state", "resolve", "b", "--task-id", made)[0] == 0
    assert anna.apply()[:2] == (0, {})
    assert anna.ids()["b"] == made


@pytest.mark.parametrize("way", ["damaged", "merge"])
def test_a_restored_state_keeps_the_attempts_of_a_journal(here: InProcess, way: str) -> None:
    """As after a power failure. The journal knows `c`, the backup only `a`."""
    state = here.sandbox.folder / "taskctl.state.json"
    journal, backup = (Path(f"{state}.{name}") for name in ("journal", "backup"))
    for keys in ("a", "ab"):
        here.sandbox.write(as_tasks({key: f"do {key}" for key in keys}))
        assert here.run("apply").code == 0
    before, older, written = state.read_bytes(), backup.read_bytes(), []

    def note(_: Call) -> None:
        if len(here.server.posts) == 3:
            written.append(journal.read_bytes())

    here.server.choose = note
    here.sandbox.write(as_tasks({key: f"do {key}" for key in "abc"}))
    assert here.run("apply").code == 0
    here.server.set_rules()
    journal.write_bytes(written[-1])
    backup.write_bytes(older)
    if way == "damaged":
        state.write_bytes(before[:300])
        state.rename(f"{state}.bad")
        assert here.run_state("push", backup.name).code == 0
    else:
        state.write_bytes(older)
        assert here.run_state("push", "--force", state.name).code == 0
    assert not journal.exists()
    here.sandbox.write(as_tasks({"a": "do a", "b": "edited", "c": "edited, too"}))
    ended = here.run("apply", "--adopt")
    assert ended.results() == {"b": "unresolved", "c": "adopted"}, ended.stdout
    assert here.run("apply").results() == {"b": "unresolved"}
    assert len(here.server.posts) == 3
