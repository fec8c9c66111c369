"""Events of a task, as the service sends them."""

from __future__ import annotations

import itertools
from typing import Any

_COUNT = itertools.count(1)


def agent_event(kind: str, at: str = "2026-11-24T12:00:00Z", **body: Any) -> dict[str, Any]:
    return _event("agentResponse", {"type": kind, "timestamp": at, **body})


def user_event(kind: str, at: str = "2026-11-24T12:00:00Z", **body: Any) -> dict[str, Any]:
    return _event("userInput", {"type": kind, "timestamp": at, **body})


def agent_message(content: str, *, final: bool = False, **more: Any) -> dict[str, Any]:
    return agent_event("assistant_message", content=content, is_final=final, **more)


def approval(request_id: str, message: str = "May I?", **more: Any) -> dict[str, Any]:
    known = {"approval_type": "general", "source": "agent"}
    return agent_event("user_approval_request", id=request_id, message=message, **known, **more)


def confirmation(request_id: str, *, ok: bool = True, **more: Any) -> dict[str, Any]:
    return user_event("user_confirmation", approval_request_id=request_id, ok=ok, **more)


def _event(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"e{next(_COUNT)}", "type": kind, "isSynthetic": False, "eventBody": body}
