"""How a task stands, from its outputs and its events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.task import TaskRef
from reconciler.tasks.event_summary import Course, Last, advanced, from_json, to_json
from reconciler.tasks.events import approval_in
from reconciler.tasks.status import (
    Standing,
    TaskStatus,
    counts,
    exit_code,
    in_order,
    standing_of,
)
from tests.support.agent_events import agents, approval, confirmation, said, users

ASKED = users("user_message", content="Do it.")


def parking(mode: str | None, *, final: bool = True) -> dict[str, Any]:
    """A message of the agent's that ends its turn with a tool call."""
    call: dict[str, Any] = {"id": "c1", "name": "shell", "args": {}, "execution_mode": mode}
    return agents("assistant_message", content="", is_final=final, tool_calls=[call])


RESULT = users("tool_result", tool_results=[{"tool_call_id": "c1", "name": "shell", "content": {}}])


def standing(raw: dict[str, Any], *events: dict[str, Any]) -> Standing:
    return standing_of(raw, advanced(Course(), events))


CASES = [
    ("just created", {"status": "idle"}, [ASKED], Standing.RUNNING),
    ("at work", {"status": "running"}, [ASKED, said("I look")], Standing.RUNNING),
    ("done", {"status": "idle"}, [ASKED, said("Done", final=True)], Standing.DONE),
    ("stopped", {"status": "idle"}, [ASKED, said("I look")], Standing.STOPPED),
    ("failed", {"status": "idle"}, [ASKED, agents("error", message="no")], Standing.FAILED),
    ("cancelled", {"status": "idle"}, [ASKED, agents("cancelled")], Standing.CANCELLED),
    (
        "queued input is no question",
        {"status": "idle", "pendingInputCount": 1},
        [ASKED, said("x", final=True)],
        Standing.RUNNING,
    ),
    (
        "queued behind a running task",
        {"status": "running", "pendingInputCount": 2},
        [ASKED, said("x")],
        Standing.RUNNING,
    ),
    (
        "a message does not answer an approval request",
        {"status": "running"},
        [ASKED, approval("a"), users("user_message", content="Well?")],
        Standing.WAITING,
    ),
    ("approval", {"status": "idle"}, [ASKED, approval("a")], Standing.WAITING),
    (
        "approval answered",
        {"status": "running"},
        [ASKED, approval("a"), confirmation("a")],
        Standing.RUNNING,
    ),
    (
        "another approval answered",
        {"status": "running"},
        [ASKED, approval("a"), confirmation("b")],
        Standing.WAITING,
    ),
    (
        "cancelled while it waited",
        {"status": "idle"},
        [ASKED, approval("a"), agents("cancelled")],
        Standing.CANCELLED,
    ),
    (
        "named after its end",
        {"status": "idle"},
        [ASKED, said("Done", final=True), agents("set_task_name", name="x")],
        Standing.DONE,
    ),
    (
        "unknown events after its end",
        {"status": "idle"},
        [ASKED, said("Done", final=True), agents("brand_new"), {"type": "odd"}, {}],
        Standing.DONE,
    ),
    (
        "told something after a failure",
        {"status": "running"},
        [ASKED, agents("error", message="no"), ASKED],
        Standing.RUNNING,
    ),
    ("no events at all", {"status": "idle"}, [], Standing.RUNNING),
    ("a status that is new", {"status": "hibernating"}, [], Standing.RUNNING),
    ("true is no count", {"status": "running", "pendingInputCount": True}, [], Standing.RUNNING),
]


@pytest.mark.parametrize(
    ("raw", "events", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_how_it_stands(
    raw: dict[str, Any], events: list[dict[str, Any]], expected: Standing
) -> None:
    assert standing(raw, *events) is expected


def test_reading_on_comes_to_the_same_as_reading_all() -> None:
    events = [ASKED, said("I look"), approval("a"), confirmation("a"), said("Done", final=True)]
    whole = advanced(Course(), events)
    for cut in range(len(events)):
        kept = from_json(json.loads(json.dumps(to_json(advanced(Course(), events[:cut])))))
        assert kept is not None
        assert advanced(kept, events[cut:]) == whole
    assert whole.last is Last.FINAL
    assert whole.words == "Done"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
members = st.dictionaries(
    st.sampled_from(["type", "id", "message", "content", "is_final", "timestamp", "context"]),
    anything
    | st.sampled_from(["user_approval_request", "error", "cancelled", "assistant_message"]),
)
odd_events = st.fixed_dictionaries(
    {"type": st.sampled_from(["agentResponse", "userInput", "new"]) | anything},
    optional={"eventBody": members | anything, "id": anything},
)


@given(st.lists(odd_events), anything)
def test_no_event_and_no_output_is_too_odd(events: list[dict[str, Any]], value: object) -> None:
    course = advanced(Course(), events)
    assert standing_of({"status": value, "pendingInputCount": value}, course) in Standing
    assert from_json(json.loads(json.dumps(to_json(course)))) is not None


@given(anything)
def test_a_cache_may_hold_anything(kept: object) -> None:
    assert from_json(kept) is None


def of(standing: Standing, key: str = "k") -> TaskStatus:
    return TaskStatus(TaskRef("acme", key), standing)


def test_those_that_need_a_person_come_first() -> None:
    listed = [of(Standing.DONE), of(Standing.RUNNING), of(Standing.FAILED), of(Standing.WAITING)]
    found = [status.standing for status in in_order(listed)]
    assert found == [Standing.WAITING, Standing.FAILED, Standing.RUNNING, Standing.DONE]
    assert list(counts(listed)) == found


@pytest.mark.parametrize(
    ("standings", "code"),
    [
        ([], 0),
        ([Standing.DONE], 0),
        ([Standing.DONE, Standing.RUNNING], 2),
        ([Standing.RUNNING, Standing.WAITING], 3),
        ([Standing.WAITING, Standing.FAILED], 1),
        ([Standing.CANCELLED], 1),
        ([Standing.GONE], 1),
        ([Standing.STOPPED, Standing.RUNNING], 1),
    ],
)
def test_the_worst_decides_the_exit_code(standings: list[Standing], code: int) -> None:
    assert exit_code([of(standing) for standing in standings]) == code


def test_context_is_told_in_percent() -> None:
    raw: dict[str, Any] = {"contextUsedTokens": 50_000, "contextWindowTokens": 200_000}
    assert TaskStatus(TaskRef("a", "k"), Standing.DONE, raw=raw).context_percent == 25
    raw["contextWindowTokens"] = 0
    assert TaskStatus(TaskRef("a", "k"), Standing.DONE, raw=raw).context_percent is None
    raw = {"contextUsedTokens": 10**400, "contextWindowTokens": 1}
    assert TaskStatus(TaskRef("a", "k"), Standing.DONE, raw=raw).context_percent is None


@pytest.mark.parametrize(
    ("raw", "event", "mode"),
    [
        ({}, parking("cli"), "cli"),
        ({}, parking("worker"), "worker"),
        ({"toolExecutionMode": "cli"}, parking(None), "cli"),
        ({"toolExecutionMode": "cli"}, parking("cloud"), ""),
        ({}, parking(None), ""),
        ({}, parking("cli", final=False), ""),
    ],
)
def test_a_parked_tool_call_waits_for_its_result(
    raw: dict[str, Any], event: dict[str, Any], mode: str
) -> None:
    raw = {"status": "idle", **raw}
    course = advanced(Course(), [ASKED, event])
    status = TaskStatus(TaskRef("acme", "a"), standing_of(raw, course), raw=raw, course=course)
    assert [(call.name, call.mode) for call in status.parked] == ([("shell", mode)] if mode else [])
    assert (status.standing is Standing.WAITING) == bool(mode)
    assert from_json(json.loads(json.dumps(to_json(course)))) == course


@pytest.mark.parametrize(
    "event",
    [
        RESULT,
        agents("cancelled"),
        agents("error", message="no"),
        agents("tool_response", tool_call_id="c1", name="shell", content={}),
        said("I go on"),
    ],
)
def test_a_parked_call_is_over(event: dict[str, Any]) -> None:
    raw = {"status": "idle"}
    assert standing(raw, ASKED, parking("cli"), event) is not Standing.WAITING


@pytest.mark.parametrize(
    "event",
    [
        users("user_message", content="Well?"),
        users("exec_tool_call", tool_call_id="c1", name="shell"),
        users("tool_result", tool_results=[{"tool_call_id": "other"}]),
        users("tool_result", tool_results=None),
    ],
)
def test_a_parked_call_still_waits(event: dict[str, Any]) -> None:
    assert standing({"status": "idle"}, ASKED, parking("cli"), event) is Standing.WAITING


@pytest.mark.parametrize(
    ("tool", "is_question"),
    [("ask_user", True), ("ux__ask_user", True), ("ask_users", False), ("", False)],
)
def test_a_question_is_answered_in_words(*, tool: str, is_question: bool) -> None:
    """As Pulumi's CLI does it: `ok: false`, and the answer as instructions."""
    asked = approval_in(approval("a", context={"tool_name": tool}))
    assert asked is not None
    assert asked.is_question is is_question
    plain = {"type": "user_confirmation", "approval_request_id": "a"}
    assert asked.reply(ok=True) == {**plain, "ok": True}
    assert asked.reply(ok=False, text="no") == {**plain, "ok": False, "instructions": "no"}
    answer = asked.reply(ok=True, text="eu-west-1")
    assert answer == {**plain, "ok": not is_question, "instructions": "eu-west-1"}


def test_a_task_says_how_much_input_is_queued() -> None:
    raw = {"status": "running", "pendingInputCount": 2}
    status = TaskStatus(TaskRef("acme", "a"), standing_of(raw, Course()), raw=raw)
    assert status.queued_input == 2
