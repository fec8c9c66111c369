"""What an attempt may have created although the service shows it incompletely, and which key gets
it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.model.options import PlanOptions
from reconciler.plan.plan import Action, Reason
from reconciler.plan.recovery import Found, NotCreated, Owners, Verdict, recover
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt
from reconciler.state.ledger import fold
from reconciler.state.model import Retired
from tests.support.plan_values import (
    NOW,
    ago,
    attempt,
    desired,
    message,
    plan,
    record,
    remote,
    state,
    view,
)
from tests.support.remark_cases import commands

SETTLE = timedelta(seconds=150)
OLD = ago(minutes=10)


def verdict(seen: RemoteView, *attempts: Attempt) -> Verdict:
    """The verdict on the first attempt."""
    owners = Owners(state(attempts=attempts))
    return recover(attempts, seen, owners, {}, SETTLE)[attempts[0].mark]


def test_another_spelling_of_a_mark_still_distinguishes_attempts() -> None:
    a, b = attempt("a", OLD, "same"), attempt("b", OLD + timedelta(seconds=2), "same")
    spelt = OLD.strftime("%Y-%m-%dT%H:%M:%S.0000010+00:00")
    seen = view([remote("t", OLD)], {"t": message("same", spelt)})
    assert verdict(seen, a, b) == Found(remote("t", OLD))
    assert isinstance(verdict(seen, b, a), NotCreated)


def test_a_task_without_a_date_may_be_ours() -> None:
    task = remote("t", createdAt=None)
    seen = view([task], {"t": message("work of a", OLD)})
    assert verdict(seen, attempt("a", OLD)) == Found(task)


def test_a_task_without_a_message_may_be_any_task() -> None:
    seen = view([remote("t", OLD)], {"t": None})
    (task,) = plan([desired("a")], seen=seen).tasks
    assert (task.action, task.reason) == (Action.UNRESOLVED, Reason.AMBIGUOUS)


# Which key may adopt a task


def test_the_result_of_an_attempt_is_not_a_look_alike_of_other_keys() -> None:
    known = state(attempts=[attempt("a", OLD, "same")])
    seen = view([remote("t", OLD)], {"t": message("same", OLD)})
    made = plan([desired("a", "same"), desired("b", "same")], known, seen)
    assert [(t.action, t.task_id) for t in made.tasks] == [
        (Action.ADOPT, "t"),
        (Action.CREATE, None),
    ]


def test_a_candidate_of_an_attempt_is_not_adopted_for_another_key() -> None:
    known = state(attempts=[attempt("a", OLD, "same")])
    later = OLD + timedelta(seconds=30)
    seen = view(
        [remote("t", OLD), remote("u", OLD)],
        {"t": message("same", later), "u": message("same", later)},
    )
    made = plan([desired("a", "same"), desired("b", "same")], known, seen)
    assert [(t.action, t.reason) for t in made.tasks] == [
        (Action.UNRESOLVED, Reason.AMBIGUOUS),
        (Action.UNRESOLVED, Reason.AMBIGUOUS),
    ]


@pytest.mark.parametrize(
    ("login", "action"), [("me", Action.ADOPT), ("someone", Action.UNRESOLVED)]
)
def test_adopt_chooses_only_what_this_user_created(login: str, action: Action) -> None:
    """On a terminal, apply asks about the other task, too."""
    later = OLD + timedelta(seconds=30)
    theirs = remote("t", OLD, createdBy={"githubLogin": login})
    seen = view([theirs], {"t": message("work of a", later)})
    options = PlanOptions(adopt=True)
    (made,) = plan([desired("a")], state(attempts=[attempt("a", OLD)]), seen, options).tasks
    assert made.action is action
    assert made.candidate == (theirs if action is Action.UNRESOLVED else None)


def test_adopt_does_not_choose_the_task_that_another_key_had() -> None:
    """`state rm` removed it, and its own key gets it again."""
    removed = record("b", "t", "same").retired(NOW, adoptable=True)
    known = fold(state(attempts=[attempt("a", OLD, "same")]), [Retired(removed)])
    seen = view([remote("t", OLD)], {"t": message("same", OLD + timedelta(seconds=30))})
    tasks = [desired("a", "same"), desired("b", "same")]
    made = plan(tasks, known, seen, PlanOptions(adopt=True)).tasks
    assert [t.action for t in made] == [Action.UNRESOLVED, Action.ADOPT]
    assert made[0].candidate is None


def test_a_task_id_outranks_an_attempt_but_not_what_it_created() -> None:
    """The user found the task whose response was lost, and set its ID."""
    known = state(attempts=[attempt("a", OLD)])
    made = {"t": message("work of a", OLD)}
    (named,) = plan([desired("a", task_id="t")], known, view([remote("t")], made)).tasks
    assert (named.action, named.reason, named.task_id) == (Action.ADOPT, Reason.ATTEMPT, "t")
    seen = view([remote("t"), remote("u")], made)
    (other,) = plan([desired("a", task_id="u")], known, seen).tasks
    assert (other.action, other.reason) == (Action.UNRESOLVED, Reason.CONFLICT)
    (no_message,) = plan([desired("a", task_id="u")], known, view([remote("u")])).tasks
    assert (no_message.action, no_message.reason) == (Action.ADOPT, Reason.TASK_ID)


def test_an_organization_that_cannot_be_read_stops_only_its_own_tasks() -> None:
    known = state([record("b", "t", org_name="closed")], [attempt("c", OLD, org_name="closed")])
    seen = view(refused={"closed": "403: no member"})
    tasks = [desired("a"), desired("b", org_name="closed")]
    made = plan(tasks, known, seen)
    assert [(t.ref.key, t.action) for t in made.tasks] == [
        ("a", Action.CREATE),
        ("b", Action.UNRESOLVED),
        ("c", Action.UNRESOLVED),
    ]
    assert all(commands(t.remarks) for t in made.tasks if t.action is Action.UNRESOLVED)
    assert not made.complete
