"""The live page: how it is served, and the overview that it reads."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from reconciler.embedded import page
from reconciler.embedded.app import App
from reconciler.embedded.scenarios import scenario_of
from tests.support.embedded_client import Api, Clock, message

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


REPO = {"type": "repository", "org": "acme", "name": "net", "forge": "github"}


def pull_request(number: int, **repo: object) -> dict[str, object]:
    return {"type": "pull_request", "number": number, "merged": True, "repo": {**REPO, **repo}}


def details(api: Api, task_id: str) -> Any:
    return api.call("GET", f"/api/page/acme/tasks/{task_id}").json


def test_the_page_shows_pull_requests_and_answers(api: Api, clock: Clock) -> None:
    own = {"entity_diff": {"add": [REPO, pull_request(7)]}}
    body = message("answering with ```json\n{}\n```", **own)
    task_id = api.post(message=body).json["taskId"]
    failed = api.create("failing task")
    assert details(api, task_id)["answer"] == ""
    clock.forward(10)
    (listed,) = details(api, task_id)["pullRequests"]  # without the one that the message attached
    number = int(listed["text"].removeprefix("acme/net#"))
    assert listed["url"] == f"https://github.com/acme/net/pull/{number}"
    assert listed["merged"] is False
    assert details(api, task_id)["answer"] == "**answering with**\n\n```json\n{}\n```"
    assert details(api, failed)["answer"] == ""
    tasks = {task["id"]: task for task in api.call("GET", "/api/page/tasks").json["tasks"]}
    assert tasks[task_id]["said"] == "answering with"
    assert tasks[task_id]["pullRequests"] == [listed]
    assert tasks[failed]["said"].startswith("This is a simulated failure")
    assert api.respond(task_id, type="user_message", content="slow again").status < 300
    assert details(api, task_id)["answer"] == ""
    assert api.call("GET", "/api/page/tasks").json["tasks"][1]["said"] == ""


def test_details_are_for_those_who_see_the_task(app: App, api: Api, other: Api) -> None:
    path = f"/api/page/acme/tasks/{api.create()}"
    assert api.call("GET", path).status == 200
    assert other.call("GET", path).status == 404
    assert Api(app, token=None).call("GET", path).status == 401


@pytest.mark.parametrize(
    "repo",
    [
        {"name": "x](javascript:alert(1))"},
        {"org": "a/../../evil"},
        {"host": "evil.example@github.com"},
        {"forge": "javascript"},
    ],
)
def test_hostile_pull_requests_and_answers_are_text(
    api: Api, clock: Clock, repo: dict[str, object]
) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    added = {"entity_diff": {"add": [{**REPO, **repo}]}}
    task_id = api.post(message=message("answering ```json\n1\n```", **added)).json["taskId"]
    asked = api.create("approving: upgrade")
    clock.forward(10)
    request = api.events(asked)[-1]["eventBody"]["id"]
    words = {"approval_request_id": request, "ok": False, "instructions": f"{hostile}\n" * 9999}
    api.respond(asked, type="user_confirmation", **words)
    clock.forward(10)
    (listed,) = details(api, task_id)["pullRequests"]
    assert listed["url"] is None
    assert details(api, asked)["answer"].count(hostile) == 9999
    tasks = {task["id"]: task for task in api.call("GET", "/api/page/tasks").json["tasks"]}
    assert tasks[asked]["said"] == f"Understood: {hostile}"


def test_the_overview_is_limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_TASKS", 2)
    made = [api.create() for _ in range(3)]
    data = api.call("GET", "/api/page/tasks").json
    assert [task["id"] for task in data["tasks"]] == made[:0:-1]
    assert data["total"] == 3
