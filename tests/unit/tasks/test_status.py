"""The status of a task, from its outputs and its events."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.typed_json import ShapeError, decode_as, encode_json
from reconciler.tasks.events import EventSummary, Last, advance, approval_in
from reconciler.tasks.status import TaskStatus, by_state, counts, state_of
from tests.support.agent_events import (
    agent_event,
    agent_message,
    approval,
    confirmation,
    user_event,
)

ASKED = user_event("user_message", content="Do it.")


def parking(mode: str | None, *, final: bool = True) -> dict[str, Any]:
    """A message of the agent that ends its turn with a tool call."""
    call: dict[str, Any] = {"id": "c1", "name": "shell", "args": {}, "execution_mode": mode}
    return agent_event("assistant_message", content="", is_final=final, tool_calls=[call])


RESULT = user_event(
    "tool_result", tool_results=[{"tool_call_id": "c1", "name": "shell", "content": {}}]
)


def state(raw: dict[str, Any], *events: dict[str, Any]) -> TaskState:
    return state_of(raw, advance(EventSummary(), events))


CASES = [
    ("just created", {"status": "idle"}, [ASKED], TaskState.RUNNING),
    ("at work", {"status": "running"}, [ASKED, agent_message("I look")], TaskState.RUNNING),
    ("done", {"status": "idle"}, [ASKED, agent_message("Done", final=True)], TaskState.DONE),
    ("stopped", {"status": "idle"}, [ASKED, agent_message("I look")], TaskState.STOPPED),
    ("failed", {"status": "idle"}, [ASKED, agent_event("error", message="no")], TaskState.FAILED),
    ("cancelled", {"status": "idle"}, [ASKED, agent_event("cancelled")], TaskState.CANCELLED),
    (
        "queued input is no question",
        {"status": "idle", "pendingInputCount": 1},
        [ASKED, agent_message("x", final=True)],
        TaskState.RUNNING,
    ),
    (
        "queued behind a running task",
        {"status": "running", "pendingInputCount": 2},
        [ASKED, agent_message("x")],
        TaskState.RUNNING,
    ),
    (
        "a message does not answer an approval request",
        {"status": "running"},
        [ASKED, approval("a"), user_event("user_message", content="Well?")],
        TaskState.WAITING,
    ),
    ("approval", {"status": "idle"}, [ASKED, approval("a")], TaskState.WAITING),
    (
        "approval answered",
        {"status": "running"},
        [ASKED, approval("a"), confirmation("a")],
        TaskState.RUNNING,
    ),
    (
        "another approval answered",
        {"status": "running"},
        [ASKED, approval("a"), confirmation("b")],
        TaskState.WAITING,
    ),
    (
        "cancelled while it waited",
        {"status": "idle"},
        [ASKED, approval("a"), agent_event("cancelled")],
        TaskState.CANCELLED,
    ),
    (
        "named after its end",
        {"status": "idle"},
        [ASKED, agent_message("Done", final=True), agent_event("set_task_name", name="x")],
        TaskState.DONE,
    ),
    (
        "unknown events after its end",
        {"status": "idle"},
        [ASKED, agent_message("Done", final=True), agent_event("brand_new"), {"type": "odd"}, {}],
        TaskState.DONE,
    ),
    (
        "told something after a failure",
        {"status": "running"},
        [ASKED, agent_event("error", message="no"), ASKED],
        TaskState.RUNNING,
    ),
    ("no events at all", {"status": "idle"}, [], TaskState.RUNNING),
    ("a status that is new", {"status": "hibernating"}, [], TaskState.RUNNING),
    ("true is no count", {"status": "running", "pendingInputCount": True}, [], TaskState.RUNNING),
]


@pytest.mark.parametrize(
    ("raw", "events", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_status_depends_on_outputs_and_events(
    raw: dict[str, Any], events: list[dict[str, Any]], expected: TaskState
) -> None:
    assert state(raw, *events) is expected


def cached(summary: EventSummary) -> EventSummary:
    """The summary as a cache file returns it."""
    return decode_as(EventSummary, encode_json(summary))


def test_reading_incrementally_gives_the_same_status() -> None:
    events = [
        ASKED,
        agent_message("I look"),
        approval("a"),
        confirmation("a"),
        agent_message("Done", final=True),
    ]
    whole = advance(EventSummary(), events)
    for cut in range(len(events)):
        assert advance(cached(advance(EventSummary(), events[:cut])), events[cut:]) == whole
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
def test_any_event_and_output_is_accepted(events: list[dict[str, Any]], value: object) -> None:
    summary = advance(EventSummary(), events)
    assert state_of({"status": value, "pendingInputCount": value}, summary) in TaskState
    assert cached(summary) == summary


@given(anything)
def test_any_cache_content_is_accepted(kept: object) -> None:
    with suppress(ShapeError):
        assert decode_as(EventSummary, json.dumps(kept).encode()) == EventSummary()


def of(state: TaskState, key: str = "k") -> TaskStatus:
    return TaskStatus(TaskRef("acme", key), state)


def test_tasks_that_need_a_person_are_first() -> None:
    listed = [
        of(TaskState.DONE),
        of(TaskState.RUNNING),
        of(TaskState.FAILED),
        of(TaskState.WAITING),
    ]
    found = [status.state for status in by_state(listed)]
    assert found == [TaskState.WAITING, TaskState.FAILED, TaskState.RUNNING, TaskState.DONE]
    assert list(counts(listed)) == found


def test_numbers_in_keys_are_sorted_as_numbers() -> None:
    listed = [of(TaskState.DONE, f"repo{number}") for number in (10, 2, 1)]
    assert [status.ref.key for status in by_state(listed)] == ["repo1", "repo2", "repo10"]


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
    summary = advance(EventSummary(), [ASKED, event])
    status = TaskStatus(TaskRef("acme", "a"), state_of(raw, summary), raw=raw, summary=summary)
    assert [(call.name, call.mode) for call in status.parked] == ([("shell", mode)] if mode else [])
    assert (status.state is TaskState.WAITING) == bool(mode)
    assert cached(summary) == summary


@pytest.mark.parametrize(
    "event",
    [
        RESULT,
        agent_event("cancelled"),
        agent_event("error", message="no"),
        agent_event("tool_response", tool_call_id="c1", name="shell", content={}),
        agent_message("I go on"),
    ],
)
def test_a_parked_call_ends(event: dict[str, Any]) -> None:
    raw = {"status": "idle"}
    assert state(raw, ASKED, parking("cli"), event) is not TaskState.WAITING


@pytest.mark.parametrize(
    "event",
    [
        user_event("user_message", content="Well?"),
        user_event("exec_tool_call", tool_call_id="c1", name="shell"),
        user_event("tool_result", tool_results=[{"tool_call_id": "other"}]),
        user_event("tool_result", tool_results=None),
    ],
)
def test_a_parked_call_still_waits(event: dict[str, Any]) -> None:
    assert state({"status": "idle"}, ASKED, parking("cli"), event) is TaskState.WAITING


@pytest.mark.parametrize(
    ("tool", "is_question"),
    [("ask_user", True), ("ux__ask_user", True), ("ask_users", False), ("", False)],
)
def test_a_question_is_answered_with_text(*, tool: str, is_question: bool) -> None:
    """As Pulumi's CLI does it: `ok: false`, and the answer as instructions."""
    asked = approval_in(approval("a", context={"tool_name": tool}))
    assert asked is not None
    assert asked.is_question is is_question
    plain = {"type": "user_confirmation", "approval_request_id": "a"}
    assert asked.reply(ok=True) == {**plain, "ok": True}
    assert asked.reply(ok=False, text="no") == {**plain, "ok": False, "instructions": "no"}
    answer = asked.reply(ok=True, text="eu-west-1")
    assert answer == {**plain, "ok": not is_question, "instructions": "eu-west-1"}
