"""After a lost response, a create that was never received is sent again only if a first create
would be sent: the tasks that it may have to wait for are read again."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.model import limits
from tests.support import crash_points
from tests.support.fault_server import Call, Fault
from tests.support.in_process import InProcess
from tests.support.references import prompt_of
from tests.support.sandbox import STATE, Ended, as_tasks
from tests.support.skipped_time import skip

SAID = {
    "done": {"type": "assistant_message", "is_final": True, "content": "Done."},
    "failed": {"type": "error", "message": "out of memory"},
    "running": {"type": "user_message", "content": "go on"},
}


def write(here: InProcess, rows: str, rollout: dict[str, Any], **more: Any) -> None:
    """The entry `t`, with a row for each letter."""
    entry = {"forEach": {"row": list(rows)}, "message": "do {{ row }}", "rollout": rollout}
    here.sandbox.write({"t": {**entry, **more}})


def becomes(here: InProcess, row: str, state: str) -> Callable[[], None]:
    """The newest task of this row gets another state."""

    def change() -> None:
        task = [task for task in here.server.world.tasks if task.work == f"do {row}"][-1]
        kind = "userInput" if state == "running" else "agentResponse"
        event = {"id": f"{len(task.events)}", "type": kind, "eventBody": SAID[state]}
        task.events.append(event)
        task.shown["status"] = "running" if state == "running" else "idle"

    return change


def lose(
    here: InProcess,
    rows: str,
    *meanwhile: Callable[[], None],
    fails: str = "",
    lost: int = 1,
) -> None:
    """The first creates of these rows (`lost` of each) are never received; `meanwhile` happens
    during the first lookup. From then on, a proxy rejects requests to the endpoint that `fails`."""
    sent: Counter[str] = Counter()
    looked: list[Call] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            row = prompt_of(call.body)[-1]
            sent[row] += 1
            return Fault("reset") if row in rows and sent[row] <= lost else None
        if sent and call.endpoint == "list" and not looked:
            looked.append(call)
            for change in meanwhile:
                change()
        return Fault("html", status=403) if looked and call.endpoint == fails else None

    here.server.choose = choose


def sent_rows(here: InProcess) -> str:
    return "".join(prompt_of(post)[-1] for post in here.server.posts)


def assert_held(here: InProcess, ended: Ended, **reasons: str) -> None:
    """The rows are reported as in a first plan, which the next apply makes."""
    held, sent = {f"t@{row}": reason for row, reason in reasons.items()}, sent_rows(here)
    assert here.sandbox.state()["attempts"] == {}
    assert not held.keys() & ended.results().keys()
    plan = here.run("plan").document["tasks"]
    assert {t["key"]: t["reason"] for t in plan if t["action"] == "held"} == held
    again = here.run("apply")
    assert ended.code == again.code == int("full" in held.values())
    assert ended.document["diagnostics"] == again.document["diagnostics"]
    for document in (ended.document, again.document):
        summary = document["summary"]
        assert (summary["held"], summary["unresolved"]) == (len(held), 0)
    assert ("Some tasks are held" in ended.stderr) is ("Some tasks are held" in again.stderr)
    assert sent_rows(here) == sent


def test_a_row_is_not_sent_again_after_another_has_failed(here: InProcess) -> None:
    write(here, "ab", {"stopAfter": 1})
    lose(here, "b", becomes(here, "a", "failed"))
    ended = here.run("apply")
    assert ended.results() == {"t@a": "created"}, ended.stdout
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC318"]
    assert sent_rows(here) in ("ab", "ba")
    assert_held(here, ended, b="stopped")


def test_a_row_is_sent_again_if_nothing_holds_it(here: InProcess) -> None:
    write(here, "abc", {"stopAfter": 2})
    lose(here, "bc", becomes(here, "a", "failed"))
    ended = here.run("apply")
    assert (ended.code, set(ended.results().values())) == (0, {"created"}), ended.stdout
    assert Counter(sent_rows(here)) == Counter("abbcc")


def test_each_resend_decides_anew(here: InProcess) -> None:
    """The second create is lost, too, and then the other row fails."""
    write(here, "ab", {"stopAfter": 1})
    lose(here, "b", lost=2)
    choose, fail = here.server.choose, becomes(here, "a", "failed")

    def failing(call: Call) -> Fault | None:
        if call.endpoint == "list" and sent_rows(here).count("b") == 2:
            fail()
        return choose(call)

    here.server.choose = failing
    ended = here.run("apply")
    assert Counter(sent_rows(here)) == Counter("abb")
    assert_held(here, ended, b="stopped")


def test_a_resend_needs_a_slot(here: InProcess) -> None:
    write(here, "ab", {"atOnce": 1, "stopAfter": 9})
    assert here.run("apply").results() == {"t@a": "created"}
    becomes(here, "a", "failed")()
    lose(here, "b", becomes(here, "a", "running"))
    ended = here.run("apply")
    assert ended.results() == {}
    assert_held(here, ended, b="atOnce")
    (task,) = [task for task in here.run("plan").document["tasks"] if task["key"] == "t@b"]
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("t@b ")]
    assert task["note"].partition(" (running for ")[0] in line


def test_a_success_that_the_plan_has_read_stands(here: InProcess) -> None:
    """It is recorded by any apply, whether or not it creates anything."""
    write(here, "abc", {"pilot": 1, "atOnce": 1})
    here.run("apply")
    becomes(here, "a", "done")()
    lose(here, "b", becomes(here, "a", "failed"))
    assert here.run("apply").results() == {"t@b": "created"}
    assert here.run("plan").actions() == {"t@a": "unchanged", "t@b": "unchanged", "t@c": "held"}


@pytest.mark.parametrize("endpoint", ["get", "events"])
def test_a_row_is_not_sent_again_if_the_others_cannot_be_read(
    here: InProcess, endpoint: str
) -> None:
    """Its attempt created nothing; the next apply decides about the row."""
    write(here, "ab", {"stopAfter": 1})
    lose(here, "b", becomes(here, "a", "failed"), fails=endpoint)
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"t@a": "created", "t@b": "notStarted"})
    assert Counter(sent_rows(here)) == Counter("ab")
    assert here.sandbox.state()["attempts"] == {}
    here.server.set_rules()
    ended = here.run("apply")
    assert ended.results() == {}
    assert_held(here, ended, b="stopped")


def test_a_row_that_is_held_otherwise_is_no_pilot(here: InProcess) -> None:
    """Another row is, also in a plan that is limited to that row."""
    write(here, "ab", {"pilot": 1}, every="year", overlap="wait")
    here.run("apply")
    skip(366 * 86400)
    for state, action in (("done", "held"), ("running", "create")):
        becomes(here, "a", state)()
        assert set(here.run("plan", "--target", "t@b@*").actions().values()) == {action}
    lose(here, "b")
    ended = here.run("apply")
    assert list(ended.results().values()) == ["created"], ended.stdout
    assert sent_rows(here) == "abb"


def test_attempts_of_an_earlier_run_share_a_slot(here: InProcess) -> None:
    """Both settle while apply waits: the first is held by the other, which is sent again."""
    write(here, "ab", {})
    lose(here, "ab", fails="list")
    assert set(here.run("apply").results().values()) == {"unresolved"}
    here.server.set_rules()
    write(here, "ab", {"atOnce": 1})
    here.sandbox.settle = "60s"
    ended = here.run("apply")
    (key,) = ended.results()
    assert ended.results() == {key: "created"}
    assert_held(here, ended, **{"b" if key == "t@a" else "a": "atOnce"})


@pytest.mark.parametrize("options", [[], ["--over-budget"]])
def test_a_create_of_an_earlier_run_needs_a_budget(here: InProcess, options: list[str]) -> None:
    """The plan, which has nothing to create, has not read it."""
    write(here, "ab", {})
    lose(here, "ab", fails="list")
    here.run("apply")
    here.server.set_rules()
    here.sandbox.settle = "60s"
    used_up = {"consumedTokens": 9, "effectiveAllowanceTokens": 9, "exhausted": True}
    before, here.server.habits.budget = len(here.server.of("budget")), used_up
    ended = here.run("apply", *options)
    result, code, sent = ("created", 0, "aabb") if options else ("unresolved", 1, "ab")
    assert (ended.code, ended.results()) == (code, {"t@a": result, "t@b": result}), ended.stdout
    assert Counter(sent_rows(here)) == Counter(sent)
    assert here.sandbox.state()["attempts"] == {}
    again = here.run("apply")
    assert again.code == code
    assert [d["code"] for d in again.document["diagnostics"]] == ([] if options else ["TC511"])
    assert len(here.server.of("budget")) == before + (0 if options else 2)


def test_a_create_of_an_earlier_run_needs_room_in_the_state(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here, "ab", {}, message=f"{'x' * 4000} {{{{ row }}}}")
    lose(here, "ab", fails="list")
    here.run("apply")
    here.server.set_rules()
    here.sandbox.settle = "60s"
    size = (here.sandbox.folder / STATE).stat().st_size
    monkeypatch.setattr(limits, "STATE_FILE_BYTES", size + size // 9)
    ended = here.run("apply")
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC634"]
    assert_held(here, ended, a="full", b="full")
    assert Counter(sent_rows(here)) == Counter("ab")


@pytest.mark.parametrize(("state", "read"), [("done", 4), ("failed", 3)])
def test_later_waves_create_a_row_that_was_held(here: InProcess, state: str, read: int) -> None:
    write(here, "ab", {"atOnce": 1, "stopAfter": 9})
    here.run("apply")
    becomes(here, "a", "failed")()
    lose(here, "b", becomes(here, "a", "running"))
    choose, end = here.server.choose, becomes(here, "a", state)

    def finishing(call: Call) -> Fault | None:
        """The other task ends once `apply --wait` reads it, or before."""
        if call.endpoint == "get" and call.task_id == here.server.world.tasks[0].id:
            reads.append(call)
            if len(reads) == read:
                end()
        if sent_rows(here).count("b") == 2 and len(here.server.world.tasks) == 2:
            becomes(here, "b", "done")()
        return choose(call)

    reads: list[Call] = []
    here.server.choose = finishing
    ended = here.run("apply", "--wait", "--interval", "100ms", "--timeout", "60s")
    assert ended.code == int(state == "failed")
    assert ended.results() == {"t@b": "created"}, ended.stdout
    assert sent_rows(here) == "abb"


def test_no_wave_follows_a_stop(here: InProcess) -> None:
    write(here, "abc", {"atOnce": 2, "stopAfter": 1})
    lose(here, "b", becomes(here, "a", "failed"))
    ended = here.run("apply", "--wait", "--interval", "100ms", "--timeout", "60s")
    assert (ended.code, ended.results()) == (1, {"t@a": "created"}), ended.stdout
    held = {task["key"]: task["reason"] for task in ended.document["wait"]["held"]}
    assert held == {"t@b": "stopped", "t@c": "stopped"}
    (problem,) = ended.document["diagnostics"]
    assert (problem["code"], problem["detail"].split(".")[0]) == ("TC318", "Not created: 2 tasks")
    assert Counter(sent_rows(here)) == Counter("ab")


def test_a_task_that_works_again_is_not_replaced(here: InProcess) -> None:
    """As in a first plan: an error for a key, and nothing for a glob that selects it."""
    here.sandbox.write(as_tasks({"k": "do a"}))
    here.run("apply")
    becomes(here, "a", "done")()
    here.sandbox.write(as_tasks({"k": "do b"}))
    for name, code in (("k*", 0), ("k", 1)):
        lose(here, "b", becomes(here, "a", "running"))
        ended = here.run("apply", "--replace", name)
        found = {d["code"] for d in ended.document["diagnostics"]}
        assert (ended.code, ended.results()) == (code, {}), ended.stdout
        assert found == ({"TC743", "TC855"} if code else {"TC743"})
        assert here.sandbox.state()["attempts"] == {}
        becomes(here, "a", "done")()
    assert sent_rows(here) == "abb"


def test_a_retry_that_has_no_slot_is_held(here: InProcess) -> None:
    write(here, "ab", {"atOnce": 1, "stopAfter": 9})
    here.run("apply")
    becomes(here, "a", "failed")()
    here.run("apply")
    becomes(here, "b", "failed")()
    lose(here, "b", becomes(here, "a", "running"))
    ended = here.run("apply", "--retry", "t@b")
    first = here.run("apply", "--retry", "t@b")
    assert ended.code == first.code == 0
    assert ended.document == first.document
    assert ended.document["summary"]["held"] == 1
    assert sent_rows(here) == "abb"


def test_interrupted_while_the_others_are_read_again(here: InProcess) -> None:
    write(here, "ab", {"stopAfter": 1})
    lose(here, "b", becomes(here, "a", "failed"))
    here.sandbox.settle = "100ms"
    choose, process = here.server.choose, here.sandbox.start("apply")

    def interrupting(call: Call) -> Fault | None:
        if call.endpoint == "events" and call.nth > 1:  # the first is about its reference
            process.send_signal(signal.SIGINT)
        return choose(call)

    here.server.choose = interrupting
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert json.loads(out)["summary"]["unresolved"] == 0
    assert Counter(sent_rows(here)) == Counter("ab")
    assert here.sandbox.state()["attempts"] == {}
    assert [d["code"] for d in here.run("apply").document["diagnostics"]] == ["TC318"]


def test_killed_at_any_point_of_a_hold(here: InProcess) -> None:
    """The next apply holds the row, or finds its attempt first."""
    write(here, "ab", {"stopAfter": 1})
    words = here.sandbox.arguments("apply", "--parallelism", "1", "--settle-time", "100ms")

    def killed(point: int | None) -> crash_points.Run:
        for path in here.sandbox.folder.glob("taskctl.state.json*"):
            path.unlink()
        here.server.world.tasks.clear()
        here.server.calls.clear()
        lose(here, "b", becomes(here, "a", "failed"))
        env = here.sandbox.environment()
        return crash_points.run(words, kill_at=point, cwd=here.sandbox.folder, env=env)

    found = killed(None).points
    (*_, last) = (p.number for p in found if p.operation == "send" and "POST" in p.what)
    for point in range(last + 1, len(found)):
        killed(point)
        here.server.set_rules()
        becomes(here, "a", "failed")()  # also if it was killed before
        ended = here.run("apply")
        assert (ended.code, ended.document["summary"]["held"]) == (0, 1), (point, ended.stdout)
        assert here.sandbox.state()["attempts"] == {}
        assert here.sandbox.recorded().keys() == {"t@a"}
        assert sent_rows(here) == "ab", point
