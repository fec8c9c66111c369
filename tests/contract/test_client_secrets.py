"""The token appears in no output: logs, errors, reprs or tracebacks."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest

from reconciler.model.diagnostics import TaskctlError
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from tests.support.client_tools import OPEN, TOKEN, create_body, make_client
from tests.support.diagnostics import raises_with
from tests.support.fault_network import closed_port
from tests.support.fault_server import Fault, FaultServer, Rule

ECHO = f"you sent {TOKEN}, did you not?"
FAULTS = [
    Fault(),
    Fault("reset"),
    Fault("cut"),
    Fault("garbage"),
    Fault("html", status=200),
    Fault("redirect", status=302, headers={"Location": f"https://x.test/{TOKEN}?t={TOKEN}"}),
    Fault("status", status=500, text=ECHO, headers={"X-Pulumi-Request-ID": TOKEN}),
    *(Fault("status", status=s, text=ECHO) for s in (400, 401, 403, 404, 409, 429)),
]


def everything(client: Client) -> str:
    """All output of a client whose every method is called."""
    seen = [repr(client), repr(vars(client)), str(client.create_task("acme", create_body(), OPEN))]
    calls: list[Callable[[], object]] = [
        client.identity,
        client.default_org,
        lambda: list(client.list_tasks("acme")),
        lambda: client.get_task("acme", "x"),
        lambda: client.first_message("acme", "x"),
        lambda: client.patch_task("acme", "x", {"name": "y"}),
    ]
    for call in calls:
        try:
            seen.append(repr(call()))
        except TaskctlError as exc:
            seen += [repr(exc), str(exc.diagnostics), *traceback.format_exception(exc)]
    return "\n".join(seen)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_no_response_of_the_service_reveals_the_token(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoints = ("create", "list", "get", "patch", "events", "user", "default-org")
    with FaultServer([Rule(endpoint, fault) for endpoint in endpoints]) as server:
        seen = everything(make_client(server.url))
    assert TOKEN not in seen
    assert TOKEN not in caplog.text


def test_no_network_failure_reveals_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert TOKEN not in everything(make_client(f"http://127.0.0.1:{closed_port()}"))
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN}\u00e9", f"\x00{TOKEN}"])
def test_a_token_that_is_invalid_in_a_header_is_rejected(token: str) -> None:
    with raises_with(TaskctlError, "access token") as caught:
        Transport("https://api.pulumi.com", token)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "http://api.pulumi.com",
        "http://127.0.0.1.evil.test",
        "http://localhost.evil.test:8080",
        "http://10.0.0.1",
        "http://[2001:db8::1]",
        "http://2130706433",
    ],
)
def test_a_token_never_goes_over_plain_http(url: str) -> None:
    with raises_with(TaskctlError, "plain http"):
        Transport(url, TOKEN)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8765"])
def test_a_token_may_go_over_plain_http_to_loopback(url: str) -> None:
    Transport(url, TOKEN).close()
