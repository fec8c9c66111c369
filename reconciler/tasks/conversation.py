"""A task's events as a readable conversation. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.tasks.events import (
    Approval,
    Event,
    approval_in,
    body_of,
    is_users,
    kind_of,
    moment_of,
    text_in,
)


class Kind(StrEnum):
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


@dataclass(frozen=True, slots=True)
class ConversationEntry:
    """One entry. `text` may be Markdown if `kind` is user, assistant, final or approval.

    `label` names a tool, or the kind of an approval; `took` is how long a tool ran, None if
    unknown; `is_bad`: a tool that failed, a request that was rejected.
    """

    kind: Kind
    at: datetime | None
    text: str = ""
    label: str = ""
    took: timedelta | None = None
    is_bad: bool = False
    approval: Approval | None = None


class Conversation:
    """Turns events, given in order, into entries. Remembers which tools are running."""

    def __init__(self) -> None:
        self._began: dict[str, datetime] = {}
        self._asked: dict[str, Approval] = {}

    def entries(self, event: Event) -> list[ConversationEntry]:
        """The entries of an event; none if it says nothing to a person."""
        return list(self._user(event) if is_users(event) else self._agent(event))

    def _user(self, event: Event) -> Iterator[ConversationEntry]:
        body, at = body_of(event), moment_of(event)
        match kind_of(event):
            case "user_message":
                yield ConversationEntry(Kind.USER, at, text_in(body, "content"))
            case "user_confirmation":
                yield self._answer(body, at)
            case "user_cancel":
                yield ConversationEntry(Kind.NOTE, at, "the user cancels")
            case "tool_result" | "exec_tool_call":
                yield ConversationEntry(Kind.NOTE, at, "tools ran outside the service")
            case other:
                yield ConversationEntry(Kind.UNKNOWN, at, label=other)

    def _answer(self, body: Mapping[str, object], at: datetime | None) -> ConversationEntry:
        rejected = body.get("ok") is not True
        asked = self._asked.get(text_in(body, "approval_request_id"))
        words = text_in(body, "instructions") or (asked.message if asked else "")
        if asked is not None and asked.is_question and words != asked.message:
            return ConversationEntry(Kind.ANSWER, at, words, "answered")
        label = "rejected" if rejected else "approved"
        return ConversationEntry(Kind.ANSWER, at, words, label, is_bad=rejected)

    def _agent(self, event: Event) -> Iterator[ConversationEntry]:
        body, at = body_of(event), moment_of(event)
        kind = kind_of(event)
        reader = _READERS.get(kind)
        if reader is not None:
            yield from reader(body, at)
            return
        match kind:
            case "assistant_message":
                yield from self._message(body, at)
            case "exec_tool_call":
                self._begin(text_in(body, "tool_call_id"), at)
            case "tool_response":
                yield self._tool(body, at)
            case "user_approval_request":
                asked = approval_in(event) or Approval("", text_in(body, "message"), body)
                self._asked[asked.id] = asked
                yield ConversationEntry(
                    Kind.APPROVAL, at, asked.message, asked.kind, approval=asked
                )
            case _ if kind not in _SILENT:
                yield ConversationEntry(Kind.UNKNOWN, at, label=kind)

    def _message(
        self, body: Mapping[str, object], at: datetime | None
    ) -> Iterator[ConversationEntry]:
        text = text_in(body, "content")
        if text.strip():
            yield ConversationEntry(
                Kind.FINAL if body.get("is_final") is True else Kind.ASSISTANT, at, text
            )
        calls = body.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                self._begin(text_in(call, "id"), at)
                yield ConversationEntry(
                    Kind.CALL, at, _flat(call.get("args")), text_in(call, "name")
                )

    def _begin(self, call_id: str, at: datetime | None) -> None:
        if call_id and at is not None:
            self._began[call_id] = at

    def _tool(self, body: Mapping[str, object], at: datetime | None) -> ConversationEntry:
        began = self._began.pop(text_in(body, "tool_call_id"), None)
        took = at - began if at is not None and began is not None and at >= began else None
        content = body.get("content")
        text = content if isinstance(content, str) else _flat(content)
        bad = body.get("is_error") is True
        return ConversationEntry(Kind.TOOL, at, text, text_in(body, "name"), took, bad)


def _warning(body: Mapping[str, object], at: datetime | None) -> Iterator[ConversationEntry]:
    yield ConversationEntry(Kind.WARNING, at, text_in(body, "message"))


def _error(body: Mapping[str, object], at: datetime | None) -> Iterator[ConversationEntry]:
    yield ConversationEntry(Kind.ERROR, at, text_in(body, "message"), is_bad=True)


def _cancelled(body: Mapping[str, object], at: datetime | None) -> Iterator[ConversationEntry]:
    was = "while it worked" if body.get("operation_was_running") is True else ""
    yield ConversationEntry(Kind.CANCELLED, at, was, is_bad=True)


def _name(body: Mapping[str, object], at: datetime | None) -> Iterator[ConversationEntry]:
    yield ConversationEntry(Kind.NOTE, at, f"named: {text_in(body, 'name')}")


def _compression(body: Mapping[str, object], at: datetime | None) -> Iterator[ConversationEntry]:
    words = text_in(body, "message") or text_in(body, "status")
    yield ConversationEntry(Kind.NOTE, at, f"conversation compressed: {words}")


def _entities(body: Mapping[str, object], at: datetime | None) -> Iterator[ConversationEntry]:
    changes = body.get("changes")
    for name, word in (("add", "works on"), ("remove", "leaves")):
        listed = changes.get(name) if isinstance(changes, Mapping) else None
        for entity in listed if isinstance(listed, list) else ():
            yield ConversationEntry(Kind.NOTE, at, f"{word}: {_flat(entity)}")


_Reader = Callable[[Mapping[str, object], datetime | None], Iterator[ConversationEntry]]
_READERS: dict[str, _Reader] = {
    "warning": _warning,
    "error": _error,
    "cancelled": _cancelled,
    "set_task_name": _name,
    "context_compression_event": _compression,
    "change_entities": _entities,
}
_SILENT = frozenset(
    {"awaiting_approvals", "exec_tool_call_progress", "provide_pulumi_access_token"}
)


def _flat(value: object) -> str:
    """JSON on one line; empty for an empty value."""
    return json.dumps(value, ensure_ascii=False) if value not in (None, {}, []) else ""
