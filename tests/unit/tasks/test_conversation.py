"""Events as a conversation, and its text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render.conversation import ConversationText
from reconciler.render.document import json_line
from reconciler.render.style import Style
from reconciler.tasks.conversation import Conversation, ConversationEntry, EntryKind
from tests.support.agent_events import (
    agent_event,
    agent_message,
    approval,
    confirmation,
    user_event,
)
from tests.support.escaping import commands_in, invisible_in

HOSTILE = (
    "::set-output name=x::y",
    "a\n  ::error::b",
    "word " * 12 + "::add-mask::x",
    "##[command]x ##vso[task.x]",
    "\x1b]8;;http://x\x07link\x1b]8;;\x07",
    "\x1b[2J\r\x9b31m",
    "\u202eevil\u2066",
)

T0, T1 = "2026-11-24T12:00:00Z", "2026-11-24T12:00:02.500Z"
CALL = {"id": "c", "name": "look", "args": {"at": "stack"}}


def read(*events: dict[str, Any]) -> list[ConversationEntry]:
    conversation = Conversation()
    return [entry for event in events for entry in conversation.entries(event)]


def assert_inert(text: str) -> None:
    assert invisible_in(text) <= {"\n"}
    assert not commands_in(text)


def shown(*events: dict[str, Any], terminal: bool = False, **style: Any) -> str:
    return ConversationText(Style(**style), terminal=terminal).text(read(*events))


def test_each_kind_of_event_is_shown() -> None:
    entries = read(
        user_event("user_message", content="Do it."),
        agent_message("I look.", tool_calls=[CALL]),
        agent_event("tool_response", at=T1, tool_call_id="c", name="look", content="ok"),
        approval("a", "May I?"),
        confirmation("a", ok=False, instructions="no"),
        agent_event("warning", message="slow"),
        agent_event("error", message="broken"),
        agent_event("cancelled", operation_was_running=True),
        agent_event("set_task_name", name="A name"),
        agent_event("awaiting_approvals"),
        agent_event("brand_new"),
        agent_message("**Done**", final=True),
    )
    assert [entry.kind for entry in entries] == [
        EntryKind.USER,
        EntryKind.ASSISTANT,
        EntryKind.CALL,
        EntryKind.TOOL,
        EntryKind.APPROVAL,
        EntryKind.ANSWER,
        EntryKind.WARNING,
        EntryKind.ERROR,
        EntryKind.CANCELLED,
        EntryKind.NOTE,
        EntryKind.UNKNOWN,
        EntryKind.FINAL,
    ]
    assert entries[5].is_bad


def test_notes_are_worded() -> None:
    text = shown(
        user_event("user_cancel"),
        agent_event("cancelled", operation_was_running=True),
        agent_event("cancelled"),
        agent_event("set_task_name", name="A name"),
        agent_event("context_compression_event", message="a\nb"),
        agent_event("change_entities", changes={"add": [{"name": "x"}]}),
    )
    assert [row[10:] for row in text.splitlines()[1:]] == [
        "note       cancellation requested",
        "cancelled  during an operation",
        "cancelled  by the user",
        "note       named: A name",
        "note       conversation compressed: a b",
        'note       added entity: {"name": "x"}',
    ]


def test_a_conversation_is_shown_as_text() -> None:
    text = shown(
        user_event("user_message", content="Do it.\nWell."),
        agent_message("", tool_calls=[CALL]),
        agent_event(
            "tool_response", at=T1, tool_call_id="c", name="look", content="1\n2\n3\n4\n5\n6"
        ),
    )
    assert text.splitlines() == [
        "2026-11-24 (UTC)",
        "12:00:00  user       Do it.",
        "                     Well.",
        '12:00:00  tool       look {"at": "stack"}',
        "12:00:02  tool       look done",
        "                     1",
        "                     2",
        "                     3",
        "                     4",
        "                     (2 more lines, -v shows them)",
    ]


def test_text_is_wrapped_on_a_terminal() -> None:
    text = shown(agent_message("- one two three\n**four**", final=True), terminal=True, width=31)
    assert [row[21:] for row in text.splitlines()[1:]] == ["- one two", "  three", "**four**"]


@pytest.mark.parametrize("terminal", [True, False])
@given(text=st.text() | st.sampled_from(HOSTILE))
def test_text_of_the_service_cannot_control_a_terminal(*, terminal: bool, text: str) -> None:
    events = [
        user_event("user_message", content=text),
        agent_message(text, tool_calls=[{"id": "c", "name": text, "args": {text: text}}]),
        agent_event("tool_response", tool_call_id="c", name=text, content=text, is_error=True),
        approval("a", text, context={"git_diff": {text: text}, "plan_description": text}),
        confirmation("a", ok=False, instructions=text),
        agent_event("warning", message=text),
        agent_event("error", message=text),
        agent_event("set_task_name", name=text),
        agent_event("change_entities", changes={"add": [{"name": text}]}),
        agent_event(f"new {text}"),
    ]
    for verbose in (True, False):
        assert_inert(shown(*events, terminal=terminal, verbose=verbose))
    for event in events:
        told = json_line(event)
        assert_inert(told)
        assert told.count("\n") == 1
        assert json.loads(told) == event


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
TYPES = ["assistant_message", "tool_response", "user_approval_request", "change_entities", "error"]


@given(st.sampled_from(TYPES), st.dictionaries(st.text(), anything), anything)
def test_any_event_is_accepted(kind: str, more: dict[str, Any], odd: object) -> None:
    names = ("content", "tool_calls", "message", "changes", "context", "timestamp", "id")
    body = {**more, **dict.fromkeys(names, odd), "type": kind}
    shown({"type": "agentResponse", "eventBody": body})
    shown({"type": odd, "eventBody": odd})


def test_an_answer_without_a_text_has_no_colon() -> None:
    shown = ConversationText(Style(), terminal=False)
    for text, end in (("", " approved\n"), ("Go on.", " approved: Go on.\n")):
        entry = ConversationEntry(EntryKind.ANSWER, None, text, "approved")
        assert shown.text([entry]).endswith(end)
