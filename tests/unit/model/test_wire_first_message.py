"""Which event contains the first message of a task."""

from __future__ import annotations

from reconciler.model.wire import FirstMessageSearch


def test_synthetic_events_are_skipped() -> None:
    body = {"type": "user_message", "timestamp": "2026-11-24T12:00:00Z"}
    events = [
        {"type": "userInput", "isSynthetic": True, "eventBody": {**body, "content": "made up"}},
        {
            "type": "triggerUserInput",
            "isSynthetic": False,
            "eventBody": {**body, "content": "ours"},
        },
    ]
    message = FirstMessageSearch().next(events)
    assert message is not None
    assert message.text == "ours"
