"""New requests and failures, and the message about them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from reconciler.model.task import TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.render.notification import MAX_NEWS, notification_text
from reconciler.tasks.events import Approval, EventSummary, Last
from reconciler.tasks.status import TaskStatus, find_news

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def failed(key: str, at: datetime | None, words: str = "no") -> TaskStatus:
    summary = EventSummary("e", Last.FAILED, words, at)
    return TaskStatus(TaskRef("acme", key), TaskState.FAILED, summary=summary)


def asks(key: str, at: datetime | None, message: str = "May I?") -> TaskStatus:
    body = {"id": "a1", "message": message, "timestamp": rfc3339(at) if at else None}
    summary = EventSummary("e", Last.WORKING, approvals=(Approval("a1", message, body),))
    return TaskStatus(TaskRef("acme", key), TaskState.WAITING, summary=summary)


def test_newer_and_undated_entries_are_shown() -> None:
    times = {"old": NOW - HOUR - timedelta(seconds=1), "new": NOW - HOUR, "unknown": None}
    tasks = [make(key, at) for key, at in times.items() for make in (asks, failed)]
    done = TaskStatus(TaskRef("acme", "done"), TaskState.DONE)
    found = find_news([*tasks, done], NOW - HOUR)
    assert [r.status.ref.key for r in found.waiting] == ["new", "unknown"]
    assert [s.ref.key for s in found.failed] == ["new", "unknown"]


def test_text_from_outside_is_inert() -> None:
    evil = "@all <!channel> &amp; <https://evil.test|click>\n• acme/other failed\x1b[2J\u202e"
    evil += " [link](https://evil.test) `*code* ![](https://evil.test/x.png)"
    for make in (asks, failed):
        text = notification_text(find_news([make("a@eu", NOW, evil)], NOW), NOW)
        assert text.count("\n• ") == 1
        assert "&lt;!channel&gt; &amp;amp; &lt;https" in text
        assert "<" not in text
        code = [row for row in text.split("\n") if "evil.test" in row]
        assert all(re.fullmatch("(• |    )`[^`]+`", row) for row in code)
        assert "@all" not in text
        assert "acme/a@eu" in text
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_many_entries_are_counted_and_long_ones_truncated() -> None:
    tasks = [failed(f"k{n}", NOW, "word " * 1000) for n in range(MAX_NEWS + 5)]
    text = notification_text(find_news(tasks, NOW), NOW)
    assert text.startswith("taskctl: 25 failed\n")
    assert "and 5 more" in text
    assert len(text) < 8000
    assert notification_text(find_news([], NOW), NOW) == ""
