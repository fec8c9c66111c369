"""Server-Sent Events from bytes that are split anywhere."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.remote import event_stream
from reconciler.remote.event_stream import messages
from reconciler.remote.exchange import TooLargeError

STREAM = (
    b"retry: 1000\n\n: heartbeat\n\nid: a\ndata: one\n\n"
    b"data: two\r\ndata: lines\r\n\r\nid:b\rdata:three\r\revent: x\nid: c\n\ndata: broken off"
)


@given(st.lists(st.integers(0, len(STREAM))))
def test_messages_do_not_depend_on_chunks(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(places)]
    found = list(messages(pieces))
    assert [data for data in found if data is not None] == ["one", "two\nlines", "three"]
    assert found.count(None) == len(pieces)


def test_an_endless_message_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_MESSAGE", 100)
    list(messages([b"data: 1\n\n"] * 30))
    with pytest.raises(TooLargeError):
        list(messages([b"data: 1\n\n", b"data: 1\n" * 30]))


@given(st.binary())
def test_any_bytes_are_accepted(stream: bytes) -> None:
    list(messages([stream]))
