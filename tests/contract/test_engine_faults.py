"""How each engine reports a write with a lost response, and one that is truncated or late.

Never as not done if it may have been done: the caller of `swap` finds out by reading the head.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from reconciler.state.engines import BlobRoom, Denied, Engine, Moved, Unsure
from tests.support.fault_proxy import Asked, FaultProxy, Trouble
from tests.support.state_engines import HERE, Served, marked, serving


@pytest.fixture(scope="module", params=marked(HERE))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def proxy(served: Served) -> Iterator[FaultProxy]:
    with FaultProxy(served.port, served.protocol) as proxy:
        yield proxy


@pytest.fixture
def engine(served: Served, proxy: FaultProxy) -> Iterator[Engine]:
    """Reaches its server through the proxy, and has already read an existing head."""
    state = f"s{secrets.token_hex(4)}"
    with closing(served.runner(state).engine()) as first:
        first.read()
        first.swap(b"first " + secrets.token_bytes(8), None)
    with closing(served.runner(state, proxy.port).engine()) as engine:
        engine.read()
        proxy.forget()
        yield engine


def head(engine: Engine) -> bytes:
    found = engine.read()
    assert found is not None
    return found[0]


def swapped(engine: Engine, data: bytes) -> None:
    found = engine.read()
    assert found is not None
    engine.swap(data, found[1])


def test_a_lost_response_leaves_the_outcome_unknown(engine: Engine, proxy: FaultProxy) -> None:
    proxy.on_write = {1: Trouble("lost")}
    with pytest.raises(Unsure):
        swapped(engine, b"mine")
    assert len(proxy.met) == 1
    assert head(engine) == b"mine"


def test_a_truncated_request_can_be_sent_again(engine: Engine, proxy: FaultProxy) -> None:
    proxy.on_write = {1: Trouble("cut")}
    before = head(engine)
    with pytest.raises(Unsure):
        swapped(engine, b"mine")
    assert head(engine) == before
    swapped(engine, b"mine")
    assert head(engine) == b"mine"


def test_a_late_write_after_a_newer_one_changes_nothing(engine: Engine, proxy: FaultProxy) -> None:
    proxy.on_write = {1: Trouble("late")}
    with pytest.raises(Unsure):
        swapped(engine, b"late")
    swapped(engine, b"newer")
    assert proxy.deliver() == 1
    assert head(engine) == b"newer"


def test_a_late_write_before_its_retry_counts_once(engine: Engine, proxy: FaultProxy) -> None:
    """The retry sends the same bytes and is rejected, because the first request has arrived."""
    found = engine.read()
    assert found is not None
    proxy.on_write = {1: Trouble("late")}
    with pytest.raises(Unsure):
        engine.swap(b"mine", found[1])
    assert proxy.deliver() == 1
    with suppress(Moved, Unsure):
        engine.swap(b"mine", found[1])
    assert head(engine) == b"mine"


STATUSES = (408, 409, 429, 500, 502, 503, 504)


@pytest.mark.parametrize("committed", [False, True])
def test_an_error_of_a_gateway_leaves_the_outcome_unknown(
    served: Served, engine: Engine, proxy: FaultProxy, *, committed: bool
) -> None:
    for status in STATUSES if served.protocol == "http" else ():
        proxy.forget()
        proxy.on_write = {1: Trouble("answer", status, committed)}
        before, data = head(engine), secrets.token_bytes(8)
        with pytest.raises(Unsure):
            swapped(engine, data)
        assert head(engine) == (data if committed else before), status


def test_a_read_with_a_lost_response_is_not_an_empty_state(
    engine: Engine, proxy: FaultProxy
) -> None:
    proxy.always = lambda asked: Trouble("lost")
    with pytest.raises(Unsure):
        engine.read()
    with pytest.raises((Unsure, Denied)):  # a database: the connection is not even opened
        engine.read()
    proxy.always = lambda asked: None
    assert head(engine).startswith(b"first ")


def test_a_blob_with_a_lost_response_can_be_stored_again(engine: Engine, proxy: FaultProxy) -> None:
    proxy.on_write = {1: Trouble("lost")}
    try:
        engine.put_blob("blob", b"data")
    except Unsure:
        engine.put_blob("blob", b"data")
        swapped(engine, b"names it")
    else:  # git: it goes out with the next swap
        with pytest.raises(Unsure):
            swapped(engine, b"names it")
    assert head(engine) == b"names it"
    assert engine.get_blob("blob", BlobRoom()) == b"data"


def test_the_proxy_counts_forwarded_requests(engine: Engine, proxy: FaultProxy) -> None:
    engine.read()
    assert proxy.asked
    assert not proxy.writes
    swapped(engine, b"mine")
    assert [asked.write for asked in proxy.writes] == [1]
    assert isinstance(proxy.asked[0], Asked)
