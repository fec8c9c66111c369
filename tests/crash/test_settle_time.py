"""How long an attempt stays open: whoever looks, by the longer settle time, and by no clock but
that of the process that looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.crash_points import run
from tests.support.fault_server import Call, Fault
from tests.support.in_process import InProcess
from tests.support.references import prompt_of, without_reference
from tests.support.sandbox import as_tasks
from tests.support.skipped_time import Skipped, stopped_time

WINDOW = 10.0
NOTHING_DONE = Fault("status", status=503)


def killed_before_it_sends(here: InProcess, settle: str) -> None:
    """The attempt is journaled, and its request never leaves."""
    here.sandbox.write(as_tasks({"k0": "do 0"}))
    here.sandbox.settle = settle
    words = here.sandbox.arguments("apply", "--parallelism", "1")
    whole = here.within("whole")
    whole.sandbox.write(as_tasks({"k0": "do otherwise"}), orgName="other")
    points = run(words, cwd=whole.sandbox.folder).points
    sends = [p for p in points if (p.operation, p.phase) == ("send", "before") and "POST" in p.what]
    assert run(words, kill_at=sends[0].number, cwd=here.sandbox.folder).killed
    assert here.server.tasks_by_work().keys() == {"do otherwise"}


@pytest.fixture
def time(here: InProcess) -> Iterator[Skipped]:
    with stopped_time() as time:
        yield time


def seconds_until_sent(here: InProcess, time: Skipped, *words: str) -> float:
    """How long an apply waits before it sends the create."""
    began, sent = time.seconds, list[float]()

    def choose(call: Call) -> None:
        if call.endpoint == "create":
            sent.append(time.seconds)

    here.server.choose = choose
    ended = here.run("apply", *words)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert len(sent) == 1
    return sent[0] - began


@pytest.mark.parametrize("factor", [1.0, 10.0, 0.5])
def test_another_process_counts_from_when_it_took_the_lock(
    here: InProcess, time: Skipped, factor: float
) -> None:
    """Even on the same boot: two machines that were resumed from one snapshot share its ID, and
    their clocks differ."""
    killed_before_it_sends(here, "30s")
    time.stop(time.now(), time.boot() * factor)
    assert 30 + WINDOW <= seconds_until_sent(here, time) < 60


@pytest.mark.parametrize(("sent_with", "today"), [("40s", "5s"), ("5s", "40s")])
def test_the_longer_settle_time_counts(
    here: InProcess, time: Skipped, sent_with: str, today: str
) -> None:
    killed_before_it_sends(here, sent_with)
    here.sandbox.settle = today
    assert 40 + 5 <= seconds_until_sent(here, time) < 70


def test_an_apply_that_is_cancelled_again_and_again_gets_there(
    here: InProcess, time: Skipped
) -> None:
    """Each one waits for a part of the settle time, which the next ones need not wait for again."""
    killed_before_it_sends(here, "150s")
    for _ in range(3):
        time.signal_at = time.seconds + 45
        assert here.run("apply").code == 143
        assert "do 0" not in here.server.tasks_by_work()
    time.signal_at = None
    assert seconds_until_sent(here, time) <= 25 + 1
    assert len(here.server.tasks_by_work()["do 0"]) == 1


@pytest.mark.parametrize("settle", ["0s", "1ms", "99ms"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_settle_time_too_short_to_send_anything_is_an_error(
    here: InProcess, settle: str, command: str
) -> None:
    here.sandbox.settle = settle
    ended = here.run(command)
    assert ended.code != 0
    assert "settle" in ended.stdout + ended.stderr
    assert not here.server.posts


def test_a_create_of_a_period_that_ended_is_not_sent_again(here: InProcess, time: Skipped) -> None:
    """The response is lost ten seconds before midnight; the next apply creates that day's task."""
    time.stop(datetime(2026, 11, 25, 23, 59, 50, tzinfo=UTC), time.boot())
    here.sandbox.settle = "30s"
    entry = {"every": "day", "message": "do {{ period.name }}"}
    manifest = {"version": 1, "orgName": "acme", "tasks": {"daily": entry}}
    (here.sandbox.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
    failing = True

    def choose(call: Call) -> Fault | None:
        return NOTHING_DONE if call.endpoint == "create" and failing else None

    here.server.choose = choose
    here.run("apply")
    assert time.now().day == 26
    assert len(here.server.posts) == 1
    failing = False
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    assert list(here.server.tasks_by_work()) == ["do 2026-11-26"]


def test_a_period_ends_for_each_entry_by_itself(here: InProcess, time: Skipped) -> None:
    """Where it is still the same day, the task is sent again; elsewhere it is not."""
    time.stop(datetime(2026, 11, 25, 23, 59, 50, tzinfo=UTC), time.boot())
    here.sandbox.settle = "30s"
    daily = {"every": "day", "message": "do {{ period.name }}"}
    late = {"every": "day", "timezone": "America/Lima", "message": "see {{ period.name }}"}
    manifest = {"version": 1, "orgName": "acme", "tasks": {"daily": daily, "late": late}}
    (here.sandbox.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
    here.server.choose = lambda call: NOTHING_DONE if call.endpoint == "create" else None
    here.run("apply")
    assert time.now().day == 26
    sent = [prompt_of(body) for body in here.server.posts]
    posts = [without_reference(text) for text in sent]
    assert posts.count("do 2026-11-25") == 1
    assert posts.count("see 2026-11-25") > 1


def test_nobody_declares_that_nothing_was_created_while_the_request_may_arrive(
    here: InProcess, time: Skipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan of a colleague names who can look it up, before it suggests to answer by hand. An
    answer waits until the request can no longer arrive."""
    killed_before_it_sends(here, "5m")
    time.go_on()
    here.server.habits.tokens["other"] = "other"
    with monkeypatch.context() as theirs:
        theirs.setenv("PULUMI_ACCESS_TOKEN", "other")
        (planned,) = here.run("plan").document["tasks"]
        (told,) = here.run("apply").document["tasks"]
    assert "may still create the task" in planned["note"]
    assert "me-login made this attempt" in told["error"]
    assert "If me-login can no longer apply" in told["hints"][0]["text"]
    began = time.seconds
    assert here.run_state("close", "k0").code == 0
    assert time.seconds - began > 300 + WINDOW - 1
    assert here.run("apply").results() == {"k0": "created"}
