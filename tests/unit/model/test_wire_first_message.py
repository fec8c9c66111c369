"""Which event contains the first message of a task, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.model.reference import Reference
from reconciler.model.service import FirstMessage
from reconciler.model.wire import FirstMessageSearch, create_body
from tests.support.state_samples import STATE_ID

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REFERENCE = Reference("rotate-keys", 3, STATE_ID)


def user_event(content: str, **more: Any) -> dict[str, Any]:
    body = {"type": "user_message", "content": content, "timestamp": "2026-11-24T12:00:00Z"}
    return {"type": "userInput", "isSynthetic": False, "eventBody": {**body, **more}}


def first_message(*events: object) -> FirstMessage:
    message = FirstMessageSearch().next(events)
    assert message is not None
    return message


def test_synthetic_events_are_skipped() -> None:
    made_up = {**user_event("made up"), "isSynthetic": True}
    ours = {**user_event("ours"), "type": "triggerUserInput"}
    assert first_message(made_up, ours).text == "ours"


@pytest.mark.parametrize(
    ("content", "text", "reference"),
    [
        (f"Do it.\n\n{REFERENCE.line}", "Do it.", REFERENCE),
        (f"Do it.\n\n{REFERENCE.line}\n\n", "Do it.", REFERENCE),
        (f"{REFERENCE.line}\n\nDo it.", f"{REFERENCE.line}\n\nDo it.", None),
        ("Do it.\n", "Do it.\n", None),
        ("Do it.\n\nTaskctl-Task: [REDACTED]", "Do it.\n\nTaskctl-Task: [REDACTED]", None),
    ],
)
def test_a_message_is_shown_without_its_reference(
    content: str, text: str, reference: Reference | None
) -> None:
    message = first_message(user_event(content))
    assert (message.text, message.reference) == (text, reference)


def test_only_the_first_message_says_which_key_a_task_is_for() -> None:
    later = user_event(f"Say this.\n\n{REFERENCE.line}")
    assert first_message(user_event("Do it."), later).reference is None


def test_a_sent_message_is_read_back() -> None:
    """With the time of the clock: nothing else is in the timestamp."""
    entity = {"type": "stack", "name": "prod"}
    inputs = {"message": {"content": "Do it.\n", "entity_diff": {"add": [entity]}}}
    body = create_body(inputs, REFERENCE, NOON)
    assert isinstance(body["message"], dict)
    assert body["message"]["content"] == f"Do it.\n\n{REFERENCE.line}"
    assert body["message"]["timestamp"] == "2026-11-24T12:00:00.000Z"
    message = first_message({**user_event(""), "eventBody": body["message"]})
    assert (message.text, message.reference) == ("Do it.", REFERENCE)
    assert message.entities == (entity,)
