from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import requests

from reconciler.model.service import Created, NotSent, Refused, Unknown
from reconciler.remote.client import Client
from reconciler.remote.exchange import Exchange
from reconciler.remote.transport import Transport, WSGIAdapter
from tests.support.client_tools import OPEN, TOKEN, Window, create_body
from tests.support.diagnostics import worded

Start = Callable[..., Any]
Environ = dict[str, Any]


@pytest.fixture(autouse=True)
def _exchange() -> Iterator[None]:
    with Exchange(connect=1, read=1, whole=60, max_idle=60):
        yield


def session(app: Callable[[Environ, Start], Iterable[bytes]]) -> requests.Session:
    made = requests.Session()
    made.mount("http://", WSGIAdapter(app))
    return made


def test_requests_and_responses_are_passed_through() -> None:
    seen: Environ = {}

    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start("202 Fine", [("X-Pulumi-Request-ID", "7"), ("Set-Cookie", "a=b")])
        return [b'{"a":', b" 1}"]

    answer = session(app).post(
        "http://localhost/api/a%2Fb%C3%BC?q=1&r=%20", json={"x": "y"}, headers={"X-One": "two"}
    )
    assert (answer.status_code, answer.reason, answer.json()) == (202, "Fine", {"a": 1})
    assert answer.headers["x-pulumi-request-id"] == "7"
    assert "Date" in answer.headers
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/api/a/bü"
    assert seen["QUERY_STRING"] == "q=1&r=%20"
    assert seen["REQUEST_METHOD"] == "POST"
    assert seen["CONTENT_LENGTH"] == str(len(seen["body"]))
    assert json.loads(seen["body"]) == {"x": "y"}
    assert seen["HTTP_X_ONE"] == "two"


def test_the_body_is_closed() -> None:
    made: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            for n in range(3):
                yield b"%d" % n

        def close(self) -> None:
            made.append("closed")

    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return Body()

    assert session(app).get("http://localhost/").content == b"012"
    assert made == ["closed"]


def test_a_body_shorter_than_its_length_is_an_error() -> None:
    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "10")])
        return [b"short"]

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session(app).get("http://localhost/")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        ("201 Created", b'{"taskId": "t1"}', Created("t1")),
        (
            "400 Bad",
            b'{"code": 400, "message": "prompt is required"}',
            Refused("prompt is required", 400),
        ),
        ("500 Oops", b'{"code": 500, "message": "oops"}', Unknown("500: oops")),
        ("500 Oops", b'{"taskId": "t1", "message": "oops"}', Unknown("500: oops")),
    ],
)
def test_a_client_works_over_wsgi(status: str, body: bytes, outcome: object) -> None:
    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        assert environ["HTTP_AUTHORIZATION"] == f"token {TOKEN}"
        start(status, [("Content-Type", "application/json")])
        return [body]

    with Client(Transport("local", TOKEN, app=app)) as client:
        assert worded(client.create_task("acme", create_body(), OPEN)) == outcome
        assert client.backend == "local"
        assert (client.service_clock() is None) == (status[0] != "2")


def test_an_expired_request_does_not_call_the_application() -> None:
    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        raise AssertionError("called")

    with Client(Transport("local", TOKEN, app=app)) as client:
        outcome = client.create_task("acme", create_body(), Window(0))
    assert isinstance(outcome, NotSent)
