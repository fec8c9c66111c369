"""A task's events as a readable conversation. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from reconciler.model.reference import split_prompt
from reconciler.model.remarks import Remark, remark
from reconciler.model.value import Value
from reconciler.tasks.events import (
    Approval,
    Event,
    EventSummary,
    advance,
    approval_in,
    body_of,
    is_user_event,
    kind_of,
    text_in,
    time_of,
)


class EntryKind(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    FINAL = "final"
    CALL = "call"
    TOOL = "tool"
    APPROVAL = "approval"
    ANSWER = "answer"
    WARNING = "warning"
    ERROR = "error"
    CANCELLED = "cancelled"
    NOTE = "note"
    UNKNOWN = "unknown"


class ConversationEntry(Value, frozen=True):
    """One entry. `text` may be Markdown if `kind` is user, assistant, final or approval.

    `label` is the name of a tool, the type of an approval, or an unknown event type; `is_bad`: a
    tool failed, or a request was rejected. A `note` replaces the text.
    """

    kind: EntryKind
    at: datetime | None
    text: str = ""
    label: str = ""
    is_bad: bool = False
    approval: Approval | None = None
    note: Remark | None = None


def _note(at: datetime | None, case: str, /, **facts: str) -> ConversationEntry:
    return ConversationEntry(EntryKind.NOTE, at, note=remark(f"log.{case}", **facts))


Entries = Iterator[ConversationEntry]
_SILENT = {
    *("awaiting_approvals", "exec_tool_call", "exec_tool_call_progress"),
    "provide_pulumi_access_token",
}


class Conversation:
    """Converts events, given in order, to entries. Keeps track of open requests."""

    def __init__(self) -> None:
        self._summary = EventSummary()

    def entries(self, event: Event) -> list[ConversationEntry]:
        """The entries of an event; none for events that are not shown."""
        made = [self._user(event)] if is_user_event(event) else list(self._agent(event))
        self._summary = advance(self._summary, [event])
        return made

    def _user(self, event: Event) -> ConversationEntry:
        body, at = body_of(event), time_of(event)
        match kind_of(event):
            case "user_message":
                prompt, _ = split_prompt(text_in(body, "content"))
                return ConversationEntry(EntryKind.USER, at, prompt)
            case "user_confirmation":
                return self._answer(body, at)
            case "user_cancel":
                return _note(at, "cancelling")
            case "tool_result" | "exec_tool_call":
                return _note(at, "outside")
            case kind:
                return ConversationEntry(EntryKind.UNKNOWN, at, label=kind)

    def _answer(self, body: Mapping[str, object], at: datetime | None) -> ConversationEntry:
        rejected = body.get("ok") is not True
        answered = text_in(body, "approval_request_id")
        request = next((each for each in self._summary.approvals if each.id == answered), None)
        message = request.message if request else ""
        text = text_in(body, "instructions") or message
        if request is not None and request.is_question and text != message:
            return ConversationEntry(EntryKind.ANSWER, at, text, "answered")
        label = "rejected" if rejected else "approved"
        return ConversationEntry(EntryKind.ANSWER, at, text, label, is_bad=rejected)

    def _agent(self, event: Event) -> Entries:
        body, at = body_of(event), time_of(event)
        message = text_in(body, "message")
        match kind_of(event):
            case "assistant_message":
                yield from _message(body, at)
            case "tool_response":
                yield _tool(body, at)
            case "user_approval_request":
                request = approval_in(event) or Approval("", message, body)
                yield ConversationEntry(
                    EntryKind.APPROVAL, at, request.message, request.kind, approval=request
                )
            case "warning":
                yield ConversationEntry(EntryKind.WARNING, at, message)
            case "error":
                yield ConversationEntry(EntryKind.ERROR, at, message, is_bad=True)
            case "cancelled":
                running = body.get("operation_was_running") is True
                note = remark("log.interrupted" if running else "log.cancelled")
                yield ConversationEntry(EntryKind.CANCELLED, at, is_bad=True, note=note)
            case "set_task_name":
                yield _note(at, "named", name=text_in(body, "name"))
            case "context_compression_event":
                yield _note(at, "compressed", text=message or text_in(body, "status"))
            case "change_entities":
                yield from _entities(body, at)
            case kind:
                if kind not in _SILENT:
                    yield ConversationEntry(EntryKind.UNKNOWN, at, label=kind)


def _message(body: Mapping[str, object], at: datetime | None) -> Entries:
    text = text_in(body, "content")
    if text.strip():
        kind = EntryKind.FINAL if body.get("is_final") is True else EntryKind.ASSISTANT
        yield ConversationEntry(kind, at, text)
    calls = body.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            arguments, name = _flat(call.get("args")), text_in(call, "name")
            yield ConversationEntry(EntryKind.CALL, at, arguments, name)


def _tool(body: Mapping[str, object], at: datetime | None) -> ConversationEntry:
    content = body.get("content")
    text = content if isinstance(content, str) else _flat(content)
    failed = body.get("is_error") is True
    return ConversationEntry(EntryKind.TOOL, at, text, text_in(body, "name"), failed)


def _entities(body: Mapping[str, object], at: datetime | None) -> Entries:
    changes = body.get("changes")
    for name, case in (("add", "added"), ("remove", "removed")):
        listed = changes.get(name) if isinstance(changes, Mapping) else None
        for entity in listed if isinstance(listed, list) else ():
            yield _note(at, case, entity=_flat(entity))


def _flat(value: object) -> str:
    """JSON on one line; empty for an empty value."""
    return json.dumps(value, ensure_ascii=False) if value not in (None, {}, []) else ""
