"""What an attempt may have made although the service shows it badly, and who may claim what."""

from __future__ import annotations

from datetime import timedelta

from reconciler.model.task import TaskRef
from reconciler.plan.plan import Action, Reason
from reconciler.plan.recovery import Found, NotCreated, Unresolved, Verdict, recover
from reconciler.plan.view import RemoteView
from reconciler.state.model import Attempt
from tests.support.worlds import (
    NOW,
    ago,
    attempt,
    desired,
    message,
    plan,
    remote,
    state,
    view,
)

SETTLE = timedelta(seconds=150)
OLD = ago(minutes=10)


def verdict(seen: RemoteView, *attempts: Attempt) -> Verdict:
    """That of the first attempt."""
    return recover(attempts, seen, {}, {}, SETTLE)[attempts[0].mark]


def test_another_spelling_of_its_mark_tells_an_attempt_from_another_with_its_text() -> None:
    a, b = attempt("a", OLD, "same"), attempt("b", OLD + timedelta(seconds=2), "same")
    spelt = OLD.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")
    seen = view([remote("t", OLD)], {"t": message("same", spelt)})
    assert verdict(seen, a, b) == Found(remote("t", OLD))
    assert isinstance(verdict(seen, b, a), NotCreated)


def test_the_same_mark_under_a_text_that_nobody_wrote_is_ours() -> None:
    """However the service spells what it took out."""
    seen = view([remote("t", OLD)], {"t": message("use ***** to do it", OLD)})
    assert verdict(seen, attempt("a", OLD, "use ghp_1 to do it")) == Found(remote("t", OLD))


def test_two_that_bear_one_mark_are_unresolved() -> None:
    seen = view(
        [remote("t", OLD), remote("u", OLD)],
        {"t": message("work of a", OLD), "u": message("work of a", OLD)},
    )
    found = verdict(seen, attempt("a", OLD))
    assert isinstance(found, Unresolved)
    assert found.ids == ("t", "u")


def test_a_task_without_a_date_may_be_ours() -> None:
    task = remote("t", createdAt=None)
    seen = view([task], {"t": message("work of a", OLD)})
    assert verdict(seen, attempt("a", OLD)) == Found(task)


def test_without_a_service_clock_this_machines_may_be_off_by_its_zone() -> None:
    task = remote("t", OLD - timedelta(hours=14))
    seen = view([task], {"t": message("work of a", OLD)})
    assert verdict(seen, attempt("a", OLD, service_clock=None)) == Found(task)


def test_without_a_service_clock_this_machines_says_how_old_it_is() -> None:
    young = attempt("a", ago(seconds=10), service_clock=None)
    assert verdict(view(service_now=None), young) == verdict(view(), young)
    assert isinstance(verdict(view(), attempt("a", OLD, service_clock=None)), NotCreated)


def test_a_task_of_ours_that_shows_no_message_may_be_what_the_attempt_made() -> None:
    seen = view([remote("t", OLD)], {"t": None})
    found = verdict(seen, attempt("a", OLD))
    assert isinstance(found, Unresolved)
    assert found.kind == "unreadable"
    assert found.ids == ("t",)


def test_another_users_task_without_a_message_hinders_nobody() -> None:
    seen = view([remote("t", OLD, createdBy={"githubLogin": "someone"})], {"t": None})
    assert isinstance(verdict(seen, attempt("a", OLD)), NotCreated)


def test_a_task_without_a_message_hinders_no_new_key() -> None:
    seen = view([remote("t", OLD)], {"t": None})
    assert [t.action for t in plan([desired("a")], seen=seen).tasks] == [Action.CREATE]


# Who may take what


def test_what_an_attempt_made_is_nobody_elses_look_alike() -> None:
    known = state(attempts=[attempt("a", OLD, "same")])
    seen = view([remote("t", OLD)], {"t": message("same", OLD)})
    made = plan([desired("a", "same"), desired("b", "same")], known, seen)
    assert [(t.action, t.task_id) for t in made.tasks] == [
        (Action.ADOPT, "t"),
        (Action.CREATE, None),
    ]


def test_what_an_attempt_may_have_made_is_nobody_elses_look_alike() -> None:
    known = state(attempts=[attempt("a", OLD, "same")])
    later = OLD + timedelta(seconds=30)
    seen = view(
        [remote("t", OLD), remote("u", OLD)],
        {"t": message("same", later), "u": message("same", later)},
    )
    made = plan([desired("a", "same"), desired("b", "same")], known, seen)
    assert [(t.action, t.task_id) for t in made.tasks] == [
        (Action.UNRESOLVED, None),
        (Action.CREATE, None),
    ]


def test_the_prompt_of_a_renamed_task_is_not_anothers() -> None:
    """Its mark is found under the text that its new key's manifest has by now."""
    known = state(attempts=[attempt("old", OLD, "use ghp_1")])
    seen = view([remote("t", OLD)], {"t": message("use *****", OLD)})
    (task,) = plan([desired("new", "use *****", moved_from="old")], known, seen).tasks
    assert (task.ref, task.action, task.reason) == (
        TaskRef("acme", "new"),
        Action.ADOPT,
        Reason.ATTEMPT,
    )


def test_clocks_that_jumped_back_make_an_attempt_younger_never_older() -> None:
    """An hour's jump back between two applies costs waiting, not a second task."""
    made = attempt("a", NOW + timedelta(minutes=50), service_clock=None)
    (task,) = plan([desired("a")], state(attempts=[made]), view(service_now=None)).tasks
    assert task.reason is Reason.SETTLING
    assert task.settled_at == NOW + timedelta(minutes=50) + SETTLE


def test_a_state_is_new_for_what_no_apply_has_looked_for_yet() -> None:
    """A lost state, then an apply for one file only: the others' tasks are still found."""
    known = state(is_new=True, searched=("tasks/a.yaml",))
    month = ago(days=30)
    tasks = [remote("t", month), remote("u", month)]
    seen = view(tasks, {"t": message("work of a", month), "u": message("work of b", month)})
    wanted = [desired("a"), desired("b", file="tasks/b.yaml")]
    made = plan(wanted, known, seen)
    assert [(t.action, t.task_id) for t in made.tasks] == [
        (Action.CREATE, None),
        (Action.ADOPT, "u"),
    ]
    cut = plan(wanted, known, view(cut_short=frozenset({"acme"})))
    assert [t.action for t in cut.tasks] == [Action.CREATE, Action.UNRESOLVED]
