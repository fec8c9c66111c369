"""The data that a survey reads from the service for a plan, and what it proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.survey import FEW, Survey, message_cache
from reconciler.model.diagnostics import Diagnostic, RemoteError
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Arg, Remark
from reconciler.model.service import (
    CreateOutcome,
    FirstMessage,
    Identity,
    RemoteTask,
    SendWindow,
    TaskPage,
)
from reconciler.model.task import DesiredTask, TaskId
from reconciler.model.value import replace
from reconciler.plan import lookup
from reconciler.plan.lookup import BASELINE_SIZE
from reconciler.plan.planner import PlanInputs, lookups_of
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt, Baseline, ChangeKind, RecordChange
from reconciler.state.ledger import fold
from reconciler.state.model import Record, Retired, State
from reconciler.system.cache import UserCache
from tests.support.apply_world import Clock
from tests.support.diagnostics import error, failed
from tests.support.plan_values import (
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

    `hidden` are tasks for which GET returns 404, each that many times (-1: always); it fails for
    those `refused`. `created` are the times of creation that it shows.
    """

    backend = "https://api.example.com"

    def __init__(self, *pages: Sequence[RemoteTask]) -> None:
        self.pages = pages
        self.events: dict[str, FirstMessage | RemoteError | None] = {}
        self.hidden: dict[str, int] = {}
        self.refused: set[str] = set()
        self.created: dict[str, datetime] = {}
        self.others: dict[str, Sequence[RemoteTask]] = {}
        self.broken_list = False
        self.closed: set[str] = set()
        self.problem: Diagnostic | None = None
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
        if self.broken_list or org_name in self.closed:
            raise failed(RemoteError, "HTTP 500")
        if org_name != "acme":
            yield TaskPage(tuple(self.others.get(org_name, ())))
            return
        for number, page in enumerate(self.pages):
            self.asked.append(f"page {number}")
            yield TaskPage(tuple(t for t in page if t.id != omitted), self.problem)
        if not self.pages:
            yield TaskPage((), self.problem)

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        self.asked.append(f"get {task_id}")
        left = self.hidden.get(task_id, 0)
        if left:
            self.hidden[task_id] = left - 1
            return None
        if task_id in self.refused:
            raise failed(RemoteError, "HTTP 500")
        return remote(task_id, self.created.get(task_id), org_name=org_name)

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
        self.clock = Clock()
        self.survey: Survey | None = None
        self.notes: list[str] = []
        self.while_asleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.clock.passed += seconds
        self.while_asleep()

    def read(
        self,
        service: Shown,
        *declared: DesiredTask,
        known: State | None = None,
        again: bool = False,
        **options: Any,
    ) -> RemoteView:
        """`again`: with the survey of the last call."""
        survey = self.survey = (again and self.survey) or Survey(
            service,
            message_cache(UserCache(self.folder), service.backend, ME),
            parallelism=2,
            clock=self.clock,
        )
        survey.sleep, survey.note = self.sleep, lambda note, **_: self.notes.append(note)
        chosen = PlanOptions(settle_time=SETTLE, **options)
        there = known if known is not None else state()
        identity, clocks = survey.begin()
        lookups = lookups_of(PlanInputs(declared, there, chosen), identity, clocks)
        return survey.read(identity, clocks, lookups)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def ids(view: RemoteView) -> set[str]:
    return {task.id for task in view.tasks}


# Recorded tasks


def test_few_recorded_tasks_are_requested_one_by_one(reader: Reader) -> None:
    service = Shown([remote("t")])
    view = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert service.asked == ["get t"]
    assert ids(view) == {"t"}


def test_many_recorded_tasks_are_looked_up_in_the_list(reader: Reader) -> None:
    keys = [f"k{n}" for n in range(FEW + 1)]
    service = Shown([remote(f"t-{key}") for key in keys])
    known = state([record(key, f"t-{key}") for key in keys])
    view = reader.read(service, *map(desired, keys), known=known)
    assert service.asked == ["list acme", "page 0"]
    assert len(view.tasks) == FEW + 1


def test_a_task_is_absent_after_two_404s_while_the_list_responds(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"] = -1
    view = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert view.absent == {TaskId("acme", "t")}
    assert service.asked == ["get t", "list acme", "get t"]


def test_a_transient_404_is_not_absence(reader: Reader) -> None:
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


BEFORE = Baseline("acme", tuple(f"b{n}" for n in range(BASELINE_SIZE)), ME)


def tried(**more: Any) -> State:
    """A state with one attempt, created after BEFORE was read."""
    made = attempt("a", ago(minutes=9), baseline=BEFORE.name)
    return state(attempts=[made], baselines={BEFORE.name: BEFORE}, **more)


def test_a_lookup_ends_when_half_of_its_oldest_tasks_were_seen(reader: Reader) -> None:
    """Not at the first task of the baseline: the list can lag, and clocks of nodes differ."""
    service = Shown(
        [remote("new"), *(remote(f"b{n}") for n in range(92))],
        [remote("late"), remote("b92"), remote("b93"), *(remote(f"n{n}") for n in range(9))],
        [remote("later"), remote("b95")],
        [remote("never read")],
    )
    view = reader.read(service, desired("a", adopt=False), known=tried())
    assert {"new", "late", "later"} <= ids(view)
    assert "page 3" not in service.asked


def test_a_lookup_does_not_end_before_it_has_read_the_newest_tasks(reader: Reader) -> None:
    """Pages can be small, and a task of a node with a slow clock is listed after older ones."""
    first = Baseline("acme", ("b0",), ME)
    made = attempt("a", ago(minutes=9), baseline=first.name)
    known = state(attempts=[made], baselines={first.name: first})
    view = reader.read(Shown([remote("b0")], [remote("late")]), desired("a"), known=known)
    assert "late" in ids(view)
    assert view.newest["acme"].ids == ("b0", "late")


def test_what_is_listed_after_a_full_baseline_is_not_read(reader: Reader) -> None:
    """However long a page is: otherwise each plan with a new key reads a thousand old tasks."""
    full = Baseline("acme", tuple(f"b{number}" for number in range(BASELINE_SIZE)), ME)
    service = Shown([remote("new"), *map(remote, full.ids), remote("older")])
    known = state(baselines={full.name: full}, latest={"acme": full.name})
    assert ids(reader.read(service, desired("a"), known=known)) == {"new"}


def test_without_a_baseline_the_list_is_read_to_its_end(reader: Reader) -> None:
    service = Shown(*[[remote(f"t{n}", createdAt=None)] for n in range(3)])
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert ids(view) == {"t0", "t1", "t2"}


def test_a_page_with_a_problem_does_not_prove_absence(reader: Reader) -> None:
    service = Shown([remote("new")])
    service.problem = error("the list is null")
    view = reader.read(service, desired("a"), known=tried())
    assert view.unlisted == {"acme": error("the list is null").cause}
    assert not view.is_complete


def test_an_unreadable_organization_does_not_affect_the_others(reader: Reader) -> None:
    made = attempt("a", ago(minutes=9), org_name="closed")
    service = Shown([remote("t")])
    service.closed = {"closed"}
    view = reader.read(service, desired("b"), known=state(attempts=[made]))
    assert view.refused == {"closed": (error("HTTP 500").cause,)}
    assert ids(view) == {"t"}
    service.closed = {"closed", "acme"}
    with pytest.raises(RemoteError):
        reader.read(service, desired("b"), known=state(attempts=[made]))


def test_a_young_unreadable_message_is_read_again(reader: Reader, tmp_path: Path) -> None:
    """The first message that a task shows need not be the one it was created with."""
    service = Shown([remote("t", ago(seconds=5))])
    service.events["t"] = message("an instruction of the organization")
    survey = Survey(
        service,
        message_cache(UserCache(tmp_path), service.backend, ME),
        parallelism=1,
        clock=reader.clock,
    )
    young = attempt("a", ago(seconds=10))

    def read(tried: Attempt = young) -> RemoteView:
        options = PlanOptions(settle_time=SETTLE)
        known = state(attempts=[tried])
        identity, clocks = survey.begin()
        lookups = lookups_of(PlanInputs([desired("a")], known, options), identity, clocks)
        return survey.read(identity, clocks, lookups)

    read()
    read()
    assert service.asked.count("events t") == 1
    service.events["t"] = message("work of a", young.mark)
    assert read(replace(young, waited=160.0)).messages[TaskId("acme", "t")] == message(
        "work of a", young.mark
    )


def test_repeated_tasks_are_harmless(reader: Reader) -> None:
    task = remote("t", ago(minutes=8))
    service = Shown([task, task], [task])
    service.events["t"] = message("work of a", ago(minutes=9))
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert ids(view) == {"t"}
    assert service.asked.count("events t") == 1


def test_a_task_skipped_by_paging_is_found_by_a_second_read(reader: Reader) -> None:
    """A task that leaves the list while it is read moves another past the end of a page."""
    service = Shown([remote("new", ago(minutes=1))], [remote("ours", ago(minutes=8))])
    service.omitted = ["ours"]
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert ids(view) == {"new", "ours"}
    service.omitted = ["ours"]
    assert ids(reader.read(service, desired("a"), known=state())) == {"new", "ours"}


def test_a_single_page_is_read_once(reader: Reader) -> None:
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


def test_only_the_newest_tasks_are_read_for_an_attempt_of_another_identity(
    reader: Reader,
) -> None:
    """Its baseline may not be visible to this one."""
    made = attempt("a", ago(minutes=9), identity=SOMEONE)
    service = Shown([remote(f"t{n}", ago(minutes=8)) for n in range(120)], [remote("old")])
    view = reader.read(service, desired("a", adopt=False), known=state(attempts=[made]))
    assert ids(view) == {f"t{n}" for n in range(100)}
    assert "page 1" not in service.asked


def test_a_task_whose_record_was_removed_is_read_by_its_id(reader: Reader) -> None:
    service = Shown([*map(remote, BEFORE.ids)], [remote("t", ago(days=9))])
    service.events["t"] = message("work of a")
    gone = record("a", "t").retired(NOW, adoptable=True)
    known = state(baselines={BEFORE.name: BEFORE}, latest={"acme": BEFORE.name})
    known = fold(known, [Retired(gone)])
    for declared in (desired("a"), desired("b", "work of a")):
        view = reader.read(service, declared, known=known)
        assert view.messages[TaskId("acme", "t")] == message("work of a")
    assert not reader.read(service, desired("b"), known=known).tasks


def test_a_task_of_another_user_is_still_read_for_an_attempt(
    reader: Reader,
) -> None:
    other = remote("t", ago(minutes=8), createdBy={"githubLogin": "machine"})
    service = Shown([other])
    service.events["t"] = message("work of a", ago(minutes=9))
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert TaskId("acme", "t") in view.messages


def test_a_task_may_have_no_first_message(reader: Reader) -> None:
    service = Shown([remote("t", ago(seconds=100))])
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert view.messages == {TaskId("acme", "t"): None}


def test_events_that_cannot_be_read_are_unreadable(reader: Reader) -> None:
    service = Shown([remote("t", ago(minutes=8)), remote("u", ago(minutes=8))])
    service.events = {"t": RemoteError([error("HTTP 500")]), "u": message("x")}
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert view.unreadable == {TaskId("acme", "t"): (error("HTTP 500").cause,)}
    assert TaskId("acme", "u") in view.messages


def test_clocks_are_read_before_the_first_lookup(reader: Reader) -> None:
    """A lookup that started before the settle time must not count as one after it."""
    service = Shown([remote("t", ago(minutes=8))])

    def an_hour_passes() -> None:
        reader.clock.passed, service.clock = 3600.0, NOW + timedelta(hours=1)

    service.meanwhile = an_hour_passes
    view = reader.read(service, desired("a"), known=state(attempts=[attempt("a", ago(minutes=9))]))
    assert (view.clocks.now, view.clocks.service) == (NOW, NOW)


# Lists that lack known tasks


def lacking(*ids: str) -> Shown:
    """A service whose list shows a new task and the baseline, except for these."""
    return Shown([remote("new"), *(remote(i) for i in BEFORE.ids if i not in ids)])


def lacks(view: RemoteView) -> Arg:
    """The known task that the list lacks."""
    why = view.unlisted["acme"]
    assert isinstance(why, Remark)
    return why.facts["task_id"] if why.case == "list.lacks" else None


def gets(service: Shown) -> list[str]:
    return [line.removeprefix("get ") for line in service.asked if line.startswith("get")]


def test_a_list_proves_nothing_if_it_lacks_a_known_task(reader: Reader) -> None:
    service = lacking("b7")
    view = reader.read(service, desired("a", adopt=False), known=tried())
    assert (lacks(view), gets(service)) == ("b7", ["b7"])
    assert "acme" not in view.newest


def test_a_known_task_that_is_not_visible_any_more_may_be_missing(reader: Reader) -> None:
    service = lacking("b7")
    service.hidden["b7"] = -1
    view = reader.read(service, desired("a", adopt=False), known=tried())
    assert (view.unlisted, gets(service)) == ({}, ["b7", "b7"])


@pytest.mark.parametrize(("task_id", "is_proof"), [("b0", False), ("b7", True), ("b99", True)])
def test_a_known_task_that_cannot_be_read_counts_as_shown_at_the_end_of_a_list(
    reader: Reader, task_id: str, *, is_proof: bool
) -> None:
    """Nothing older than the depth is needed, so that the oldest does not matter."""
    service = lacking(task_id)
    service.refused = {task_id}
    view = reader.read(service, desired("a", adopt=False), known=tried())
    assert ("acme" not in view.unlisted) is is_proof


def created(key: str, task_id: str, **more: Any) -> Record:
    return replace(record(key, task_id, **more), changes=(RecordChange(ChangeKind.CREATED.value),))


def test_tasks_that_this_identity_has_created_since_are_known(reader: Reader) -> None:
    """Neither those that it has adopted, nor those that were listed before."""
    before = replace(BEFORE, newest_at=ago(hours=2))
    made = attempt("a", ago(minutes=9), baseline=before.name)
    there = [
        created("since", "s1", created_at=ago(hours=1)),
        created("earlier", "s2", created_at=ago(hours=3)),
        created("theirs", "s3", created_at=ago(hours=1), identity=SOMEONE),
        record("adopted", "s4", created_at=ago(hours=1)),
    ]
    known = state(there, attempts=[made], baselines={before.name: before})
    service = lacking()
    view = reader.read(service, desired("a", adopt=False), known=known)
    assert (lacks(view), gets(service)) == ("s1", ["s1"])
    service = Shown([remote("s1"), *service.pages[0]])
    assert not reader.read(service, desired("a", adopt=False), known=known).unlisted


def test_tasks_that_were_listed_before_are_known_as_far_as_the_list_is_read(
    reader: Reader,
) -> None:
    """A later attempt has a newer baseline, and its list is read less far."""
    others = [remote(f"x{n}") for n in range(2 * BASELINE_SIZE)]
    service = Shown(others, [remote(i) for i in BEFORE.ids])
    assert not reader.read(service, desired("a", adopt=False), known=tried()).unlisted
    newest = Baseline("acme", tuple(task.id for task in others[:BASELINE_SIZE]), ME, ago(hours=1))
    known = state(
        [created("a", "s", created_at=ago(minutes=1))],
        attempts=[attempt("b", ago(minutes=2), baseline=newest.name)],
        baselines={newest.name: newest},
    )
    service.pages = [remote("s"), *others[:BASELINE_SIZE]], others[BASELINE_SIZE:]
    read = partial(reader.read, service, desired("b", adopt=False), known=known, again=True)
    assert not read().unlisted
    assert service.asked[-1] == "page 0"
    service.pages = [remote("s"), *others[1:BASELINE_SIZE]], others[BASELINE_SIZE:]
    assert lacks(read()) == "x0"


def test_a_list_without_a_young_task_is_read_again(reader: Reader) -> None:
    service = lacking("b0")
    service.created["b0"] = ago(seconds=100)
    reader.while_asleep = lambda: setattr(service, "pages", lacking().pages)
    assert not reader.read(service, desired("a", adopt=False), known=tried()).unlisted
    assert (service.asked.count("list acme"), reader.notes) == (2, ["list_lags"])


@pytest.mark.parametrize("age", [timedelta(seconds=100), timedelta(days=-99)])
def test_it_is_read_again_for_the_settle_time_at_most(reader: Reader, age: timedelta) -> None:
    service = lacking("b0")
    service.created["b0"] = NOW - age
    assert reader.read(service, desired("a", adopt=False), known=tried()).unlisted
    assert reader.clock.passed == min(50.0 if age > timedelta() else 150.0, 150.0)
    assert gets(service) == ["b0"]


# Look-alikes


def test_all_tasks_are_read_or_those_since_the_last_apply_of_all_manifests(
    reader: Reader,
) -> None:
    pages = [[remote("new")], [*map(remote, BEFORE.ids)], [remote("old")]]
    everything = reader.read(Shown(*pages), desired("a"), known=state())
    assert {"new", "old"} <= ids(everything)
    known = state(baselines={BEFORE.name: BEFORE}, latest={"acme": BEFORE.name})
    assert ids(reader.read(Shown(*pages), desired("a"), known=known)) == {"new"}
    restored = reader.read(Shown(*pages), desired("a"), known=known, adopt=True)
    assert {"new", "old"} <= ids(restored)
    theirs = replace(BEFORE, identity=SOMEONE)
    known = state(baselines={theirs.name: theirs}, latest={"acme": theirs.name})
    assert {"new", "old"} <= ids(reader.read(Shown(*pages), desired("a"), known=known))


def test_only_unrecorded_tasks_with_matching_settings_are_read(reader: Reader) -> None:
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
    read = sorted(line for line in service.asked if line.startswith("events"))
    assert read == ["events mine", "events theirs"]


def test_for_a_create_only_the_newest_tasks_are_listed_if_none_are_compared(
    reader: Reader,
) -> None:
    service = Shown([remote("t")])
    view = reader.read(service, desired("a", adopt=False), known=state())
    assert service.asked == ["list acme", "page 0"]
    assert view.newest["acme"].ids == ("t",)
    reader.read(service, desired("a", task_id="t"), known=state())
    assert service.asked[2:] == ["get t"]


def test_the_limit_keeps_the_newest_and_is_reported(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MOST", 2)
    service = Shown([remote(f"t{n}", ago(hours=n)) for n in range(1, 5)])
    view = reader.read(service, desired("a"), known=state())
    assert [line for line in service.asked if line.startswith("events")] == [
        "events t1",
        "events t2",
    ]
    assert view.cut_short == {"acme"}
    whole = reader.read(service, desired("a"), known=state(), adopt=True)
    assert whole.cut_short == frozenset()


def test_the_limit_does_not_apply_to_attempts(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MOST", 1)
    service = Shown([remote(f"t{n}", ago(minutes=n)) for n in range(1, 6)])
    known = state(attempts=[attempt("a", ago(minutes=9))])
    view = reader.read(service, desired("a"), desired("b"), known=known)
    assert ids(view) == {"t1", "t2", "t3", "t4", "t5"}
    assert len([line for line in service.asked if line.startswith("events")]) == 5


def test_the_first_message_of_a_task_older_than_the_settle_time_is_cached(reader: Reader) -> None:
    """The text of a younger one may be half there."""
    listed = {"old": ago(minutes=9), "young": ago(seconds=9)}
    service = Shown([remote(task_id, at) for task_id, at in listed.items()])
    service.events = dict.fromkeys(listed, message("work of b"))
    for _ in range(2):
        view = reader.read(service, desired("a"))
        assert view.messages.keys() == {TaskId("acme", task_id) for task_id in listed}
    assert [service.asked.count(f"events {task_id}") for task_id in listed] == [1, 2]


def test_no_first_message_is_cached_for_an_attempt(reader: Reader) -> None:
    """Another task, which it cannot have created, is not read again."""
    service = Shown([remote("new", ago(minutes=9)), remote("b0", ago(minutes=9))])
    service.events = dict.fromkeys(("new", "b0"), message("work of b"))
    for _ in range(2):
        reader.read(service, desired("a"), known=tried())
    assert [service.asked.count(f"events {task_id}") for task_id in ("new", "b0")] == [2, 1]


def test_a_task_of_another_user_counts_only_if_it_was_read(reader: Reader) -> None:
    service = Shown([remote("theirs", createdBy={"githubLogin": "someone"})])
    service.events["theirs"] = RemoteError([error("HTTP 500")])
    view = reader.read(service, desired("a"))
    assert (view.unreadable, view.is_complete) == ({}, True)
    assert reader.read(service, desired("a"), known=tried()).unreadable


def test_a_note_says_that_many_first_messages_are_read(reader: Reader) -> None:
    tasks = [remote(f"t{number}") for number in range(100)]
    service = Shown(tasks)
    service.events = {task.id: message("work of b") for task in tasks}
    for _ in range(2):
        reader.read(service, desired("a"))
    assert reader.notes == ["reading_messages"]


def test_only_a_list_that_was_searched_has_been_compared(reader: Reader) -> None:
    service = Shown([remote("t")])
    assert reader.read(service, desired("a")).compared == {"acme"}
    assert not reader.read(service, desired("a", adopt=False)).compared
    assert not reader.read(service, desired("a"), known=state([record("a", "t")])).compared
