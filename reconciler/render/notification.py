"""News about tasks as a Slack message; external text is escaped."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime

from reconciler.model.task import TaskRef
from reconciler.render import cells, safe
from reconciler.render.inbox import answer_command, wants
from reconciler.tasks.open_requests import News
from reconciler.tasks.status import TaskStatus

MOST = 20
"""Tasks that one message lists."""

_MENTION, _HARMLESS_MENTION = re.compile(r"(?<![\w.-])@"), "@\u200b"
"""Mattermost notifies everybody of a plain `@all`. The `@` in a key follows a letter or a digit."""

_LONGEST = 300  # characters of what a task says


def notification_text(news: News, sensitive: Collection[TaskRef], now: datetime) -> str:
    """The message; empty without news. Of `sensitive` tasks, only the key is shown."""
    lines = [*_waiting(news, sensitive, now), *_failed(news, sensitive)]
    if not lines:
        return ""
    parts = ((len(news.waiting), "waiting"), (len(news.failed), "failed"))
    head = "taskctl: " + ", ".join(f"{count} {word}" for count, word in parts if count)
    more = (
        [f"and {len(lines) - MOST} more: `taskctl inbox`, `taskctl status`"] if lines[MOST:] else []
    )
    return "\n".join([head, *lines[:MOST], *more])


def _waiting(news: News, sensitive: Collection[TaskRef], now: datetime) -> Iterator[str]:
    for request in news.waiting:
        status, said = request.status, " ".join(request.message.split())
        hidden = status.ref in sensitive
        line = _named(status, wants(request, now), "" if hidden else said)
        command = answer_command(request)
        yield line + (f"\n    {_inert(command)}" if command else "")


def _failed(news: News, sensitive: Collection[TaskRef]) -> Iterator[str]:
    for status in news.failed:
        said = "" if status.ref in sensitive else " ".join(status.summary.words.split())
        yield _named(status, status.state.value, said)


def _named(status: TaskStatus, what: str, said: str) -> str:
    text = cells.shorten(safe.line(f"{status.ref} {what}{f': {said}' if said else ''}"), _LONGEST)
    link = f"\n    {_inert(status.url)}" if status.url else ""
    return f"• {_MENTION.sub(_HARMLESS_MENTION, _inert(text))}{link}"


def _inert(text: str) -> str:
    """Slack's escapes against mentions, links and commands."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
