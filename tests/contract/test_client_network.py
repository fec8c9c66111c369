"""Between the client and the service: names, ports, TLS and proxies, and what was certainly not
sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError, TaskctlError
from reconciler.model.service import Created, NotSent, Unknown
from reconciler.remote.client import Client
from tests.support.client_tools import OPEN, QUICK, TOKEN, cause, create_body, make_client
from tests.support.diagnostics import in_words, raises_with, worded
from tests.support.fault_network import Proxy, certificate, closed_port, full_port, silent_port
from tests.support.fault_server import Fault, FaultServer, Rule

HOST = "https://taskctl.test"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def secure(tls: tuple[Path, ssl.SSLContext]) -> Iterator[FaultServer]:
    with FaultServer(tls=tls[1]) as server:
        yield server


def problem_of(client: Client) -> tuple[Code, str]:
    """The code and case; the message of every problem names the address."""
    with raises_with(RemoteError, r"^https?://[a-z0-9.:]+/api/user: ") as caught:
        client.identity()
    return cause(caught)


def test_a_refused_connection_is_reported() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    client = make_client(url)
    outcome = client.create_task("acme", create_body(), OPEN)
    assert worded(outcome) == NotSent("connection refused")
    assert problem_of(client) == (Code.UNREACHABLE, "refused")


def test_a_closed_client_opens_no_connection() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        client.identity()
        opened = server.connections
        client.close()
        assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        assert server.connections == opened


def test_an_unresolvable_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    client = make_client(HOST)
    assert isinstance(client.create_task("acme", create_body(), OPEN), NotSent)
    assert problem_of(client) == (Code.UNREACHABLE, "name")


def test_a_connect_timeout_is_reported() -> None:
    with full_port() as port:
        client = make_client(f"http://127.0.0.1:{port}", timeouts=QUICK)
        outcome = client.create_task("acme", create_body(), OPEN)
    assert worded(outcome) == NotSent("timed out while connecting")


def test_a_tls_handshake_timeout_is_reported() -> None:
    with silent_port() as port:
        client = make_client(f"https://127.0.0.1:{port}", timeouts=QUICK)
        outcome = client.create_task("acme", create_body(), OPEN)
    assert isinstance(outcome, NotSent)


def test_plain_http_instead_of_tls_is_reported() -> None:
    with FaultServer() as server:
        client = make_client(server.url.replace("http:", "https:"))
        outcome = client.create_task("acme", create_body(), OPEN)
        assert isinstance(outcome, NotSent)
        assert problem_of(client) == (Code.UNREACHABLE, "tls")
        assert server.posts == []


def test_a_silent_port_is_an_unknown_outcome() -> None:
    with silent_port() as port:
        client = make_client(f"http://127.0.0.1:{port}", timeouts=QUICK)
        outcome = client.create_task("acme", create_body(), OPEN)
    assert worded(outcome) == Unknown("timed out waiting for the response")


def test_an_unknown_certificate_is_rejected(secure: FaultServer) -> None:
    client = make_client(secure.url)
    outcome = client.create_task("acme", create_body(), OPEN)
    assert isinstance(outcome, NotSent)
    assert problem_of(client) == (Code.CERTIFICATE, "")
    assert secure.calls == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_custom_certificate_authority_is_accepted(
    name: str,
    secure: FaultServer,
    tls: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, str(tls[0]))
    with make_client(secure.url) as client:
        assert isinstance(client.create_task("acme", create_body(), OPEN), Created)


def test_a_missing_ca_bundle_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    with raises_with(TaskctlError, r"REQUESTS_CA_BUNDLE: /no/such/file.pem") as caught:
        make_client(HOST)
    assert cause(caught) == (Code.CERTIFICATE, "no-bundle")


@pytest.mark.parametrize("is_secure", [False, True])
def test_requests_go_through_a_proxy(
    secure: FaultServer,
    tls: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_secure: bool,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[0]))
    with Proxy(secure.port, tls=tls[1] if is_secure else None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:proxy-secret@"))
        with make_client(HOST) as client:
            assert isinstance(client.create_task("acme", create_body(), OPEN), Created)
            assert client.identity().id
        assert len(proxy.heard) == 1
        assert "CONNECT taskctl.test:443" in proxy.heard[0]
        assert "Proxy-Authorization: Basic" in proxy.heard[0]
        assert TOKEN not in proxy.heard[0]
    assert secure.connections == 1


@pytest.mark.parametrize("committed", [False, True])
def test_a_reset_behind_a_proxy_is_an_unknown_outcome(
    *,
    committed: bool,
    tls: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[0]))
    faults = [Rule("create", Fault("reset", committed=committed))]
    with FaultServer(faults, tls=tls[1]) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with make_client(HOST) as client:
            outcome = client.create_task("acme", create_body(), OPEN)
        assert worded(outcome) == Unknown("the connection was reset")
        assert len(server.posts) == 1


@pytest.mark.parametrize("answer", ["HTTP/1.1 407 Login", "HTTP/1.1 403 No", "HTTP/1.1 502 Bad"])
def test_a_proxy_that_cannot_connect_is_reported(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultServer() as server, Proxy(server.port, answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:proxy-secret@"))
        client = make_client(HOST)
        outcome = client.create_task("acme", create_body(), OPEN)
        assert isinstance(outcome, NotSent)
        assert answer.split()[1] in in_words(outcome.why)
        with pytest.raises(RemoteError) as caught:
            client.identity()
        assert cause(caught) == (Code.PROXY, "")
        assert "proxy-secret" not in str(caught.value.diagnostics)
        assert server.connections == 0


def test_a_missing_proxy_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    client = make_client(HOST)
    assert isinstance(client.create_task("acme", create_body(), OPEN), NotSent)
    assert problem_of(client) == (Code.PROXY, "")


def test_loopback_bypasses_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert make_client(server.url).identity().id
        assert proxy.heard == []


def test_no_proxy_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(closed_port()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "taskctl.test")
        monkeypatch.setattr(socket, "getaddrinfo", _unresolved)
        assert problem_of(make_client(HOST)) == (Code.UNREACHABLE, "name")
        assert proxy.heard == []


def _unresolved(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_socks_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:proxy-secret@127.0.0.1:1080")
    with pytest.raises(TaskctlError) as caught:
        make_client(HOST)
    assert cause(caught) == (Code.PROXY, "socks")
    assert "proxy-secret" not in str(caught.value.diagnostics)


@pytest.mark.parametrize("password", ["pa/ss", "pa?ss", "pa#ss", "p/a@ss"])
def test_a_proxy_password_that_is_not_encoded_is_never_shown(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{password}@127.0.0.1:1")
    with pytest.raises(TaskctlError) as caught:
        make_client(HOST)
    assert cause(caught) == (Code.PROXY, "invalid")
    assert caught.value.diagnostics[0].args == {}


def test_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer() as server, make_client(server.url) as client:
        client.create_task("acme", create_body(), OPEN)
        assert server.calls[0].headers["Authorization"] == f"token {TOKEN}"


def test_cookies_are_not_kept() -> None:
    fault = Fault("status", status=200, headers={"Set-Cookie": "a=b; Path=/"})
    with FaultServer([Rule("default-org", fault)]) as server, make_client(server.url) as client:
        client.default_org()
        client.identity()
        assert "Cookie" not in server.of("user")[0].headers


def test_localhost_that_resolves_elsewhere_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.remote.connections.is_loopback", lambda _: False)
    with FaultServer() as server:
        outcome = make_client(server.url).create_task("acme", create_body(), OPEN)
        assert isinstance(outcome, NotSent)
        assert "not this machine" in in_words(outcome.why)
        assert server.calls == []
