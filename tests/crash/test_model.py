"""Any sequence of applies, kills, losses and edits: never two tasks for a key.

After a last undisturbed apply, each key has exactly one task or is unresolved.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.task import Removal, TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Action, PlannedTask
from reconciler.plan.rules import Rules
from reconciler.state import edit
from reconciler.state.location import Claim
from reconciler.state.lock import LastApply
from reconciler.state.model import Record, State
from reconciler.state.session import Session
from tests.support.diagnostics import raises_with
from tests.support.model_world import BACKEND, OPTIONS, SETTLE, Fate, World
from tests.support.plan_values import ORG, desired
from tests.support.state_engines import ENGINE_PARAMS, Served, serving

KEYS = st.sampled_from(["a", "b", "c", "d"])
ANSWERS = st.lists(st.sampled_from(["ok", "lost", "late", "unsent", "slow down"]), max_size=4)
DEATHS = st.one_of(st.none(), st.integers(1, 40))
REMOVED = {key: Removal(key, ORG, "tasks/a.yaml") for key in "abcd"}
SETTLES = st.sampled_from([30, 150, 300])


class Repository(RuleBasedStateMachine):
    """`desired`: the prompt of each key, and the key it was moved from. `prompts_of`: every prompt
    that a key ever had, including under its earlier names. `accepted`: the prompts that the state
    has as accepted. `moved`: the renamed keys of which an apply has succeeded since. `former`: the
    key that each renamed key had. `wishes`: the requested further tasks of a key. `lost`: the ID of
    a state that is to be continued.

    No rule has a precondition: what an apply with two threads leaves is not the same each time, and
    Hypothesis would stop where a repeated sequence could no longer take the same rules."""

    served: Served | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), self.served)
        self.desired: dict[str, tuple[str, str | None]] = {}
        self.edits = 0
        self.prompts_of: dict[str, set[str]] = {}
        self.renamed: set[str | None] = set()
        self.accepted: dict[str, str] = {}
        self.moved: set[str] = set()
        self.former: dict[str, str] = {}
        self.wishes: dict[str, set[str]] = {}
        self.named: list[str] = []
        self.others = False
        self.lost: str | None = None
        self.ids: dict[str, str] = {}
        self.copy: State | None = None
        self.waiting: tuple[list[Any], LastApply | None, int] | None = None

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()

    def tasks(self) -> list[Any]:
        return [
            desired(key, text, moved_from=old, task_id=self.ids.get(key), name=f"Task {key}")
            for key, (text, old) in sorted(self.desired.items())
        ]

    @initialize(begun=st.booleans())
    def begin(self, *, begun: bool) -> None:
        """Half of the sequences begin with two existing tasks."""
        if begun:
            self._want("a")
            self._want("b")
            self.world.apply(self.tasks(), Fate())

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        """Does not add a key that was renamed: with `movedFrom`, that is an error; without it, both
        keys would have the same work."""
        moved = {old for _, old in self.desired.values()}
        if key not in self.desired and key not in self.renamed | moved:
            self._want(key)

    @rule(key=KEYS)
    def edit(self, key: str) -> None:
        if key in self.desired:
            self._want(key)

    @rule(key=KEYS, which=st.integers(0, 9))
    def edit_back(self, key: str, which: int) -> None:
        """To an earlier prompt."""
        if key in self.desired:
            known = sorted(self.prompts_of[key])
            self.desired[key] = (known[which % len(known)], None)

    @rule(key=KEYS)
    def accept(self, key: str) -> None:
        """`state accept`: renames are then recognized by both prompts."""
        if key not in self.desired or not self.world.is_saved():
            return
        (task,) = [task for task in self.tasks() if task.key == key]
        self.world.edit(lambda state: edit.accept(state, task.ref, task.inputs, task.file))
        record = self.world.state().records.get(task.ref)
        if record is not None and record.inputs == task.inputs:
            self.accepted[key] = self.desired[key][0]

    @rule(key=st.sampled_from(["m", "n"]))
    def finish_the_rename(self, key: str) -> None:
        """Deletes `movedFrom`, and edits the prompt: an apply has succeeded."""
        if key in self.moved and key in self.desired:
            self._want(key)

    def _apply(self, fate: Fate, **more: Any) -> None:
        """An apply of all manifests. If it succeeds, renames are over."""
        report = self.world.apply(self.tasks(), fate, **more)
        if report is not None and not report.failed():
            self.moved |= {key for key, (_, old) in self.desired.items() if old}

    def _want(self, key: str) -> None:
        self.edits += 1
        text = f"prompt {self.edits}"
        self.desired[key] = (text, None)
        self.prompts_of.setdefault(key, set()).add(text)

    @rule(key=KEYS)
    def leave(self, key: str) -> None:
        self.desired.pop(key, None)
        self.ids.pop(key, None)

    @rule(key=KEYS)
    def name_the_task(self, key: str) -> None:
        """`taskID` names the key's task, recorded or not; again: no longer."""
        text = self.desired.get(key, ("", None))[0]
        own = self.world.prompts().get(text, [])
        if key in self.ids or not own:
            self.ids.pop(key, None)
        else:
            self.ids[key] = own[0]

    @rule(key=KEYS, new=st.sampled_from(["m", "n"]), declared=st.booleans())
    def rename(self, key: str, new: str, *, declared: bool) -> None:
        """With or without `movedFrom`; without it, the key must be unresolved, not duplicated."""
        if key in self.desired and new not in self.prompts_of:
            text, _ = self.desired.pop(key)
            self.ids.pop(key, None)
            self.desired[new] = (text, key if declared else None)
            self.former[new] = key
            self.wishes[new] = set(self.wishes.get(key, ()))
            if declared or self.accepted.get(key) == text:
                self.prompts_of[new] = self.prompts_of.pop(key)
            else:  # if edited as well, it cannot be distinguished from a new task
                self.prompts_of[key].discard(text)
                self.prompts_of[new] = {text}
            if not declared:
                self.renamed.add(key)

    @rule(answers=ANSWERS, death=DEATHS, settle=SETTLES)
    def apply(self, answers: list[str], death: int | None, settle: int) -> None:
        options = replace(OPTIONS, settle_time=timedelta(seconds=settle))
        self._apply(Fate(list(answers), death), options=options)

    @rule(answers=ANSWERS, seconds=st.sampled_from([0, 20, 60]))
    def apply_until_interrupted(self, answers: list[str], seconds: float) -> None:
        self.world.apply(self.tasks(), Fate(list(answers), stops_after=seconds))

    @rule()
    def begin_to_wait(self) -> None:
        """`apply --wait`: it releases the lock, and keeps the manifests of its start."""
        if self.lost is None:
            self._apply(Fate())
            self.waiting = self.tasks(), self.world.declared, len(self.world.digests)

    @rule(answers=ANSWERS, death=DEATHS)
    def continue_after_a_wait(self, answers: list[str], death: int | None) -> None:
        """Its next wave, which may not start once other manifests have been applied."""
        if self.waiting is None:
            return
        (tasks, follows, begun), self.waiting = self.waiting, None
        try:
            self.world.apply(tasks, Fate(list(answers), death), follows=follows)
        except StateError as problem:
            refused = {found.code for found in problem.diagnostics}
        else:
            assert set(self.world.digests[begun:]) == {self.world.digests[begun - 1]}
            return
        assert refused == {Code.CHANGED_MEANWHILE}

    @rule(key=KEYS, answers=ANSWERS, death=DEATHS)
    def apply_a_branch(self, key: str, answers: list[str], death: int | None) -> None:
        """A branch whose manifests lack a key, or have only this one."""
        if self.lost is not None:
            return
        tasks = [task for task in self.tasks() if (task.key == key) == (len(answers) > 2)]
        self.world.apply(tasks, Fate(list(answers), death))

    @rule(key=KEYS, death=DEATHS)
    def remove(self, key: str, death: int | None) -> None:
        """`removed:`. If the key comes back, it is new."""
        if key in self.desired or key in self.renamed:
            return
        before = self.world.recorded()
        self.world.apply(self.tasks(), Fate(dies_after=death), removed=[REMOVED[key]])
        if key in before and key not in self.world.recorded():
            self.wishes.setdefault(key, set()).add(f"after {before[key]}")

    @rule(key=KEYS)
    def remove_the_record(self, key: str) -> None:
        """`state rm`: the next apply creates another task. That of a key that was renamed without
        `movedFrom` says that the new key is another task."""
        if not self.world.is_saved():
            return
        at, known = self.world.clock.now(), self.world.recorded()
        self.world.edit(lambda state: edit.rm(state, TaskRef(ORG, key), at=at))
        if key in known and key not in self.world.recorded():
            renamed = [new for new, old in self.former.items() if old == key and new not in known]
            for name in (key, *renamed):
                self.wishes.setdefault(name, set()).add(f"after {known[key]}")

    @rule()
    def copy_the_state(self) -> None:
        if self.world.is_saved() and self.lost is None:
            self.copy = self.world.state()

    @rule()
    def push_the_copy(self) -> None:
        if self.copy is not None and self.lost is None:
            self.world.push(self.copy)
            self.accepted.clear()

    @rule(booted=st.sampled_from([0.0, 1000.0, 100_000.0]))
    def another_machine(self, booted: float) -> None:
        """Machines that were resumed from one snapshot share a boot ID, and no clock."""
        self.world.clock.booted = booted

    @rule(
        which=st.integers(0, 9),
        answers=ANSWERS,
        death=DEATHS,
        named=st.booleans(),
        times=st.integers(1, 3),
    )
    def replace(
        self, which: int, answers: list[str], death: int | None, times: int, *, named: bool
    ) -> None:
        """One request for a new task; as in CI, the command is run up to three times. It names the
        task, or the key after an edit."""
        recorded = self.replaceable()
        if not recorded:
            return
        key, old = recorded[which % len(recorded)]
        number = sum(len(wishes) for wishes in self.wishes.values())
        self.wishes.setdefault(key, set()).add(old if named else f"wish {number}")
        wish = f"{key}={old}" if named else f"{ORG}/{key}*"
        if not named:
            self._want(key)
        self.named += [wish] if named else []
        options = replace(OPTIONS, replace=(wish,))
        for _ in range(times):
            self.world.apply(self.tasks(), Fate(list(answers), death), options=options)

    def replaceable(self) -> list[tuple[str, str]]:
        """The keys that have a task according to the state, each with its task ID."""
        return [(k, i) for k, i in sorted(self.world.recorded().items()) if k in self.desired]

    @rule(which=st.integers(0, 9), answers=ANSWERS, death=DEATHS)
    def run_again(self, which: int, answers: list[str], death: int | None) -> None:
        """Repeats an old command that names its task: not a new replacement."""
        if not self.named:
            return
        options = replace(OPTIONS, replace=(self.named[which % len(self.named)],))
        self.world.apply(self.tasks(), Fate(list(answers), death), options=options)

    @rule(answers=ANSWERS, death=DEATHS)
    def apply_as_somebody_else(self, answers: list[str], death: int | None) -> None:
        if not self.world.is_saved() or self.lost is not None:
            return
        self._apply(Fate(list(answers), death), token="someone")
        self.others = True

    @rule(seconds=st.sampled_from([1, 60, 200, 90_000]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.sleep(seconds)

    @rule()
    def lose_the_state(self) -> None:
        """The guarantee then has two conditions: the last attempt is older than the settle time,
        and the identity that created all tasks applies next."""
        if not self.world.is_saved() or self.others or self.lost is not None:
            return
        self.world.clock.sleep((SETTLE + timedelta(seconds=1)).total_seconds())
        lost, self.copy = self.world.lose_state(), None
        self.lost = lost if self.world.prompts() else None
        self.accepted.clear()

    @rule()
    def continue_the_lost_state(self) -> None:
        """Until then, nothing is created. A person repeats renames whose `movedFrom` is gone."""
        if self.lost is None:
            return
        self.world.continue_state(self.lost)
        self.lost, made = None, self.world.prompts()
        for new, old in self.former.items():
            if new not in self.desired or self.desired[new][1] is not None:
                continue
            mine = [i for text in self.prompts_of[new] for i in made.get(text, ())]
            recorded = self.world.recorded()
            if new in recorded or not mine:
                continue
            if recorded.get(old) in mine:
                to = TaskRef(ORG, new)
                self.world.edit(partial(edit.mv, old=TaskRef(ORG, old), new=to))
            else:
                self.world.assign(new, max(mine))

    @rule()
    def two_at_once(self) -> None:
        """With an engine, the second takes over from the first, which does not renew its lock."""
        if self.served is not None:
            first, second = self._open(), self._open()
            with raises_with(StateError, "lock"):
                first.check_lock()
            second.close()
            with suppress(StateError):
                first.close()
            return
        first = self._open()
        with raises_with(StateError, "lock"):
            self._open()
        first.close()

    def _open(self) -> Session:
        place = self.world.place
        return Session.open(place, Claim(BACKEND, "apply"))

    @invariant()
    def no_prompt_runs_twice(self) -> None:
        """Except for replacements, each of which is made at most once."""
        made = self.world.prompts()
        for key, texts in self.prompts_of.items():
            allowed = 1 + len(self.wishes.get(key, ()))
            counts = [len(made.get(text, ())) for text in texts]
            assert sum(counts) <= allowed, key

    def calm_end(self) -> None:
        """Every sequence ends with two undisturbed applies by the usual identity: the first may
        close an attempt under a former name of a key, which was unresolved because of it."""
        self.world.clock.sleep(SETTLE.total_seconds() + 1)
        self.continue_the_lost_state()
        self.world.apply(self.tasks(), Fate())
        self.world.apply(self.tasks(), Fate())
        self.no_prompt_runs_twice()
        plan = self.world.plan(self.tasks())
        settled = (Action.UNCHANGED, Action.CHANGED, Action.UNRESOLVED)
        left = {t.ref.key: t.action for t in plan.tasks if t.ref.key in self.desired}
        assert {key: action for key, action in left.items() if action not in settled} == {}
        assert set(left) == set(self.desired)


class Calmed(Repository):
    def teardown(self) -> None:
        try:
            self.calm_end()
        finally:
            super().teardown()


def run(examples: int, steps: int, served: Served | None = None) -> None:
    run_state_machine_as_test(
        type("Here", (Calmed,), {"served": served}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence() -> None:
    run(25, 15)


def _rename_before_somebody_else(machine: Calmed) -> None:
    machine.begin(begun=True)
    machine.rename("a", "m", declared=True)
    machine.apply_as_somebody_else([], None)
    machine.finish_the_rename("m")
    machine.apply([], None, 150)
    machine.no_prompt_runs_twice()


def _rename_after_accept(machine: Calmed) -> None:
    machine.begin(begun=True)
    machine.edit("a")
    machine.accept("a")
    machine.edit_back("a", 0)
    machine.rename("a", "m", declared=False)
    machine.apply([], None, 150)
    machine.no_prompt_runs_twice()


def _unmoved(_: object, __: object, ___: object, compared: PlannedTask) -> PlannedTask:
    """No record of a task that is not shown moves."""
    return replace(compared, action=Action.UNCHANGED)


def _continue_with_older_manifests(machine: Calmed) -> None:
    machine.begin(begun=True)
    machine.begin_to_wait()
    machine.edit("a")
    machine.apply([], None, 150)
    machine.continue_after_a_wait([], None)


BROKEN: list[tuple[Callable[[Calmed], None], object, str, object]] = [
    (_rename_before_somebody_else, Rules, "_not_shown", _unmoved),
    (_rename_after_accept, Record, "versions", property(lambda record: (record.inputs,))),
    (_continue_with_older_manifests, Claim, "declared", lambda _, before, __: before),
]
"""Sequences that a rule which leaves something out would end with a second agent."""


@pytest.mark.parametrize(("sequence", "where", "name", "broken"), BROKEN)
def test_a_broken_rule_is_found(
    monkeypatch: pytest.MonkeyPatch,
    sequence: Callable[[Calmed], None],
    where: object,
    name: str,
    broken: object,
) -> None:
    machine = Calmed()
    sequence(machine)
    machine.teardown()
    monkeypatch.setattr(where, name, broken)
    machine = Calmed()
    with pytest.raises(AssertionError):
        sequence(machine)
    Repository.teardown(machine)


@pytest.mark.soak
def test_any_sequence_for_long() -> None:
    run(2000, 30)


@pytest.mark.soak
@pytest.mark.parametrize("engine", ENGINE_PARAMS)
def test_any_sequence_with_a_shared_state(engine: str, tmp_path: Path) -> None:
    with serving(engine, tmp_path) as served:
        run(150, 15, served)
