"""The data that a survey reads from the service for a plan, and what it proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler.app import survey
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
from reconciler.model.task import DesiredTask, TaskId, rfc3339
from reconciler.model.value import replace
from reconciler.plan.facts import Facts
from reconciler.plan.needs import BASELINE_SIZE, needs
from reconciler.state.attempt import Baseline
from reconciler.state.model import Record, State
from reconciler.system.cache import UserCache
from tests.support.apply_world import Clock
from tests.support.diagnostics import error, failed
from tests.support.plan_values import (
    ME,
    NOW,
    PROVENANCE,
    SOMEONE,
    ago,
    attempt,
    desired,
    message,
    record,
    reference,
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


NEW = remote("new", ago(minutes=9))


class Appearing(Shown):
    """A task appears after the first reading of the list."""

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        yield from super().list_tasks(org_name)
        self.pages = ([NEW], *(page for page in self.pages if page != [NEW]))


class Reader:
    """Reads with a new survey each time, and one cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.survey: Survey | None = None
        self.notes: list[str] = []
        self.parts: list[Facts] = []

    def read(
        self,
        service: Shown,
        *declared: DesiredTask,
        known: State | None = None,
        again: bool = False,
        **options: Any,
    ) -> Facts:
        """`again`: with the survey of the last call."""
        reads = self.survey = (again and self.survey) or Survey(
            service,
            message_cache(UserCache(self.folder), service.backend, ME),
            parallelism=2,
            clock=self.clock,
            note=lambda note, **_: self.notes.append(note),
        )
        chosen = PlanOptions(settle_time=SETTLE, **options)
        there = known if known is not None else state()
        identity, clocks = reads.begin()
        asked = needs(declared, there, identity, chosen, clocks)
        return reads.read(identity, clocks, asked, self.parts.append)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def ids(found: Facts) -> set[str]:
    return {task.id for task in found.tasks.values()}


def unknown(found: Facts) -> tuple[str, ...]:
    """The tasks to explain, oldest first."""
    return found.lists["acme"].unknown


def unproven(found: Facts) -> Arg | None:
    return found.lists["acme"].unproven


# Recorded tasks


def test_few_recorded_tasks_are_requested_one_by_one(reader: Reader) -> None:
    service = Shown([remote("t")])
    found = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert service.asked == ["get t"]
    assert ids(found) == {"t"}


def test_many_recorded_tasks_are_looked_up_in_the_list(reader: Reader) -> None:
    keys = [f"k{n}" for n in range(FEW + 1)]
    service = Shown([remote(f"t-{key}") for key in keys])
    known = state([record(key, f"t-{key}") for key in keys])
    found = reader.read(service, *map(desired, keys), known=known)
    assert service.asked == ["list acme", "page 0"]
    assert len(found.tasks) == FEW + 1


def test_a_task_is_absent_after_two_404s_while_the_list_responds(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"] = -1
    found = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert found.absent == {TaskId("acme", "t")}
    assert service.asked == ["get t", "list acme", "get t"]


def test_a_transient_404_is_not_absence(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"] = 1
    found = reader.read(service, desired("a"), known=state([record("a", "t")]))
    assert (ids(found), found.absent) == ({"t"}, frozenset())


def test_a_404_while_the_list_fails_is_an_error_not_absence(reader: Reader) -> None:
    service = Shown()
    service.hidden["t"], service.broken_list = -1, True
    with pytest.raises(RemoteError):
        reader.read(service, desired("a"), known=state([record("a", "t")]))


# Attempts


BEFORE = Baseline("acme", tuple(f"b{n}" for n in range(BASELINE_SIZE)), ME)


def tried(**more: Any) -> State:
    """A state with an attempt, and with BEFORE as baseline."""
    return state(attempts=[attempt("a", ago(minutes=9))], baselines=(BEFORE,), **more)


def asking() -> State:
    """A state without a baseline, which reads all tasks."""
    return state(provenance=replace(PROVENANCE, is_new=False))


def test_a_list_is_read_until_half_of_its_oldest_tasks_were_seen(reader: Reader) -> None:
    """And as far as the baseline is long, or to its end: a list that ends too early lacks known
    tasks. The list can also lag, and clocks of nodes differ."""
    service = Shown(
        [remote("new"), *(remote(f"b{n}") for n in range(92))],
        [remote("late"), remote("b92"), remote("b93"), *(remote(f"n{n}") for n in range(9))],
        [remote("never read")],
    )
    found = reader.read(service, desired("a"), known=tried())
    assert {"new", "late"} <= {*unknown(found)}
    assert "page 1" in service.asked
    assert "page 2" not in service.asked


def test_a_short_baseline_does_not_end_what_is_read_of_a_page(reader: Reader) -> None:
    """Pages can be small, and a task of a node with a slow clock is listed after older ones."""
    first = Baseline("acme", ("b0",), ME)
    known = state(baselines=(first,))
    found = reader.read(Shown([remote("b0"), remote("late")]), desired("a"), known=known)
    assert unknown(found) == ("late",)
    assert found.lists["acme"].newest.ids == ("b0", "late")


def test_what_is_listed_after_a_full_baseline_is_not_read(reader: Reader) -> None:
    """However long a page is: otherwise each plan with a new key reads a thousand old tasks."""
    service = Shown([remote("new"), *map(remote, BEFORE.ids), remote("older")])
    known = state(baselines=(BEFORE,))
    found = reader.read(service, desired("a"), known=known)
    assert (unknown(found), ids(found)) == (("new",), {"new"})


def test_without_a_baseline_the_list_is_read_to_its_end(reader: Reader) -> None:
    service = Shown(*[[remote(f"t{n}", createdAt=None)] for n in range(3)])
    found = reader.read(service, desired("a"), known=asking())
    assert unknown(found) == ("t2", "t1", "t0")


def test_a_new_state_reads_only_tasks_since_it_began(reader: Reader) -> None:
    ages = {"young": 1, "day": 30, "old": 32, "older": 60}
    service = Shown(
        [remote(i, ago(days=days)) for i, days in list(ages.items())[:3]],
        [remote("older", ago(days=60))],
    )
    found = reader.read(service, desired("a"))
    assert unknown(found) == ("day", "young")
    assert "page 1" not in service.asked
    assert [line for line in service.asked if line.startswith("events")] == [
        "events day",
        "events young",
    ]


def test_a_page_with_a_problem_does_not_prove_absence(reader: Reader) -> None:
    service = Shown([remote("new")])
    service.problem = error("the list is null")
    found = reader.read(service, desired("a"), known=tried())
    assert unproven(found) == error("the list is null").cause
    assert not found.is_complete


def test_an_unreadable_organization_does_not_affect_the_others(reader: Reader) -> None:
    known = state(attempts=[attempt("a", ago(minutes=9), org_name="closed")])
    service = Shown([remote("t")])
    service.closed = {"closed"}
    found = reader.read(service, desired("b"), known=known)
    assert found.refused == {"closed": (error("HTTP 500").cause,)}
    assert (ids(found), set(found.lists)) == ({"t"}, {"acme"})
    service.closed = {"closed", "acme"}
    with pytest.raises(RemoteError):
        reader.read(service, desired("b"), known=known)


def test_repeated_tasks_are_harmless(reader: Reader) -> None:
    task = remote("t", ago(minutes=8))
    service = Shown([task, task], [task])
    service.events["t"] = message("work of a", reference("a"))
    found = reader.read(service, desired("a"), known=asking())
    assert unknown(found) == ("t",)
    assert service.asked.count("events t") == 1


def test_a_task_skipped_by_paging_is_found_by_a_second_read(reader: Reader) -> None:
    """A task that leaves the list while it is read moves another past the end of a page."""
    service = Shown([remote("new", ago(minutes=1))], [remote("ours", ago(minutes=8))])
    for known in (state(attempts=[attempt("a", ago(minutes=9))]), state()):
        service.omitted = ["ours"]
        assert set(unknown(reader.read(service, desired("a"), known=known))) == {"new", "ours"}


def test_a_single_page_is_read_once(reader: Reader) -> None:
    service = Shown([remote("new", ago(minutes=1))])
    reader.read(service, desired("a"), known=tried())
    assert service.asked.count("list acme") == 1


def test_attempts_in_an_organization_that_no_manifest_names_are_looked_up(reader: Reader) -> None:
    service = Shown()
    service.others["other"] = [remote("t", ago(minutes=8), org_name="other")]
    service.events["t"] = message("work of a", reference("a"))
    known = state(attempts=[attempt("a", ago(minutes=9), org_name="other")])
    found = reader.read(service, known=known)
    assert found.messages == {TaskId("other", "t"): message("work of a", reference("a"))}


# First messages


def test_only_tasks_that_the_state_does_not_know_are_read(reader: Reader) -> None:
    """Whoever has created them, and whatever their settings are."""
    service = Shown(
        [
            remote("mine"),
            remote("planned", planMode=True),
            remote("theirs", createdBy={"githubLogin": "someone"}),
            remote("recorded"),
            remote("replaced"),
            remote("dismissed"),
        ]
    )
    sent = replace(record("b", "recorded"), former=("replaced",))
    known = state([sent], dismissed=("acme/dismissed",))
    found = reader.read(service, desired("a"), desired("b"), known=known)
    assert set(unknown(found)) == {"mine", "planned", "theirs"}
    read = sorted(line for line in service.asked if line.startswith("events"))
    assert read == ["events mine", "events planned", "events theirs"]


def test_tasks_that_appear_between_two_readings_of_a_list_are_its_newest(reader: Reader) -> None:
    pages = [[remote(f"t{n}", ago(hours=n))] for n in range(1, 4)]
    service = Appearing(*pages)
    service.events = {task.id: message("x") for page in (*pages, [NEW]) for task in page}
    listing = reader.read(service, desired("a")).lists["acme"]
    assert listing.newest.ids == ("new", "t1", "t2", "t3")
    assert listing.unknown == ("t3", "t2", "t1", "new")


def test_named_tasks_are_read_before_the_parts_of_a_list(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is up to a task of the list."""
    monkeypatch.setattr("reconciler.app.survey.MESSAGES_AT_ONCE", 2)
    listed = [remote(f"t{n}", ago(hours=n)) for n in range(1, 6)]
    service = Shown(listed)
    service.others = {"acme": [remote("unlisted", ago(hours=9))]}
    service.events = {task.id: message("x") for task in (*listed, remote("unlisted"))}
    named = [desired(f"n{n}", task_id=name) for n, name in enumerate(("unlisted", "t1", "t2"))]
    reader.read(service, *named, desired("a"))
    newest = [part.lists["acme"].newest.ids[0] for part in reader.parts]
    assert newest == ["t4", "t2"]


def test_a_settled_task_may_have_no_first_message(reader: Reader) -> None:
    """A younger task may get one."""
    service = Shown([remote("young", ago(seconds=100)), remote("old", ago(seconds=200))])
    found = reader.read(service, desired("a"))
    assert found.messages == {TaskId("acme", "old"): None}
    why = found.unreadable[TaskId("acme", "young")]
    assert isinstance(why, tuple)
    assert [each.case for each in why if isinstance(each, Remark)] == ["message.none"]


def test_events_that_cannot_be_read_are_unreadable(reader: Reader) -> None:
    service = Shown([remote("t", ago(minutes=8)), remote("u", ago(minutes=8))])
    service.events = {"t": RemoteError([error("HTTP 500")]), "u": message("x")}
    found = reader.read(service, desired("a"))
    assert found.unreadable == {TaskId("acme", "t"): (error("HTTP 500").cause,)}
    assert found.failed == {TaskId("acme", "t")}
    assert found.messages.keys() == {TaskId("acme", "u")}
    assert not found.is_complete


def test_what_is_refused_or_young_has_not_failed(reader: Reader) -> None:
    """It is not a task of this state whose user a restored state has forgotten."""
    ages = {"refused": ago(minutes=8), "proxy": ago(minutes=8), "young": ago(seconds=8)}
    service = Shown([remote(name, at) for name, at in ages.items()])
    service.events = {
        "refused": RemoteError([error("HTTP 403")], 403, is_own=True),
        "proxy": RemoteError([error("HTTP 403")], 403),
        "young": RemoteError([error("HTTP 500")], 500),
    }
    found = reader.read(service, desired("a"))
    assert len(found.unreadable) == 3
    assert found.failed == {TaskId("acme", "proxy")}


def test_the_first_message_of_a_task_older_than_the_settle_time_is_cached(reader: Reader) -> None:
    """The text of a younger one may be half there."""
    listed = {"old": ago(minutes=9), "young": ago(seconds=9)}
    service = Shown([remote(task_id, at) for task_id, at in listed.items()])
    service.events = dict.fromkeys(listed, message("work of b"))
    for _ in range(2):
        found = reader.read(service, desired("a"))
        assert found.messages.keys() == {TaskId("acme", task_id) for task_id in listed}
    assert [service.asked.count(f"events {task_id}") for task_id in listed] == [1, 2]


def test_a_young_message_is_read_again_by_the_same_run(reader: Reader) -> None:
    """The first message that a task shows need not be the one it was created with."""
    service = Shown([remote("t", ago(seconds=5))])
    service.events["t"] = message("an instruction of the organization")
    reader.read(service, desired("a"))
    service.events["t"] = message("work of a", reference("a"))
    found = reader.read(service, desired("a"), again=True)
    assert found.messages[TaskId("acme", "t")] == message("work of a", reference("a"))


def test_many_first_messages_are_read_in_parts(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest first. After each part but the last, everything up to its newest task is explained."""
    monkeypatch.setattr(survey, "MESSAGES_AT_ONCE", 50)
    tasks = [remote(f"t{number}", ago(hours=number)) for number in range(120)]
    service = Shown(tasks)
    service.events = {task.id: message("work of b") for task in tasks}
    reader.read(service, desired("a"))
    assert [part.lists["acme"].newest.ids[0] for part in reader.parts] == ["t70", "t20"]
    assert all(part.lists["acme"].is_part for part in reader.parts)
    assert [len(part.lists["acme"].unknown) for part in reader.parts] == [50, 100]
    assert reader.notes == ["reading_messages", "read_messages", "read_messages"]
    reader.read(service, desired("a"))
    assert len(reader.parts) == 2


def test_a_recorded_task_shows_whether_references_are_kept(reader: Reader) -> None:
    sent = record("a", "t", reference=str(reference("a")), number=1)
    service = Shown([remote("t")])
    service.events["t"] = message("work of a")
    unsure = replace(PROVENANCE, is_kept=False)
    found = reader.read(service, desired("b"), known=state([sent], provenance=unsure))
    assert found.messages == {TaskId("acme", "t"): message("work of a")}
    assert unknown(found) == ()


def test_a_named_task_that_the_list_lacks_is_explained(reader: Reader) -> None:
    """It may be what an open attempt has created."""
    service = Shown([*map(remote, BEFORE.ids)])
    service.events["t"] = message("work of a", reference("a"))
    found = reader.read(service, desired("c", task_id="t"), known=tried())
    assert unknown(found) == ("t",)
    assert found.messages[TaskId("acme", "t")] == message("work of a", reference("a"))


def test_clocks_are_read_before_the_first_lookup(reader: Reader) -> None:
    """A lookup that started before the settle time must not count as one after it."""
    service = Shown([remote("t", ago(minutes=8))])

    def an_hour_passes() -> None:
        reader.clock.passed, service.clock = 3600.0, NOW + timedelta(hours=1)

    service.meanwhile = an_hour_passes
    found = reader.read(service, desired("a"), known=tried())
    assert (found.clocks.now, found.clocks.service) == (NOW, NOW)


# Lists that lack known tasks


def lacking(*ids: str) -> Shown:
    """A service whose list shows a new task and the baseline, except for these."""
    return Shown([remote("new"), *(remote(i) for i in BEFORE.ids if i not in ids)])


def lacks(found: Facts) -> Arg:
    """The known task that the list lacks."""
    why = unproven(found)
    assert isinstance(why, Remark)
    return why.facts["task_id"] if why.case == "list.lacks" else None


def gets(service: Shown) -> list[str]:
    return [line.removeprefix("get ") for line in service.asked if line.startswith("get")]


def test_a_list_proves_nothing_if_it_lacks_a_known_task(reader: Reader) -> None:
    service = lacking("b7")
    found = reader.read(service, desired("a"), known=tried())
    assert (lacks(found), gets(service)) == ("b7", ["b7"])


def test_a_known_task_that_is_not_visible_any_more_may_be_missing(reader: Reader) -> None:
    service = lacking("b7")
    service.hidden["b7"] = -1
    found = reader.read(service, desired("a"), known=tried())
    assert (unproven(found), gets(service)) == (None, ["b7", "b7"])


@pytest.mark.parametrize(("task_id", "is_proof"), [("b0", False), ("b7", True), ("b99", True)])
def test_a_known_task_that_cannot_be_read_counts_as_shown_at_the_end_of_a_list(
    reader: Reader, task_id: str, *, is_proof: bool
) -> None:
    """Nothing older than the depth is needed, so that the oldest does not matter."""
    service = lacking(task_id)
    service.refused = {task_id}
    found = reader.read(service, desired("a"), known=tried())
    assert (unproven(found) is None) is is_proof


def sent(key: str, task_id: str, at: datetime, **more: Any) -> Record:
    made = record(key, task_id, reference=str(reference(key)), number=1, **more)
    return replace(made, outputs={"createdAt": rfc3339(at)})


def test_tasks_that_this_identity_has_created_since_are_known(reader: Reader) -> None:
    """Neither those that a person has named, nor those that were listed before."""
    there = [
        sent("since", "s1", ago(hours=1)),
        sent("earlier", "s2", ago(hours=3)),
        sent("theirs", "s3", ago(hours=1), identity=SOMEONE),
        record("named", "s4", created_at=ago(hours=1)),
        sent("young", "s5", ago(seconds=100)),
    ]
    known = state(there, baselines=(replace(BEFORE, newest_at=ago(hours=2)),))
    service = lacking()
    found = reader.read(service, desired("a"), known=known)
    assert (lacks(found), gets(service)) == ("s1", ["s1"])
    service = Shown([remote("s1"), *service.pages[0]])
    assert unproven(reader.read(service, desired("a"), known=known)) is None


def test_what_a_run_has_listed_must_be_listed_again(reader: Reader) -> None:
    """As far as the list is read."""
    service = Shown([remote("newest", ago(hours=1)), *lacking().pages[0]])
    assert unproven(reader.read(service, desired("a"), known=tried())) is None
    service.pages = lacking().pages
    read = partial(reader.read, service, desired("a"), known=tried())
    assert lacks(read(again=True)) == "newest"
    assert unproven(read()) is None


def test_a_known_task_is_read_once_by_a_run(reader: Reader) -> None:
    service = lacking("b7")
    for again in (False, True):
        assert lacks(reader.read(service, desired("a"), known=tried(), again=again)) == "b7"
    assert gets(service) == ["b7"]


def test_a_dismissed_task_may_be_missing(reader: Reader) -> None:
    service = lacking("b7")
    known = tried(dismissed=("acme/b7",))
    assert unproven(reader.read(service, desired("a"), known=known)) is None
    assert gets(service) == []
