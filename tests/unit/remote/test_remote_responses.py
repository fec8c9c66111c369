from __future__ import annotations

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError, TaskctlError
from reconciler.model.service import Service
from reconciler.model.wire import console_url, named_task
from reconciler.remote.exchange import NOT_JSON, Request, ServiceResponse
from reconciler.remote.responses import decode, read, service_sent
from reconciler.remote.sanitize import Scrubber
from tests.support.client_tools import OPEN, cause, make_client
from tests.support.diagnostics import raises_with

WHERE = "https://api.test/api/user"


def read_answer(response: ServiceResponse) -> object:
    return read(response, Request("GET", "/api/user"), WHERE, Scrubber())


def answer(status: int, body: bytes = b"", **headers: str) -> ServiceResponse:
    try:
        data = decode(body)
    except ValueError:
        data = NOT_JSON
    return ServiceResponse(status, headers, data, 0.0, body)


@pytest.mark.parametrize("body", [b'{"a": [1, 1.5, null]}', b'\xef\xbb\xbf{"a": [1, 1.5, null]}'])
def test_json_is_decoded(body: bytes) -> None:
    assert decode(body) == {"a": [1, 1.5, None]}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"NaN", b"[Infinity]", b"1e999", b"[" * 200_000, b"9" * 5000]
    + [b'{"a":[' * n + b"]}" * n for n in (51, 400)],
)
def test_invalid_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(body)
    with pytest.raises(RemoteError) as caught:
        read_answer(answer(200, body))
    assert cause(caught) == (Code.NOT_THE_SERVICE, "")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, Code.REDIRECTED),
        (401, Code.UNAUTHORIZED),
        (403, Code.FORBIDDEN),
        (404, Code.NOT_FOUND),
        (407, Code.PROXY),
        (418, Code.REQUEST_REJECTED),
        (429, Code.RATE_LIMITED),
        (503, Code.SERVICE_FAILED),
    ],
)
def test_each_status_has_its_cause(status: int, code: Code) -> None:
    with raises_with(RemoteError, WHERE) as caught:
        read_answer(answer(status, b"{}"))
    assert cause(caught)[0] is code
    assert caught.value.status == status


def test_only_a_response_of_the_service_has_a_status() -> None:
    assert service_sent(answer(404, b'{"code": 404}'), 400, 404)
    assert not service_sent(answer(404, b'{"code": 404}'), 400)
    assert not service_sent(answer(404, b"<html>"), 404)
    assert not service_sent(answer(404, b"{}"), 404)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_changes_the_path_is_rejected(name: str) -> None:
    service: Service = make_client("http://127.0.0.1:9")
    with pytest.raises(TaskctlError) as caught:
        service.get_task("acme", name)
    assert cause(caught) == (Code.INVALID_NAME, "")
    with pytest.raises(TaskctlError):
        service.create_task(name, {}, OPEN)


def test_the_url_of_a_task_is_that_of_the_console() -> None:
    client = make_client("https://api.example.com")
    assert client.task_url("acme", "t1") == "https://app.example.com/acme/neo/tasks/t1"
    assert console_url("https://api.pulumi.com", "acme", "t1") == (
        "https://app.pulumi.com/acme/neo/tasks/t1"
    )
    for embedded in ("local", "http://127.0.0.1:9", "http://localhost", "http://[::1]:9"):
        assert console_url(embedded, "acme", "t1") is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\udc00 \ud83d\ud83d\ude00"', "\ufffd \ufffd\U0001f600"),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
    ],
)
def test_half_a_surrogate_pair_is_replaced(body: bytes, expected: str) -> None:
    assert decode(body) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("https://app.pulumi.com/acme/neo/tasks/t1", ("acme", "t1")),
        ("https://app.pulumi.com/acme/neo/tasks/t1/?tab=files#last", ("acme", "t1")),
        ("https://app.pulumi.com/acme/neo/tasks", None),
        ("https://elsewhere.example/acme/neo/tasks/t1", None),
        ("https://[::1/acme/neo/tasks/t1", None),
        ("acme/t1", ("acme", "t1")),
        ("t1", None),
    ],
)
def test_a_task_is_named_by_the_address_of_its_page(
    text: str, named: tuple[str, str] | None
) -> None:
    assert named_task("https://api.pulumi.com", text) == named
