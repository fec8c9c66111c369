"""Apply does exactly what was confirmed, by a saved plan or by a digest, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE, TOKEN, Ended, as_tasks, prompts
from tests.support.skipped_time import stopped_time

OLD, TEXTS = prompts(4), prompts(5)
SAVED = "plan.taskctl"
Change = Callable[[InProcess], object]


def write(here: InProcess, texts: dict[str, str], mode: str = "manual", **members: Any) -> None:
    """Two tasks have the approvalMode `mode`."""
    tasks = as_tasks(texts)
    for key in ("k1", "k2"):
        tasks[key]["approvalMode"] = mode
    here.sandbox.write(tasks, **members)


def shown(here: InProcess, key: str) -> dict[str, Any]:
    """The task of a key, as the service shows it."""
    task_id = here.sandbox.recorded()[key]
    (found,) = (task.shown for task in here.server.world.tasks if task.id == task_id)
    return found


def wish(here: InProcess, key: str) -> str:
    """The request to replace the task of a key."""
    return f"{key}={here.sandbox.recorded()[key]}"


def lose(here: InProcess, key: str) -> None:
    """The service loses the task of a key, once the list would show it."""
    with stopped_time() as time:
        time.seconds += 60
    task_id = here.sandbox.recorded()[key]
    here.server.world.by_id[task_id].user = "nobody"


def done(ended: Ended) -> Ended:
    assert ended.code == 0, ended.stdout + ended.stderr
    return ended


@pytest.fixture
def planned(here: InProcess) -> InProcess:
    """Planned and saved: k1 and k2 are to be updated, k3 is to be created anew, k4 is new."""
    write(here, OLD)
    done(here.run("apply"))
    lose(here, "k3")
    write(here, TEXTS, mode="balanced")
    found = done(here.run("plan", *OPTIONS, "--out", SAVED)).actions()
    expected = {"k0": "unchanged", "k1": "update", "k2": "update", "k3": "gone", "k4": "create"}
    assert found == expected
    return here


OPTIONS = ("--update", "--allow-recreate")


def another_token(here: InProcess) -> None:
    here.server.habits.tokens = {TOKEN: "somebody-else"}


def new_state(here: InProcess) -> None:
    for path in here.sandbox.folder.glob(f"{STATE}*"):
        path.unlink()


CHANGES: dict[str, tuple[Change, str]] = {
    "the prompt of a task to create": (lambda h: write(h, {**TEXTS, "k4": "x"}, "balanced"), "k4"),
    "a task more": (
        lambda h: write(h, {**TEXTS, "k5": "do 5"}, "balanced"),
        "contain acme/k5",
    ),
    "a task less": (lambda h: write(h, OLD, "balanced"), "no longer contain acme/k4"),
    "another value to set": (lambda h: write(h, TEXTS, "auto"), "different for acme/k1, acme/k2"),
    "a lower limit": (lambda h: write(h, TEXTS, "balanced", maxCreates=5), "--max-creates"),
    "one update was made at the service": (
        lambda h: shown(h, "k2").update(approvalMode="balanced"),
        "different for acme/k2",
    ),
    "the value that was to be replaced": (
        lambda h: shown(h, "k2").update(approvalMode="auto"),
        "different for acme/k2",
    ),
    "another apply created one": (
        lambda h: done(h.run("apply", "--target", "k4")),
        "no longer contain acme/k4",
    ),
    "another apply replaced one": (
        lambda h: done(h.run("apply", "--target", "k1", "--replace", wish(h, "k1"))),
        "acme/k1",
    ),
    "one more is lost": (lambda h: lose(h, "k0"), "contain acme/k0"),
    "another user": (another_token, "identity"),
    "another state": (new_state, "another state"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_that_would_do_something_else_is_refused_as_a_whole(
    planned: InProcess, name: str
) -> None:
    digest = planned.run("plan", *OPTIONS).document["digest"]
    change, explanation = CHANGES[name]
    change(planned)
    path = planned.sandbox.folder / STATE
    sent = [len(planned.server.of(endpoint)) for endpoint in ("create", "patch")]
    state = path.read_bytes() if path.exists() else b""
    saved = planned.run("apply", SAVED)
    expected = planned.run("apply", *OPTIONS, "--expect-plan", digest)
    assert (saved.code, expected.code) == (1, 1)
    assert {d["code"] for d in saved.document["diagnostics"]} == {"TC653"}
    assert "TC854" in {d["code"] for d in expected.document["diagnostics"]}
    assert any(explanation in d["summary"] for d in saved.document["diagnostics"])
    assert sent == [len(planned.server.of(endpoint)) for endpoint in ("create", "patch")]
    assert (path.read_bytes() if path.exists() else b"") == state


@pytest.mark.parametrize("by_digest", [False, True])
def test_what_does_not_change_the_actions_is_no_reason_to_refuse(
    planned: InProcess, *, by_digest: bool
) -> None:
    """Outputs of tasks, other keys, and places in manifests."""
    digest = planned.run("plan", *OPTIONS).document["digest"]
    done(planned.run("apply", "--target", "k0", "--replace", wish(planned, "k0")))
    (planned.sandbox.folder / "tasks/all.yaml").rename(planned.sandbox.folder / "tasks/b.yaml")
    for key in ("k0", "k1"):
        shown(planned, key).update(tokensUsed=9, name="Named by its agent", status="idle")
    words = (*OPTIONS, "--expect-plan", digest) if by_digest else (SAVED,)
    results = done(planned.run("apply", *words)).results()
    assert results == {"k1": "updated", "k2": "updated", "k3": "created", "k4": "created"}
    assert planned.run("apply", *words).code == 1


def assert_applied(here: InProcess, *words: str, **results: str) -> None:
    ended = here.run("apply", SAVED, *words)
    assert (ended.code, ended.results()) == (0, results), ended.stdout + ended.stderr


def saved(here: InProcess, *words: str) -> dict[str, Any]:
    """The tasks of a plan that is saved, by key."""
    planned = here.run("plan", *words, "--out", SAVED)
    return {task["key"]: task for task in planned.document["tasks"]}


def test_a_replaced_task_may_end_after_the_review(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    done(here.run("apply"))
    here.sandbox.write(as_tasks({"a": "do a better"}))
    assert "keeps running" in saved(here, "--replace", wish(here, "a"))["a"]["note"]
    here.finish("a")
    assert_applied(here, a="replaced")


def test_a_task_that_is_not_replaced_may_ask_after_the_review(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    done(here.run("apply"))
    here.sandbox.write(as_tasks({"a": "do a better", "c": "do c"}))
    assert "its task is running" in saved(here, "--replace", "a*")["a"]["note"]
    asked = {"type": "user_approval_request", "id": "q", "message": "May I?"}
    here.server.world.tasks[-1].events.append(
        {"id": "last", "type": "agentResponse", "eventBody": asked}
    )
    shown(here, "a")["status"] = "idle"
    found = here.run("plan", "--replace", "a*").document["tasks"]
    assert "its task is waiting" in found[0]["note"]
    assert_applied(here, c="created")


@pytest.mark.parametrize("text", ["do a", "do a better"])
def test_a_task_may_appear_after_the_review(here: InProcess, text: str) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    done(here.run("apply"))
    made = here.sandbox.recorded()["a"]
    here.sandbox.write(as_tasks({"a": text, "c": "do c"}))
    here.server.set_rules(Rule("get", Fault("status", status=404), task=made))
    here.server.habits.list_lag = 1000.0
    assert saved(here, "--settle-time", "100s").keys() == {"a", "c"}  # a is too young to be gone
    here.server.habits.list_lag = 0.0
    here.server.set_rules()
    assert_applied(here, "--settle-time", "100s", c="created")


def test_a_less_restricted_task_may_end_after_the_review(here: InProcess) -> None:
    careful = {"a": {"message": "do a", "permissionMode": "read-only"}}
    here.sandbox.write(careful)
    done(here.run("apply"))
    shown(here, "a")["permissionMode"] = "default"
    here.sandbox.write({**careful, **as_tasks({"c": "do c"})})
    planned = here.run("plan", "--out", SAVED)
    assert "TC746" in {d["code"] for d in planned.document["diagnostics"]}
    here.finish("a")
    assert_applied(here, c="created")


def test_other_tasks_may_appear_before_a_saved_plan_is_applied(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    done(here.run("apply"))
    here.sandbox.write(as_tasks({"a": "do a", "c": "do c"}))
    here.run("plan", "--out", SAVED)
    sister = here.within("sister")
    sister.sandbox.write(as_tasks({"x": "unrelated"}))
    done(sister.run_state("init", "--new"))
    done(sister.run("apply"))
    applied = here.run("apply", SAVED)
    assert (applied.code, applied.results()) == (0, {"c": "created"})


def test_a_saved_plan_has_no_prompts(planned: InProcess) -> None:
    saved = (planned.sandbox.folder / SAVED).read_text()
    assert "acme/k4" in saved
    assert not [text for text in TEXTS.values() if text in saved]


def test_a_stale_plan_is_shown_as_it_would_be_now(planned: InProcess) -> None:
    write(planned, {**TEXTS, "k5": "do 5"}, "balanced")
    said = planned.run_words(["apply", SAVED, "--backend", planned.server.url])
    assert (said.code, "+ k5  tasks/all.yaml:1" in said.stdout) == (1, True), said.stdout
    assert "would also contain acme/k5" in said.stderr


def test_a_plan_does_not_create_a_lost_task_again_and_again(planned: InProcess) -> None:
    """The record has another task then, which nobody has reviewed."""
    done(planned.run("plan", "--target", "k3", "--allow-recreate", "--out", SAVED))
    done(planned.run("apply", SAVED))
    lose(planned, "k3")
    count = len(planned.server.posts)
    refused = planned.run("apply", SAVED)
    assert refused.code == 1
    assert "different for acme/k3" in refused.document["diagnostics"][0]["summary"]
    assert len(planned.server.posts) == count


@pytest.mark.parametrize("flag", ["--replace", "--retry", "--allow-recreate"])
def test_an_entry_is_the_same_option_as_when_the_plan_was_made(here: InProcess, flag: str) -> None:
    entry = {"forEach": {"row": ["x", "y"]}, "message": "Roll {{ row }}."}
    one = {"message": "Do it."}
    here.sandbox.write({"rows": entry, "one": one})
    done(here.run("apply"))
    here.finish("rows@x", "rows@y", "one")
    here.sandbox.write({"rows": {**entry, "message": "Better {{ row }}."}, "one": one})
    done(here.run("plan", f"{flag}=rows", "--out", SAVED))
    words = ("--backend", here.server.url)
    for other in ("one", "rows@x"):
        assert "TC653" in here.run_words(["apply", SAVED, f"{flag}={other}", *words]).stderr
    for same in ("rows", "rows@*"):
        done(here.run_words(["apply", SAVED, f"{flag}={same}", *words]))
        done(here.run("plan", f"{flag}=rows", "--out", SAVED))
