"""Everything that can happen, explored with taskctl's own rules.

Within the assumptions of docs/contributing/exactly-once.md, no key gets a second task or
somebody else's, and a run of applies that nothing disturbs ends with each key recorded or
unresolved. Without any one of the assumptions, that is false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from itertools import product

import pytest

from reconciler.app import new_state
from reconciler.apply import duplicates
from reconciler.apply.known_tasks import KnownTasks
from reconciler.model.service import Identity
from reconciler.model.task import Inputs
from reconciler.model.value import replace as replace_value
from reconciler.model.work import Work
from reconciler.plan import look_alikes, planner, recovery, view
from reconciler.plan.lost_state import LostState
from reconciler.plan.plan import Action, PlannedTask
from reconciler.plan.recovery import Owners
from reconciler.plan.rules import Rules
from reconciler.plan.unrecorded import LookAlike, UnrecordedTasks
from reconciler.state import ledger
from reconciler.state.attempt import RetiredTask
from reconciler.state.ledger import attempts_alone
from reconciler.state.model import Aged, Attempted, BaselineRead, Closed, Event, Record, State
from tests.model import journal, taskctl
from tests.model.people import may_apply
from tests.model.properties import steps_of_applies, undisturbed, unfinished, violation
from tests.model.search import Explored, explore
from tests.model.steps import Steps
from tests.model.world import ME, OLD, SOMEONE, Assumed, Declared, Setting, Task, World

TWO, USERS = ("a", "b"), (ME, SOMEONE)
BEFORE, AFTER = Declared("a", "a", "do a"), Declared("c", "a", "do a", moved_from="a")
RENAMED = ((BEFORE,), (AFTER,), (Declared("c", "a", "do a"),), (Declared("c", "a", "do more"),))
REUSED = ((BEFORE,), (AFTER,), (Declared("c", "a", "do a"), Declared("a", "b", "do b")))
ACCEPTED = tuple((Declared(*made),) for made in ("aaP", "aaQ", "caP", "caQ"))
SAME, NEW = Declared("b", "b", "do b"), Declared("c", "c", "do c")
EDITED = ((Declared("a", "a", "P"), SAME), (Declared("a", "a", "Q"), SAME, NEW))
DIFFERENT = Setting(TWO, prompts_differ=True, attempts=(1, 1), processes=1)

SMALL = {
    "one key": Setting(settle=2, window=3),
    "two keys with one prompt": Setting(TWO, processes=1, attempts=(2, 1), window=1),
    "marks that are cut off": Setting(marks="cut off", twin=True, people=True),
    "marks that are replaced": Setting(marks="replaced", twin=True, people=True),
    "creates that are delivered twice": Setting(
        TWO, twice=True, adopts=True, attempts=(1, 1), processes=1, window=1
    ),
    "a duplicate whose key is removed": Setting(
        twice=True, adopts=True, removes=True, attempts=(1,), processes=1, window=1
    ),
    "another repository": Setting(twin=True, people=True, twice=True),
    "a state that is lost": replace(DIFFERENT, loses=True, attempts=(1, 2), window=1),
    "a state that is restored": Setting(restores=True, window=1),
    "a state that is replaced": Setting(replaces=1, window=1),
    "a record that is removed": Setting(
        TWO, removes=True, adopts=True, attempts=(1, 1), processes=1, window=1
    ),
    "another user": Setting(users=USERS, removes=True, window=1),
    "another user who sees all tasks": Setting(
        users=USERS, shared=True, loses=True, processes=1, window=1
    ),
    "a key that is renamed": Setting(
        edits=RENAMED, deletes=True, attempts=(2,), processes=1, window=1
    ),
    "a key that is reused": Setting(
        edits=REUSED, deletes=True, attempts=(2, 1), processes=1, window=1
    ),
    "a prompt that is accepted": Setting(
        edits=ACCEPTED, accepts=True, removes=True, attempts=(2,), processes=1, window=1
    ),
    "a state that is lost after an edit": Setting(
        edits=EDITED, is_lost=True, people=True, attempts=(2, 2, 1), processes=1, window=1
    ),
    "lists that lack tasks": Setting(
        TWO, existing=1, lacks=True, attempts=(1, 2), processes=1, window=1
    ),
}
"""Explored by `make test`."""

LARGE = {
    "a suspended holder": Setting(TWO),
    "two keys with one prompt": Setting(TWO, processes=1),
    "a slow service": Setting(TWO, settle=2, window=3),
    "three attempts": Setting(TWO, attempts=(3, 3), processes=1),
    "three processes": Setting(processes=3, attempts=(3, 3), twice=True, settle=2, window=3),
    "another repository": Setting(TWO, twin=True, people=True),
    "another repository, marks cut off": Setting(TWO, marks="cut off", twin=True, people=True),
    "another repository, marks replaced": Setting(TWO, marks="replaced", twin=True, people=True),
    "creates that are delivered twice": Setting(TWO, twice=True, processes=1),
    "a duplicate whose key is removed": replace(
        DIFFERENT, twice=True, adopts=True, removes=True, window=1
    ),
    "a state that is lost": replace(DIFFERENT, loses=True, processes=2, attempts=(2, 2)),
    "a state of one key that is restored": Setting(restores=True),
    "a state that is restored": replace(DIFFERENT, restores=True, attempts=(1, 2)),
    "a state that is replaced": Setting(replaces=1),
    "a state that is replaced twice": Setting(replaces=2, window=1),
    "a state of two keys that is replaced": replace(
        DIFFERENT, replaces=1, processes=2, attempts=(1, 2), window=1
    ),
    "a record that is removed": Setting(TWO, removes=True, adopts=True, twin=True, processes=1),
    "another user": Setting(TWO, users=USERS, removes=True, attempts=(2, 1), processes=1, window=1),
    "another user who sees all tasks": replace(
        DIFFERENT, users=USERS, shared=True, loses=True, attempts=(1, 2), window=1
    ),
    "a key that is renamed": Setting(edits=RENAMED, users=USERS, deletes=True, window=1),
    "a prompt that is accepted": Setting(edits=ACCEPTED, users=USERS, accepts=True, removes=True),
    "a state that is lost after an edit": Setting(
        edits=EDITED,
        is_lost=True,
        loses=True,
        users=USERS,
        shared=True,
        people=True,
        attempts=(2, 2, 1),
    ),
    "lists that lack tasks": Setting(existing=2, lacks=True, removes=True, twin=True, people=True),
    "lists that lack tasks, two keys": Setting(
        TWO,
        prompts_differ=True,
        existing=1,
        lacks=True,
        restores=True,
        attempts=(1, 1),
        processes=1,
    ),
    "a key that is reused": Setting(
        edits=REUSED, users=USERS, deletes=True, attempts=(2, 1), processes=1, window=1
    ),
}
"""Explored by `make soak`."""

WITHOUT = {
    "commits_in_time": Setting(),
    "lists_in_time": Setting(),
    "shows_mark_or_text": Setting(marks="replaced"),
    "refuses_truthfully": Setting(),
    "answers_with_no_other_new_task": Setting(twin=True),
    "repeats_no_very_old_task": Setting(twin=True, people=True),
    "delivers_duplicates_in_time": Setting(twice=True),
    "marks_are_unique": Setting(twin=True),
    "sends_in_time": Setting(),
    "writes_conditionally": Setting(),
    "keeps_what_it_acknowledged": Setting(loses=True),
    "no_create_is_in_flight_at_a_loss": Setting(loses=True),
    "applies_all_manifests_after_a_loss": replace(DIFFERENT, loses=True, attempts=(1, 2), window=1),
    "adopts_after_a_loss": Setting(edits=EDITED, is_lost=True, people=True, attempts=(2, 2, 1)),
    "applies_as_the_same_user_after_a_loss": Setting(users=USERS, loses=True),
    "people_answer_correctly": Setting(marks="replaced", people=True),
    "people_rename_as_documented": Setting(edits=RENAMED),
}
"""A setting in which each assumption matters."""

_alike = UnrecordedTasks.alike


def _always(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


def _own_alike(self: UnrecordedTasks, *text: str) -> list[LookAlike]:
    """The tasks of other users are no look-alikes."""
    return [found for found in _alike(self, *text) if found.creator is None]


def _unmoved(_: object, __: object, ___: object, compared: PlannedTask) -> PlannedTask:
    """No record of a task that is not shown moves."""
    return replace_value(compared, action=Action.UNCHANGED)


def _accepted(known: Record | RetiredTask) -> tuple[Inputs, ...]:
    """Work is recognized only by the inputs that were accepted."""
    return (known.inputs,)


def _created(known: Record | RetiredTask) -> tuple[Inputs, ...]:
    """Work is recognized only by the inputs that it was created with."""
    return (known.created_inputs or known.inputs,)


BROKEN: list[tuple[str, object, str, object]] = [
    ("one key", recovery, "time_left", _always(0.0)),  # an attempt has an age
    ("another repository", recovery, "is_same", _always(True)),  # only its mark proves a task
    # A mark belongs to one key.
    ("creates that are delivered twice", Owners, "by_mark", _always(None)),
    ("creates that are delivered twice", duplicates, "_owners", _always({})),  # they are reported
    ("a state that is lost", look_alikes, "compare_work", _always(Work.OTHER)),  # are compared
    ("a state that is restored", look_alikes, "compare_work", _always(Work.OTHER)),
    ("a record that is removed", planner, "removed_tasks", _always({})),  # a known ID first
    ("another user", Identity, "same_as", _always(True)),  # what is not visible may exist
    ("a key that is renamed", Rules, "_not_shown", _unmoved),
    ("a key that is reused", Rules, "_not_shown", _unmoved),
    ("a prompt that is accepted", Record, "versions", property(_accepted)),
    ("a prompt that is accepted", Record, "versions", property(_created)),
    ("a prompt that is accepted", RetiredTask, "versions", property(_accepted)),
    ("a prompt that is accepted", RetiredTask, "versions", property(_created)),
    ("lists that lack tasks", KnownTasks, "unlisted", _always(None)),
    ("lists that lack tasks", view, "_is_created_by", _always(False)),
    ("a state that is lost after an edit", LostState, "unanswered", _always({})),
    ("a state that is lost after an edit", new_state, "begun_recoveries", _always([])),
    ("another user who sees all tasks", UnrecordedTasks, "alike", _own_alike),
]
"""Rules that leave something out, each with a setting in which that is wrong."""

APPLIES = 2
"""Undisturbed applies after which each key is recorded or unresolved. The second one plans all keys
anew, after the first has closed attempts."""


def start(setting: Setting) -> list[World]:
    """The world before the first apply."""
    marks = [f"2026-11-24T11:57:00.00000{number + 1}Z" for number in range(setting.existing)]
    old = (Task(f"{mark}#old", OLD, mark, prompt="do other work") for mark in marks)
    if not setting.is_lost:
        return [World(taskctl.NEW, tuple(old))]
    made = ((taskctl.mark_of(task.job, 1), task) for task in setting.manifests[0])
    lost = [Task(f"{mark}#0", task.job, mark, prompt=task.prompt) for mark, task in made]
    return [World(taskctl.NEW, (*old, *lost), lost=True)]


def explore_all(setting: Setting) -> Explored[World]:
    """Explores a setting, and what undisturbed applies make of each world in it, with the processes
    gone."""
    left, wrong = set[World](), violation(setting)

    def check(world: World) -> str | None:
        left.add(world._replace(processes=()))
        return wrong(world)

    explored = explore(start(setting), Steps(setting), check)
    assert explored.violation is None, str(explored)
    steps = steps_of_applies(setting)
    for world in left:
        for who, commits in product(may_apply(world, setting), (True, False)):
            after, applies = world, 0
            while applies == 0 or unfinished(after, who, setting):
                after = undisturbed(after, who, setting, steps, commits=commits)
                applies += 1
                assert wrong(after) is None, (wrong(after), world)
                assert applies <= APPLIES, (unfinished(after, who, setting), world)
    return explored


SETTINGS = [
    *(pytest.param(setting, id=name) for name, setting in SMALL.items()),
    *(
        pytest.param(setting, id=f"{name}, larger", marks=pytest.mark.soak)
        for name, setting in LARGE.items()
    ),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_key_gets_a_second_task(
    request: pytest.FixtureRequest, setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    explored = explore_all(setting)
    with capsys.disabled():
        print(f"\n{request.node.callspec.id}: {explored.states} states")


@pytest.mark.soak
def test_with_one_prompt_a_removed_key_leaves_its_unreported_duplicate_to_others() -> None:
    """A concession of the specification ("Duplicates"): `state rm` removes a key's marks, so a
    duplicate that no apply has reported is like any task with this prompt, and a person who says
    `--adopt` for another key gives it away."""
    one_prompt = replace(LARGE["a duplicate whose key is removed"], prompts_differ=False)
    explored = explore(start(one_prompt), Steps(one_prompt), violation(one_prompt))
    assert explored.violation == "b has the task of a"


@pytest.mark.parametrize("name", WITHOUT)
def test_each_assumption_is_needed(name: str) -> None:
    """Without it, and with all others, a key gets a second task or somebody else's, or a duplicate
    is not reported."""
    setting = replace(WITHOUT[name], assumed=replace(Assumed(), **{name: False}))
    explored = explore(start(setting), Steps(setting), violation(setting))
    assert explored.violation is not None


@pytest.fixture
def without_plans() -> Iterator[None]:
    """Forgets the plans that were made before the test, and those that it makes."""
    taskctl.forget_plans()
    journal.forget()
    yield
    taskctl.forget_plans()
    journal.forget()


@pytest.mark.usefixtures("without_plans")
@pytest.mark.parametrize(("setting", "where", "name", "broken"), BROKEN)
def test_a_broken_rule_is_found(
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    where: object,
    name: str,
    broken: object,
) -> None:
    """The small settings are large enough for each rule to matter."""
    monkeypatch.setattr(where, name, broken)
    explored = explore(start(SMALL[setting]), Steps(SMALL[setting]), violation(SMALL[setting]))
    assert explored.violation is not None


def _without_ids(events: Iterable[Event], saved: State) -> tuple[Event, ...]:
    """Attempts are open, but do not know the tasks that were recorded for them."""
    kinds = Attempted | Closed | BaselineRead | Aged
    return attempts_alone((event for event in events if isinstance(event, kinds)), saved)


REPLACED: list[tuple[object, str, Callable[..., object], str]] = [
    # Only lock and journal are checked.
    (journal, "has_its_state", lambda *_: True, "a has two tasks"),
    (ledger, "attempts_alone", lambda *_: (), "the ID of an attempt was forgotten"),
    (ledger, "attempts_alone", _without_ids, "the ID of an attempt was forgotten"),
    (ledger, "attempts_alone", lambda events, _: events, "a journal has changed another state"),
]
"""Rules that are wrong if a state is replaced under a run, and what they lead to."""


@pytest.mark.usefixtures("without_plans")
@pytest.mark.parametrize(("where", "name", "broken", "found"), REPLACED)
def test_a_broken_rule_about_a_replaced_state_is_found(
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    broken: Callable[..., object],
    found: str,
) -> None:
    monkeypatch.setattr(where, name, broken)
    setting = SMALL["a state that is replaced"]
    explored = explore(start(setting), Steps(setting), violation(setting))
    assert explored.violation == found


def test_every_assumption_is_tried() -> None:
    assert list(WITHOUT) == [field.name for field in fields(Assumed)]
