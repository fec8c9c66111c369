"""One session for each address: the token stays with the service, and nobody is redirected."""

from __future__ import annotations

from contextlib import closing

import pytest
import requests

from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.remote.connections import AddressSession
from reconciler.remote.exchange import Exchange
from tests.support.client_tools import cause, make_client
from tests.support.endless import endless_redirect
from tests.support.fault_server import FaultServer
from tests.support.recorder import recorder

FEW = 16 << 20
"""More bytes than the buffers between two sockets hold, and less than a response may have."""


@pytest.mark.parametrize("used_before", [False, True])
def test_a_session_refuses_every_other_address(*, used_before: bool) -> None:
    """Also while it has a connection: the adapter would send to the only pool that it has."""
    exchange = Exchange(60, 60, 60)
    with recorder() as own, recorder() as other, AddressSession(own.url) as session:
        with exchange:
            if used_before:
                request = session.prepare_request(requests.Request("POST", own.url, json={}))
                session.open(request, exchange).close()
            elsewhere = [
                own.url.replace("127.0.0.1", host) for host in ("localhost", "a@127.0.0.1")
            ]
            for url in (other.url, *elsewhere):
                wrong = session.prepare_request(requests.Request("POST", url, json={}))
                with pytest.raises(requests.exceptions.InvalidURL):
                    session.open(wrong, exchange)
        assert (len(own.sent), other.sent) == (int(used_before), [])


def test_a_session_has_no_credentials_and_accepts_no_cookies() -> None:
    exchange = Exchange(60, 60, 60)
    with recorder() as server, AddressSession(server.url) as session, exchange:
        server.headers = {"Set-Cookie": "a=b; Path=/"}
        assert dict(session.headers) == {}
        request = session.prepare_request(requests.Request("POST", server.url, json={}))
        with closing(session.open(request, exchange)) as response:
            assert response.headers["Set-Cookie"]
        assert len(session.cookies) == 0


def test_a_redirect_with_an_endless_body_is_not_read() -> None:
    with FaultServer() as elsewhere, endless_redirect(elsewhere.url) as server:
        with make_client(server.url) as client, pytest.raises(RemoteError) as caught:
            client.identity()
        assert cause(caught)[0] is Code.REDIRECTED
        assert server.sent < FEW
        assert elsewhere.calls == []
