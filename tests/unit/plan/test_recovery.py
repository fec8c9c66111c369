"""The possible outcomes of an attempt."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import mint
from reconciler.plan.plan import Reason
from reconciler.plan.recovery import (
    Entities,
    Found,
    Match,
    NotCreated,
    Text,
    Unresolved,
    Verdict,
    Wait,
    compare_candidate,
    compare_entities,
    compare_texts,
    is_redaction_of,
    recover,
)
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt, Baseline
from tests.support.plan_values import NOW, SOMEONE, ago, attempt, message, remote, view

SETTLE = timedelta(seconds=150)
OLD = ago(minutes=10)
YOUNG = ago(seconds=20)
LONG = "connect with ghp_1234 and rotate the keys"
REDACTED = "connect with [REDACTED] and rotate the keys"
STACK = {"type": "stack", "name": "web", "project": "shop"}
REPO = {"type": "repository", "name": "infra"}


def tried(key: str = "a", at: datetime = OLD, text: str | None = None, **more: Any) -> Attempt:
    """An attempt with a mark as apply mints it."""
    return replace(attempt(key, at, text, **more), mark=mint(at, entropy=123_456))


def verdicts(
    seen: RemoteView, *attempts: Attempt, accounted: tuple[str, ...] = (), **baselines: Baseline
) -> list[Verdict]:
    found = recover(attempts, seen, accounted, baselines, SETTLE)
    return [found[a.mark] for a in attempts]


def ids(found: list[Verdict]) -> list[str | None]:
    return [v.task.id if isinstance(v, Found) else None for v in found]


def shown(*tasks: tuple[str, str, datetime | str], preserved: bool = False) -> RemoteView:
    """Tasks as (id, first text, mark)."""
    return view(
        [remote(i) for i, _, _ in tasks],
        {i: message(text, mark) for i, text, mark in tasks},
        marks_preserved=frozenset({"acme"} if preserved else ()),
    )


# One candidate, one attempt


@pytest.mark.parametrize(
    ("mark", "preserved", "text", "entities", "login", "match"),
    [
        ("exact", True, LONG, [STACK], "me", Match.OURS),
        ("exact", False, LONG, [STACK], "me", Match.OURS),
        ("rounded", False, LONG, [STACK], "me", Match.OURS),
        ("exact", True, REDACTED, [STACK], "me", Match.OURS),
        ("exact", True, LONG, [STACK], None, Match.OURS),
        # The mark alone is not enough, however unguessable
        ("exact", True, LONG, [STACK], "renamed", Match.DOUBTFUL),
        ("exact", True, LONG, [], "me", Match.DOUBTFUL),
        ("exact", True, LONG, [REPO], "me", Match.DOUBTFUL),
        ("exact", True, LONG[:30], [STACK], "me", Match.DOUBTFUL),
        ("exact", True, "Note: " + LONG, [STACK], "me", Match.DOUBTFUL),
        # Another mark, from a service that preserves them
        ("other", True, LONG, [STACK], "me", Match.NOT_OURS),
        ("none", True, LONG, [STACK], "me", Match.NOT_OURS),
        # Another mark, and whether the service preserves marks is unknown
        ("other", False, LONG, [STACK], "me", Match.LIKELY),
        ("other", False, REDACTED, [STACK], "me", Match.LIKELY),
        ("other", False, LONG, [STACK], "renamed", Match.DOUBTFUL),
        ("other", False, LONG, [], "me", Match.DOUBTFUL),
        ("other", False, "something else", [STACK], "me", Match.POSSIBLE),
        ("other", False, LONG, [REPO], "me", Match.POSSIBLE),
        ("other", False, "something else", [STACK], "someone", Match.NOT_OURS),
        # No first message
        ("none", True, None, [], "me", Match.UNREADABLE),
        ("none", True, None, [], "someone", Match.NOT_OURS),
    ],
)
def test_a_candidate_is_judged_by_mark_text_entities_and_creator(
    mark: str,
    text: str | None,
    entities: list[Any],
    login: str | None,
    match: Match,
    *,
    preserved: bool,
) -> None:
    message_of = {"content": LONG, "entity_diff": {"add": [STACK]}}
    ours = tried(inputs={"message": message_of})
    marks = {"exact": ours.mark, "rounded": ours.mark[:19] + "Z", "other": mint(NOW), "none": ""}
    creator = {"githubLogin": login} if login else None
    task = remote("t", createdBy=creator)
    said = None if text is None else message(text, marks[mark], entities)
    seen = view([task], {"t": said}, marks_preserved=frozenset({"acme"} if preserved else ()))
    assert compare_candidate(ours, task, seen) is match


@pytest.mark.parametrize("login", ["me", "someone"])
def test_an_unreadable_task_is_unreadable_whoever_created_it(login: str) -> None:
    task = remote("t", createdBy={"githubLogin": login})
    assert (
        compare_candidate(tried(), task, view([task], unreadable={"t": "500"})) is Match.UNREADABLE
    )


# What follows


def test_a_full_match_is_adopted_at_once() -> None:
    ours = tried(at=YOUNG)
    assert ids(verdicts(shown(("t", "work of a", ours.mark)), ours)) == ["t"]


def test_two_full_matches_are_unresolved() -> None:
    ours = tried()
    (found,) = verdicts(shown(("t", "work of a", ours.mark), ("u", "work of a", ours.mark)), ours)
    assert isinstance(found, Unresolved)
    assert (found.reason, found.ids) == (Reason.AMBIGUOUS, ("t", "u"))


def test_a_task_of_another_repository_with_the_same_user_is_not_ours() -> None:
    """The same text at the same millisecond: only the last six digits differ."""
    ours = tried()
    theirs = ours.mark.replace("123456Z", "654321Z")
    seen = shown(("t", "work of a", theirs), preserved=True)
    assert isinstance(verdicts(seen, ours)[0], NotCreated)


def test_preserved_marks_distinguish_tasks_with_the_same_text() -> None:
    a, b = tried("a", OLD, "same"), tried("b", OLD + timedelta(milliseconds=2), "same")
    found = verdicts(shown(("t", "same", b.mark), preserved=True), a, b)
    assert isinstance(found[0], NotCreated)
    assert ids(found)[1] == "t"


def test_a_replaced_mark_is_ours_after_the_settle_time_only() -> None:
    young = shown(("t", "work of a", YOUNG + timedelta(seconds=7)))
    assert isinstance(verdicts(young, tried(at=YOUNG))[0], Wait)
    old = shown(("t", "work of a", OLD + timedelta(seconds=7)))
    assert ids(verdicts(old, tried())) == ["t"]


def test_two_tasks_matching_a_replaced_mark_are_unresolved() -> None:
    later = OLD + timedelta(seconds=7)
    (found,) = verdicts(shown(("t", "work of a", later), ("u", "work of a", later)), tried())
    assert isinstance(found, Unresolved)
    assert found.ids == ("t", "u")


def test_a_task_matching_two_attempts_is_unresolved_for_both() -> None:
    a, b = tried("a", OLD, "same"), tried("b", OLD + timedelta(milliseconds=2), "same")
    found = verdicts(shown(("t", "same", OLD + timedelta(seconds=9))), a, b)
    assert [type(v) for v in found] == [Unresolved, Unresolved]


def test_an_unaccounted_own_task_is_not_absence_unless_marks_are_preserved() -> None:
    later = OLD + timedelta(seconds=9)
    (found,) = verdicts(shown(("t", "cut off by the serv", later)), tried())
    assert isinstance(found, Unresolved)
    (found,) = verdicts(shown(("t", "cut off by the serv", later), preserved=True), tried())
    assert isinstance(found, NotCreated)


def test_a_likely_match_is_adopted_despite_possible_ones() -> None:
    later = OLD + timedelta(seconds=9)
    seen = shown(("t", "work of a", later), ("u", "something else", later))
    assert ids(verdicts(seen, tried())) == ["t"]


def test_tasks_in_the_baseline_or_with_a_key_are_not_candidates() -> None:
    ours = tried(baseline="before")
    seen = shown(("t", "work of a", ours.mark))
    before = Baseline("acme", ("x", "t"))
    assert isinstance(verdicts(seen, ours, before=before)[0], NotCreated)
    assert isinstance(verdicts(seen, ours, accounted=("t",))[0], NotCreated)
    assert isinstance(
        verdicts(seen, replace(ours, ref=ours.ref._replace(org_name="b")))[0], NotCreated
    )


def test_an_absent_task_is_resent_after_the_settle_time() -> None:
    (young,) = verdicts(view(), tried(at=YOUNG))
    assert young == Wait(SETTLE.total_seconds() + 10 - 20)
    assert isinstance(verdicts(view(), tried())[0], NotCreated)


def test_an_unreadable_task_is_never_absence() -> None:
    seen = view([remote("t")], unreadable={"t": "HTTP 500"})
    (found,) = verdicts(seen, tried())
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.UNREADABLE
    assert isinstance(verdicts(seen, tried(at=YOUNG))[0], Wait)


def test_an_unreliable_list_does_not_prove_absence() -> None:
    (found,) = verdicts(view(unlisted={"acme": "it is null"}), tried())
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.UNREADABLE
    ours = tried()
    seen = replace(shown(("t", "work of a", ours.mark)), unlisted={"acme": "odd"})
    assert ids(verdicts(seen, ours)) == ["t"]


@pytest.mark.parametrize("found_by_mark", [True, False])
def test_an_unreadable_task_prevents_a_match_by_text_alone(*, found_by_mark: bool) -> None:
    ours = tried()
    seen = view(
        [remote("t"), remote("u")],
        {"u": message("work of a", ours.mark if found_by_mark else NOW)},
        unreadable={"t": "HTTP 500"},
    )
    assert ids(verdicts(seen, ours)) == (["u"] if found_by_mark else [None])


def test_an_attempt_of_another_identity_is_unresolved() -> None:
    ours = tried(identity=SOMEONE)
    (found,) = verdicts(shown(("t", "work of a", ours.mark)), ours)
    assert isinstance(found, Unresolved)
    assert found.reason is Reason.OTHER_IDENTITY


# Comparisons


@pytest.mark.parametrize(
    ("theirs", "ours", "result"),
    [
        ("\r\n one  \r\ntwo \n", "one\ntwo\n", Text.SAME),
        ("caf\u00e9", "cafe\u0301", Text.SAME),
        (REDACTED, LONG, Text.REDACTED),
        ("use [REDACTED]", "use ghp_1", Text.OTHER),  # too little is left to tell
        (LONG[:-3], LONG, Text.OTHER),
        ("x" + LONG, LONG, Text.OTHER),
    ],
)
def test_prompts_are_compared_after_normalization(theirs: str, ours: str, result: Text) -> None:
    assert compare_texts(theirs, ours) is result


@pytest.mark.parametrize(
    ("theirs", "ours", "result"),
    [
        ([], [], Entities.SAME),
        ([REPO, STACK], [STACK, REPO], Entities.SAME),
        ([{**STACK, "id": "x", "merged": False}], [STACK], Entities.SAME),
        ([STACK], [STACK, REPO], Entities.FEWER),
        ([], [STACK], Entities.FEWER),
        ([{**STACK, "name": "api"}], [STACK], Entities.OTHER),
        ([STACK, REPO], [STACK], Entities.OTHER),
    ],
)
def test_entities_are_compared(theirs: list[Any], ours: list[Any], result: Entities) -> None:
    assert compare_entities(theirs, ours) is result


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
def test_a_redacted_prompt_matches_only_its_original(
    theirs: str, ours: str, *, is_one: bool
) -> None:
    assert is_redaction_of(theirs, ours) is is_one


def test_many_placeholders_are_compared_in_linear_time() -> None:
    assert not is_redaction_of("a[REDACTED]" * 20_000 + "c", "ab" * 40_000)


@given(st.lists(st.text("ab", max_size=4), min_size=1, max_size=6), st.data())
def test_any_redacted_prompt_matches_its_original(pieces: list[str], data: st.DataObject) -> None:
    secrets = [data.draw(st.text("xyz", min_size=1, max_size=3)) for _ in pieces[1:]]
    ours = pieces[0] + "".join(s + p for s, p in zip(secrets, pieces[1:], strict=True))
    theirs = "[REDACTED]".join(pieces)
    assert is_redaction_of(theirs, ours) is (len(pieces) > 1)


KEYS = st.sampled_from("abcd")


@given(
    made=st.lists(st.tuples(KEYS, st.booleans(), st.sampled_from([0, 1, 2])), max_size=5),
    strangers=st.lists(KEYS, max_size=3),
    order=st.randoms(use_true_random=False),
    preserved=st.booleans(),
)
def test_an_existing_task_is_never_judged_not_created(
    made: list[tuple[str, bool, int]],
    strangers: list[str],
    order: random.Random,
    *,
    preserved: bool,
) -> None:
    """Whatever the service does to marks, no attempt that created a task may be sent again, no two
    attempts may get the same task, and with preserved marks none gets a task of someone else."""
    attempts, tasks, messages, exists = [], [], {}, set()
    for number, (key, committed, fate) in enumerate(made):
        ours = tried(key, OLD + timedelta(seconds=number))
        attempts.append(ours)
        if committed:
            rounded, replaced = ours.mark[:19] + "Z", mint(OLD + timedelta(seconds=31 + number))
            mark = ours.mark if preserved else [ours.mark, rounded, replaced][fate]
            tasks.append(remote(f"t{number}"))
            messages[f"t{number}"] = message(f"work of {key}", mark)
            exists.add(key)
    for number, key in enumerate(strangers):
        tasks.append(remote(f"s{number}"))
        messages[f"s{number}"] = message(f"work of {key}", mint(OLD, entropy=number))
    order.shuffle(attempts)
    order.shuffle(tasks)
    seen = view(tasks, messages, marks_preserved=frozenset({"acme"} if preserved else ()))
    found = recover(attempts, seen, (), {}, SETTLE)
    by_key: dict[str, list[Verdict]] = {}
    for one in attempts:
        by_key.setdefault(one.ref.key, []).append(found[one.mark])
    for key in exists:
        assert not all(isinstance(v, NotCreated) for v in by_key[key])
    taken = [v.task.id for v in found.values() if isinstance(v, Found)]
    assert len(taken) == len(set(taken))
    assert not preserved or not any(task_id.startswith("s") for task_id in taken)
