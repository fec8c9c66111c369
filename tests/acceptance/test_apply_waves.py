"""`taskctl apply --wait` with entries: it continues until nothing is held."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.context import Context
from reconciler.cli.main import Terminated
from reconciler.model.diagnostics import RemoteError
from reconciler.model.service import CreateOutcome, Refused, TaskPage
from reconciler.remote.client import Client
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import Record
from reconciler.state.session import Session
from reconciler.tasks.status import TaskStatus
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.sandbox import ROOT
from tests.support.shells import typed
from tests.support.skipped_time import skipped_epoch

QUICK = ("--yes", "--wait", "--interval", "100ms")
FOUR = "[finishing a, finishing b, finishing c, finishing d]"
KEYS = ["t@a", "t@b", "t@c", "t@d"]


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys, work_seconds=0.1) as place:
        yield place


def keys(place: LiveTasks) -> list[str]:
    return sorted(task["key"] for task in place.document("status")["tasks"])


def test_apply_continues_from_the_pilot_to_the_rest(place: LiveTasks) -> None:
    place.write_rows("finishing finishing finishing finishing", "{pilot: 1, atOnce: 2}")
    document = place.document("apply", *QUICK)
    assert document["summary"]["created"] == 4
    assert [task["key"] for task in document["tasks"]] == KEYS
    assert document["wait"]["summary"] == {"done": 4}
    made = sorted(place.document("status")["tasks"], key=lambda t: t["outputs"]["createdAt"])
    assert made[0]["key"] == "t@a"
    code, out, _ = place.run("apply", *QUICK)
    assert (code, out.splitlines()[-1]) == (0, "4 done.")


def test_maximum_creates_limit_each_wave(place: LiveTasks) -> None:
    place.write_rows("finishing finishing finishing finishing", "{pilot: 1, atOnce: 2}")
    document = place.document("apply", *QUICK, "--max-creates", "2")
    assert document["summary"]["created"] == 4


def test_text_reports_each_task_once(place: LiveTasks) -> None:
    place.write_rows("finishing finishing finishing finishing", "{pilot: 1, atOnce: 2}")
    code, out, err = place.run("apply", *QUICK)
    assert code == 0
    assert [out.count(f"created {key} ") for key in KEYS] == [1, 1, 1, 1]
    assert [err.count(f"acme/{key}: done") for key in KEYS] == [1, 1, 1, 1]


def test_tasks_still_held_are_reported_with_their_reason(place: LiveTasks) -> None:
    place.write_rows("approving finishing finishing", "{pilot: 1}")
    code, out, _ = place.run("apply", *QUICK, "--timeout", "1s")
    assert code == 1
    assert out.splitlines()[-1].startswith("2 held: waiting for the pilot: t@a (waiting")


def test_no_further_task_exists_if_the_pilot_fails(place: LiveTasks) -> None:
    place.write_rows("failing finishing finishing", "{pilot: 1}")
    code, out, _ = place.run("apply", *QUICK)
    assert code == 1
    assert keys(place) == ["t@a"]
    assert "2 held" in out
    code, out, _ = place.run("plan")
    assert code == 0
    document = place.document("apply", *QUICK)  # nor when applied again
    assert [(t["key"], t["reason"], t["waitsFor"]) for t in document["wait"]["held"]] == [
        ("t@b", "stopped", ["t@a"]),
        ("t@c", "stopped", ["t@a"]),
    ]
    assert [d["code"] for d in document["diagnostics"]] == ["TC318"]
    assert keys(place) == ["t@a"]
    place.write_rows("failing finishing finishing", "{pilot: 1, stopAfter: 2}")
    document = place.document("apply", *QUICK)  # a failed pilot does not count as done, either
    assert [t["reason"] for t in document["wait"]["held"]] == ["stopped", "stopped"]


def test_failures_stop_the_rest(place: LiveTasks) -> None:
    place.write_rows("finishing failing finishing finishing finishing", "{atOnce: 1, stopAfter: 1}")
    document = place.document("apply", *QUICK)
    assert keys(place) == ["t@a", "t@b"]
    assert document["wait"]["summary"] == {"failed": 1, "done": 1}
    assert len(document["wait"]["held"]) == 3


def test_a_timeout_leaves_the_rest_held(place: LiveTasks) -> None:
    place.write_rows("approving finishing", "{pilot: 1}")
    code, _, _ = place.run("apply", *QUICK, "--timeout", "500ms")
    assert code == 1
    assert keys(place) == ["t@a"]
    code, _, _ = place.run("apply", *QUICK, "--stop-on", "waiting")
    assert (code, keys(place)) == (1, ["t@a"])


def test_the_lock_is_free_between_waves(place: LiveTasks) -> None:
    """Another apply may run during the wait; each wave plans with the current state."""
    place.write_rows("approving finishing finishing", "{pilot: 1}")
    process = place.start("apply", *QUICK, "--format", "json")
    process.until_said("t@a: waiting")
    code, out, err = place.run("apply", "--yes")
    assert (code, "2 held" in out) == (0, True)
    assert place.answer("approve", "t@a")[0] == 0
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["summary"]["created"] == 3
    assert keys(place) == ["t@a", "t@b", "t@c"]


def test_a_wave_waits_for_the_lock(place: LiveTasks) -> None:
    """The state is locked when the pilot ends: the next wave waits."""
    place.write_rows("approving finishing", "{pilot: 1}")
    process = place.start("apply", *QUICK, "--format", "json")
    process.until_said("t@a: waiting")
    path = place.folder / "taskctl.state.json"
    with Session.open(LocalState(path), Claim(place.url, "test")):
        assert place.answer("approve", "t@a")[0] == 0
        process.until_said("locked")
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert keys(place) == ["t@a", "t@b"]


def test_waves_that_cannot_begin_are_noted_once(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write_rows("finishing finishing", "{pilot: 1}")
    path, opened, open_state = (
        place.folder / "taskctl.state.json",
        Counter[str](),
        Context.open_state,
    )

    def locked(ctx: Context, purpose: str, *more: Any, **options: Any) -> Session:
        opened[purpose] += 1
        if not 1 < opened["apply"] < 5:
            return open_state(ctx, purpose, *more, **options)
        with Session.open(LocalState(path), Claim(place.url, "test")):
            return open_state(ctx, purpose, *more, **options)

    monkeypatch.setattr(Context, "open_state", locked)
    code, _, err = place.run("apply", *QUICK)
    assert (code, keys(place)) == (0, ["t@a", "t@b"])
    assert opened["apply"] == 5
    assert err.count("retrying") == 1


def test_a_later_wave_with_too_many_creates_ends_the_run(place: LiveTasks) -> None:
    place.write_rows("finishing finishing finishing", "{pilot: 1}")
    code, out, err = place.run("apply", *QUICK, "--max-creates", "1")
    assert code == 1
    assert "2 tasks would be created; at most 1 are allowed" in out + err
    assert keys(place) == ["t@a"]


def test_the_confirmation_counts_the_whole_run(place: LiveTasks) -> None:
    place.write_rows("finishing finishing finishing", "{pilot: 1}")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ["apply", *QUICK[1:], "--backend", place.url]
    with typed(place.folder, env, *arguments) as person:
        person.until("1 now, up to 2 later. Create 3 tasks?")
        person.type("yes\r")
        assert person.ended() == 0
    assert len(keys(place)) == 3


def saved(place: LiveTasks, *options: str) -> str:
    code, _, err = place.run("plan", "-o", str(place.folder / "plan.taskctl"), *options)
    assert code == 0, err
    return str(place.folder / "plan.taskctl")


def test_a_saved_plan_continues_only_if_it_was_made_for_that(place: LiveTasks) -> None:
    place.write_rows("finishing finishing", "{pilot: 1}")
    code, out, err = place.run("apply", saved(place), *QUICK)
    assert code == 1
    assert keys(place) == ["t@a"]
    assert "1 held" in out
    code, out, err = place.run("apply", saved(place, "--wait"), *QUICK)
    assert code == 0, err
    assert keys(place) == ["t@a", "t@b"]


def test_a_saved_plan_of_a_waiting_apply_waits(place: LiveTasks) -> None:
    place.write_rows("finishing finishing", "{pilot: 1}")
    code, _, err = place.run("apply", saved(place, "--wait"), "--yes")
    assert code == 0, err
    assert keys(place) == ["t@a", "t@b"]


def test_only_unfinished_tasks_are_queried(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished tasks are remembered; entries without a rollout or held tasks need no queries."""
    plain = "plain: {message: finishing plain}\n"
    place.write_rows("finishing finishing approving finishing", "{atOnce: 1}", plain)
    assert place.run("apply", *QUICK, "--timeout", "3s")[0] == 1
    pages, guard = Client.event_pages, threading.Lock()
    read: list[str] = []

    def counting(self: Client, org_name: str, task_id: str, first: str | None) -> Any:
        with guard:
            read.append(task_id)
        return pages(self, org_name, task_id, first)

    monkeypatch.setattr(Client, "event_pages", counting)
    ids = {t["key"]: t["taskId"] for t in place.document("status")["tasks"]}
    read.clear()
    assert place.run("plan")[0] == 0
    assert set(read) == {ids["t@c"]}
    place.write_rows("finishing finishing approving", "{atOnce: 1}", plain)
    read.clear()
    assert place.run("plan")[0] == 0
    assert read == []


def test_the_digest_of_a_waiting_plan_includes_held_tasks(place: LiveTasks) -> None:
    place.write_rows("finishing finishing", "{pilot: 1}")
    digest = place.document("plan", "--wait")["digest"]
    place.write_rows("finishing failing", "{pilot: 1}")
    code, _, err = place.run("apply", *QUICK, "--expect-plan", digest)
    assert (code, "digest" in err) == (1, True)
    place.write_rows("finishing finishing", "{pilot: 1}")
    assert place.run("apply", *QUICK, "--expect-plan", digest)[0] == 0


@pytest.mark.parametrize(("interruption", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_signal_while_a_later_wave_is_planned_stops_apply(
    place: LiveTasks,
    monkeypatch: pytest.MonkeyPatch,
    interruption: type[BaseException],
    code: int,
) -> None:
    def interrupted(*_given: object) -> None:
        raise interruption

    place.write_rows("finishing finishing finishing", "{pilot: 1}")
    with monkeypatch.context() as patch:
        patch.setattr("reconciler.app.wave.refuse_other_periods", interrupted)
        ended, out, err = place.run("apply", *QUICK, "--format", "json")
    assert ended == code
    document = json.loads(out)
    assert [(t["key"], t["result"]) for t in document["tasks"]] == [("t@a", "created")]
    assert document["wait"]["end"] == "interrupted"
    assert [held["key"] for held in document["wait"]["held"]] == ["t@b", "t@c"]
    assert err.count("Stopped waiting.") == 1
    assert place.run("apply", *QUICK)[0] == 0  # the lock is free
    assert keys(place) == ["t@a", "t@b", "t@c"]


def test_each_wave_is_shown_before_the_results(place: LiveTasks) -> None:
    place.write_rows("finishing finishing finishing", "{pilot: 1}")
    _, out, _ = place.run("apply", *QUICK)
    applied = [line for line in out.splitlines() if line.startswith("Apply: ")]
    assert [line.split(",")[0] for line in applied] == ["Apply: 1 created", "Apply: 2 created."]
    assert out.splitlines()[-1] == "3 done."


def counted_lists(monkeypatch: pytest.MonkeyPatch, *, hidden: bool = False) -> list[float]:
    """When lists are read from now on. `hidden`: the service no longer knows any task. A command
    that reads too many is interrupted."""
    read: list[float] = []
    pages, get = Client.list_tasks, Client.get_task

    def listed(self: Client, org_name: str) -> Iterator[TaskPage]:
        read.append(skipped_epoch())
        if len(read) > 500:
            raise Terminated
        return (TaskPage(()) if hidden else page for page in pages(self, org_name))

    def found(self: Client, org_name: str, task_id: str) -> Any:
        return None if hidden else get(self, org_name, task_id)

    monkeypatch.setattr(Client, "list_tasks", listed)
    monkeypatch.setattr(Client, "get_task", found)
    return read


def test_a_pilot_that_is_gone_right_after_its_creation_stops_the_rest(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan and the wait agree when it is gone, so nothing is read more often than asked."""
    monkeypatch.setenv("TASKCTL_SETTLE_TIME", "5s")
    place.write_rows("finishing finishing finishing", "{pilot: 1}")
    assert place.run("apply", "--yes")[0] == 0
    read = counted_lists(monkeypatch, hidden=True)
    assert place.statuses() == {"t@a": "running"}  # it may not be listed yet
    arguments = ("--yes", "--allow-recreate", "--wait", "--interval", "1s", "--timeout", "30s")
    document = place.document("apply", *arguments)
    assert [(t["key"], t["reason"]) for t in document["wait"]["held"]] == [
        ("t@b", "stopped"),
        ("t@c", "stopped"),
    ]
    assert document["wait"]["summary"] == {"gone": 1}
    assert len(read) < 30
    assert place.statuses() == {"t@a": "gone"}


def test_waves_keep_to_the_interval_and_the_timeout_whatever_the_service_says(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan may not read the pilot's task, and the wait sees that it is done."""
    place.write_rows("finishing finishing", "{pilot: 1}")
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(1)
    planned: list[float] = []

    class Refused:
        def statuses(self, records: Sequence[Record], _: int) -> list[TaskStatus]:
            planned.extend([skipped_epoch()] if records else [])
            raise RemoteError([], status=403, is_own=True)

    monkeypatch.setattr(Context, "fresh_reader", property(lambda _: Refused()))
    read = counted_lists(monkeypatch)
    arguments = ("--yes", "--wait", "--interval", "10s", "--timeout", "60s")
    document = place.document("apply", *arguments)
    assert document["wait"]["end"] == "timeout"
    assert document["wait"]["summary"] == {"done": 1}
    assert 3 < len(planned) < 9
    assert all(after - before >= 10 for before, after in pairwise(planned[1:]))
    assert len(read) < 30


def test_a_plan_counts_it_as_a_change_that_apply_records_a_success(place: LiveTasks) -> None:
    """Held tasks wait for others, too, so nothing is created."""
    place.write_rows("finishing approving finishing", "{pilot: 2}")
    assert place.run("apply", "--yes")[0] == 0
    place.finish(**{"t@a": "done", "t@b": "waiting"})
    path = place.folder / "taskctl.state.json"
    before = path.read_bytes()
    assert place.document("plan")["hasChanges"] is True
    assert place.run("plan", "--detailed-exitcode")[0] == 2
    code, out, _ = place.run("apply", "--yes")
    assert (code, "Apply records that 1 awaited task succeeded." in out) == (0, True)
    after = path.read_bytes()
    assert after != before
    assert place.document("plan")["hasChanges"] is False
    assert place.run("apply", "--yes")[0] == 0
    assert path.read_bytes() == after


def test_what_has_stopped_stays_in_the_report_of_later_waves(place: LiveTasks) -> None:
    rest = "{forEach: {row: [x, y]}, rollout: {pilot: 1}, message: 'finishing {{ row }}'}"
    place.write_rows("failing finishing", "{pilot: 1}")
    assert place.run("apply", "--yes")[0] == 0
    place.finish(**{"t@a": "failed"})
    place.write_rows("failing finishing", "{pilot: 1}", f"u: {rest}\n")
    document = place.document("apply", *QUICK)
    held = {task["key"]: task["reason"] for task in document["wait"]["held"]}
    assert (held, document["summary"]["held"]) == ({"t@b": "stopped"}, 1)
    assert (document["summary"]["created"], document["wait"]["end"]) == (2, "finished")


def test_a_failed_later_wave_is_reported_once(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write_rows("finishing finishing", "{pilot: 1}")
    create, sent = Client.create_task, Counter[str]()

    def second_refused(self: Client, *words: Any, **more: Any) -> CreateOutcome:
        sent["create"] += 1
        return create(self, *words, **more) if sent["create"] == 1 else Refused("no", 400)

    monkeypatch.setattr(Client, "create_task", second_refused)
    code, out, err = place.run("apply", *QUICK)
    assert (code, sent["create"]) == (1, 2), err
    assert (out.count("created t@a "), out.count("failed t@b")) == (1, 1), out
