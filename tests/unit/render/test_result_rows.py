"""The table of results in terminals of different widths."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from reconciler.app.wait import End, WaitReport
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.render import cells, render
from reconciler.render.results import result_rows
from reconciler.render.style import Style
from reconciler.tasks.events import EventSummary, Last
from reconciler.tasks.status import TaskStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANSWER = "word " * 60
REPO = {
    "type": "repository",
    "org": "acme",
    "name": "a-long-name-of-a-repository",
    "forge": "github",
}


def status(key: str, answer: str = "", number: int = 0) -> TaskStatus:
    entity = {"type": "pull_request", "number": number, "merged": False, "repo": REPO}
    return TaskStatus(
        TaskRef("acme", key),
        TaskState.DONE,
        raw={"entities": [entity] if number else []},
        summary=EventSummary(last=Last.FINAL, words=answer),
    )


def rows(
    width: int, *statuses: TaskStatus, verbose: bool = False, terminal: bool = True
) -> list[str]:
    style = Style(terminal=terminal, width=width, verbose=verbose)
    return result_rows(statuses, style, NOW)


TASKS = (status("upgrade@network", ANSWER, 7), status("report", "Short."))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_row_is_wider_than_the_terminal(width: int) -> None:
    shown = rows(width, *TASKS)
    assert max(map(cells.width, shown)) <= width
    for text in ("#7", "upgrade@network", "2 done.", *(["word"] if width > 80 else [])):
        assert any(text in row for row in shown)


def test_a_wide_terminal_shows_more_of_an_answer() -> None:
    (row,) = (row for row in rows(200, *TASKS) if row.startswith("upgrade@network"))
    assert cells.width(row) > 190
    assert rows(200, *TASKS)[0].split() == ["KEY", "STATUS", "PULL", "REQUESTS", "ANSWER"]


def test_a_table_that_just_fits_has_all_columns() -> None:
    requests = (status("upgrade@network", number=7), status("report", number=8))
    whole = rows(200, *requests)
    assert whole[0].split() == ["KEY", "STATUS", "PULL", "REQUESTS"]
    assert rows(max(map(cells.width, whole)), *requests) == whole


def test_a_narrow_terminal_leaves_answers_out() -> None:
    head, first, second, *_ = rows(80, *TASKS)
    assert head.split() == ["KEY", "STATUS", "PULL", "REQUESTS"]
    assert first.endswith("#7")
    assert second.split() == ["report", "done"]


def test_a_file_has_all_columns() -> None:
    head, first, *_ = rows(40, *TASKS, terminal=False)
    assert head.split() == ["KEY", "STATUS", "PULL", "REQUESTS", "ANSWER"]
    assert first.endswith("#7  word word word word…")


def test_empty_columns_are_left_out() -> None:
    assert rows(80, status("a"))[:2] == ["KEY  STATUS", "a    done"]
    assert rows(80, status("a", "Yes."))[:2] == ["KEY  STATUS  ANSWER", "a    done    Yes."]
    shown = rows(80, status("a", "**Yes.**\n\nMore."), verbose=True)
    assert shown[:5] == ["KEY  STATUS", "a    done", "  **Yes.**", "", "  More."]


@pytest.mark.parametrize("form", ["text", "markdown", "html", "junit", "github"])
def test_a_status_has_the_same_name_in_every_format_for_people(form: str) -> None:
    hidden = TaskStatus(TaskRef("acme", "a"), TaskState.NOT_VISIBLE, "a.yaml")
    shown = render(form, WaitReport((hidden,), End.FINISHED, NOW), Style())
    shown = re.sub(r'(?s)<style>.*?</style>|(?:class|data-word)="[^"]*"', "", shown)
    assert ("not visible" in shown, "notVisible" in shown) == (True, False)
