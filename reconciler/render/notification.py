"""The message about waiting and failed tasks, for Slack and Mattermost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import escape

from reconciler.messages import wording
from reconciler.messages.commands import completed, for_everybody
from reconciler.model.shell import command_line
from reconciler.render import cells, safe
from reconciler.render.status import request_line
from reconciler.tasks.status import (
    News,
    TaskStatus,
)

MAX_NEWS = 20
"""The maximum number of tasks in one message to Slack."""

_MENTION, _HARMLESS_MENTION = re.compile(r"(?<![\w.-])@"), "@\u200b"
"""Mattermost notifies everybody of a plain `@all`. The `@` in a key follows a letter or a digit."""

_MAX_TEXT = 300  # characters of what a task says


def notification_text(news: News, now: datetime) -> str:
    """The message; empty without news."""
    with for_everybody():
        items = [*_waiting(news, now), *_failed(news)]
    if not items:
        return ""
    counts = ((len(news.waiting), "waiting"), (len(news.failed), "failed"))
    head = "taskctl: " + ", ".join(f"{count} {word}" for count, word in counts if count)
    command = f"    {_inert(completed(command_line('status')))}"
    more = [f"and {len(items) - MAX_NEWS} more:", command] if len(items) > MAX_NEWS else []
    return "\n".join([head, *items[:MAX_NEWS], *more])


def _waiting(news: News, now: datetime) -> Iterator[str]:
    for request in news.waiting:
        status = request.status
        text = request_line(request, now)
        yield _news_item(status, text, request.command_line if request.command else "")


def _failed(news: News) -> Iterator[str]:
    for status in news.failed:
        reasons = [wording(reason) for reason in status.unmet]
        words = "; ".join(each.summary for each in reasons) if reasons else status.summary.words
        words = " ".join(words.split())
        command = next((each.command for each in reasons if each.command), "")
        yield _news_item(status, status.state.value + (f": {words}" if words else ""), command)


def _news_item(status: TaskStatus, text: str, command: str) -> str:
    """With the link, unless what stands in for the command names it."""
    shown = _inert(cells.shorten(safe.line(f"{status.ref} {text}"), _MAX_TEXT)).replace("`", "'")
    rows = _command_rows(command) if command else ""
    url = _inert(status.url or "")
    link = f"\n    {url}" if url not in rows else ""
    # As code: Mattermost has no links and no other Markdown in it.
    return f"• `{_MENTION.sub(_HARMLESS_MENTION, shown)}`{link}{rows}"


def _command_rows(command: str) -> str:
    rows = completed(command).split("\n")
    return "".join(f"\n    {_inert(_MENTION.sub(_HARMLESS_MENTION, row))}" for row in rows)


def _inert(text: str) -> str:
    """Slack's escapes against mentions, links and commands."""
    return escape(text, quote=False)
