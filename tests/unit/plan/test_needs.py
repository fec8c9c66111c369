"""What a plan reads from the service."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.model.clock import Clocks
from reconciler.model.options import PlanOptions
from reconciler.model.service import Identity
from reconciler.model.task import DesiredTask, TaskRef, rfc3339
from reconciler.model.value import replace
from reconciler.plan.needs import (
    BASELINE_SIZE,
    Depth,
    Need,
    is_anothers,
    is_between,
    known_ids,
    needs,
    newest_of,
    unlisted_ids,
)
from reconciler.state.attempt import Baseline
from reconciler.state.model import Record, State
from tests.support.plan_values import (
    BOOT,
    ME,
    NOW,
    ORG,
    PROVENANCE,
    SOMEONE,
    STATE_ID,
    ago,
    attempt,
    desired,
    record,
    reference,
    state,
)

FULL = Baseline(ORG, tuple(f"b{n}" for n in range(BASELINE_SIZE)), ME, ago(hours=2))
SHORT = Baseline(ORG, ("b0", "b1"), ME, ago(hours=2))


def asked(
    *tasks: DesiredTask,
    known: State | None = None,
    identity: Identity = ME,
    only_own: bool = False,
    **options: Any,
) -> dict[str, Need]:
    chosen, clocks = PlanOptions(**options), Clocks(NOW, BOOT, NOW)
    there = known if known is not None else state()
    found = needs(tasks, there, identity, chosen, clocks, only_own=only_own)
    return {need.org_name: need for need in found}


def need(*tasks: DesiredTask, **more: Any) -> Need:
    (found,) = asked(*tasks, **more).values()
    return found


# How far a list is read


def depth(*baselines: Baseline, **provenance: Any) -> Depth:
    known = state(baselines=baselines, provenance=replace(PROVENANCE, **provenance))
    return Depth.of(known, ORG, ME)


def test_a_list_is_read_to_the_baseline_of_this_identity() -> None:
    begun = ago(days=30)
    assert depth(SHORT).ids == {"b0", "b1"}
    theirs, elsewhere = replace(SHORT, identity=SOMEONE), replace(SHORT, org_name="other")
    assert depth(theirs, elsewhere) == Depth(since=begun - timedelta(days=1))
    assert depth(SHORT, theirs).ids == {"b0", "b1"}
    renamed = replace(SHORT, identity=replace(ME, login="me-renamed"))
    assert depth(renamed).ids == {"b0", "b1"}


@pytest.mark.parametrize(
    ("provenance", "is_whole"),
    [
        ({"is_new": True}, False),
        ({"is_new": False}, True),
        ({"is_new": True, "ids": (STATE_ID, "cacac-cacac-cacac")}, True),
    ],
)
def test_a_new_state_reads_no_task_from_before_it_began(
    provenance: dict[str, Any], *, is_whole: bool
) -> None:
    """Unless it continues another state."""
    found = depth(**provenance)
    assert found.is_reached("t", ago(days=31, seconds=1)) is not is_whole
    assert not found.is_reached("t", ago(days=31))
    assert not found.is_reached("t", None)


def test_a_list_is_read_on_until_half_of_the_oldest_ids_were_seen() -> None:
    found = depth(FULL)
    assert found.is_reached("b0", NOW)
    oldest = [f"b{n}" for n in range(90, 100)]
    assert found.oldest == tuple(oldest)
    for count, excluded in ((0, False), (4, False), (5, True), (10, True)):
        assert found.excludes("x", NOW, {"new", "b0", *oldest[:count]}) is excluded
    assert found.excludes("b0", NOW, ())


def test_behind_a_short_baseline_every_task_is_new() -> None:
    """It has every older task, so this one was created by a node with a slow clock."""
    assert not depth(SHORT).excludes("x", ago(days=9), {"b0", "b1"})
    assert depth(SHORT).excludes("b1", NOW, ())


def test_the_baseline_has_the_newest_tasks() -> None:
    listed: dict[str, datetime | None] = {f"t{n}": ago(hours=n) for n in range(150)}
    found = newest_of(ORG, listed, ME)
    assert (found.ids, found.newest_at) == (tuple(listed)[:100], NOW)
    assert newest_of(ORG, {"t": None}, ME).newest_at is None
    assert newest_of(ORG, {}, ME) == Baseline(ORG, (), ME)


# When an organization is explained


@pytest.mark.parametrize(
    ("task", "known", "options", "explains"),
    [
        (desired("a"), state(), {}, True),
        (desired("a", task_id="t"), state(), {}, False),
        (desired("a"), state([record("a", "t")]), {}, False),
        (desired("a"), state([record("a", "t")], [attempt("a", NOW)]), {}, True),
        (desired("a"), state([record("a", "t")], [attempt("z", NOW)]), {}, True),
        (desired("b", moved_from="a"), state([record("a", "t")]), {}, False),
        (desired("a"), state([record("a", "t")]), {"replace": ("a",)}, True),
        (desired("a"), state([record("a", "t")]), {"replace": ("a=t",)}, True),
        (desired("a"), state([record("a", "t")]), {"replace": ("b",)}, False),
        (desired("a"), state([record("a", "t")]), {"retry": ("acme/*",)}, True),
        (desired("a"), state([record("a", "t")]), {"allow_recreate": ("*",)}, True),
        (desired("a"), state([record("a", "t")]), {"allow_recreate": ("b*",)}, False),
        (desired("a", task_id="t"), state([record("a", "t")]), {"replace": ("*",)}, False),
    ],
)
def test_an_organization_is_explained_before_anything_is_created_in_it(
    task: DesiredTask, known: State, options: dict[str, Any], *, explains: bool
) -> None:
    assert need(task, known=known, **options).explains is explains


def test_recorded_and_named_tasks_are_read() -> None:
    known = state([record("a", "t1"), record("old", "t2"), record("z", "t9")])
    tasks = desired("a"), desired("new", moved_from="old"), desired("c", task_id="t3")
    assert need(*tasks, known=known).ids == {"t1", "t2", "t3"}


def test_each_organization_has_its_own_needs() -> None:
    known = state([record("b", "t", org_name="b")], [attempt("x", NOW, org_name="c")])
    found = asked(desired("a"), desired("b", org_name="b"), known=known)
    assert [(org, n.explains) for org, n in found.items()] == [
        (ORG, True),
        ("b", False),
        ("c", True),
    ]
    assert found["b"].ids == {"t"}


@pytest.mark.parametrize(
    ("baselines", "only_own", "explains"),
    [
        ((), True, True),
        ((SHORT,), True, True),
        ((replace(SHORT, identity=SOMEONE),), True, False),
        ((replace(SHORT, identity=SOMEONE),), False, True),
        ((replace(SHORT, identity=SOMEONE), SHORT), True, True),
        ((replace(SHORT, identity=SOMEONE, org_name="other"),), True, True),
    ],
)
def test_a_plan_of_another_identity_explains_nothing(
    baselines: tuple[Baseline, ...], *, only_own: bool, explains: bool
) -> None:
    """Not even open attempts: typically the token of a pull request, without access."""
    for attempts in ((), [attempt("a", NOW)]):
        known = state(attempts=attempts, baselines=baselines)
        assert need(desired("a"), known=known, only_own=only_own).explains is explains
    only_others = bool(baselines) and not explains
    assert is_anothers(ORG, state(baselines=baselines), ME) is (only_others or not only_own)


def test_a_message_is_settled_once_its_task_is_older_than_the_settle_time() -> None:
    found = need(desired("a"), settle_time=timedelta(seconds=100))
    assert found.settled_before == ago(seconds=100)


def test_one_task_shows_whether_references_are_kept() -> None:
    """The last that the state has sent there, until the service has shown a reference."""
    sent = [
        record(f"k{n}", f"t{n}", reference=str(reference(f"k{n}", n)), number=n) for n in (3, 9, 5)
    ]
    elsewhere = record("x", "tx", reference=str(reference("x", 11)), number=11, org_name="other")
    named = record("named", "tn", number=12)
    unsure = replace(PROVENANCE, is_kept=False)
    assert need(desired("a"), known=state([*sent, elsewhere, named], provenance=unsure)).shows == (
        "t9"
    )
    assert need(desired("a"), known=state([*sent], provenance=PROVENANCE)).shows == ""
    assert need(desired("a"), known=state([named], provenance=unsure)).shows == ""


# Tasks that the state knows


def test_the_state_knows_recorded_replaced_removed_and_dismissed_tasks() -> None:
    removed = replace(record("r", "t3"), former=("t4",)).retired(NOW)
    known = state(
        [replace(record("a", "t1"), former=("t2",))],
        [attempt("b", NOW, replaces="t6")],
        retired={"t3": removed},
        dismissed=("acme/t5",),
    )
    assert known_ids(known) == {"t1", "t2", "t3", "t4", "t5"}
    assert need(desired("c"), known=known).explained == known_ids(known)


def sent(key: str, **more: Any) -> Record:
    at = more.pop("shown", ago(hours=1))
    known = record(key, f"t-{key}", reference=str(reference(key)), number=1, **more)
    return replace(known, outputs={"createdAt": rfc3339(at)} if at is not None else {})


@pytest.mark.parametrize(
    ("records", "baseline", "known"),
    [
        ([], None, []),
        ([sent("a")], None, ["t-a"]),
        ([], SHORT, ["b0", "b1"]),
        ([sent("a")], SHORT, ["t-a", "b0", "b1"]),
        ([sent("a", shown=ago(hours=3))], SHORT, ["b0", "b1"]),
        ([sent("a", shown=ago(hours=3))], None, ["t-a"]),
        ([sent("a"), sent("b", shown=ago(minutes=9))], None, ["t-b", "t-a"]),
        ([sent("a", shown=ago(seconds=149))], None, []),
        ([sent("a", shown=ago(seconds=150))], None, ["t-a"]),
        ([sent("a", identity=SOMEONE)], None, []),
        ([sent("a", org_name="other")], None, []),
        ([record("a", "t-a")], None, []),
        ([sent("a", shown=None, created_at=ago(hours=1))], None, ["t-a"]),
        ([sent("a", shown=None, created_at=ago(seconds=150))], None, ["t-a"]),
        ([sent("a", shown=None, created_at=ago(seconds=149))], None, []),
    ],
)
def test_a_list_must_show_what_this_identity_has_listed_or_created(
    records: list[Record], baseline: Baseline | None, known: list[str]
) -> None:
    """Newest first; tasks younger than the settle time may be missing."""
    there = state(records, baselines=(baseline,) if baseline is not None else ())
    found = need(desired("new"), known=there)
    assert list(found.known) == known


def test_a_dismissed_task_may_be_missing() -> None:
    there = state([sent("a")], baselines=(SHORT,), dismissed=("acme/b0", "acme/t-a"))
    assert need(desired("new"), known=there).known == ("b1",)
    assert need(desired("new"), known=there, identity=SOMEONE).known == ()


KNOWN = ("k0", "k1", "k2", "k3")


@pytest.mark.parametrize(
    ("listed", "is_whole", "lacking"),
    [
        ({*KNOWN}, True, ()),
        ({"k0", "k2", "k3"}, True, ("k1",)),
        ({"k0", "k2"}, False, ("k1",)),
        ({"k0"}, False, ()),
        ({"k3"}, False, ("k0", "k1", "k2")),
        (set(), False, ()),
        (set(), True, KNOWN),
    ],
)
def test_a_list_lacks_known_tasks_as_far_as_it_was_read(
    listed: set[str], lacking: tuple[str, ...], *, is_whole: bool
) -> None:
    assert unlisted_ids(KNOWN, listed, is_whole=is_whole) == lacking


@pytest.mark.parametrize(
    ("task_id", "listed", "expected"),
    [
        ("k1", {"k0", "k2"}, True),
        ("k1", {"k0", "k3"}, True),
        ("k1", {"k0"}, False),
        ("k1", {"k2"}, False),
        ("k0", {"k1", "k2", "k3"}, False),
        ("k3", {"k0", "k1", "k2"}, False),
    ],
)
def test_a_task_between_listed_tasks(task_id: str, listed: set[str], *, expected: bool) -> None:
    assert is_between(task_id, KNOWN, listed) is expected


def test_a_key_without_a_task_is_not_read() -> None:
    known = state(closed={TaskRef(ORG, "a"): (str(reference("a")),)})
    assert need(desired("a"), known=known).ids == frozenset()
