"""What a lost state costs: a few commands, and no agent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

STATE = "s.state.json"


@dataclass
class Person:
    """A user of one service, in a folder with manifests and a state of its own."""

    folder: Path
    name: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    state: str = STATE

    def write(self, tasks: dict[str, Any], name: str = "all", **members: Any) -> None:
        path = self.folder / "tasks" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks, **members}))

    def run(self, *words: str) -> tuple[int, str, str]:
        self.monkeypatch.setenv("TASKCTL_LOCAL_TOKEN", self.name)
        where = ("-C", str(self.folder), "--backend", f"local:{self.folder.parent}/service.db")
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

    def lose_state(self) -> None:
        for path in self.folder.glob(f"{STATE}*"):
            path.unlink()


@pytest.fixture
def person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Person]:
    def made(name: str = "anna", folder: str = "repo") -> Person:
        (tmp_path / folder).mkdir(exist_ok=True)
        return Person(tmp_path / folder, name, monkeypatch, capsys)

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
    assert ben.run("state", "resolve", "acme/*", "--not-created", "-y")[0] == 0
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
    assert anna.run("state", "resolve", "same", "--not-created")[0] == 0
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
    assert anna.ids() == ids
