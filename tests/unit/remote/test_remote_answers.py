from __future__ import annotations

import pytest

from reconciler.model.errors import RemoteError, TaskctlError
from reconciler.model.service import Service
from reconciler.model.wire import console_url
from reconciler.remote.responses import About, decode, read, says
from reconciler.remote.sanitize import Scrubber
from reconciler.remote.transport import Answer
from tests.support.client_tools import OPEN, make_client

ABOUT = About("GET", "https://api.test/api/user")


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status, headers, body, 0.0)


@pytest.mark.parametrize("body", [b'{"a": [1, 1.5, null]}', b'\xef\xbb\xbf{"a": [1, 1.5, null]}'])
def test_json_is_decoded(body: bytes) -> None:
    assert decode(body) == {"a": [1, 1.5, None]}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"NaN", b"[Infinity]", b"1e999", b"[" * 200_000, b"9" * 5000]
    + [b'{"a":[' * n + b"]}" * n for n in (51, 400)],
)
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(body)
    with pytest.raises(RemoteError, match="non-JSON"):
        read(answer(200, body), ABOUT, Scrubber())


@pytest.mark.parametrize(
    ("status", "words", "then"),
    [
        (404, "not there", "--backend"),
        (407, "the proxy wants a user", "http://USER:PASSWORD@HOST:PORT"),
        (418, "the service refused the GET", "Mend what"),
        (429, "slow down", "in some minutes"),
    ],
)
def test_words_for_a_status(status: int, words: str, then: str) -> None:
    with pytest.raises(RemoteError, match=words) as caught:
        read(answer(status, b"{}"), ABOUT, Scrubber())
    assert then in caught.value.diagnostics[0].detail
    assert caught.value.status == status


def test_only_the_service_says_a_status() -> None:
    assert says(answer(404, b'{"code": 404}'), 400, 404)
    assert not says(answer(404, b'{"code": 404}'), 400)
    assert not says(answer(404, b"<html>"), 404)
    assert not says(answer(404, b"{}"), 404)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_lead_elsewhere(name: str) -> None:
    service: Service = make_client("http://127.0.0.1:9")
    with pytest.raises(TaskctlError, match="no name of an organization or a task"):
        service.get_task("acme", name)
    with pytest.raises(TaskctlError, match="no name of an organization or a task"):
        service.create_task(name, {}, OPEN)


def test_where_a_task_is_for_a_person() -> None:
    client = make_client("http://127.0.0.1:9")
    assert client.task_url("acme", "t1") == "http://127.0.0.1:9/acme/neo/tasks/t1"
    assert console_url("https://api.pulumi.com", "acme", "t1") == (
        "https://app.pulumi.com/acme/neo/tasks/t1"
    )
    assert console_url("local", "acme", "t1") is None
