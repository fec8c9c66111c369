from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.addresses import Backend, backend_name
from tests.support.client_tools import cause
from tests.support.diagnostics import raises_with

HOME = Path("/home/ada")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://api.pulumi.com", "https://api.pulumi.com"),
        ("https://api.pulumi.com/", "https://api.pulumi.com"),
        (" HTTPS://API.Pulumi.com:443// ", "https://api.pulumi.com"),
        ("https://pulumi.acme.test:8443/base/", "https://pulumi.acme.test:8443/base"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://LOCALHOST:8765/", "http://localhost:8765"),
        ("http://[::1]:8765", "http://[::1]:8765"),
        ("local", "local"),
        ("local:.taskctl/local.db", "local"),
        ("local:./.taskctl//local.db", "local"),
        ("local:./a/../b.db", "local:b.db"),
        ("local:/tmp/b.db", "local:/tmp/b.db"),
        ("local:~/b.db", "local:/home/ada/b.db"),
    ],
)
def test_addresses_are_normalized(text: str, name: str) -> None:
    assert backend_name(text, HOME) == name
    assert backend_name(name, HOME) == name


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("api.pulumi.com", ""),
        ("", ""),
        ("s3://bucket", ""),
        ("https://", ""),
        ("https://a b.test", ""),
        ("https://api.pulumi.com:x", ""),
        ("https://[::1", ""),
        ("https://user:hunter2@api.pulumi.com", "secret"),
        ("https://api.pulumi.com?x=1", "query"),
        ("http://api.pulumi.com", "plain-http"),
        ("local:", "no-path"),
    ],
)
def test_invalid_backends_are_rejected(text: str, case: str) -> None:
    with raises_with(TaskctlError, "TASKCTL_BACKEND: ") as caught:
        backend_name(text, HOME, "TASKCTL_BACKEND")
    assert cause(caught) == (Code.INVALID_BACKEND, case)
    assert "hunter2" not in str(caught.value.diagnostics)


def test_each_backend_has_its_addresses() -> None:
    assert Backend("local", "").local_db == Path(".taskctl/local.db")
    assert Backend("local:b.db", "").local_db == Path("b.db")
    assert Backend("local:b.db", "").default_state == ".taskctl/local.state.json"
    assert Backend("https://api.pulumi.com", "").local_db is None
    assert Backend("https://api.pulumi.com", "").default_state == "taskctl.state.json"
    assert not Backend("https://local", "").is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "[::1]", "localhost"])
def test_loopback_addresses_are_recognized(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["127.1", "128.0.0.1", "localhost.test", "::2", "", "0.0.0.0"])
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
