"""The live page: how it is served, and the overview that it reads."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from reconciler.embedded import page
from reconciler.embedded.app import App
from reconciler.embedded.scenarios import scenario_of
from tests.support.embedded_client import Api, Clock

PAGES = ["/", "/acme/neo/tasks/some-id"]


@pytest.fixture
def app(db: Path, clock: Clock) -> Iterator[App]:
    with closing(App(db, now=clock, scenario=scenario_of("by-prompt", 10))) as app:
        yield app


@pytest.mark.parametrize("path", PAGES)
def test_the_page_needs_no_token_and_has_a_strict_policy(app: App, path: str) -> None:
    answer = Api(app, token=None).call("GET", path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    (script,) = re.findall(r"<script>(.*?)</script>", answer.body.decode(), re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert policy["frame-ancestors"] == "'none'"


def test_the_page_contains_no_data_and_no_other_host(api: Api) -> None:
    task_id = api.create("Secret work")
    body = api.call("GET", f"/acme/neo/tasks/{task_id}").body
    assert b"Secret" not in body
    assert b"://" not in body
    for sink in (b"innerHTML", b"insertAdjacentHTML", b"document.write", b"eval(", b"Storage"):
        assert sink not in body


def test_the_overview_needs_a_token(app: App) -> None:
    assert Api(app, token=None).call("GET", "/api/page/tasks").status == 401


def test_the_overview_has_tasks_of_all_organizations_newest_first(
    api: Api, other: Api, clock: Clock
) -> None:
    prompts = {
        "done": "Rotate keys",
        "failed": "failing task",
        "stopped": "stopping task",
        "waiting": "approving task",
        "cancelled": "slow task",
        "running": "slow task",
    }
    ids = {state: api.create(prompt) for state, prompt in prompts.items()}
    elsewhere = Api(api.app, api.token, org="other-org")
    tool = elsewhere.create("delegating task", toolExecutionMode="cli")
    other.create("not mine")
    clock.forward(50)
    api.cancel(ids["cancelled"])
    data = api.call("GET", "/api/page/tasks").json
    states = {task["id"]: task["state"] for task in data["tasks"]}
    assert states == {**{task_id: state for state, task_id in ids.items()}, tool: "waiting"}
    assert data["tasks"][0]["id"] == tool
    assert data["tasks"][0]["orgName"] == "other-org"
    assert data["total"] == len(states)
    questions = {task["id"]: task["question"] for task in data["tasks"] if task["question"]}
    assert set(questions) == {ids["waiting"], tool}
    assert questions[ids["waiting"]] == "May I run `pulumi up` on the stack?"


def test_the_overview_is_limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_TASKS", 2)
    made = [api.create() for _ in range(3)]
    data = api.call("GET", "/api/page/tasks").json
    assert [task["id"] for task in data["tasks"]] == made[:0:-1]
    assert data["total"] == 3
