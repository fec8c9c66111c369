"""Headers of every response, authentication, and invalid requests."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.embedded.app import App
from reconciler.embedded.wsgi import BODY_LIMIT
from tests.support.embedded_client import Api, Clock, message


def test_every_response_has_date_request_id_and_content_type(api: Api, clock: Clock) -> None:
    answers = [api.list(), api.post(), api.call("GET", "/nowhere"), api.call("PUT", api.tasks)]
    assert [answer.status for answer in answers] == [200, 400, 404, 405]
    for answer in answers:
        assert answer.headers["Date"] == "Tue, 24 Nov 2026 12:00:00 GMT"
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Content-Length"] == str(len(answer.body))
    assert len({answer.headers["X-Pulumi-Request-ID"] for answer in answers}) == len(answers)


@pytest.mark.parametrize(
    "path",
    [
        "/neo",
        "/api",
        "/api/user/",
        "/api/preview/agents//tasks",
        "/api/preview/agents/acme/tasks/",
        "/api/preview/agents/acme/tasks/x/y",
        "/api/preview/agents/a/b/tasks",
        "/\udcff",
    ],
)
def test_unknown_paths_are_404(api: Api, path: str) -> None:
    assert api.call("GET", path.encode("utf-8", "replace").decode()).status == 404


def test_a_405_lists_the_allowed_methods(api: Api) -> None:
    task = f"{api.tasks}/some-id"
    for path, allowed in [
        (api.tasks, "GET, POST"),
        (task, "GET, PATCH, POST"),
        (task + "/cancel", "POST"),
        (task + "/events", "GET"),
        ("/api/user", "GET"),
    ]:
        answer = api.call("DELETE", path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


def test_every_operation_on_an_unknown_task_is_404(api: Api) -> None:
    task = f"{api.tasks}/no-such-task"
    answers = [
        api.call("GET", task),
        api.call("GET", task + "/events"),
        api.patch("no-such-task", name="x"),
        api.respond("no-such-task", type="user_cancel"),
        api.cancel("no-such-task"),
    ]
    assert {answer.status for answer in answers} == {404}
    assert all("no-such-task" in answer.message for answer in answers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"message": NaN}',
        b'{"message": "\\ud83d"}',
        b"[" * 100_000,
        b'{"a": ' * 100_000,
    ],
)
def test_a_body_that_is_not_a_json_object_is_rejected(api: Api, body: bytes) -> None:
    answer = api.call("POST", api.tasks, body)
    assert answer.status == 400
    assert "JSON" in answer.message


def test_a_body_that_is_too_large_is_rejected(api: Api) -> None:
    answer = api.call("POST", api.tasks, b" " * (BODY_LIMIT + 1))
    assert answer.status == 413
    assert api.post(message=message("x" * (BODY_LIMIT // 2))).status == 201


@pytest.mark.parametrize("header", [None, "", "token", "token ", "Basic dTpw", "alice"])
def test_without_a_token(app: App, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = Api(app, token=None).call("GET", "/api/user", headers=headers)
    assert answer.status == 401
    assert "Unauthorized" in answer.message


def test_both_authorization_schemes_give_the_same_identity(app: App) -> None:
    seen = [
        Api(app, token=None).call("GET", "/api/user", headers={"Authorization": header}).json
        for header in ("token alice", "Bearer alice", "TOKEN  alice ")
    ]
    assert seen[0] == seen[1] == seen[2]


def test_a_configured_token_is_the_only_valid_one(db: Path) -> None:
    with closing(App(db, token="s3cret-é")) as app:
        assert Api(app, token="s3cret-é").list().status == 200
        for wrong in ("s3cret", "S3cret-é", "s3cret-é2", "x"):
            answer = Api(app, token=wrong).list()
            assert answer.status == 401
            assert b"s3cret" not in answer.body


def test_each_user_has_a_profile(api: Api, other: Api) -> None:
    mine, others = api.call("GET", "/api/user").json, other.call("GET", "/api/user").json
    assert mine["id"] != others["id"]
    assert mine["githubLogin"] != others["githubLogin"]
    assert mine["tokenInfo"] == {"name": mine["githubLogin"], "organization": "", "team": ""}
    assert [org["githubLogin"] for org in mine["organizations"]] == ["local"]
    assert mine == api.call("GET", "/api/user").json


def test_the_default_organization(api: Api) -> None:
    path = "/api/user/organizations/default"
    assert api.call("GET", path).json == {"GitHubLogin": "local", "Messages": []}


def test_the_token_is_not_stored(db: Path) -> None:
    token = "pul-a-very-secret-token"
    with closing(App(db)) as app:
        api = Api(app, token=token)
        task_id = api.create()
        shown = api.call("GET", "/api/user").body + api.list().body
        shown += api.call("GET", f"{api.tasks}/{task_id}/events").body
    kept = b"".join(path.read_bytes() for path in db.parent.iterdir()) + shown
    assert token.encode() not in kept
    assert hashlib.sha256(token.encode()).hexdigest().encode() not in kept


def test_a_database_that_fails_is_a_500_or_503(
    app: App, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, busy = sqlite3.OperationalError("disk is full"), sqlite3.OperationalError("locked")
    full.sqlite_errorcode, busy.sqlite_errorcode = sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY

    def failing(problem: sqlite3.Error) -> object:
        def create(*_: object) -> str:
            raise problem

        return create

    for problem, status in ((full, 500), (busy, 503)):
        monkeypatch.setattr(
            "reconciler.embedded.mutations.TaskWriter.insert_task", failing(problem)
        )
        answer = api.post(message=message())
        assert answer.status == status
        assert str(problem) in answer.message
        assert answer.headers["X-Pulumi-Request-ID"]
        assert ("Retry-After" in answer.headers) == (status == 503)
    monkeypatch.undo()
    assert api.post(message=message()).status == 201
