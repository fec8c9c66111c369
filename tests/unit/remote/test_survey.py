"""What is read of a service for a plan, and what it proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.errors import RemoteError
from reconciler.model.options import PlanOptions
from reconciler.model.service import CreateOutcome, SendWindow, TaskPage
from reconciler.model.task import DesiredTask, FirstMessage, Identity, RemoteTask
from reconciler.plan.lookup import lookups
from reconciler.plan.view import RemoteView, TaskId
from reconciler.remote.message_cache import MessageCache
from reconciler.remote.survey import FEW, Survey
from reconciler.state.model import State
from tests.support.worlds import (
    ME,
    NOW,
    SOMEONE,
    ago,
    attempt,
    desired,
    message,
    record,
    remote,
    state,
)

SETTLE = timedelta(seconds=150)


class Shown:
    """A service that shows these pages of tasks; `events` are first messages or failures by id.

    `hidden` are tasks that GET answers 404 for, each so many times (-1: always).
    """

    backend = "https://api.example.com"

    def __init__(self, *pages: Sequence[RemoteTask]) -> None:
        self.pages = pages
        self.events: dict[str, FirstMessage | RemoteError | None] = {}
        self.hidden: dict[str, int] = {}
        self.others: dict[str, Sequence[RemoteTask]] = {}
        self.broken_list = False
        self.omitted: list[str] = []
        self.clock: datetime | None = NOW
        self.asked: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def identity(self) -> Identity:
        return ME

    def service_clock(self) -> datetime | None:
        return self.clock

    def ignored_date(self) -> Diagnostic | None:
        return None

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        self.asked.append(f"list {org_name}")
        omitted = self.omitted.pop(0) if self.omitted else ""
        if self.broken_list:
            raise RemoteError.of("HTTP 500")
        if org_name != "acme":
            yield TaskPage(tuple(self.others.get(org_name, ())))
            return
        for number, page in enumerate(self.pages):
            self.asked.append(f"page {number}")
            yield TaskPage(tuple(task for task in page if task.id != omitted))
        if not self.pages:
            yield TaskPage(())

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        self.asked.append(f"get {task_id}")
        left = self.hidden.get(task_id, 0)
        if left:
            self.hidden[task_id] = left - 1
            return None
        return remote(task_id, org_name=org_name)

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        self.asked.append(f"events {task_id}")
        self.meanwhile()
        found = self.events.get(task_id)
        if isinstance(found, RemoteError):
            raise found
        return found

    def create_task(
        self, org_name: str, body: Mapping[str, Any], window: SendWindow
    ) -> CreateOutcome:
        raise AssertionError(org_name)

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, Any]) -> RemoteTask:
        raise AssertionError(org_name)

    def task_url(self, org_name: str, task_id: str) -> str:
        raise AssertionError(org_name)


class Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW

    def read(
        self,
        service: Shown,
        *wanted: DesiredTask,
        known: State | None = None,
        **options: Any,
    ) -> RemoteView:
        survey = Survey(
            service,
            MessageCache(self.folder, service.backend),
            parallelism=2,
            settle_time=SETTLE,
            clock=lambda: self.now,
        )
        chosen = PlanOptions(settle_time=SETTLE, **options)
        there = known if known is not None else state()
        return survey.read(lambda who, now: lookups(wanted, there, who, chosen, now))


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def ids(view: RemoteView) -> set[str]:
    return {task.id for task in view.tasks}


# Recorded tasks


def test_few_recorded_tasks_are_asked_for_one_by_one(reader: Reader) -> None:
    service = Shown([remote("t")])
    view = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert service.asked == ["get t"]
    assert ids(view) == {"t"}


def test_many_are_looked_for_in_the_list(reader: Reader) -> None:
    keys = [f"k{n}" for n in range(FEW + 1)]
    service = Shown([remote(f"t-{key}") for key in keys])
    known = state([record(key, f"t-{key}") for key in keys])
    view = reader.read(service, *map(desired, keys), known=known)
    assert service.asked == ["list acme", "page 0"]
    assert len(view.tasks) == FEW + 1


def test_absent_is_what_answers_404_twice_while_the_list_answers(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"] = -1
    view = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert view.absent == {TaskId("acme", "t")}
    assert service.asked == ["get t", "list acme", "get t"]


def test_a_404_that_does_not_last_proves_nothing(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"] = 1
    view = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert (ids(view), view.absent) == ({"t"}, frozenset())


def test_a_404_while_the_list_fails_is_an_error_not_absence(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"], service.broken_list = -1, True
    with pytest.raises(RemoteError):
        reader.read(service, desired("a"), known=state([record("a", "t")]))


# Attempts


def test_all_that_an_attempt_may_have_made_is_read_and_no_page_beyond(reader: Reader) -> None:
    made = attempt("a", ago(minutes=9))
    service = Shown(
        [remote("new", ago(minutes=1))],
        [remote("slack", ago(minutes=10))],
        [remote("more", ago(minutes=13))],
        [remote("older", ago(minutes=15))],
        [remote("never read", ago(minutes=16))],
    )
    view = reader.read(service, desired("a"), known=state(attempts=[made]))
    assert ids(view) == {"new", "slack", "more"}
    assert "page 4" not in service.asked


def test_a_list_without_dates_is_read_to_its_end(reader: Reader) -> None:
    undated = [remote(f"t{n}", createdAt=None) for n in range(3)]
    service = Shown(*[[task] for task in undated])
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert ids(view) == {"t0", "t1", "t2"}


def test_a_list_in_another_order_is_read_to_its_end(reader: Reader) -> None:
    """A service that does not know `sortBy=created` shows what changed last first."""
    service = Shown(
        [remote("old, active", ago(days=30)), remote("x", ago(minutes=3))],
        [remote("ours", ago(minutes=8))],
    )
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert "ours" in ids(view)


def test_repeats_do_no_harm(reader: Reader) -> None:
    task = remote("t", ago(minutes=8))
    service = Shown([task, task], [task])
    service.events["t"] = message("work of a", ago(minutes=9))
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert ids(view) == {"t"}
    assert service.asked.count("events t") == 1


def test_what_one_reading_of_several_pages_leaves_out_another_has(reader: Reader) -> None:
    """A task that leaves the list while it is read moves another past the end of a page."""
    service = Shown([remote("new", ago(minutes=1))], [remote("ours", ago(minutes=8))])
    service.omitted = ["ours"]
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert ids(view) == {"new", "ours"}
    service.omitted = ["ours"]
    assert ids(reader.read(service, desired("a"), known=state(is_new=True))) == {"new", "ours"}


def test_one_page_is_read_once(reader: Reader) -> None:
    service = Shown([remote("new", ago(minutes=1))])
    reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert service.asked.count("list acme") == 1


def test_attempts_in_an_organization_that_no_manifest_names_are_looked_up(reader: Reader) -> None:
    made = attempt("a", ago(minutes=9), org_name="other")
    service = Shown()
    service.others["other"] = [remote("t", ago(minutes=8), org_name="other")]
    service.events["t"] = message("work of a", ago(minutes=9))
    view = reader.read(service, known=state(attempts=[made]))
    assert TaskId("other", "t") in view.messages


def test_attempts_of_another_identity_are_not_looked_up(reader: Reader) -> None:
    made = attempt("a", ago(minutes=9), identity=SOMEONE)
    service = Shown([remote("t", ago(minutes=8))])
    view = reader.read(service, desired("a"), known=state(attempts=[made]))
    assert view.tasks == {}


def test_what_another_user_seems_to_have_made_is_read_for_an_attempt_all_the_same(
    reader: Reader,
) -> None:
    other = remote("t", ago(minutes=8), createdBy={"githubLogin": "machine"})
    service = Shown([other])
    service.events["t"] = message("work of a", ago(minutes=9))
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert TaskId("acme", "t") in view.messages


def test_a_young_task_without_a_message_is_unreadable_yet(reader: Reader) -> None:
    young = remote("young", ago(seconds=100))
    service = Shown([young])
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert set(view.unreadable) == {TaskId("acme", "young")}


def test_events_that_cannot_be_read_are_unreadable(reader: Reader) -> None:
    service = Shown([remote("t", ago(minutes=8)), remote("u", ago(minutes=8))])
    service.events = {"t": RemoteError([error("HTTP 500")]), "u": message("x")}
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert view.unreadable == {TaskId("acme", "t"): "HTTP 500"}
    assert TaskId("acme", "u") in view.messages


def test_the_clocks_are_those_of_before_the_first_look(reader: Reader) -> None:
    """A look-up that began before the settle time must not count as one after it."""
    service = Shown([remote("t", ago(minutes=8))])

    def an_hour_passes() -> None:
        reader.now, service.clock = NOW + timedelta(hours=1), NOW + timedelta(hours=1)

    service.meanwhile = an_hour_passes
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert (view.now, view.service_now) == (NOW, NOW)


# Look-alikes


def test_a_new_state_reads_all_another_one_week(reader: Reader) -> None:
    pages = [
        [remote("new", ago(days=1))],
        [remote("old", ago(days=60))],
        [remote("o", ago(days=99))],
    ]
    everything = reader.read(Shown(*pages), desired("a"), known=state(is_new=True))
    assert ids(everything) == {"new", "old", "o"}
    week = reader.read(Shown(*pages), desired("a"))
    assert ids(week) == {"new"}


def test_a_state_that_is_new_for_one_file_reads_all_for_its_sake(reader: Reader) -> None:
    pages = [[remote("new", ago(days=1))], [remote("old", ago(days=60))]]
    known = state(is_new=True, searched=("tasks/a.yaml",))
    assert ids(reader.read(Shown(*pages), desired("a"), known=known)) == {"new"}
    other = desired("b", file="tasks/b.yaml")
    assert ids(reader.read(Shown(*pages), desired("a"), other, known=known)) == {"new", "old"}


def test_only_own_unrecorded_tasks_with_fitting_settings_are_read(reader: Reader) -> None:
    service = Shown(
        [
            remote("mine"),
            remote("planned", planMode=True),
            remote("theirs", createdBy={"githubLogin": "someone"}),
            remote("recorded"),
        ]
    )
    known = state([record("b", "recorded")])
    reader.read(service, desired("a"), desired("b"), known=known)
    assert [line for line in service.asked if line.startswith("events")] == ["events mine"]


def test_nothing_is_missing_nothing_is_searched(reader: Reader) -> None:
    service = Shown([remote("t")])
    reader.read(service, desired("a", adopt=False), known=state(is_new=True))
    assert service.asked == []


def test_the_limit_keeps_the_newest_and_says_so(reader: Reader) -> None:
    service = Shown([remote(f"t{n}", ago(hours=n)) for n in range(1, 5)])
    view = reader.read(service, desired("a"), known=state(is_new=True), adopt_limit=2)
    assert [line for line in service.asked if line.startswith("events")] == [
        "events t1",
        "events t2",
    ]
    assert view.cut_short == {"acme"}
    whole = reader.read(service, desired("a"), known=state(is_new=True), adopt_limit=4)
    assert whole.cut_short == frozenset()


def test_the_limit_is_none_for_attempts(reader: Reader) -> None:
    service = Shown([remote(f"t{n}", ago(minutes=n)) for n in range(1, 6)])
    known = state(attempts=[attempt("a", ago(minutes=9))], is_new=True)
    view = reader.read(service, desired("a"), desired("b"), known=known, adopt_limit=1)
    assert ids(view) == {"t1", "t2", "t3", "t4", "t5"}
    assert len([line for line in service.asked if line.startswith("events")]) == 5


def test_a_message_is_read_once_for_all_times(reader: Reader) -> None:
    service = Shown([remote("t")])
    service.events["t"] = message("work of a")
    for _ in range(2):
        view = reader.read(service, desired("a"))
        assert view.messages[TaskId("acme", "t")] == message("work of a")
    assert service.asked.count("events t") == 1
