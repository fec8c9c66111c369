"""The possible outcomes of an attempt."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import mint
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.model.work import Work, compare_work
from reconciler.plan import recovery
from reconciler.plan.plan import Reason
from reconciler.plan.recovery import (
    Evidence,
    Found,
    NotCreated,
    Owners,
    Unresolved,
    Verdict,
    Wait,
    judge,
    recover,
)
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt, KeyNotes
from tests.support.plan_values import (
    NOW,
    SOMEONE,
    ago,
    attempt,
    message,
    record,
    remote,
    state,
    view,
)

SETTLE = timedelta(seconds=150)
OLD = ago(minutes=10)
YOUNG = ago(seconds=20)
REPO = {"type": "repository", "name": "infra"}


def tried(key: str = "a", at: datetime = OLD, text: str | None = None, **more: Any) -> Attempt:
    """An attempt with a mark as apply mints it."""
    return replace(attempt(key, at, text, **more), mark=mint(at))


def verdicts(
    seen: RemoteView,
    *attempts: Attempt,
    recorded: tuple[str, ...] = (),
    named: dict[str, TaskRef] | None = None,
    closed: dict[str, TaskRef] | None = None,
    **befores: tuple[str, ...],
) -> list[Verdict]:
    notes = {ref: KeyNotes(marks=(mark,)) for mark, ref in (closed or {}).items()}
    records = [record(f"recorded-{task_id}", task_id) for task_id in recorded]
    owners = Owners(state(records, attempts, keys=notes), named or {})
    found = recover(attempts, seen, owners, befores, SETTLE)
    return [found[a.mark] for a in attempts]


def ids(found: list[Verdict]) -> list[str | None]:
    return [v.task.id if isinstance(v, Found) else None for v in found]


def shown(*tasks: tuple[str, str, datetime | str], **more: Any) -> RemoteView:
    """Tasks as (id, first text, mark)."""
    tasks_shown = [remote(i) for i, _, _ in tasks]
    return view(tasks_shown, {i: message(text, mark) for i, text, mark in tasks}, **more)


# The table

MARKED = {"task": remote("t"), "has_mark": True, "may_do_work": True}
UNLISTED = remark("attempt.unlisted", why="it is null")


@pytest.mark.parametrize(
    ("evidence", "is_listed", "before", "after"),
    [
        (["proof"], True, Found, Found),
        (["proof", "unreadable", "work", "mark"], False, Found, Found),
        ([], False, Wait, Unresolved),
        (["unreadable"], True, Wait, Unresolved),
        (["mark"], True, Wait, Unresolved),
        (["work"], True, Wait, Unresolved),
        (["neither"], True, Wait, NotCreated),
        ([], True, Wait, NotCreated),
    ],
)
def test_the_first_row_that_applies_decides(
    evidence: list[str], before: type, after: type, *, is_listed: bool
) -> None:
    facts = {
        "proof": (True, True, True),
        "mark": (True, False, True),
        "work": (False, True, True),
        "neither": (False, False, True),
        "unreadable": (False, False, False),
    }
    candidates = [Evidence(remote(name), *facts[name]) for name in evidence]
    unlisted = None if is_listed else UNLISTED
    assert type(judge(candidates, unlisted, 1.0, None)) is before
    assert type(judge(candidates, unlisted, 0.0, None)) is after


def test_nothing_but_proof_is_ever_adopted() -> None:
    """Every combination of up to two candidates."""
    facts = [*product((True, False), (True, False), (True,)), (False, False, False)]
    for first, second, left, own, listed in product(
        facts, [None, *facts], (0.0, 9.0), (True, False), (True, False)
    ):
        given = [Evidence(remote("t"), *first)]
        given += [Evidence(remote("u"), *second)] if second is not None else []
        verdict = judge(given, None if listed else UNLISTED, left, None if own else "")
        proven = [c.task.id for c in given if c.has_mark and c.may_do_work and c.is_readable]
        assert isinstance(verdict, Found) is bool(proven)
        may_exist = any(c.has_mark or c.may_do_work or not c.is_readable for c in given)
        if isinstance(verdict, NotCreated):
            assert own
            assert listed
            assert not left
            assert not may_exist


def test_the_oldest_of_several_proven_tasks_is_adopted() -> None:
    dates = {"u": ago(minutes=2), "t": ago(minutes=2), "a": ago(minutes=1), "b": None}
    given = [
        Evidence(remote(i, createdAt=None) if at is None else remote(i, at), True, True)
        for i, at in dates.items()
    ]
    verdict = judge(given, None, 0.0, None)
    assert isinstance(verdict, Found)
    assert (verdict.task.id, verdict.duplicates) == ("t", ("a", "b", "u"))


# What is compared


def test_a_full_match_is_adopted_at_once() -> None:
    ours = tried(at=YOUNG)
    assert ids(verdicts(shown(("t", "work of a", ours.mark)), ours)) == ["t"]


@pytest.mark.parametrize("login", ["me", "renamed", None])
def test_the_creator_does_not_matter(login: str | None) -> None:
    ours = tried()
    task = remote("t", createdBy={"githubLogin": login} if login else None)
    assert ids(verdicts(view([task], {"t": message("work of a", ours.mark)}), ours)) == ["t"]


def test_redacted_text_and_fewer_entities_may_be_the_work() -> None:
    content = {"content": "use ghp_1 for it", "entity_diff": {"add": [REPO]}}
    ours = tried(inputs={"message": content})
    seen = shown(("t", "use [REDACTED] for it", ours.mark))
    assert ids(verdicts(seen, ours)) == ["t"]


def test_the_mark_of_another_task_proves_nothing() -> None:
    ours = tried()
    (found,) = verdicts(shown(("t", "cut off by the serv", ours.mark)), ours)
    assert isinstance(found, Unresolved)
    assert (found.reason, found.ids, found.askable) == (Reason.AMBIGUOUS, ("t",), True)


@pytest.mark.parametrize("change", ["cut off", "replaced"])
def test_a_service_that_changes_marks_leaves_the_key_unresolved(change: str) -> None:
    """Another repository of the same user may have created the task at the same time."""
    for at, expected in ((OLD, Unresolved), (YOUNG, Wait)):
        ours = tried(at=at)
        mark = ours.mark[:19] + "Z" if change == "cut off" else mint(NOW)
        (found,) = verdicts(shown(("t", "work of a", mark)), ours)
        assert isinstance(found, expected)
        assert found.ids == ("t",)


def test_a_task_with_other_work_and_another_mark_is_no_candidate() -> None:
    assert isinstance(verdicts(shown(("t", "something else", NOW)), tried())[0], NotCreated)


def test_a_task_without_a_first_message_may_be_the_result() -> None:
    seen = view([remote("t", createdBy={"githubLogin": "someone"})], {"t": None})
    (found,) = verdicts(seen, tried())
    assert isinstance(found, Unresolved)
    assert found.ids == ("t",)


def test_marks_distinguish_tasks_with_the_same_text() -> None:
    a, b = tried("a", text="same"), tried("b", text="same")
    found = verdicts(shown(("t", "same", b.mark)), a, b)
    assert isinstance(found[0], NotCreated)
    assert ids(found)[1] == "t"


def test_a_task_with_the_mark_of_a_closed_attempt_is_no_candidate_for_another_key() -> None:
    ours = tried()
    closed = {mint(OLD): TaskRef("acme", "b")}
    (mark,) = closed
    assert isinstance(verdicts(shown(("t", "work of a", mark)), ours, closed=closed)[0], NotCreated)
    own = {mark: TaskRef("acme", "a")}
    assert isinstance(verdicts(shown(("t", "work of a", mark)), ours, closed=own)[0], Unresolved)


def test_a_task_that_two_keys_may_have_created_is_nobodys_to_confirm() -> None:
    a, b = tried("a", text="same"), tried("b", text="same")
    found = verdicts(shown(("t", "same", NOW)), a, b)
    assert [isinstance(v, Unresolved) and not v.askable for v in found] == [True, True]


def test_tasks_in_the_baseline_or_with_a_key_are_not_candidates() -> None:
    ours = tried(baseline="before")
    seen = shown(("t", "work of a", ours.mark))
    assert isinstance(verdicts(seen, ours, before=("x", "t"))[0], NotCreated)
    assert isinstance(verdicts(seen, ours, recorded=("t",))[0], NotCreated)
    elsewhere = replace(ours, ref=ours.ref._replace(org_name="b"))
    assert isinstance(verdicts(seen, elsewhere)[0], NotCreated)


def test_a_task_that_a_manifest_gives_to_another_key_needs_the_mark() -> None:
    ours, named = tried(), {"t": TaskRef("acme", "b")}
    assert isinstance(verdicts(shown(("t", "work of a", NOW)), ours, named=named)[0], NotCreated)
    (found,) = verdicts(shown(("t", "work of a", ours.mark)), ours, named=named)
    assert isinstance(found, Unresolved)
    assert (found.reason, found.ids) == (Reason.CONFLICT, ("t",))


def test_an_absent_task_is_resent_after_the_settle_time() -> None:
    (young,) = verdicts(view(), tried(at=YOUNG))
    assert young == Wait(SETTLE.total_seconds() + 10 - 20)
    assert isinstance(verdicts(view(), tried())[0], NotCreated)


def test_an_unreadable_task_is_never_absence() -> None:
    seen = view([remote("t")], unreadable={"t": "HTTP 500"})
    (found,) = verdicts(seen, tried())
    assert isinstance(found, Unresolved)
    assert (found.reason, found.askable) == (Reason.UNREADABLE, False)
    assert isinstance(verdicts(seen, tried(at=YOUNG))[0], Wait)


def test_an_unreliable_list_does_not_prove_absence() -> None:
    (found,) = verdicts(view(unlisted={"acme": "it is null"}), tried())
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.UNREADABLE
    ours = tried()
    seen = replace(shown(("t", "work of a", ours.mark)), unlisted={"acme": "odd"})
    assert ids(verdicts(seen, ours)) == ["t"]


def test_an_attempt_of_another_identity_is_decided_by_proof_only() -> None:
    ours = tried(identity=SOMEONE)
    assert ids(verdicts(shown(("t", "work of a", ours.mark)), ours)) == ["t"]
    for seen in (view(), shown(("t", "work of a", NOW))):
        (found,) = verdicts(seen, ours)
        assert isinstance(found, Unresolved)
        assert (found.reason, found.askable) == (Reason.OTHER_IDENTITY, False)


KEYS = st.sampled_from("abcd")


@given(
    made=st.lists(st.tuples(KEYS, st.booleans(), st.sampled_from([0, 1, 2])), max_size=5),
    strangers=st.lists(KEYS, max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_an_existing_task_is_never_judged_not_created(
    made: list[tuple[str, bool, int]], strangers: list[str], order: random.Random
) -> None:
    """Whatever the service does to marks, no attempt that created a task may be sent again, no two
    attempts may get the same task, and none gets a task of someone else."""
    attempts, tasks, messages, exists = [], [], {}, set()
    for number, (key, committed, fate) in enumerate(made):
        ours = tried(key, OLD + timedelta(seconds=number))
        attempts.append(ours)
        if committed:
            mark = [ours.mark, ours.mark[:19] + "Z", mint(NOW)][fate]
            tasks.append(remote(f"t{number}"))
            messages[f"t{number}"] = message(f"work of {key}", mark)
            exists.add(key)
    for number, key in enumerate(strangers):
        tasks.append(remote(f"s{number}"))
        messages[f"s{number}"] = message(f"work of {key}", mint(OLD))
    order.shuffle(attempts)
    order.shuffle(tasks)
    found = verdicts(view(tasks, messages), *attempts)
    by_key: dict[str, list[Verdict]] = {}
    for one, verdict in zip(attempts, found, strict=True):
        by_key.setdefault(one.ref.key, []).append(verdict)
    for key in exists:
        assert not all(isinstance(v, NotCreated) for v in by_key[key])
    taken = [v.task.id for v in found if isinstance(v, Found)]
    assert len(taken) == len(set(taken))
    assert not any(task_id.startswith("s") for task_id in taken)


@pytest.mark.parametrize("mark", [None, "2026-11-24T11:50:00Z"])
def test_a_task_that_the_response_named_is_the_one(mark: str | None) -> None:
    """Whatever the service did to mark and text; and it is nobody else's."""
    known, other = replace(tried("a"), task_id="t"), tried("b", text="something else")
    seen = shown(("t", "something else", mark or known.mark))
    assert ids(verdicts(seen, known, other)) == ["t", None]
    assert isinstance(verdicts(seen, known, other)[1], NotCreated)


def test_a_task_that_the_response_named_and_that_is_gone_is_not_created_again() -> None:
    known = replace(tried("a"), task_id="t")
    (verdict,) = verdicts(shown(), known)
    assert isinstance(verdict, Unresolved)
    assert (verdict.reason, verdict.ids, verdict.askable) == (Reason.UNREADABLE, ("t",), False)
    (waiting,) = verdicts(shown(), replace(tried("a", YOUNG), task_id="t"))
    assert isinstance(waiting, Wait)


def test_an_attempt_is_compared_only_with_tasks_that_it_may_have_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A committed state may have thousands of open attempts, and the service as many tasks."""
    compared = []

    def counted(*both: Any) -> Work:
        compared.append(both)
        return compare_work(*both)

    monkeypatch.setattr(recovery, "compare_work", counted)
    attempts = [
        replace(tried(f"k{n}", OLD, f"do {n}"), mark=mint(OLD, 10 * n + 1)) for n in range(300)
    ]
    seen = shown(
        *((f"t-{n}", f"do {n}", attempts[n].mark) for n in range(200)),
        *((f"u-{n}", f"do {n}", OLD - timedelta(days=n)) for n in range(1, 300)),
    )
    found = verdicts(seen, *attempts)
    assert ids(found) == [f"t-{n}" if n < 200 else None for n in range(300)]
    assert len(compared) < 1_000
