"""How a task changes as time passes, and the events that show it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.embedded.app import App
from reconciler.embedded.lifecycle import (
    TITLE_LIMIT,
    Turn,
    finishing,
    milliseconds,
    stamp,
    title_of,
)
from reconciler.embedded.scenarios import scenario_of
from tests.support.embedded_client import Api, Clock, message


def kinds(events: list[dict[str, dict[str, object]]]) -> list[object]:
    return [event["eventBody"]["type"] for event in events]


COURSE = [
    "user_message",
    "set_task_name",
    "assistant_message",
    "tool_response",
    "assistant_message",
]


def test_a_task_runs_and_then_is_idle(api: Api, clock: Clock) -> None:
    task_id = api.create("Rotate every IAM access key.\nThen report.")
    course = []
    for seconds in (0, 1, 2, 3, 4):
        clock.forward(seconds)
        task = api.task(task_id)
        course.append((task["status"], len(api.events(task_id))))
    assert course == [
        ("running", 1),
        ("running", 2),
        ("running", 3),
        ("running", 4),
        ("idle", 5),
    ]
    assert kinds(api.events(task_id)) == COURSE
    assert task["name"] == "Rotate every IAM access key"
    assert task["tokensUsed"] > 0


def test_events_ascend_and_do_not_change(api: Api, clock: Clock) -> None:
    task_id = api.create()
    seen: list[dict[str, Any]] = []
    for _ in range(12):
        events = api.events(task_id)
        assert events[: len(seen)] == seen
        seen = events
        clock.forward(1)
    agents = [str(event["eventBody"]["timestamp"]) for event in seen[1:]]
    assert agents == sorted(agents)
    assert len({str(event["id"]) for event in seen}) == len(seen)
    assert all(event["isSynthetic"] is False for event in seen)
    assert [e["eventBody"]["is_final"] for e in seen if "is_final" in e["eventBody"]] == [
        False,
        True,
    ]


def test_a_tool_call_has_a_response(api: Api, clock: Clock) -> None:
    task_id = api.create()
    clock.forward(10)
    bodies = [event["eventBody"] for event in api.events(task_id)]
    (call,) = bodies[2]["tool_calls"]
    assert (bodies[3]["tool_call_id"], bodies[3]["name"]) == (call["id"], call["name"])


def test_events_are_paged(api: Api, clock: Clock) -> None:
    task_id = api.create()
    clock.forward(10)
    whole = api.events(task_id)
    path = f"{api.tasks}/{task_id}/events"
    pages = api.pages(path, pageSize=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [event for page in pages for event in page] == whole
    for size in (0, 1001, "x"):
        answer = api.call("GET", path, query=[("pageSize", size)])
        assert answer.status == 400
    assert api.call("GET", path, query=[("continuationToken", "zz")]).status == 400


def test_a_restart_keeps_every_task(db: Path, clock: Clock) -> None:
    seen = []
    for restart in range(3):
        app = App(db, now=clock, work_seconds=10)
        api = Api(app)
        if not restart:
            task_id = api.create()
            clock.forward(5)
        seen.append((api.task(task_id), api.events(task_id)))
        app.close()
    assert seen[0] == seen[1] == seen[2]


def test_a_patched_name_is_not_overwritten_by_the_generated_one(api: Api, clock: Clock) -> None:
    task_id = api.create("Generated")
    api.patch(task_id, name="Chosen")
    clock.forward(10)
    assert api.task(task_id)["name"] == "Chosen"


def test_a_clock_that_goes_back_does_not_reorder_events(api: Api, clock: Clock) -> None:
    task_id = api.create()
    clock.forward(10)
    api.respond(task_id, type="user_message", content="Second")
    clock.forward(-300)
    api.respond(task_id, type="user_cancel")
    clock.forward(1000)
    assert kinds(api.events(task_id)) == [*COURSE, "user_message", "user_cancel", "cancelled"]
    assert api.task(task_id)["tokensUsed"] > 0


def test_no_work_at_all(db: Path, clock: Clock) -> None:
    app = App(db, now=clock, work_seconds=0)
    api = Api(app)
    task_id = api.create()
    assert api.task(task_id)["status"] == "idle"
    assert kinds(api.events(task_id)) == COURSE
    app.close()


@given(st.text(), st.integers(1, 9), st.integers(0, 4 * 10**12))
def test_every_script_has_ordered_events(prompt: str, number: int, start: int) -> None:
    turn = Turn(number, message(prompt), start)
    script = finishing(turn, 7.5)
    times = [step.at_ms for step in script.steps]
    assert times == sorted(times)
    assert start <= times[0]
    assert times[-1] == script.busy_until_ms == start + 7500
    assert script.tokens > 0
    assert script == finishing(turn, 7.5)


@given(st.text())
def test_a_title_is_one_short_line(prompt: str) -> None:
    title = title_of(prompt)
    assert len(title) <= TITLE_LIMIT + 1
    assert title == " ".join(title.split())


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("\n\n  Review   costs:\nall of them", "Review costs"),
        ("x" * 200, "x" * TITLE_LIMIT),
        ("word " * 40, ("word " * 12).strip() + "…"),
    ],
)
def test_titles(prompt: str, title: str) -> None:
    assert title_of(prompt) == title


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_convert_to_milliseconds_and_back(exact: datetime) -> None:
    text = stamp(milliseconds(exact))
    assert timedelta() <= exact - datetime.fromisoformat(text) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("prompt", "last"),
    [
        ("failing at once", "error"),
        ("Rotate keys", "assistant_message"),
        ("[failing] rotate the keys", "error"),
    ],
)
def test_a_prompt_selects_its_scenario(prompt: str, last: str) -> None:
    event: dict[str, Any] = {"type": "user_message", "content": prompt}
    script = scenario_of("by-prompt", 1.0)(Turn(1, event, 0))
    assert script.steps[-1].body["type"] == last


ASKED = """Upgrade the providers in acme/cluster, and open a
pull request. End with a JSON block:

```json
{"upgraded": ["aws"]}
```
"""


def test_a_task_delivers_what_its_prompt_asks_for() -> None:
    event: dict[str, Any] = {"type": "user_message", "content": ASKED}
    *before, last = scenario_of("finishing", 1.0)(Turn(1, event, 0)).steps
    (added,) = [step.body["changes"] for step in before if "changes" in step.body]
    assert isinstance(added, dict)
    assert added["add"][0]["repo"] == {
        "forge": "github",
        "type": "repository",
        "org": "acme",
        "name": "cluster",
    }
    assert '```json\n{"upgraded": ["aws"]}\n```' in str(last.body["content"])
    assert "Upgrade the providers" not in str(last.body["content"])


def test_a_task_opens_no_pull_request_unasked() -> None:
    event: dict[str, Any] = {"type": "user_message", "content": "Compare the pull requests."}
    steps = scenario_of("finishing", 1.0)(Turn(1, event, 0)).steps
    assert not any("changes" in step.body for step in steps)
    assert "Compare" not in str(steps[-1].body["content"])
