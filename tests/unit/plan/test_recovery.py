"""The table of what can have become of an attempt; contract, section 5, points 1 and 3."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.task import TaskRef
from reconciler.plan.recovery import (
    Found,
    NotCreated,
    Unresolved,
    Verdict,
    Wait,
    is_redaction_of,
    recover,
)
from reconciler.plan.view import RemoteView
from reconciler.state.model import Attempt
from tests.support.worlds import NOW, SOMEONE, ago, attempt, message, remote, view

SETTLE = timedelta(seconds=150)
OLD = ago(minutes=10)
YOUNG = ago(seconds=20)
JUST_AFTER = timedelta(seconds=2)


def verdicts(
    seen: RemoteView, *attempts: Attempt, wanted: dict[str, str] | None = None
) -> list[Verdict]:
    texts = {TaskRef("acme", key): text for key, text in (wanted or {}).items()}
    found = recover(attempts, seen, {}, texts, SETTLE)
    return [found[a.mark] for a in attempts]


def ids(found: list[Verdict]) -> list[str | None]:
    return [v.task.id if isinstance(v, Found) else None for v in found]


def shown(*tasks: tuple[str, str, datetime | str], created: datetime = OLD) -> RemoteView:
    """Tasks as (id, first text, mark)."""
    return view(
        [remote(i, created + JUST_AFTER) for i, _, _ in tasks],
        {i: message(text, mark) for i, text, mark in tasks},
    )


def test_same_mark_and_text_is_ours() -> None:
    assert ids(verdicts(shown(("t", "work of a", OLD)), attempt("a", OLD))) == ["t"]


def test_the_mark_is_an_instant_not_a_spelling() -> None:
    spelt = OLD.strftime("%Y-%m-%dT14:%M:%S.000+03:00").replace("T14", f"T{OLD.hour + 3:02}")
    assert ids(verdicts(shown(("t", "work of a", spelt)), attempt("a", OLD))) == ["t"]


def test_line_ends_and_outer_white_space_do_not_count() -> None:
    seen = shown(("t", "\r\n one\r\ntwo \n", NOW))
    assert ids(verdicts(seen, attempt("a", OLD, "one\ntwo\n"))) == ["t"]


def test_same_mark_with_a_text_of_nobody_is_ours_redacted() -> None:
    seen = shown(("t", "use [REDACTED] to do it", OLD))
    assert ids(verdicts(seen, attempt("a", OLD, "use ghp_1 to do it"))) == ["t"]


def test_a_mark_hit_by_chance_is_not_ours_when_the_text_is_another_attempts() -> None:
    """A service clock that replaces marks gave b's task a's mark; a's own was never made."""
    a, b = attempt("a", OLD), attempt("b", OLD + timedelta(milliseconds=5))
    found = verdicts(shown(("t", "work of b", OLD)), a, b)
    assert isinstance(found[0], NotCreated)
    assert ids(found)[1] == "t"


def test_a_mark_hit_by_chance_is_not_ours_when_the_text_is_another_tasks() -> None:
    seen = shown(("t", "work of b", OLD))
    (found,) = verdicts(seen, attempt("a", OLD), wanted={"a": "work of a", "b": "work of b"})
    assert isinstance(found, NotCreated)


def test_a_mark_hit_by_chance_is_not_ours_when_the_text_is_anothers_redacted() -> None:
    a = attempt("a", OLD, "first ghp_1")
    b = attempt("b", OLD + timedelta(milliseconds=5), "second ghp_2")
    found = verdicts(shown(("t", "second [REDACTED]", OLD)), a, b)
    assert isinstance(found[0], NotCreated)
    assert ids(found)[1] == "t"


def test_an_edited_prompt_of_its_own_key_is_not_anothers() -> None:
    seen = shown(("t", "use [REDACTED]", OLD))
    found = verdicts(seen, attempt("a", OLD, "use ghp_1"), wanted={"a": "use [REDACTED]"})
    assert ids(found) == ["t"]


def test_a_rounded_mark_is_ours_at_once() -> None:
    mark = YOUNG + timedelta(milliseconds=420)
    seen = shown(("t", "work of a", YOUNG), created=YOUNG)
    assert ids(verdicts(seen, attempt("a", mark))) == ["t"]


def test_a_replaced_mark_is_ours_after_the_settle_time_only() -> None:
    replaced = timedelta(seconds=7)
    young = shown(("t", "work of a", YOUNG + replaced), created=YOUNG)
    assert isinstance(verdicts(young, attempt("a", YOUNG))[0], Wait)
    old = shown(("t", "work of a", OLD + replaced))
    assert ids(verdicts(old, attempt("a", OLD))) == ["t"]


def test_two_that_fit_a_replaced_mark_are_unresolved() -> None:
    later = OLD + timedelta(seconds=7)
    seen = shown(("t", "work of a", later), ("u", "work of a", later))
    (found,) = verdicts(seen, attempt("a", OLD))
    assert isinstance(found, Unresolved)
    assert found.ids == ("t", "u")


def test_one_that_fits_two_attempts_is_unresolved_for_both() -> None:
    a = attempt("a", OLD, "same")
    b = attempt("b", OLD + timedelta(milliseconds=1), "same")
    found = verdicts(shown(("t", "same", OLD + timedelta(seconds=9))), a, b)
    assert [type(v) for v in found] == [Unresolved, Unresolved]


def test_same_text_twice_with_marks_kept_are_told_apart() -> None:
    a = attempt("a", OLD, "same")
    b = attempt("b", OLD + timedelta(milliseconds=1), "same")
    seen = shown(("t", "same", OLD + timedelta(milliseconds=1)))
    found = verdicts(seen, a, b)
    assert isinstance(found[0], NotCreated)
    assert ids(found)[1] == "t"


def test_nothing_found_waits_then_may_be_sent_again() -> None:
    (young,) = verdicts(view(), attempt("a", YOUNG))
    assert young == Wait(YOUNG + SETTLE)
    (old,) = verdicts(view(), attempt("a", OLD))
    assert isinstance(old, NotCreated)


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_younger_of_two_ages_counts(*, ours_first: bool) -> None:
    """One clock jumped ahead: the other still says that the attempt is young."""
    ours, theirs = (YOUNG, OLD) if ours_first else (OLD, YOUNG)
    (found,) = verdicts(view(), attempt("a", OLD, started_at=ours, service_clock=theirs))
    assert isinstance(found, Wait)


def test_what_cannot_be_read_is_never_nothing() -> None:
    seen = view([remote("t", OLD + JUST_AFTER)], unreadable={"t": "HTTP 500"})
    (found,) = verdicts(seen, attempt("a", OLD))
    assert isinstance(found, Unresolved)
    assert found.kind == "unreadable"
    young = view([remote("t", YOUNG)], unreadable={"t": "HTTP 500"})
    assert isinstance(verdicts(young, attempt("a", YOUNG))[0], Wait)


def test_what_cannot_be_read_hinders_no_match_by_mark() -> None:
    seen = view(
        [remote("t", OLD), remote("u", OLD)],
        {"u": message("work of a", OLD)},
        unreadable={"t": "HTTP 500"},
    )
    assert ids(verdicts(seen, attempt("a", OLD))) == ["u"]


def test_what_cannot_be_read_hinders_a_match_by_text_alone() -> None:
    seen = view(
        [remote("t", OLD), remote("u", OLD)],
        {"u": message("work of a", NOW)},
        unreadable={"t": "HTTP 500"},
    )
    assert isinstance(verdicts(seen, attempt("a", OLD))[0], Unresolved)


def test_another_identitys_attempt_is_unresolved() -> None:
    seen = shown(("t", "work of a", OLD))
    (found,) = verdicts(seen, attempt("a", OLD, identity=SOMEONE))
    assert isinstance(found, Unresolved)
    assert found.kind == "identity"


def test_older_tasks_recorded_ones_and_other_organizations_are_no_candidates() -> None:
    too_old = view([remote("t", OLD - timedelta(minutes=6))], {"t": message("work of a", OLD)})
    assert isinstance(verdicts(too_old, attempt("a", OLD))[0], NotCreated)
    seen = shown(("t", "work of a", OLD))
    found = recover([attempt("a", OLD)], seen, {"t": TaskRef("acme", "b")}, {}, SETTLE)
    assert [type(v) for v in found.values()] == [NotCreated]
    elsewhere = attempt("a", OLD, org_name="other")
    assert isinstance(verdicts(seen, elsewhere)[0], NotCreated)


def test_clocks_may_be_minutes_apart() -> None:
    early = view([remote("t", OLD - timedelta(minutes=4))], {"t": message("work of a", OLD)})
    assert ids(verdicts(early, attempt("a", OLD))) == ["t"]


def test_redacted_under_another_mark_is_ours_if_it_is_nobody_elses() -> None:
    seen = shown(("t", "use [REDACTED] now", OLD + timedelta(seconds=9)))
    ours = attempt("a", OLD, "use ghp_1 now")
    assert ids(verdicts(seen, ours)) == ["t"]
    (taken,) = verdicts(seen, ours, wanted={"a": "use ghp_1 now", "b": "use ghp_2 now"})
    assert isinstance(taken, Unresolved)
    rival = attempt("b", OLD + timedelta(milliseconds=1), "use ghp_2 now")
    assert [type(v) for v in verdicts(seen, ours, rival)] == [Unresolved, Unresolved]


@pytest.mark.parametrize(
    ("theirs", "ours", "is_one"),
    [
        ("[REDACTED]", "x", True),
        ("[REDACTED]", "", False),
        ("a [REDACTED] b", "a secret b", True),
        ("a [REDACTED] b", "a  b", False),
        ("a [REDACTED] b", "a secret c", False),
        ("[REDACTED] and [REDACTED]", "x and y", True),
        ("[REDACTED] and [REDACTED]", "x or y", False),
        ("aa[REDACTED]aa", "aaa", False),
        ("plain", "plain", False),
        ("[REDACTED]", "[REDACTED] x", False),
    ],
)
def test_redaction(theirs: str, ours: str, *, is_one: bool) -> None:
    assert is_redaction_of(theirs, ours) is is_one


def test_many_placeholders_are_compared_in_time() -> None:
    assert not is_redaction_of("a[REDACTED]" * 20_000 + "c", "ab" * 40_000)


@given(st.lists(st.text("ab", max_size=4), min_size=1, max_size=6), st.data())
def test_whatever_is_redacted_is_recognized(pieces: list[str], data: st.DataObject) -> None:
    secrets = [data.draw(st.text("xyz", min_size=1, max_size=3)) for _ in pieces[1:]]
    ours = pieces[0] + "".join(s + p for s, p in zip(secrets, pieces[1:], strict=True))
    theirs = "[REDACTED]".join(pieces)
    assert is_redaction_of(theirs, ours) is (len(pieces) > 1)


KEYS = st.sampled_from("abcd")


@given(
    made=st.lists(st.tuples(KEYS, st.booleans(), st.sampled_from([0, 1, 2])), max_size=5),
    order=st.randoms(use_true_random=False),
)
def test_a_task_that_exists_is_never_taken_for_not_created(
    made: list[tuple[str, bool, int]], order: random.Random
) -> None:
    """Whatever the service does to marks, no attempt that made a task may be sent again, and no
    two attempts may take the same task."""
    attempts, tasks, messages, exists = [], [], {}, set()
    for number, (key, committed, fate) in enumerate(made):
        mark = OLD + timedelta(seconds=number)
        attempts.append(attempt(key, mark))
        if committed:
            shown_mark = [mark, mark.replace(microsecond=0), mark + timedelta(seconds=31)][fate]
            tasks.append(remote(f"t{number}", mark + JUST_AFTER))
            messages[f"t{number}"] = message(f"work of {key}", shown_mark)
            exists.add(key)
    order.shuffle(attempts)
    order.shuffle(tasks)
    found = recover(attempts, view(tasks, messages), {}, {}, SETTLE)
    by_key: dict[str, list[Verdict]] = {}
    for one in attempts:
        by_key.setdefault(one.ref.key, []).append(found[one.mark])
    for key in exists:
        assert not all(isinstance(v, NotCreated) for v in by_key[key])
    taken = [v.task.id for v in found.values() if isinstance(v, Found)]
    assert len(taken) == len(set(taken))
